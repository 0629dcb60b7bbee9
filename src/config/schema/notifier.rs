//! `[[notifiers]]`: ways to tell a person.

use std::collections::BTreeMap;

use crate::config::value::words;
use crate::config::{HostPort, HttpUrl, MailAddress, Secret};

/// One of `[[notifiers]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Notifier {
    /// What `notify`, `escalate` and `fallback` call it.
    pub name: String,
    /// The notifier to use when this one stands on what it reports.
    pub fallback: Option<String>,
    /// How it tells.
    pub kind: NotifierKind,
}

/// A notifier's `type` with the keys of that type.
#[derive(Debug, Clone, PartialEq)]
pub enum NotifierKind {
    /// `webhook`
    Webhook(Webhook),
    /// `email`
    Email(Email),
    /// `alertmanager`
    Alertmanager(Alertmanager),
    /// `pagerduty`
    Pagerduty(Pagerduty),
    /// `slack`
    Slack(Slack),
    /// `teams`
    Teams(Teams),
    /// `ntfy`
    Ntfy(Ntfy),
}

impl NotifierKind {
    /// The word after `type`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Email(_) => "email",
            Self::Alertmanager(_) => "alertmanager",
            Self::Pagerduty(_) => "pagerduty",
            Self::Slack(_) => "slack",
            Self::Teams(_) => "teams",
            Self::Ntfy(_) => "ntfy",
        }
    }
}

/// `type = "webhook"`: posts JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// Where to.
    pub url: HttpUrl,
    /// Further request headers, by lower-case name.
    pub headers: BTreeMap<String, Secret>,
    /// The key of an HMAC over the body.
    pub secret: Option<Secret>,
    /// A body other than ours, with placeholders.
    pub template: Option<String>,
    /// Which part of the answer to keep, as a JSON pointer (RFC 6901): a ticket's number.
    pub capture: Option<String>,
}

/// `type = "email"`
#[derive(Debug, Clone, PartialEq)]
pub struct Email {
    /// The server; by default on the usual port of [`tls`](Self::tls).
    pub server: HostPort,
    /// How the connection is protected.
    pub tls: MailTls,
    /// User name and password, together or not at all.
    pub login: Option<(String, Secret)>,
    /// The sender.
    pub from: MailAddress,
    /// The recipients, at least one.
    pub to: Vec<MailAddress>,
}

words! {
    /// How an e-mail notifier's connection is protected.
    pub enum MailTls {
        /// STARTTLS, required (RFC 3207), port 587.
        Starttls = "starttls",
        /// TLS from the first byte (RFC 8314), port 465.
        Implicit = "implicit",
        /// Not at all, port 25.
        None = "none",
    }
}

impl MailTls {
    /// The port unless one is written.
    pub const fn usual_port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// `type = "alertmanager"`
#[derive(Debug, Clone, PartialEq)]
pub struct Alertmanager {
    /// Every instance of the cluster.
    pub urls: Vec<HttpUrl>,
}

/// `type = "pagerduty"` (Events API v2)
#[derive(Debug, Clone, PartialEq)]
pub struct Pagerduty {
    /// The integration's key.
    pub routing_key: Secret,
    /// Where to, unless PagerDuty's own.
    pub url: Option<HttpUrl>,
}

/// `type = "slack"`
#[derive(Debug, Clone, PartialEq)]
pub struct Slack {
    /// The hook's URL: who has it can post, so it is a secret.
    pub url: Secret,
}

/// `type = "teams"`
#[derive(Debug, Clone, PartialEq)]
pub struct Teams {
    /// The hook's URL: who has it can post, so it is a secret.
    pub url: Secret,
}

/// `type = "ntfy"`
#[derive(Debug, Clone, PartialEq)]
pub struct Ntfy {
    /// The topic's URL.
    pub url: HttpUrl,
    /// An access token.
    pub token: Option<Secret>,
}
