//! What the clients' own side says of mail to destinations: the failures that still count, and the last success.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::model::{ClientId, DomainName, Fate, Report};

use super::{Health, Picture};

/// For how long one counts: a message that failed is no news after half a day's work.
const COUNTS_FOR: SignedDuration = SignedDuration::from_hours(4);
/// The most that are kept of one route; the oldest go first.
const MOST: usize = 50;

/// What is said of all routes.
#[derive(Debug, Clone, Default)]
pub(super) struct Reports(BTreeMap<(ClientId, DomainName), Told>);

/// What is said of one route.
#[derive(Debug, Clone, Default)]
struct Told {
    failures: VecDeque<Report>,
    sent: Option<Timestamp>,
}

impl Picture {
    /// Takes in what is said of a route. Whether that may change its judgement.
    pub fn hear_report(&mut self, report: &Report, now: Timestamp) -> bool {
        let key = (report.client.clone(), report.to.clone());
        if !self.inventory.routes.contains_key(&key) || now.duration_since(report.at) >= COUNTS_FOR {
            return false;
        }
        let told = self.reports.0.entry(key).or_default();
        if report.fate == Fate::Sent {
            let proven = told.sent.is_some_and(|at| now.duration_since(at) < COUNTS_FOR);
            told.sent = told.sent.max(Some(report.at));
            let before = told.failures.len();
            told.failures.retain(|failure| failure.at > report.at);
            return !proven || told.failures.len() != before;
        }
        if told.failures.contains(report) {
            return false;
        }
        told.failures.push_back(report.clone());
        if told.failures.len() > MOST {
            told.failures.pop_front();
        }
        true
    }

    /// The failures of a client's mail to a destination that still count: nothing has got through since, as far as a
    /// log or a canary tells.
    pub fn failures<'a>(
        &'a self,
        client: &ClientId,
        to: &DomainName,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Report> + use<'a> {
        let told = self.reports.0.get(&(client.clone(), to.clone()));
        let passed = told
            .and_then(|told| told.sent)
            .max(self.canary_passed(client, to, now));
        let failures = told.into_iter().flat_map(|told| &told.failures);
        failures.filter(move |one| {
            now.duration_since(one.at) < COUNTS_FOR && passed.is_none_or(|passed| passed < one.at)
        })
    }

    /// Whether a log says that mail to a destination got through lately.
    pub fn is_proven_by_log(&self, client: &ClientId, to: &DomainName, now: Timestamp) -> bool {
        let told = self.reports.0.get(&(client.clone(), to.clone()));
        let sent = told.and_then(|told| told.sent);
        sent.is_some_and(|at| now.duration_since(at) < COUNTS_FOR)
    }

    /// When the first of what is said of a route counts no longer.
    pub fn reports_end(&self, client: &ClientId, to: &DomainName, now: Timestamp) -> Option<Timestamp> {
        let told = self.reports.0.get(&(client.clone(), to.clone()))?;
        let times = told.failures.iter().map(|failure| failure.at).chain(told.sent);
        let ends = times.filter_map(|at| at.checked_add(COUNTS_FOR).ok());
        ends.filter(|end| *end > now).min()
    }

    /// All that is kept of a route, for whoever writes it down.
    pub fn reports_of(&self, client: &ClientId, to: &DomainName) -> Vec<Report> {
        let told = self.reports.0.get(&(client.clone(), to.clone()));
        told.into_iter()
            .flat_map(|told| &told.failures)
            .cloned()
            .collect()
    }

    /// Forgets what is said of routes that are no longer configured.
    pub fn drop_reports(&mut self) {
        let routes = &self.inventory.routes;
        self.reports.0.retain(|key, _| routes.contains_key(key));
    }

    /// When a canary of the client last arrived there.
    fn canary_passed(&self, client: &ClientId, to: &DomainName, now: Timestamp) -> Option<Timestamp> {
        let canaries = self.inventory.canaries.iter();
        let own = canaries.filter(|canary| canary.client == *client && canary.to == *to);
        own.filter_map(|canary| {
            let settled = self.track(&canary.subject())?.fresh(now)?;
            (settled.health == Health::Good).then(|| settled.observation.at)
        })
        .max()
    }
}
