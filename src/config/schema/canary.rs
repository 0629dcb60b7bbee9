//! Real messages: canaries, mailboxes for bounces, and logs of mail servers.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::reader::{Kind, Node, Read};
use crate::config::unbuilt::Part;
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

/// Where a canary is handed in; without a login at a relay that wants none.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The server and its port.
    pub server: HostPort,
    /// The user name and the password.
    pub login: Option<(String, Secret)>,
}

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

/// More often than this is a flood.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

impl Read for Login {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let server = t
                .required_entry("server")
                .and_then(|node| node.parse("a server and a port", |text| HostPort::parse(text, None)));
            let (username, password) = (t.required("username"), t.required("password"));
            Some(Self {
                server: server?,
                username: username?,
                password: password?,
            })
        })
    }
}

impl Read for Submission {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let server = t
                .required_entry("server")
                .and_then(|node| node.parse("a server and a port", |text| HostPort::parse(text, None)));
            let (user, password) = (t.get::<String>("username"), t.get::<Secret>("password"));
            let login = match (user, password) {
                (Some(user), Some(password)) => Some((user, password)),
                (None, None) => None,
                _ => return t.missing("a login is a `username` and a `password`"),
            };
            Some(Self {
                server: server?,
                login,
            })
        })
    }
}

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

impl Read for BounceMailbox {
    fn read(node: Node<'_>) -> Option<Self> {
        node.unbuilt(Part::BounceMailboxes);
        node.table(|t| {
            let (mailbox, reply) = (t.required("mailbox"), t.or("reply", false));
            Some(Self {
                mailbox: mailbox?,
                reply,
            })
        })
    }
}

impl Read for MailLog {
    fn read(node: Node<'_>) -> Option<Self> {
        node.unbuilt(Part::MailLogs);
        node.table(|t| {
            let (client, path, format) = (
                t.required::<ClientId>("client"),
                t.required::<PathBuf>("path"),
                t.required("format"),
            );
            if let Some(client) = &client {
                t.entry("client")?.refer(Kind::Client, client.as_str());
            }
            let path = path?;
            t.entry("path")?
                .define(Kind::MailLog, "", &path.to_string_lossy());
            Some(Self {
                client: client?,
                path,
                format: format?,
            })
        })
    }
}
