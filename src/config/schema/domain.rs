//! `[[clients.domains]]`: mail domains and what is expected of them.

use std::str::FromStr;

use jiff::civil::Date;

use super::ProbeOverrides;
use crate::config::read::read_text;
use crate::config::reader::{Kind, Node, Read};
use crate::config::value::{HostPort, words};
use crate::model::{Code, DomainName, Service, ServiceKind};

/// One of `[[clients.domains]]`, or a bare name in `domains = [...]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    /// The part after @.
    pub name: DomainName,
    /// The MX hosts that it should have; `None`: learnt.
    pub expect_mx: Option<ExpectMx>,
    /// Which way mail goes.
    pub mail: MailDirection,
    /// DKIM keys that should be published (RFC 6376 3.1).
    pub dkim_selectors: Vec<String>,
    /// Whether senders may deliver without TLS.
    pub tls: TlsPolicy,
    /// Submission, IMAP and the like.
    pub services: Vec<Service>,
    /// Known conditions that count neither for the state nor for pages.
    pub accept: Vec<Acceptance>,
    /// Probe settings for this domain.
    pub probes: ProbeOverrides,
}

impl Domain {
    /// A domain about which nothing but its name is configured.
    pub fn new(name: DomainName) -> Self {
        Self {
            name,
            expect_mx: None,
            mail: MailDirection::InOut,
            dkim_selectors: Vec::new(),
            tls: TlsPolicy::Opportunistic,
            services: Vec::new(),
            accept: Vec::new(),
            probes: ProbeOverrides::default(),
        }
    }
}

/// `expect_mx`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectMx {
    /// `["."]`: a null MX (RFC 7505).
    Null,
    /// Exactly these hosts; sorted, none twice, at least one.
    Hosts(Vec<DomainName>),
}

words! {
    /// Which way a domain's mail goes.
    pub enum MailDirection {
        /// It receives and sends.
        InOut = "in-out",
        /// It receives only.
        In = "in",
        /// It sends only.
        Out = "out",
        /// It is parked.
        None = "none",
    }
}

impl MailDirection {
    /// Whether mail should reach the domain.
    pub fn receives(self) -> bool {
        matches!(self, Self::InOut | Self::In)
    }

    /// Whether mail should leave the domain.
    pub fn sends(self) -> bool {
        matches!(self, Self::InOut | Self::Out)
    }
}

words! {
    /// Whether senders may deliver without TLS.
    pub enum TlsPolicy {
        /// They may; a bad certificate degrades.
        Opportunistic = "opportunistic",
        /// They must not; a bad certificate breaks.
        Required = "required",
    }
}

impl FromStr for Service {
    type Err = String;

    /// Reads `KIND:HOST:PORT`; the port may be left out when it is the usual one.
    fn from_str(text: &str) -> Result<Self, String> {
        let shape = || "a service is KIND:HOST:PORT, such as \"imaps:mail.acme.test:993\"".to_owned();
        let (word, rest) = text.split_once(':').ok_or_else(shape)?;
        let kinds = ServiceKind::ALL;
        let Some(kind) = kinds.iter().find(|kind| kind.as_str() == word) else {
            let known: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            return Err(format!(
                "\"{word}\" is no service; these are: {}",
                known.join(", ")
            ));
        };
        let at = HostPort::parse(rest, Some(kind.usual_port())).map_err(|e| format!("{e}; {}", shape()))?;
        Ok(Self {
            kind: *kind,
            host: at.host,
            port: at.port,
        })
    }
}

/// One of `accept`: a known condition, until a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The cause's code.
    pub code: Code,
    /// The last day on which it is accepted.
    pub until: Date,
    /// Why, for whoever wonders later.
    pub reason: String,
}

read_text! {
    Service: "a service",
}

impl Read for Domain {
    fn read(node: Node<'_>) -> Option<Self> {
        if node.as_text().is_some() {
            let name = DomainName::read(node)?;
            node.define(Kind::Domain, "", name.as_str());
            return Some(Self::new(name));
        }
        node.table(|t| {
            t.reserved("migration");
            t.reserved("reports");
            let name = t.required::<DomainName>("name").inspect(|name| {
                if let Some(node) = t.entry("name") {
                    node.define(Kind::Domain, "", name.as_str());
                }
            });
            let expect_mx = t.entry("expect_mx").and_then(read_expect_mx);
            let mail = t.or("mail", MailDirection::InOut);
            let dkim_selectors = t
                .entry("dkim_selectors")
                .and_then(read_selectors)
                .unwrap_or_default();
            let tls = t.or("tls", TlsPolicy::Opportunistic);
            let services = t.or("services", Vec::new());
            let accept = t.or("accept", Vec::new());
            let probes = ProbeOverrides::from_table(t);
            Some(Self {
                name: name?,
                expect_mx,
                mail,
                dkim_selectors,
                tls,
                services,
                accept,
                probes,
            })
        })
    }
}

fn read_expect_mx(node: Node<'_>) -> Option<ExpectMx> {
    let empty = "leave `expect_mx` out to have it learnt; [\".\"] expects a null MX";
    let listed = node.some_items(empty, |item| match item.as_text() {
        Some(".") => Some(None),
        _ => DomainName::read(item).map(Some),
    })?;
    let null = listed.contains(&None);
    let mut hosts: Vec<DomainName> = listed.into_iter().flatten().collect();
    hosts.sort();
    hosts.dedup();
    match (null, hosts.is_empty()) {
        (true, true) => Some(ExpectMx::Null),
        (true, false) => node.wrong("\".\" says that there is no mail host: it stands alone"),
        (false, _) => Some(ExpectMx::Hosts(hosts)),
    }
}

/// Selectors are DNS labels (RFC 6376 3.1).
fn read_selectors(node: Node<'_>) -> Option<Vec<String>> {
    node.items(|item| {
        item.parse("a DKIM selector", |text| {
            DomainName::parse(text).map(|name| name.to_string())
        })
    })
}

impl Read for Acceptance {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let (code, until, reason) = (
                t.required::<Code>("code"),
                t.required("until"),
                t.required("reason"),
            );
            let code = code?;
            if code.layer() == "vantage" {
                let why = "says that we cannot see: that is no condition of a domain, and cannot be accepted";
                return t.entry("code")?.wrong(format!("\"{code}\" {why}"));
            }
            Some(Self {
                code,
                until: until?,
                reason: reason?,
            })
        })
    }
}
