//! The stages between an incident and the outbox: mute, route, group, dedupe, deliver. Each says why it decides so.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::mute::{self, Muting, clock};
use super::path::Way;
use super::text::{self, Text, Wording};
use crate::incident::{Announcement, Lifecycle, Rows};
use crate::model::{
    Affected, ClientId, Event, Hand, Held, HeldBy, Hours, Incident, Message, MessageId, Notice, RootKind,
    Severity,
};

/// The most targets that a message lists one by one.
const LISTED: usize = 1000;

/// Who is told of whose incidents, and when.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Routing {
    /// The notifiers of clients that name their own.
    pub by_client: BTreeMap<ClientId, Vec<Arc<str>>>,
    /// The notifiers for everything else: the first step of `escalate`, or all there are.
    pub otherwise: Vec<Arc<str>>,
    /// Every notifier, for when those that should tell something are what has failed.
    pub all: Vec<Arc<str>>,
    /// The notifiers of the later steps of `escalate`, in their order.
    pub later: Vec<Vec<Arc<str>>>,
    /// The only hours in which a severity is told.
    pub hours: BTreeMap<Severity, Hours>,
    /// The ways that the notifiers' messages take.
    pub ways: BTreeMap<Arc<str>, Way>,
}

/// The stages with their settings.
#[derive(Debug, Clone)]
pub struct Pipeline {
    routing: Routing,
    wording: Wording,
    hands: Vec<Hand>,
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
        match pipeline.plan(&announcement, now) {
            Decision::Tell(plan) => {
                life.told(&announcement, plan.notifiers(), &plan.reasons, now);
                messages.extend(plan.messages);
            }
            Decision::Hold(held, reasons) => life.hold(&announcement, held, &reasons, now),
        }
    }
    for announcement in life.grown() {
        let newcomers = pipeline.plan_newcomers(&announcement, now);
        if let Some(plan) = newcomers.now {
            life.also_told(&announcement, plan.notifiers(), &plan.reasons, now);
            messages.extend(plan.messages);
        }
        if let Some((held, reason)) = newcomers.later {
            life.ask_again(&announcement, &held, &[reason], now);
        }
    }
    Step {
        rows: life.take_rows(),
        messages,
    }
}

/// What becomes of an announcement.
#[derive(Debug)]
enum Decision {
    /// It is told.
    Tell(Plan),
    /// It waits; why.
    Hold(Held, Vec<String>),
}

/// Those who should know of an incident that others know already.
#[derive(Debug, Default)]
struct Newcomers {
    now: Option<Plan>,
    later: Option<(Held, String)>,
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
            hands: Vec::new(),
            next_id: next_id.max(1),
        }
    }

    /// Takes new settings after a reload.
    pub fn set(&mut self, routing: Routing, wording: Wording) {
        self.routing = routing;
        self.wording = wording;
    }

    /// Takes what people have set by hand.
    pub fn set_hands(&mut self, hands: Vec<Hand>) {
        self.hands = hands;
    }

    /// Takes what the notifiers stand on, as it is now known.
    pub fn set_ways(&mut self, ways: BTreeMap<Arc<str>, Way>) {
        self.routing.ways = ways;
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

    /// Messages that are about no incident, to each of these once.
    pub fn post(&mut self, notice: Notice, notifiers: impl Iterator<Item = Arc<str>>) -> Vec<Message> {
        let notice = Arc::new(notice);
        notifiers
            .map(|notifier| Message {
                id: self.number(),
                notifier,
                notice: notice.clone(),
            })
            .collect()
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

    fn plan(&mut self, announcement: &Announcement, now: Timestamp) -> Decision {
        let (incident, event) = (&announcement.incident, announcement.event);
        let mut reasons = Vec::new();
        let muting = mute::mute(&self.hands, incident, now);
        let mut notifiers = self.route(announcement, &muting.loud, &mut reasons);
        if holds_back(event)
            && let Some((held, reason)) = self.wait(incident, &muting, now)
        {
            return Decision::Hold(held, vec![reason]);
        }
        self.spare(incident, event, &mut notifiers, &mut reasons);
        group(incident, &mut reasons);
        reasons.push(match event {
            Event::Resolved => "mute: an end is always told to whoever heard of the beginning".into(),
            Event::Acknowledged => "mute: whoever was told hears that somebody has taken it on".into(),
            _ => mute::reason(&muting),
        });
        dedupe(&mut notifiers, &mut reasons);
        Decision::Tell(self.compose(announcement, &notifiers, reasons, now))
    }

    /// What holds an incident back now, with the reason: the hour, or somebody.
    fn wait(&self, incident: &Incident, muting: &Muting<'_>, now: Timestamp) -> Option<(Held, String)> {
        let severity = incident.severity;
        let hours = self.routing.hours.get(&severity);
        if let Some(hours) = hours.filter(|hours| !hours.contains(now)) {
            let until = hours.next(now).unwrap_or(Timestamp::MAX);
            let reason = format!("{severity} is told {hours}");
            let line = format!("route: {reason}, so this waits until {}", clock(until));
            let held = Held {
                by: HeldBy::Hours,
                until,
                reason,
            };
            return Some((held, line));
        }
        let held = muting.held.clone().filter(|_| muting.loud.is_empty())?;
        Some((held, mute::reason(muting)))
    }

    /// Those who should know of an incident that others were told of earlier, when it touched fewer clients, or while
    /// somebody kept a part of it quiet: they get the beginning now.
    fn plan_newcomers(&mut self, announcement: &Announcement, now: Timestamp) -> Newcomers {
        let incident = &announcement.incident;
        let Some(told) = incident.told.as_ref().map(|told| &told.notifiers) else {
            return Newcomers::default();
        };
        let muting = mute::mute(&self.hands, incident, now);
        let mut reasons = Vec::new();
        let untold = |whom: &[&Affected], reasons: &mut Vec<String>| {
            let mut names = self.first_step(whom, reasons);
            self.spare(incident, Event::Opened, &mut names, reasons);
            names.retain(|name| !told.contains(name));
            names
        };
        let mut notifiers = Vec::new();
        if !muting.loud.is_empty() {
            notifiers = untold(&muting.loud, &mut reasons);
        }
        let quiet = if muting.quiet.is_empty() {
            Vec::new()
        } else {
            untold(&muting.quiet, &mut Vec::new())
        };
        let mut later = muting
            .held
            .clone()
            .filter(|_| !quiet.is_empty())
            .map(|held| (held, mute::reason(&muting)));
        if !notifiers.is_empty()
            && let Some(wait) = self.wait(incident, &muting, now)
        {
            notifiers.clear();
            later = Some(wait);
        }
        if notifiers.is_empty() {
            return Newcomers { now: None, later };
        }
        reasons.push("dedupe: only those who were not told yet, as it touched fewer clients then".into());
        dedupe(&mut notifiers, &mut reasons);
        Newcomers {
            now: Some(self.compose(announcement, &notifiers, reasons, now)),
            later,
        }
    }

    /// Who is told: at the beginning those named for the clients that it touches, at a later step of the escalation
    /// those of that step, otherwise those who were told before.
    fn route(
        &self,
        announcement: &Announcement,
        loud: &[&Affected],
        reasons: &mut Vec<String>,
    ) -> Vec<Arc<str>> {
        let told = announcement.incident.told.as_ref();
        match (announcement.event, told) {
            (Event::Opened | Event::Reopened, _) | (_, None) => self.first_step(loud, reasons),
            (Event::Escalated, Some(told)) => {
                let step = told.step.saturating_add(1);
                let names = self.routing.later.get(told.step).cloned().unwrap_or_default();
                let who = names.join(", ");
                reasons.push(format!(
                    "route: {who}, as nobody has acknowledged it by step {} of the escalation",
                    step + 1
                ));
                names
            }
            (_, Some(told)) => {
                reasons.push("route: those who were told of it before".into());
                told.notifiers.clone()
            }
        }
    }

    /// Those named for the clients of `loud`.
    fn first_step(&self, loud: &[&Affected], reasons: &mut Vec<String>) -> Vec<Arc<str>> {
        let clients: BTreeSet<&ClientId> = loud.iter().filter_map(|one| one.client.as_ref()).collect();
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
        let mut messages: Vec<Message> = Vec::new();
        for notifier in notifiers {
            let id = self.number();
            messages.push(Message {
                id,
                notifier: notifier.clone(),
                notice: notice.clone(),
            });
        }
        for (name, note) in self.detours(&announcement.incident, notifiers) {
            reasons.push(format!("route: {name} as well: {note}"));
            let mut notice = (*notice).clone();
            notice.text = format!("{} ({note}.)", notice.text);
            notice.body = format!(
                "{}
{note}.
",
                notice.body
            );
            let id = self.number();
            messages.push(Message {
                id,
                notifier: name,
                notice: Arc::new(notice),
            });
        }
        if !messages.is_empty() {
            let event = announcement.event.as_str();
            let names: Vec<&str> = messages.iter().map(|message| &*message.notifier).collect();
            reasons.push(format!("deliver: {event} is queued for {}", names.join(", ")));
        }
        Plan { messages, reasons }
    }

    /// Who is told besides `notifiers`, as some of those stand on what failed; each with why.
    fn detours(&self, incident: &Incident, notifiers: &[Arc<str>]) -> Vec<(Arc<str>, String)> {
        let mut found: Vec<(Arc<str>, String)> = Vec::new();
        for start in notifiers {
            let mut name = start;
            // A fallback that stands on the same is no way out: its own is asked, until one does not.
            while let Some(way) = self.routing.ways.get(name)
                && let Some(how) = way.is_cut_by(incident)
                && let Some(next) = &way.fallback
                && !notifiers.contains(next)
                && found.iter().all(|(known, _)| known != next)
            {
                let note = format!("This comes here as {name} stands on what failed: {how}");
                found.push((next.clone(), note));
                name = next;
            }
        }
        found
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

/// Whether muting holds such a message back: not an end, and not that somebody has taken it on.
fn holds_back(event: Event) -> bool {
    !matches!(event, Event::Resolved | Event::Acknowledged | Event::Test)
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
