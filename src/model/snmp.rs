//! What an SNMP agent says of the router that it runs on.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an agent said. Texts are cleaned and bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnmpReport {
    /// Hundredths of a second since it started (`sysUpTime`, RFC 3418): 32 bits, so that it begins anew after 497 days.
    pub uptime: u32,
    /// What it calls itself (`sysDescr`).
    pub description: String,
    /// The interface to the outside: the one that holds the address that we asked, else that of the default route.
    pub interface: Option<SnmpInterface>,
}

/// The counters of an interface (RFC 2863), since the agent started; `None` where the agent does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnmpInterface {
    /// Its number (`ifIndex`).
    pub index: u64,
    /// Its name (`ifDescr`).
    pub name: String,
    /// Whether it is up (`ifOperStatus`).
    pub up: Option<bool>,
    /// Packets that came in broken (`ifInErrors`).
    pub errors_in: Option<u64>,
    /// Packets that could not be sent (`ifOutErrors`).
    pub errors_out: Option<u64>,
    /// Bytes that came in (`ifHCInOctets`).
    pub octets_in: Option<u64>,
    /// Bytes that went out (`ifHCOutOctets`).
    pub octets_out: Option<u64>,
}

/// Why an agent told us nothing. None of these holds what we showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "failure", rename_all = "kebab-case")]
pub enum SnmpFailure {
    /// Nothing came back: to a wrong community an agent says nothing either.
    #[error("no answer")]
    Silent,
    /// The network or the host says that nobody listens there.
    #[error("nothing listens there")]
    Closed,
    /// The agent, or its answer, does not fit the user, password or protocols.
    #[error("the user, password or protocols do not fit")]
    Denied,
    /// What came back is no answer.
    #[error("an answer that is none")]
    Malformed,
    /// We could not even ask.
    #[error("{reason}")]
    Local {
        /// What stood in the way, in words.
        reason: String,
    },
}

impl SnmpReport {
    /// For how long it says that it has run.
    pub fn running(&self) -> Duration {
        Duration::from_millis(u64::from(self.uptime) * 10)
    }
}

impl fmt::Display for SnmpReport {
    /// `up 12 d 3 h, eth0 up, 3 errors in, 0 out`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.running().as_secs() / 60;
        let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
        match (days, hours) {
            (0, 0) => write!(f, "up {minutes} min")?,
            (0, _) => write!(f, "up {hours} h {minutes} min")?,
            _ => write!(f, "up {days} d {hours} h")?,
        }
        let Some(interface) = &self.interface else {
            return Ok(());
        };
        match interface.up {
            Some(true) => write!(f, ", {} up", interface.name)?,
            Some(false) => write!(f, ", {} down", interface.name)?,
            None => write!(f, ", {}", interface.name)?,
        }
        if let (Some(errors_in), Some(errors_out)) = (interface.errors_in, interface.errors_out) {
            write!(f, ", {errors_in} errors in, {errors_out} out")?;
        }
        Ok(())
    }
}
