//! The catalogue of causes: one table that the API, the command line, the alerts and the metrics all read.

use super::{Code, State};

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

/// What the catalogue says of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// The state that it gives before the roll-up (`semantics` 9); flowing means that it is only a warning.
    pub state: State,
    /// Who is at fault.
    pub role: Role,
    /// One line for people: what is wrong.
    pub title: &'static str,
    /// What that means and how it comes about, for a technician who never met it.
    pub explanation: &'static str,
    /// What to do now, in words that a tier-1 technician can follow.
    pub action: &'static str,
}

impl Code {
    /// What the catalogue says of this code.
    pub fn entry(self) -> &'static Entry {
        &PLACEHOLDER
    }
}

static PLACEHOLDER: Entry = Entry {
    code: Code::VantageNoEvidence,
    state: State::Unknown,
    role: Role::Us,
    title: "",
    explanation: "",
    action: "",
};
