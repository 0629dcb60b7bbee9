//! `[[notifiers]]`: ways to tell a person.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;

use crate::config::problem::Draft;
use crate::config::reader::{Kind, Node, Read, Table};
use crate::config::secret::SecretSource;
use crate::config::value::words;
use crate::config::{HostPort, HttpUrl, MailAddress, Secret};
use crate::model::template::{Encoding, Field, Template};

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
    /// Where to, as long as nothing was kept of an answer.
    pub url: HttpUrl,
    /// The same with its gaps.
    pub address: Template,
    /// Further request headers, by lower-case name.
    pub headers: BTreeMap<String, Secret>,
    /// The key of an HMAC over the body.
    pub secret: Option<Secret>,
    /// A body other than ours.
    pub template: Option<Template>,
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

/// Every `type`, in the order of the documentation.
const TYPES: [&str; 7] = [
    "webhook",
    "email",
    "alertmanager",
    "pagerduty",
    "slack",
    "teams",
    "ntfy",
];

impl Read for Notifier {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let name = t.required::<String>("name");
            let fallback = t.get::<String>("fallback");
            if let (Some(fallback), Some(node)) = (&fallback, t.entry("fallback")) {
                node.refer(Kind::Notifier, fallback);
            }
            let name = name.inspect(|name| {
                if let Some(node) = t.entry("name") {
                    node.define(Kind::Notifier, "", name);
                }
            });
            let kind = read_kind(t);
            Some(Self {
                name: name?,
                fallback,
                kind: kind?,
            })
        })
    }
}

fn read_kind(t: &Table<'_>) -> Option<NotifierKind> {
    let node = t.required_entry("type")?;
    let word = node.text("the type of a notifier")?;
    match word {
        "webhook" => read_webhook(t).map(NotifierKind::Webhook),
        "email" => read_email(t).map(NotifierKind::Email),
        "alertmanager" => read_alertmanager(t).map(NotifierKind::Alertmanager),
        "pagerduty" => {
            let (routing_key, url) = (t.required("routing_key"), t.get("url"));
            Some(NotifierKind::Pagerduty(Pagerduty {
                routing_key: routing_key?,
                url,
            }))
        }
        "slack" => Some(NotifierKind::Slack(Slack {
            url: t.required("url")?,
        })),
        "teams" => Some(NotifierKind::Teams(Teams {
            url: t.required("url")?,
        })),
        "ntfy" => {
            let url = t.required_entry("url").and_then(read_topic);
            let token = t.get("token");
            Some(NotifierKind::Ntfy(Ntfy { url: url?, token }))
        }
        other => {
            // Which keys belong here only the type could say.
            t.leave_rest();
            node.not_one_of(other, &TYPES)
        }
    }
}

fn read_webhook(t: &Table<'_>) -> Option<Webhook> {
    let url = t.required_entry("url").and_then(read_address);
    let headers = t.entry("headers").and_then(read_headers).unwrap_or_default();
    let secret = t.get("secret");
    let template = t.entry("template").and_then(|node| read_template(node, &headers));
    let capture = t.entry("capture").and_then(read_capture);
    let (url, address) = url?;
    if t.entry("capture").is_none() {
        for (key, used) in [("url", Some(&address)), ("template", template.as_ref())] {
            if used.is_some_and(|used| used.uses(Field::Captured))
                && let Some(node) = t.entry(key)
            {
                let message = "nothing is captured that could fill `{{ captured }}`";
                node.report(
                    Draft::error(node.spot(), message)
                        .help("say with `capture` which part of the answer to keep"),
                );
            }
        }
    }
    Some(Webhook {
        url,
        address,
        headers,
        secret,
        template,
        capture,
    })
}

/// An address with gaps after its host. Without anything to fill them it must be a URL already: so is the first
/// message's.
fn read_address(node: Node<'_>) -> Option<(HttpUrl, Template)> {
    let text = node.text("a URL")?;
    let address = read_gaps(node, text, Encoding::Percent)?;
    let after_host = |url: &str| {
        url.split_once("://")
            .is_some_and(|(_, rest)| rest.contains(['/', '?']))
    };
    if !address.is_plain() && !after_host(address.beginning()) {
        return node.wrong("the gaps of a URL come after its host");
    }
    let first = address.fill(&|_| serde_json::Value::Null);
    let url = node.parse("a URL", |_| first.parse::<HttpUrl>())?;
    Some((url, address))
}

fn read_template(node: Node<'_>, headers: &BTreeMap<String, Secret>) -> Option<Template> {
    let text = node.text("a template")?;
    let kind = match headers.get("content-type").map(Secret::source) {
        Some(SecretSource::Plain(kind)) => kind.expose_secret().to_ascii_lowercase(),
        _ => "application/json".to_owned(),
    };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let encoding = match kind {
        "application/x-www-form-urlencoded" => Encoding::Percent,
        "text/plain" => Encoding::Plain,
        kind if kind.ends_with("json") => Encoding::Json,
        kind if kind.ends_with("xml") => Encoding::Xml,
        _ => {
            return node.wrong(
                "how to escape what fills this template is known for the `content-type`s of JSON, XML, \
                 forms (application/x-www-form-urlencoded) and plain text (text/plain)",
            );
        }
    };
    read_gaps(node, text, encoding)
}

fn read_gaps(node: Node<'_>, text: &str, encoding: Encoding) -> Option<Template> {
    match Template::parse(text, encoding) {
        Ok(template) => Some(template),
        Err(error) => node.wrong(error.to_string()),
    }
}

/// The URL of a topic of ntfy: a server's with a name at its end.
fn read_topic(node: Node<'_>) -> Option<HttpUrl> {
    let url = HttpUrl::read(node)?;
    let last = url
        .as_url()
        .path_segments()
        .and_then(|mut all| all.rfind(|one| !one.is_empty()));
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if last.is_some_and(|topic| topic.len() <= 64 && topic.chars().all(fits)) {
        Some(url)
    } else {
        node.wrong("this is the URL of a topic, such as \"https://ntfy.sh/TOPIC\"; a topic has at most 64 letters, digits, - and _")
    }
}

pub(super) fn read_headers(node: Node<'_>) -> Option<BTreeMap<String, Secret>> {
    let headers = node.entries()?.into_iter().filter_map(|(name, value)| {
        let secret = read_header(value);
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            value.report(Draft::error(value.key_spot(), "this is no name of a header"));
            return None;
        }
        Some((name.to_ascii_lowercase(), secret?))
    });
    Some(headers.collect())
}

/// A header in the configuration's own text is as often harmless as secret: never shown, and no warning.
fn read_header(node: Node<'_>) -> Option<Secret> {
    let Some(text) = node.as_text() else {
        return Secret::read(node);
    };
    node.hide();
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return node.wrong("a header is one line");
    }
    Some(Secret::new(SecretSource::Plain(text.to_owned().into())))
}

fn read_capture(node: Node<'_>) -> Option<String> {
    let pointer = String::read(node)?;
    if pointer.starts_with('/') {
        Some(pointer)
    } else {
        node.wrong("this is a JSON pointer, such as \"/ticket/id\"")
    }
}

fn read_email(t: &Table<'_>) -> Option<Email> {
    let tls = t.or("tls", MailTls::Starttls);
    let server = t.required_entry("server").and_then(|node| {
        node.parse("a mail server", |text| {
            HostPort::parse(text, Some(tls.usual_port()))
        })
    });
    let (username, password) = (t.get::<String>("username"), t.get::<Secret>("password"));
    let (from, to) = (t.required("from"), t.required_entry("to"));
    let to = to.and_then(|node| node.some_items("somebody must get the message", MailAddress::read));
    let login = match (username, password) {
        (Some(username), Some(password)) => Some((username, password)),
        (Some(_), None) => incomplete(t, "username", "password"),
        (None, Some(_)) => incomplete(t, "password", "username"),
        (None, None) => None,
    };
    if let Some(node) = t.entry("password")
        && tls == MailTls::None
        && login.is_some()
    {
        let message = "without TLS the password crosses the network for all to read";
        node.report(
            Draft::warning(node.key_spot(), message).help("say `tls = \"starttls\"` or \"implicit\""),
        );
    }
    Some(Email {
        server: server?,
        tls,
        login,
        from: from?,
        to: to?,
    })
}

fn incomplete<T>(t: &Table<'_>, present: &'static str, missing: &'static str) -> Option<T> {
    let (there, other) = (t.entry(present)?, t.entry(missing));
    // One that is there and wrong has been reported.
    if other.is_none() {
        let message = format!("`{present}` needs a `{missing}` beside it");
        there.report(Draft::error(there.key_spot(), message));
    }
    None
}

fn read_alertmanager(t: &Table<'_>) -> Option<Alertmanager> {
    let node = t.required_entry("urls")?;
    let urls = node.some_items("an Alertmanager has at least one URL", HttpUrl::read)?;
    Some(Alertmanager { urls })
}
