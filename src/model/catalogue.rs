//! The catalogue of causes: one table that the API, the command line, the alerts and the metrics all read.
//!
//! The texts lie in one file a layer or two, in the order of [`Code::ALL`]. That no code is missing is checked
//! while compiling.

mod dns;
mod host_smtp;
mod messages;
mod nearest;
mod own_side;
mod page;
mod render;
mod services;
#[cfg(test)]
mod tests;
mod tls_policy;

use super::{Code, State};

pub use nearest::nearest;
pub use page::page;
pub use render::render;

/// Who is at fault, as a role: a watched domain's receiver is the client or its provider; on a route the sender
/// is the client and the receiver the recipient (`semantics` 20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Whoever sends the mail.
    Sender,
    /// Whoever runs the domain that mail goes to.
    Receiver,
    /// Who operates the mail hosts for many.
    Provider,
    /// A line or network between.
    Network,
    /// Ourselves.
    Us,
    /// Nobody: this is how it works.
    Nobody,
}

impl Role {
    /// Whose it is, in words, for somebody who looks a code up.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Sender => "the sender's",
            Self::Receiver => "the receiver's: for a watched domain the client or its provider",
            Self::Provider => "the mail provider's",
            Self::Network => "the line's or network's between",
            Self::Us => "ours",
            Self::Nobody => "nobody's",
        }
    }
}

/// What the catalogue says of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// The state that it gives before the roll-up (`semantics` 9); flowing means that it is only a warning.
    pub state: State,
    /// Who is at fault.
    pub role: Role,
    /// One line for people: what is wrong. Reads well after `hq-router (198.51.100.1): `.
    pub title: &'static str,
    /// What that means and how it comes about, for a technician who never met it.
    pub explanation: &'static str,
    /// What to do now, in words that a tier-1 technician can follow.
    pub action: &'static str,
    /// What it looks like on the wire, with the section of the RFC where there is one.
    pub seen: &'static str,
    /// What would prove it wrong: the evidence to look for before anybody is called.
    pub refuted: &'static str,
    /// Other words for a route, where those for a domain would mislead.
    pub route: Option<RouteText>,
}

impl Entry {
    /// What it means for a route.
    pub fn route_explanation(&self) -> &'static str {
        self.route.map_or(self.explanation, |route| route.explanation)
    }

    /// What to do about it on a route.
    pub fn route_action(&self) -> &'static str {
        self.route.map_or(self.action, |route| route.action)
    }
}

/// What to say of a code on a route (mail that a client sends to somebody).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteText {
    /// In place of [`Entry::explanation`].
    pub explanation: &'static str,
    /// In place of [`Entry::action`].
    pub action: &'static str,
}

impl Code {
    /// What the catalogue says of this code.
    pub fn entry(self) -> &'static Entry {
        &TABLE[self as usize]
    }
}

/// Every entry, in the order of [`Code::ALL`].
pub fn all() -> &'static [Entry] {
    &TABLE
}

const PARTS: &[&[Entry]] = &[
    own_side::VANTAGE,
    own_side::GATEWAY,
    dns::DNS,
    host_smtp::HOST,
    host_smtp::SMTP,
    tls_policy::TLS,
    tls_policy::POLICY,
    messages::REPUTATION,
    messages::RECIPIENT,
    messages::SENDER,
    messages::MESSAGE,
    messages::JOURNEY,
    services::SERVICES,
];

static TABLE: [Entry; Code::ALL.len()] = joined();

/// Joins the parts; a build with an entry missing, repeated or out of order fails here.
const fn joined() -> [Entry; Code::ALL.len()] {
    let mut table = [PARTS[0][0]; Code::ALL.len()];
    let mut place = 0;
    let mut part = 0;
    while part < PARTS.len() {
        let mut index = 0;
        while index < PARTS[part].len() {
            let entry = PARTS[part][index];
            assert!(
                entry.code as usize == place,
                "the catalogue is not in the order of Code::ALL"
            );
            table[place] = entry;
            place += 1;
            index += 1;
        }
        part += 1;
    }
    assert!(place == Code::ALL.len(), "the catalogue lacks a code");
    table
}
