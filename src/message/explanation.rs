//! What a message turned out to be: the shape that the API and the command line give.

use serde::{Serialize, Serializer};

use crate::model::catalogue::Role;
use crate::model::{Code, Owner};

use super::delivery_status::Action;
use super::judge::Basis;
use super::ordinary::{Kind, Sort};
use super::reason::Reason;
use super::reply::Stage;

/// How a bounce came to us inside another message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forwarded {
    /// As an attached message.
    Attached,
    /// As text.
    Inline,
}

/// A message, explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// What it is.
    pub kind: Kind,
    /// What sort of it, where it is neither bounce nor delay.
    pub sort: Option<Sort>,
    /// How it was forwarded to us, where it was.
    pub forwarded: Option<Forwarded>,
    /// Whom a bounce or delay is about; empty for everything else.
    pub recipients: Vec<Recipient>,
    /// Who sent the mail that it is about; for mail that is about no other, who sent it.
    pub sender: Option<String>,
    /// That mail's Message-ID, without its brackets.
    pub message_id: Option<String>,
    /// That mail's subject.
    pub subject: Option<String>,
    /// The servers that had taken the mail before it died, the first first, by its Received headers.
    pub hops: Vec<String>,
}

/// What became of the mail to one recipient.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recipient {
    /// The address that failed.
    pub recipient: Option<String>,
    /// The address as the sender wrote it, where it is another (RFC 3464 2.3.1).
    pub original_recipient: Option<String>,
    /// What was done.
    pub action: Action,
    /// The enhanced status code; `None` where the message says none.
    pub status: Option<String>,
    /// The server's own words, cleaned; where it gave no reply, the words of whoever reports.
    pub reply: Option<String>,
    /// Who reports.
    pub reporting_host: Option<String>,
    /// Who refused, or could not be reached.
    pub remote_host: Option<String>,
    /// Where it died.
    pub hop: Hop,
    /// Why; `None` where the message does not say.
    pub reason: Option<Reason>,
    /// What the reason rests on.
    pub basis: Option<Basis>,
    /// Our cause for it; `None` where the message does not say why.
    pub cause: Option<Cause>,
    /// Whether the mail was given up only after many tries.
    pub expired: bool,
    /// Whether another try without any change would end the same.
    pub permanent: bool,
}

/// Where a message died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// Which server said no, or could not be reached; the one that reports where there was no other.
    pub host: Option<String>,
    /// At which step, where the message says so.
    pub stage: Option<Stage>,
    /// The how manieth server it would have been, counted by the Received headers of the returned message.
    pub number: Option<usize>,
}

/// A cause as a bounce shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause(pub Code);

impl Cause {
    /// Whose it is. The catalogue's roles are those of a route: the sender is the client (`semantics` 20). Nobody's is the
    /// receiver's to explain.
    pub fn owner(self) -> Owner {
        match self.0.entry().role {
            Role::Sender => Owner::Client,
            Role::Receiver | Role::Nobody => Owner::Recipient,
            Role::Provider => Owner::Provider,
            Role::Network => Owner::Network,
            Role::Us => Owner::Us,
        }
    }
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape {
            code: Code,
            layer: &'static str,
            owner: Owner,
            title: &'static str,
            explanation: &'static str,
            action: &'static str,
        }
        let entry = self.0.entry();
        let shape = Shape {
            code: self.0,
            layer: self.0.layer(),
            owner: self.owner(),
            title: entry.title,
            explanation: entry.route_explanation(),
            action: entry.route_action(),
        };
        shape.serialize(serializer)
    }
}
