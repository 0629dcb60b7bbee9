//! The typed configuration: one file a section, each with its keys and its defaults.
//!
//! What these types hold is checked and final: durations are durations, names are names, paths start at the
//! file that named them.

mod alerting;
mod budgets;
mod canary;
mod client;
mod domain;
mod gateway;
mod notifier;
mod probes;
mod provider;
mod resolver;
mod route;
mod server;
mod store;
mod vantage;

pub use alerting::{
    Alerting, CodePattern, EscalationStep, Heartbeat, HoursBySeverity, PageAfter, Requirement,
};
pub use budgets::{AddressBudget, Budgets, NameserverBudget, ProviderBudget};
pub use canary::{BounceMailbox, Canary, Login, MailLog, MailLogFormat};
pub use client::Client;
pub use domain::{Acceptance, Domain, ExpectMx, MailDirection, Service, ServiceKind, TlsPolicy};
pub use gateway::{Check, Gateway, Snmp};
pub use notifier::{
    Alertmanager, Email, MailTls, Notifier, NotifierKind, Ntfy, Pagerduty, Slack, Teams, Webhook,
};
pub use probes::{ProbeOverrides, Probes, ResolvedProbe};
pub use provider::{Blocklist, MxPattern, Provider};
pub use resolver::{DnssecMode, Resolver};
pub use route::{Route, Sender};
pub use server::{Auth, Scope, Server, ServerTls, Token};
pub use store::{Store, StoreUrl};
pub use vantage::Vantage;

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
