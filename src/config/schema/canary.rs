//! Real messages: canaries.

use std::time::Duration;

use super::{Login, Submission};
use crate::config::MailAddress;
use crate::config::reader::{Node, Read};

/// One of `[[clients.canaries]]`: a small real message that we send and then look for.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// What people call it; unique within the client.
    pub name: String,
    /// Where to hand it in.
    pub submit: Submission,
    /// Its sender.
    pub from: MailAddress,
    /// Its recipient.
    pub to: MailAddress,
    /// Where to look for it.
    pub mailbox: Login,
    /// From one to the next.
    pub interval: Duration,
    /// How long it may take.
    pub deadline: Duration,
}

impl Canary {
    /// `interval` unless written.
    pub const INTERVAL: Duration = Duration::from_mins(5);
    /// `deadline` unless written.
    pub const DEADLINE: Duration = Duration::from_mins(3);
}

/// More often than this is a flood.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

impl Read for Canary {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let (name, submit, mailbox) = (t.required("name"), t.required("submit"), t.required("mailbox"));
            let (from, to) = (t.required("from"), t.required("to"));
            let interval = t.at_least("interval", LEAST_INTERVAL).unwrap_or(Self::INTERVAL);
            let deadline = t.at_least("deadline", LEAST_INTERVAL).unwrap_or(Self::DEADLINE);
            Some(Self {
                name: name?,
                submit: submit?,
                from: from?,
                to: to?,
                mailbox: mailbox?,
                interval,
                deadline,
            })
        })
    }
}
