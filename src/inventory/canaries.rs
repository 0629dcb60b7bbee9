//! Canaries as the daemon knows them: whose, from where to where, how often; without what it takes to log in.

use std::sync::Arc;
use std::time::Duration;

use super::Inventory;
use crate::config::{self, HostPort, ResolvedProbe};
use crate::model::{ClientId, DomainName, ProbeKind, Subject, Target};

/// Besides the deadline, what a run may take: handing in, and the last look.
const BESIDE: Duration = Duration::from_mins(1);
/// From a failure to the next canary, until it is confirmed, unless they are sent more often anyway.
const CONFIRM_INTERVAL: Duration = Duration::from_secs(10);

/// A small message that is sent and looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// Whose it is.
    pub client: ClientId,
    /// What people call it.
    pub name: Arc<str>,
    /// Where it is handed in.
    pub submit: HostPort,
    /// Where it is looked for.
    pub mailbox: HostPort,
    /// The domain that it is sent to.
    pub to: DomainName,
    /// How long it may take.
    pub deadline: Duration,
    /// How often it is sent. One failure is confirmed by one more: each takes as long as the deadline.
    pub settings: ResolvedProbe,
}

impl Canary {
    /// What is observed of it.
    pub fn subject(&self) -> Subject {
        Subject::Canary(self.client.clone(), Arc::clone(&self.name))
    }

    /// What its verdict is about.
    pub fn target(&self) -> Target {
        Target::Canary(self.client.clone(), Arc::clone(&self.name))
    }
}

impl Inventory {
    /// The canary that is meant.
    pub fn canary(&self, client: &ClientId, name: &str) -> Option<&Arc<Canary>> {
        let mut canaries = self.canaries.iter();
        canaries.find(|canary| canary.client == *client && &*canary.name == name)
    }
}

pub(super) fn canaries(config: &config::Config) -> Vec<Arc<Canary>> {
    let each = config
        .clients
        .iter()
        .flat_map(|client| client.canaries.iter().map(move |canary| (client, canary)));
    each.map(|(client, canary)| {
        let built_in = config.probes.resolve(ProbeKind::Canary, &[&client.probes]);
        Arc::new(Canary {
            client: client.id.clone(),
            name: canary.name.as_str().into(),
            submit: canary.submit.server.clone(),
            mailbox: canary.mailbox.server.clone(),
            to: canary.to.domain().clone(),
            deadline: canary.deadline,
            settings: ResolvedProbe {
                interval: canary.interval,
                interval_explicit: true,
                timeout: canary.deadline + BESIDE,
                confirm: 1,
                confirm_interval: CONFIRM_INTERVAL.min(canary.interval),
                ..built_in
            },
        })
    })
    .collect()
}
