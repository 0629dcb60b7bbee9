//! What comes back to the lifecycle: who was told, what is held back, and what people do about an incident.

use std::sync::Arc;

use jiff::Timestamp;

use super::lifecycle::{Announcement, Lifecycle};
use super::record::{Record, log};
use crate::model::{Acknowledgement, Event, Held, HeldBy, Incident, IncidentId, Told};

/// An incident cannot be acknowledged: there is none of this number that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no incident of this number goes on")]
pub struct NotOpen;

impl Lifecycle {
    /// Says that an announcement was handed to `notifiers`, and why to them.
    pub fn told(
        &mut self,
        announcement: &Announcement,
        notifiers: Vec<Arc<str>>,
        reasons: &[String],
        now: Timestamp,
    ) {
        let incident = &announcement.incident;
        let told = told(announcement, notifiers, now);
        let root = Some(&incident.cause.root);
        self.edit(incident.id, root, |row| {
            if announcement.event == Event::Opened {
                row.announced = Some(now);
            }
            if announcement.event == Event::Acknowledged
                && let Some(acknowledged) = &mut row.acknowledged
            {
                acknowledged.told = true;
            }
            for reason in reasons {
                log(row, now, reason.as_str());
            }
            row.held = None;
            row.told = Some(told);
        });
    }

    /// Says that an announcement is held back, and why. It is proposed again when that is over, or when something
    /// changes ([`Self::reconsider`]).
    pub fn hold(&mut self, announcement: &Announcement, held: Held, reasons: &[String], now: Timestamp) {
        let incident = &announcement.incident;
        let Some(record) = self.open.get_mut(&incident.cause.root) else {
            return;
        };
        record.hold_stands = true;
        let again = matches!(announcement.event, Event::Repeated | Event::Escalated);
        let skipped = (again && held.by != HeldBy::Hours).then_some(held.until);
        let resumed = |row: &Incident| row.told.as_ref().and_then(|told| told.resumed);
        let news = record.row.held.as_ref() != Some(&held);
        if !news && (skipped.is_none() || skipped == resumed(&record.row)) {
            return;
        }
        let row = record.edit();
        if news {
            for reason in reasons {
                log(row, now, reason.as_str());
            }
        }
        if let (Some(until), Some(told)) = (skipped, &mut row.told) {
            told.resumed = Some(until);
        }
        row.held = Some(held);
        self.changed.insert(record.row.id, record.row.clone());
    }

    /// What holds messages back has changed: all that is held back is proposed anew.
    pub fn reconsider(&mut self) {
        for record in self.open.values_mut() {
            record.hold_stands = false;
            if record.row.held.is_some() {
                record.edit().held = None;
                self.changed.insert(record.row.id, record.row.clone());
            }
            if record.ask_again.take().is_some() {
                self.look_again.insert(record.row.id);
            }
        }
    }

    /// Incidents of which somebody may have to be told the beginning who was not told yet: those that changed, go on
    /// and were told, as they may touch more than they did, and that nobody has taken on.
    pub fn grown(&mut self) -> Vec<Announcement> {
        let mut ids = std::mem::take(&mut self.look_again);
        ids.extend(self.changed.keys());
        let rows = self.open.values().map(|record| &record.row);
        rows.filter(|row| ids.contains(&row.id) && row.awaits_resolution() && row.acknowledged.is_none())
            .filter_map(|row| {
                Some(Announcement {
                    event: row.told.as_ref()?.begun,
                    incident: row.clone(),
                })
            })
            .collect()
    }

    /// Says that the beginning of an incident that others know already was handed to further notifiers.
    pub fn also_told(
        &mut self,
        announcement: &Announcement,
        notifiers: Vec<Arc<str>>,
        reasons: &[String],
        now: Timestamp,
    ) {
        let incident = &announcement.incident;
        self.edit(incident.id, Some(&incident.cause.root), |row| {
            for reason in reasons {
                log(row, now, reason.as_str());
            }
            if let Some(told) = &mut row.told {
                told.notifiers.extend(notifiers);
            }
        });
    }

    /// Says that further notifiers are to be told later of an incident that others know already.
    pub fn ask_again(
        &mut self,
        announcement: &Announcement,
        held: &Held,
        reasons: &[String],
        now: Timestamp,
    ) {
        let Some(record) = self.open.get_mut(&announcement.incident.cause.root) else {
            return;
        };
        if record.ask_again.replace(held.until) == Some(held.until) {
            return;
        }
        let row = record.edit();
        for reason in reasons {
            log(row, now, reason.as_str());
        }
        self.changed.insert(record.row.id, record.row.clone());
    }

    /// Somebody takes an open incident on: repetitions and escalation stop, and its opening, where nobody was told
    /// yet, is not told at all. Who did so first stays.
    ///
    /// # Errors
    /// [`NotOpen`].
    pub fn acknowledge(
        &mut self,
        id: IncidentId,
        by: &str,
        now: Timestamp,
    ) -> Result<Arc<Incident>, NotOpen> {
        let record = self.record_of(id).ok_or(NotOpen)?;
        if record.row.acknowledged.is_none() {
            let told = record.row.awaits_resolution();
            let row = record.edit();
            let who = if by.is_empty() {
                String::new()
            } else {
                format!(" by {by}")
            };
            log(row, now, format!("acknowledged{who}"));
            let what = if told {
                "mute: nobody is told again, and nobody else"
            } else {
                "mute: nobody is told, as somebody has acknowledged it"
            };
            log(row, now, what);
            row.acknowledged = Some(Acknowledgement {
                at: now,
                by: by.to_owned(),
                told: !told,
            });
            let row = record.row.clone();
            self.changed.insert(id, row);
        }
        self.record_of(id).map(|record| record.row.clone()).ok_or(NotOpen)
    }

    fn record_of(&mut self, id: IncidentId) -> Option<&mut Record> {
        self.open.values_mut().find(|record| record.row.id == id)
    }

    /// Writes a line into the log of an incident that is open or ended lately; whether there is one.
    pub fn note(&mut self, id: IncidentId, now: Timestamp, text: &str) -> bool {
        let root = self
            .open
            .iter()
            .find(|(_, record)| record.row.id == id)
            .map(|(root, _)| root.clone());
        self.edit(id, root.as_ref(), |row| log(row, now, text))
    }
}

/// What the notifiers know once they have heard this.
fn told(announcement: &Announcement, notifiers: Vec<Arc<str>>, now: Timestamp) -> Told {
    let incident = &announcement.incident;
    let fresh = Told {
        event: announcement.event,
        begun: announcement.event,
        at: now,
        severity: incident.severity,
        code: incident.cause.code,
        root: incident.cause.root.clone(),
        begun_at: Some(now),
        step: 0,
        resumed: None,
        notifiers,
    };
    match (&incident.told, announcement.event) {
        (_, Event::Opened | Event::Reopened) => fresh,
        (None, _) => Told {
            begun: Event::Opened,
            ..fresh
        },
        (Some(before), Event::Escalated) => {
            // Those of before were not told of any change by this.
            let mut told = before.clone();
            told.event = Event::Escalated;
            told.at = now;
            told.step = before.step.saturating_add(1);
            for name in fresh.notifiers {
                if !told.notifiers.contains(&name) {
                    told.notifiers.push(name);
                }
            }
            told
        }
        (Some(before), _) => Told {
            begun: before.begun,
            begun_at: before.begun_at,
            step: before.step,
            resumed: before.resumed,
            ..fresh
        },
    }
}
