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
    /// Whether it may be nearer: it answers for whatever passes it, and nobody answered just before it.
    pub at_most: bool,
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
        match self.last() {
            None => "No hop on the way there answers.".into(),
            Some(last) if self.arrived => {
                format!("The way there is open: the host itself answers, {}.", last.away())
            }
            Some(last) => format!("The last hop that answered is {}, {}.", last.address, last.away()),
        }
    }
}

impl TraceHop {
    /// `at most 7 hops away`
    fn away(&self) -> String {
        let most = if self.at_most { "at most " } else { "" };
        let plural = if self.distance == 1 { "" } else { "s" };
        format!("{most}{} hop{plural} away", self.distance)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&[], false, "No hop on the way there answers.")]
    #[case(&[(1, false)], false, "The last hop that answered is 203.0.113.9, 1 hop away.")]
    #[case(&[(1, false), (7, true)], false, "The last hop that answered is 203.0.113.9, at most 7 hops away.")]
    #[case(&[(8, false)], true, "The way there is open: the host itself answers, 8 hops away.")]
    fn a_trace_is_told_in_a_sentence(
        #[case] hops: &[(u8, bool)],
        #[case] arrived: bool,
        #[case] expected: &str,
    ) {
        let hop = |(distance, at_most): &(u8, bool)| TraceHop {
            distance: *distance,
            at_most: *at_most,
            address: "203.0.113.9".parse().unwrap(),
            after: Duration::from_millis(9),
        };
        let trace = Trace {
            method: TraceMethod::Tcp,
            hops: hops.iter().map(hop).collect(),
            arrived,
        };
        assert_eq!(trace.sentence(), expected);
    }
}
