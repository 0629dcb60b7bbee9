//! What is learnt from others' words: mailboxes that people forward bounces to, and logs of mail servers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::notifier::read_headers;
use super::{Login, Submission};
use crate::config::reader::{Kind, Node, Read, Table};
use crate::config::value::words;
use crate::config::{HostPort, HttpUrl, MailAddress, Secret};
use crate::model::{ClientId, DomainName};

/// One of `[[bounce_mailboxes]]`: where people forward bounces to.
#[derive(Debug, Clone, PartialEq)]
pub struct BounceMailbox {
    /// Where to look.
    pub mailbox: Login,
    /// The folder to look into.
    pub folder: String,
    /// From one look to the next; where the server tells of new mail by itself, the longest wait.
    pub interval: Duration,
    /// How to answer with the explanation, if at all.
    pub reply: Option<Reply>,
    /// What the server calls itself that checks where mail to the mailbox comes from (RFC 8601 2.5): what it does not vouch
    /// for is no evidence. `None`: the mailbox's own server, where it says so at all.
    pub authserv_id: Option<String>,
    /// Whose bounces are explained and believed besides those of the clients' own domains.
    pub senders: Vec<Allowed>,
    /// Where to post each explanation.
    pub webhook: Option<Hook>,
    /// Whether to delete what was read, rather than to mark it as read.
    pub delete: bool,
}

/// How answers leave.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Where they are handed in.
    pub submit: Submission,
    /// Their sender.
    pub from: MailAddress,
}

/// Who may send to a mailbox for bounces: one address, or everybody at a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// This address.
    Address(MailAddress),
    /// Everybody there.
    Domain(DomainName),
}

/// Where explanations are posted to, as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// Where to.
    pub url: HttpUrl,
    /// Further request headers, by lower-case name.
    pub headers: BTreeMap<String, Secret>,
    /// The key of an HMAC over the body.
    pub secret: Option<Secret>,
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

/// The port for answers where none is written (RFC 6409).
const SUBMISSION: u16 = 587;

impl BounceMailbox {
    /// `interval` unless written.
    pub const INTERVAL: Duration = Duration::from_mins(1);
    /// The shortest that is allowed: every look asks somebody else's server.
    const LEAST_INTERVAL: Duration = Duration::from_secs(1);
}

impl Read for BounceMailbox {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let mailbox: Option<Login> = t.required("mailbox");
            let folder = t.or("folder", "INBOX".to_owned());
            let interval = t.at_least("interval", Self::LEAST_INTERVAL);
            let wanted = t.or("reply", false);
            let (submit, from) = (t.get("submit"), t.get("from"));
            let (senders, webhook) = (t.or("senders", Vec::new()), t.get("webhook"));
            let (delete, authserv_id) = (t.or("delete", false), t.entry("authserv_id"));
            let authserv_id = authserv_id.and_then(server_name);
            let mailbox = mailbox?;
            let place = format!("{} at {}, {folder}", mailbox.username, mailbox.server);
            t.entry("mailbox")?.define(Kind::BounceMailbox, "", &place);
            if folder.chars().any(char::is_control) {
                return t.entry("folder")?.wrong("a folder's name is one line");
            }
            let reply = if wanted {
                Some(reply(t, &mailbox, submit, from)?)
            } else {
                None
            };
            Some(Self {
                mailbox,
                folder,
                interval: interval.unwrap_or(Self::INTERVAL),
                reply,
                authserv_id,
                senders,
                webhook,
                delete,
            })
        })
    }
}

/// RFC 8601 2.2: one word.
fn server_name(node: Node<'_>) -> Option<String> {
    let text = String::read(node)?;
    if text
        .bytes()
        .any(|byte| !byte.is_ascii_graphic() || b";=()\"".contains(&byte))
    {
        return node.wrong(
            "this is the first word of the header Authentication-Results that the server writes, such as \"mx.msp.example\"",
        );
    }
    Some(text.to_ascii_lowercase())
}

/// Answers leave by the mailbox's own server and login, from the user's own address, unless something else is written.
fn reply(
    t: &Table<'_>,
    mailbox: &Login,
    submit: Option<Submission>,
    from: Option<MailAddress>,
) -> Option<Reply> {
    let Some(from) = from.or_else(|| mailbox.username.parse().ok()) else {
        return t.missing("the user name is no mail address: say with `from` which one answers come from");
    };
    let own = || Submission {
        server: HostPort {
            host: mailbox.server.host.clone(),
            port: SUBMISSION,
        },
        login: Some((mailbox.username.clone(), mailbox.credential.clone())),
    };
    Some(Reply {
        submit: submit.unwrap_or_else(own),
        from,
    })
}

impl Read for Allowed {
    fn read(node: Node<'_>) -> Option<Self> {
        node.parse("an address or a domain", |text| {
            let read = if text.contains('@') {
                text.parse().map(Self::Address).ok()
            } else {
                DomainName::parse(text).map(Self::Domain).ok()
            };
            read.ok_or("this is neither a mail address nor a domain")
        })
    }
}

impl Read for Hook {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let url = t.required("url");
            let headers = t.entry("headers").and_then(read_headers).unwrap_or_default();
            let secret = t.get("secret");
            Some(Self {
                url: url?,
                headers,
                secret,
            })
        })
    }
}

impl Read for MailLog {
    fn read(node: Node<'_>) -> Option<Self> {
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
