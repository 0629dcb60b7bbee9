//! The stages between an incident and the outbox: route, group, mute, dedupe. Each says why it decides so.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::text::{self, Text, Wording};
use crate::incident::{Announcement, Lifecycle, Rows};
use crate::model::{ClientId, Event, Incident, Message, MessageId, Notice, RootKind};

/// The most targets that a message lists one by one.
const LISTED: usize = 1000;

/// Who is told of whose incidents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing {
    /// The notifiers of clients that name their own.
    pub by_client: BTreeMap<ClientId, Vec<Arc<str>>>,
    /// The notifiers for everything else: the first step of `escalate`, or all there are.
    pub otherwise: Vec<Arc<str>>,
    /// Every notifier, for when those that should tell something are what has failed.
    pub all: Vec<Arc<str>>,
}

/// The stages with their settings.
#[derive(Debug, Clone)]
pub struct Pipeline {
    routing: Routing,
    wording: Wording,
    next_id: u64,
}

/// What one step of the daemon decided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// What has to be written down of the incidents.
    pub rows: Rows,
    /// What has to be sent, once it is written down too.
    pub messages: Vec<Message>,
}

/// Lets the lifecycle draw its conclusions and turns them into messages.
pub fn step(life: &mut Lifecycle, pipeline: &mut Pipeline, now: Timestamp) -> Step {
    let mut messages = Vec::new();
    for announcement in life.settle(now) {
        let plan = pipeline.plan(&announcement, now);
        life.told(&announcement, plan.notifiers(), &plan.reasons, now);
        messages.extend(plan.messages);
    }
    for announcement in life.grown() {
        if let Some(plan) = pipeline.plan_newcomers(&announcement, now) {
            life.also_told(&announcement, plan.notifiers(), &plan.reasons, now);
            messages.extend(plan.messages);
        }
    }
    Step {
        rows: life.take_rows(),
        messages,
    }
}

/// The messages for one announcement, and why these.
#[derive(Debug)]
struct Plan {
    messages: Vec<Message>,
    reasons: Vec<String>,
}

impl Plan {
    fn notifiers(&self) -> Vec<Arc<str>> {
        self.messages
            .iter()
            .map(|message| message.notifier.clone())
            .collect()
    }
}

impl Pipeline {
    /// The stages, the first message to get the number `next_id`.
    pub fn new(routing: Routing, wording: Wording, next_id: u64) -> Self {
        Self {
            routing,
            wording,
            next_id: next_id.max(1),
        }
    }

    /// Takes new settings after a reload.
    pub fn set(&mut self, routing: Routing, wording: Wording) {
        self.routing = routing;
        self.wording = wording;
    }

    /// A test message, which does not go through the outbox.
    pub fn test_message(notifier: &str, now: Timestamp) -> Message {
        let Text { subject, short, long } = text::test();
        let notice = Notice {
            event: Event::Test,
            dedup_key: format!("mailflow-test-{}", now.as_millisecond()),
            at: now,
            incident: None,
            affected: 0,
            subject,
            text: short,
            body: long,
            url: None,
        };
        Message {
            id: MessageId(0),
            notifier: notifier.into(),
            notice: Arc::new(notice),
        }
    }

    /// What was last told of the incidents that go on, as if it was told now: for receivers that have to hear it
    /// again and again, after a restart.
    pub fn standing<'a>(
        &self,
        open: impl Iterator<Item = &'a Arc<Incident>>,
        now: Timestamp,
    ) -> Vec<Message> {
        let told = open.filter(|incident| incident.awaits_resolution());
        told.flat_map(|incident| self.standing_of(incident, now))
            .collect()
    }

    fn standing_of(&self, incident: &Arc<Incident>, now: Timestamp) -> Vec<Message> {
        let Some(told) = incident.told.clone() else {
            return Vec::new();
        };
        let mut as_told = (**incident).clone();
        as_told.severity = told.severity;
        as_told.cause.root = told.root;
        let notice = self.notice(
            &Announcement {
                event: told.event,
                incident: Arc::new(as_told),
            },
            now,
        );
        let notice = Arc::new(notice);
        told.notifiers
            .iter()
            .map(|notifier| Message {
                id: MessageId(0),
                notifier: notifier.clone(),
                notice: notice.clone(),
            })
            .collect()
    }

    fn plan(&mut self, announcement: &Announcement, now: Timestamp) -> Plan {
        let incident = &announcement.incident;
        let mut reasons = Vec::new();
        let mut notifiers = self.route(incident, announcement.event, &mut reasons);
        self.spare(incident, announcement.event, &mut notifiers, &mut reasons);
        group(incident, &mut reasons);
        mute(&mut reasons);
        dedupe(&mut notifiers, &mut reasons);
        self.compose(announcement, &notifiers, reasons, now)
    }

    /// Those who should know of an incident that others were told of earlier, when it touched fewer clients: they
    /// get the beginning now.
    fn plan_newcomers(&mut self, announcement: &Announcement, now: Timestamp) -> Option<Plan> {
        let incident = &announcement.incident;
        let told = &incident.told.as_ref()?.notifiers;
        let mut reasons = Vec::new();
        let mut notifiers = self.route(incident, Event::Opened, &mut reasons);
        self.spare(incident, Event::Opened, &mut notifiers, &mut reasons);
        notifiers.retain(|name| !told.contains(name));
        if notifiers.is_empty() {
            return None;
        }
        reasons.push("dedupe: only those who were not told yet, as it touched fewer clients then".into());
        Some(self.compose(announcement, &notifiers, reasons, now))
    }

    /// Who is told: at the beginning those named for the clients that it touches, later those who were told then.
    fn route(&self, incident: &Incident, event: Event, reasons: &mut Vec<String>) -> Vec<Arc<str>> {
        let begins = matches!(event, Event::Opened | Event::Reopened);
        if let Some(told) = incident.told.as_ref().filter(|_| !begins) {
            reasons.push("route: those who were told of it before".into());
            return told.notifiers.clone();
        }
        let clients: BTreeSet<&ClientId> = incident
            .affected
            .iter()
            .filter(|one| !one.first_sight)
            .filter_map(|one| one.client.as_ref())
            .collect();
        let mut chosen = Vec::new();
        for client in &clients {
            if let Some(own) = self.routing.by_client.get(*client) {
                reasons.push(format!("route: {client} names {}", own.join(", ")));
                chosen.extend(own.iter().cloned());
            }
        }
        let others = clients
            .iter()
            .any(|client| !self.routing.by_client.contains_key(*client));
        if others || clients.is_empty() {
            let names = self.routing.otherwise.join(", ");
            reasons.push(if names.is_empty() {
                "route: nobody, as there is no notifier".into()
            } else {
                format!("route: {names}, for everything that is not routed otherwise")
            });
            chosen.extend(self.routing.otherwise.iter().cloned());
        }
        chosen
    }

    /// A notifier that has failed does not tell of it itself: the others do.
    fn spare(
        &self,
        incident: &Incident,
        event: Event,
        notifiers: &mut Vec<Arc<str>>,
        reasons: &mut Vec<String>,
    ) {
        let root = &incident.cause.root;
        if root.kind != RootKind::Notifier {
            return;
        }
        notifiers.retain(|name| *name != root.name);
        // Whoever was not told of the beginning does not hear of the end.
        if notifiers.is_empty() && matches!(event, Event::Opened | Event::Reopened) {
            notifiers.extend(
                self.routing
                    .all
                    .iter()
                    .filter(|name| **name != root.name)
                    .cloned(),
            );
        }
        reasons.push(if notifiers.is_empty() {
            format!("route: nobody, as there is no notifier beside {}", root.name)
        } else {
            format!("route: not by {}, which is what has failed", root.name)
        });
    }

    fn compose(
        &mut self,
        announcement: &Announcement,
        notifiers: &[Arc<str>],
        mut reasons: Vec<String>,
        now: Timestamp,
    ) -> Plan {
        let notice = Arc::new(self.notice(announcement, now));
        let messages: Vec<Message> = notifiers
            .iter()
            .map(|notifier| Message {
                id: self.number(),
                notifier: notifier.clone(),
                notice: notice.clone(),
            })
            .collect();
        if !messages.is_empty() {
            let event = announcement.event.as_str();
            reasons.push(format!("deliver: {event} is queued for {}", notifiers.join(", ")));
        }
        Plan { messages, reasons }
    }

    fn number(&mut self) -> MessageId {
        let id = MessageId(self.next_id);
        self.next_id = self.next_id.saturating_add(1);
        id
    }

    fn notice(&self, announcement: &Announcement, now: Timestamp) -> Notice {
        let Announcement { event, incident } = announcement;
        let Text { subject, short, long } = text::message(incident, *event, now, &self.wording);
        let mut trimmed = (**incident).clone();
        trimmed.log.clear();
        trimmed.affected.truncate(LISTED);
        Notice {
            event: *event,
            dedup_key: incident.dedup_key.clone(),
            at: now,
            affected: incident.affected.len(),
            incident: Some(Arc::new(trimmed)),
            subject,
            text: short,
            body: long,
            url: text::incident_url(&self.wording, incident),
        }
    }
}

/// One incident is one group: whatever stands on one root is one message.
fn group(incident: &Incident, reasons: &mut Vec<String>) {
    let count = incident.affected.len();
    if count > 1 {
        reasons.push(format!("group: one message for {count} with one cause"));
    }
}

/// Nothing can be silenced yet.
fn mute(reasons: &mut Vec<String>) {
    reasons.push("mute: nothing holds it back".into());
}

/// Whoever is named twice is told once.
fn dedupe(notifiers: &mut Vec<Arc<str>>, reasons: &mut Vec<String>) {
    let before = notifiers.len();
    let mut known = BTreeSet::new();
    notifiers.retain(|name| known.insert(name.clone()));
    if notifiers.len() < before {
        reasons.push("dedupe: who is named twice is told once".into());
    }
}
