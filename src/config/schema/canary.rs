//! Real messages: canaries, and where to log in for them.

use std::time::Duration;

use crate::config::reader::{Node, Read};
use crate::config::{HostPort, MailAddress, Secret};

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
