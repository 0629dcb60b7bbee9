//! The typed configuration: one file a section, each with its keys and its defaults.
//!
//! What these types hold is checked and final: durations are durations, names are names, paths start at the
//! file that named them.

mod alerting;
mod bounces;
mod budgets;
mod canary;
mod client;
mod domain;
mod gateway;
mod login;
mod notifier;
mod probes;
mod provider;
mod resolver;
mod route;
mod server;
mod snmp;
mod store;
mod vantage;

pub use alerting::{
    Alerting, CodePattern, Digest, EscalationStep, Heartbeat, HoursBySeverity, PageAfter, Requirement,
};
pub use bounces::{Allowed, BounceMailbox, Hook, MailLog, MailLogFormat, Reply};
pub use budgets::{AddressBudget, Budgets, NameserverBudget, ProviderBudget};
pub use canary::Canary;
pub use client::Client;
pub use domain::{Acceptance, Domain, ExpectMx, MailDirection, TlsPolicy};
pub use gateway::{Check, Gateway};
pub use login::{Credential, Grant, Login, OAuth2, Submission};
pub use notifier::{
    Alertmanager, Email, MailTls, Notifier, NotifierKind, Ntfy, Pagerduty, Slack, Teams, Webhook,
};
pub use probes::{ProbeOverrides, Probes, ResolvedProbe};
pub use provider::{Blocklist, MxPattern, Provider};
pub use resolver::{DnssecMode, Resolver};
pub use route::{Route, Sender};
pub use server::{Auth, Scope, Server, ServerTls, Token, User};
pub use snmp::{Snmp, SnmpAuth, SnmpPrivacy};
pub use store::{Store, StoreUrl};
pub use vantage::Vantage;

use super::reader::{Node, Read, Table};

/// Everything that the operator may set. `Config::default()` is what an empty file gives.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// The page, the API and `/metrics`.
    pub server: Server,
    /// What outlives a restart.
    pub store: Store,
    /// This place that probes run from.
    pub vantage: Vantage,
    /// Who answers our DNS questions.
    pub resolver: Resolver,
    /// How often and how patiently we probe.
    pub probes: Probes,
    /// How much we ask of other people's servers.
    pub budgets: Budgets,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// Lists of refused addresses that we look into.
    pub blocklists: Vec<Blocklist>,
    /// Mail providers beside the built-in ones.
    pub providers: Vec<Provider>,
    /// Who is looked after.
    pub clients: Vec<Client>,
    /// Mailboxes to which people forward bounces.
    pub bounce_mailboxes: Vec<BounceMailbox>,
    /// Logs of mail servers that we read along.
    pub mail_logs: Vec<MailLog>,
    /// Ways to tell a person.
    pub notifiers: Vec<Notifier>,
    /// Whom to tell what, and when.
    pub alerting: Alerting,
}

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metrics {
    /// Whether each MX host gets series of its own; off, because there may be thousands.
    pub per_host: bool,
}

impl Config {
    /// Without its domains: once an inventory has taken them over, a large configuration need not hold them a second time.
    #[must_use]
    pub fn without_domains(mut self) -> Self {
        for client in &mut self.clients {
            client.domains = Vec::new();
        }
        self
    }

    /// All domains with the clients that they belong to, in the order of the files.
    pub fn domains(&self) -> impl Iterator<Item = (&Client, &Domain)> {
        self.clients
            .iter()
            .flat_map(|client| client.domains.iter().map(move |domain| (client, domain)))
    }

    /// All gateways with the clients that they belong to, in the order of the files.
    pub fn gateways(&self) -> impl Iterator<Item = (&Client, &Gateway)> {
        self.clients
            .iter()
            .flat_map(|client| client.gateways.iter().map(move |gateway| (client, gateway)))
    }

    /// The notifier of that name.
    pub fn notifier(&self, name: &str) -> Option<&Notifier> {
        self.notifiers.iter().find(|notifier| notifier.name == name)
    }
}

impl Read for Metrics {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            Some(Self {
                per_host: t.or("per_host", false),
            })
        })
    }
}

impl Read for Config {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            read_includes(t);
            for key in ["vantages", "diagnosis", "migration", "reports"] {
                t.reserved(key);
            }
            Some(Self {
                server: t.or("server", Server::default()),
                store: t.or("store", Store::default()),
                vantage: t.or("vantage", Vantage::default()),
                resolver: t.or("resolver", Resolver::default()),
                probes: t.or("probes", Probes::default()),
                budgets: t.or("budgets", Budgets::default()),
                metrics: t.or("metrics", Metrics::default()),
                blocklists: t.or("blocklists", Vec::new()),
                providers: t.or("providers", Vec::new()),
                clients: t.or("clients", Vec::new()),
                bounce_mailboxes: t.or("bounce_mailboxes", Vec::new()),
                mail_logs: t.or("mail_logs", Vec::new()),
                notifiers: t.or("notifiers", Vec::new()),
                alerting: t.or("alerting", Alerting::default()),
            })
        })
    }
}

/// The files have been read by now; what is left is whether `include` was a list of texts.
fn read_includes(t: &Table<'_>) {
    if let Some(node) = t.entry("include") {
        if node.is_variable() {
            node.wrong::<()>("`include` stands in a file");
        } else {
            node.items(String::read);
        }
    }
}
