//! What a daemon's API says, as far as it is shown.
#![allow(missing_docs, reason = "openapi.json describes these")]

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::model::{Confidence, Flaps, Owner, Severity, State, text};
use crate::surface::words::Moment;

/// The most characters of one text: more is no sentence.
const MOST: usize = 2000;

/// A text that can be shown: the daemon quotes what mail servers say, and those say what they like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Words(String);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = String::deserialize(deserializer)?;
        Ok(Self(text::clean(raw.as_bytes(), MOST)))
    }
}

impl Deref for Words {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// All that `mailflow status` shows.
#[derive(Debug, Deserialize)]
pub struct Overview {
    pub summary: Summary,
    pub vantages: Vec<Verdict>,
    pub incidents: Vec<Incident>,
    pub domains: Vec<Verdict>,
    pub gateways: Vec<Verdict>,
    pub clients: Vec<Client>,
}

/// One incident, and what it takes to tell of it.
#[derive(Debug, Deserialize)]
pub struct Single {
    pub summary: Summary,
    pub incident: Incident,
    pub clients: Vec<Client>,
}

/// The whole in a sentence.
#[derive(Debug, Deserialize)]
pub struct Summary {
    /// The daemon's own clock: what all spans are reckoned to.
    pub at: Timestamp,
    pub version: Words,
    pub state: State,
    pub text: Words,
    pub remedy: Option<Words>,
    pub notes: Vec<Words>,
}

/// How a domain, gateway or vantage is.
#[derive(Debug, Deserialize)]
pub struct Verdict {
    #[serde(alias = "domain", alias = "gateway", alias = "vantage")]
    pub name: Words,
    pub client: Option<Words>,
    pub state: State,
    pub since: Timestamp,
    pub cause: Option<Cause>,
    pub also: Vec<Warning>,
    pub provider: Option<Words>,
    pub incident: Option<Words>,
    #[serde(default)]
    pub flapping: Option<Flaps>,
    /// Of gateways only.
    pub address: Option<Words>,
}

#[derive(Debug, Deserialize)]
pub struct Cause {
    pub code: Words,
    pub owner: Owner,
    pub subject: Words,
    pub detail: Words,
    pub contact: Option<Words>,
    pub title: Words,
    pub action: Words,
    pub confidence: Confidence,
    pub confidence_reason: Option<Words>,
    pub root: Root,
    pub evidence: Vec<Evidence>,
}

#[derive(Debug, Deserialize)]
pub struct Root {
    pub kind: Words,
    pub client: Option<Words>,
}

#[derive(Debug, Deserialize)]
pub struct Warning {
    pub code: Words,
    pub subject: Words,
    pub summary: Words,
}

#[derive(Debug, Deserialize)]
pub struct Evidence {
    pub probe: Words,
    pub vantage: Words,
    pub source_address: Option<Words>,
    pub peer: Words,
    pub at: Timestamp,
    pub summary: Words,
    pub transcript: Vec<Words>,
    pub control: Option<Words>,
}

#[derive(Debug, Deserialize)]
pub struct Incident {
    pub id: Words,
    pub severity: Severity,
    pub opened: Timestamp,
    pub resolved: Option<Timestamp>,
    pub ended_by: Option<Words>,
    #[serde(default)]
    pub flapping: Option<Flaps>,
    pub cause: Cause,
    pub domains: Vec<Affected>,
    pub url: Words,
    pub acknowledged: Option<Acknowledged>,
    pub held: Option<Held>,
    #[serde(default)]
    pub log: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
pub struct Acknowledged {
    pub at: Timestamp,
    pub by: Words,
}

#[derive(Debug, Deserialize)]
pub struct Held {
    pub until: Timestamp,
    pub reason: Words,
}

#[derive(Debug, Deserialize)]
pub struct Affected {
    pub client: Option<Words>,
    pub domain: Words,
    pub state: State,
    pub since: Timestamp,
}

#[derive(Debug, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    pub text: Words,
}

#[derive(Debug, Deserialize)]
pub struct Client {
    pub id: Words,
    pub name: Words,
}

/// The clients' names by their ids.
pub struct Names(BTreeMap<Words, Words>);

impl Names {
    pub fn new(clients: &[Client]) -> Self {
        Self(
            clients
                .iter()
                .map(|one| (one.id.clone(), one.name.clone()))
                .collect(),
        )
    }

    /// A client's name, or its id while no name is known.
    pub fn of(&self, client: &Words) -> String {
        self.0.get(client).unwrap_or(client).to_string()
    }

    /// Whose a fault is, and whom to call.
    pub fn whose(&self, cause: &Cause, touched: &[Affected]) -> String {
        let owner = match cause.owner {
            Owner::Client => match cause.root.client.as_ref().or_else(|| only_client(touched)) {
                Some(client) => self.of(client),
                None => "the client".to_owned(),
            },
            Owner::Recipient => "the recipient's organisation".to_owned(),
            Owner::Provider => "the mail provider".to_owned(),
            Owner::Network => "whoever runs the line or network between".to_owned(),
            Owner::Us => "ours".to_owned(),
        };
        match &cause.contact {
            Some(contact) => format!("{owner}; {contact}"),
            None => owner,
        }
    }

    /// What an incident touches: `ACME Ltd: a.test, b.test; Globex: c.test`, at most `most` domains a client.
    pub fn touched(&self, domains: &[Affected], most: usize) -> String {
        let mut clients: BTreeMap<Option<&Words>, Vec<String>> = BTreeMap::new();
        for one in domains {
            let names = clients.entry(one.client.as_ref()).or_default();
            names.push(unicode(&one.domain));
        }
        let of_client = |(client, names): (Option<&Words>, Vec<String>)| {
            let more = names.len().saturating_sub(most);
            let mut list = names.into_iter().take(most).collect::<Vec<_>>().join(", ");
            if more > 0 {
                list = format!("{list} and {more} more");
            }
            match client {
                Some(client) => format!("{}: {list}", self.of(client)),
                None => list,
            }
        };
        clients.into_iter().map(of_client).collect::<Vec<_>>().join("; ")
    }
}

/// The client of all that is touched, where that is one.
fn only_client(touched: &[Affected]) -> Option<&Words> {
    let (first, rest) = touched.split_first()?;
    let same = rest.iter().all(|other| other.client == first.client);
    first.client.as_ref().filter(|_| same)
}

/// That something comes and goes: `7 turns since 02:14 UTC`.
pub fn turns(flaps: Flaps, now: Timestamp) -> String {
    format!(
        "{} turns since {}",
        flaps.turns,
        Moment::new(flaps.since, now).human
    )
}

/// A domain as people read it.
pub fn unicode(domain: &str) -> String {
    let shown = crate::model::DomainName::parse(domain).map(|name| name.display_unicode());
    shown.map_or_else(|_| domain.to_owned(), |name| text::clean(name.as_bytes(), MOST))
}
