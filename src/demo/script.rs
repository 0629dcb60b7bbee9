//! What breaks in the demo's world, when, and what is said of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

use super::world::span;

const DATA: &str = include_str!("script.toml");

/// The whole script.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    /// After this long it begins again.
    #[serde(deserialize_with = "span")]
    pub(super) round: Duration,
    pub(super) acts: Vec<Act>,
}

/// Something that breaks, and heals.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Act {
    /// When it breaks, from the start of a round.
    #[serde(deserialize_with = "span")]
    pub(super) at: Duration,
    #[serde(deserialize_with = "span")]
    pub(super) lasts: Duration,
    pub(super) says: String,
    pub(super) heals: String,
    pub(super) fault: Fault,
    /// The causes that the diagnosis must find meanwhile, by domain.
    #[cfg_attr(not(test), allow(dead_code, reason = "what the tests hold the diagnosis to"))]
    pub(super) expect: BTreeMap<String, String>,
}

/// A way to break something.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Fault {
    /// Whatever is sent to these addresses vanishes.
    Silent { addresses: Vec<IpAddr> },
    /// These name servers fail at every question.
    ZoneFails { addresses: Vec<IpAddr> },
    /// This mail server shows a certificate that is over.
    Expired { server: String },
    /// Nothing listens at this mail server.
    Stopped { server: String },
    /// This mail server says no more than this line.
    Greets { server: String, line: String },
    /// Our own line is cut.
    LineCut,
    /// Port 25 is closed on our own side.
    #[serde(rename = "port25-filtered")]
    Port25Filtered,
}

/// The beginning or the end of an act.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn<'a> {
    /// From the start of a round.
    pub(super) at: Duration,
    pub(super) act: &'a Act,
    pub(super) heals: bool,
}

impl Script {
    /// As the data says.
    ///
    /// # Errors
    /// When the data is wrong, a mistake of ours.
    pub(super) fn read() -> anyhow::Result<Self> {
        Ok(toml::from_str(DATA)?)
    }

    /// All that happens in one round, in order of time.
    pub(super) fn turns(&self) -> Vec<Turn<'_>> {
        let both = |act| {
            let turn = |at, heals| Turn { at, act, heals };
            let Act { at, lasts, .. } = *act;
            [turn(at, false), turn(at + lasts, true)]
        };
        let mut turns: Vec<Turn<'_>> = self.acts.iter().flat_map(both).collect();
        turns.sort_by_key(|turn| turn.at);
        turns
    }
}
