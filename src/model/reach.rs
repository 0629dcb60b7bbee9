//! Whether something can be reached at all: pings and bare connections.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Reply;
use super::smtp::DialError;
use super::snmp::{SnmpFailure, SnmpReport};

/// A round of pings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingReport {
    /// Echo requests sent.
    pub sent: u32,
    /// The round-trip time of each that was answered, in order.
    pub round_trips: Vec<Duration>,
    /// The network said that the host cannot be reached.
    pub unreachable: bool,
}

impl PingReport {
    /// Whether anything came back from the host.
    pub fn answered(&self) -> bool {
        !self.round_trips.is_empty()
    }

    /// How many were lost.
    pub fn lost(&self) -> u32 {
        self.sent
            .saturating_sub(u32::try_from(self.round_trips.len()).unwrap_or(u32::MAX))
    }
}

/// One way of asking whether a host lives, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "check", rename_all = "kebab-case")]
pub enum LifeCheck {
    /// Pings.
    Ping {
        /// What came back; an error is our own inability to ping, in words with the remedy.
        report: Result<PingReport, String>,
    },
    /// A TCP connection.
    Tcp {
        /// The port.
        port: u16,
        /// How long the connection took, or why there was none.
        result: Result<Duration, DialError>,
    },
    /// A question to its SNMP agent.
    Snmp {
        /// What the agent said, or why nothing.
        report: Result<SnmpReport, SnmpFailure>,
    },
}

impl LifeCheck {
    /// Whether the host itself answered. A reset is an answer too: something sent it.
    pub fn answered(&self) -> bool {
        match self {
            Self::Ping { report } => report.as_ref().is_ok_and(PingReport::answered),
            Self::Tcp { result, .. } => matches!(result, Ok(_) | Err(DialError::Refused)),
            Self::Snmp { report } => report.is_ok(),
        }
    }

    /// Whether it is a sign of life alone: its failing proves nothing, as an agent may be off, or want another
    /// password, on a router that works.
    pub fn is_extra(&self) -> bool {
        matches!(self, Self::Snmp { .. })
    }

    /// Whether it could be tried at all on our side.
    pub fn could_run(&self) -> bool {
        match self {
            Self::Ping { report } => report.is_ok(),
            Self::Tcp { result, .. } => !matches!(result, Err(DialError::Local { .. })),
            Self::Snmp { report } => !matches!(report, Err(SnmpFailure::Local { .. })),
        }
    }

    /// What came of it, in a few words: `5 of 5 pings lost`, `port 443 open`.
    pub fn summary(&self) -> String {
        match self {
            Self::Ping { report: Ok(report) } if report.lost() == 0 => {
                format!("{} of {} pings answered", report.sent, report.sent)
            }
            Self::Ping { report: Ok(report) } => format!("{} of {} pings lost", report.lost(), report.sent),
            Self::Ping { report: Err(reason) } => format!("could not ping: {reason}"),
            Self::Tcp { port, result: Ok(_) } => format!("port {port} open"),
            Self::Tcp {
                port,
                result: Err(error),
            } => format!("port {port}: {error}"),
            Self::Snmp { report: Ok(report) } => format!("SNMP: {report}"),
            Self::Snmp { report: Err(failure) } => format!("SNMP: {failure}"),
        }
    }
}

/// Whether a host lives: asked only after a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEvidence {
    /// Ping, 443, 587, 993.
    pub checks: Vec<LifeCheck>,
}

impl HostEvidence {
    /// Whether any check was answered.
    pub fn alive(&self) -> bool {
        self.checks.iter().any(LifeCheck::answered)
    }
}

/// What a gateway's own checks showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayEvidence {
    /// The address that was checked; `None` when its name did not resolve.
    pub address: Option<IpAddr>,
    /// Each configured check.
    pub checks: Vec<LifeCheck>,
}

impl GatewayEvidence {
    /// Whether any check was answered.
    pub fn answered(&self) -> bool {
        self.checks.iter().any(LifeCheck::answered)
    }
}

/// What an anchor showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchorEvidence {
    /// The address that was asked; `None` when its name did not resolve.
    pub address: Option<IpAddr>,
    /// What came of it.
    pub outcome: AnchorOutcome,
    /// The round of pings, of an anchor that is pinged: what our own line loses others do not.
    #[serde(default)]
    pub pings: Option<PingReport>,
}

/// What came of asking an anchor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum AnchorOutcome {
    /// It answered.
    Answered {
        /// How long that took.
        after: Duration,
        /// Its greeting, for an SMTP anchor: any SMTP reply will do.
        greeting: Option<Reply>,
    },
    /// It did not.
    Silent {
        /// Why, in words.
        reason: String,
    },
}

impl AnchorEvidence {
    /// Whether it answered.
    pub fn answered(&self) -> bool {
        matches!(self.outcome, AnchorOutcome::Answered { .. })
    }
}
