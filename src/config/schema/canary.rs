//! Real messages: canaries, mailboxes for bounces, and logs of mail servers.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::value::words;
use crate::config::{HostPort, MailAddress, Secret};
use crate::model::ClientId;

/// Where to log in.
#[derive(Debug, Clone, PartialEq)]
pub struct Login {
    /// The server and its port.
    pub server: HostPort,
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// One of `[[clients.canaries]]`: a small real message that we send and then look for.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// What people call it; unique within the client.
    pub name: String,
    /// Where to hand it in.
    pub submit: Login,
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

/// One of `[[bounce_mailboxes]]`: where people forward bounces to.
#[derive(Debug, Clone, PartialEq)]
pub struct BounceMailbox {
    /// Where to look.
    pub mailbox: Login,
    /// Whether to answer with the explanation.
    pub reply: bool,
}

/// One of `[[mail_logs]]`: a mail server's log that we read along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailLog {
    /// Whose server it is.
    pub client: ClientId,
    /// The file.
    pub path: PathBuf,
    /// Who writes it.
    pub format: MailLogFormat,
}

words! {
    /// Who writes a mail log.
    pub enum MailLogFormat {
        /// Postfix.
        Postfix = "postfix",
        /// Exim.
        Exim = "exim",
    }
}
