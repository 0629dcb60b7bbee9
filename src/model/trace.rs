//! The way to an address, as far as it could be followed.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the way was followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceMethod {
    /// By the first packets of TCP connections.
    Tcp,
    /// By ICMP echo requests.
    Icmp,
}

/// A router on the way, or the host at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceHop {
    /// How many hops away it is.
    pub distance: u8,
    /// Its address.
    pub address: IpAddr,
    /// How long its answer took.
    pub after: Duration,
}

/// The way to an address, as far as it could be followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// How it was followed.
    pub method: TraceMethod,
    /// The hops that answered, the nearest first.
    pub hops: Vec<TraceHop>,
    /// Whether the last of them is the host itself.
    pub arrived: bool,
}

impl Trace {
    /// The last hop that answered.
    pub fn last(&self) -> Option<&TraceHop> {
        self.hops.last()
    }

    /// What it shows, as one sentence.
    pub fn sentence(&self) -> String {
        let hops = |distance| match distance {
            1 => "1 hop".to_owned(),
            more => format!("{more} hops"),
        };
        match self.last() {
            None => "No hop on the way there answers.".into(),
            Some(last) if self.arrived => {
                format!(
                    "The way there is open: the host itself answers, {} away.",
                    hops(last.distance)
                )
            }
            Some(last) => format!(
                "The last hop that answered is {}, {} away.",
                last.address,
                hops(last.distance)
            ),
        }
    }
}
