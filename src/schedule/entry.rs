//! One subject's place in the agenda. A fleet has a million of these, so each is kept small: times in eight bytes, no
//! subject twice.

use crate::model::by_subject::Id;
use crate::model::{Length, Moment, OfSubject, ProbeKind, Subject};

use super::{Budget, Pace};

/// A place in line: what all others wait for goes before what was asked for, and that before routine; then the earlier before
/// the later.
pub(super) type Place = (Class, Moment, Id);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    First,
    Urgent,
    Routine,
}

#[derive(Debug, Clone)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a plain fact, and none excludes another"
)]
pub(super) struct Entry {
    pub(super) subject: Subject,
    /// From start to start; `None`: only when asked.
    pub(super) interval: Option<Length>,
    pub(super) confirm_interval: Length,
    pub(super) budgets: Box<[Budget]>,
    pub(super) wait: Option<Wait>,
    pub(super) last_start: Option<Moment>,
    pub(super) backed_off_until: Option<Moment>,
    /// What the interval comes to after budgets and back-off.
    pub(super) effective: Length,
    /// How often it ran; it may begin anew.
    pub(super) runs: u32,
    pub(super) run: Run,
    /// Asked for while running: evidence must begin after the running probe.
    pub(super) again: bool,
    /// No longer watched, but its probe still runs: it holds its budgets until that ends.
    pub(super) gone: bool,
    /// It was asked for before all others, and that has not come to its end.
    pub(super) first: bool,
    /// Nobody answered the last time: such a try keeps the pace of budgets, but takes no place in them.
    pub(super) unanswered: bool,
}

/// Whether a probe runs, since the last start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    No,
    /// It has a place in its budgets.
    InPlace,
    /// It keeps their pace, and takes no place.
    Beside,
}

/// What an entry waits for: its time, or else its turn.
#[derive(Debug, Clone)]
pub(super) struct Wait {
    pub(super) class: Class,
    pub(super) due: Moment,
    /// Its time has come: it waits for its turn.
    pub(super) ready: bool,
    /// In the line of this budget. Boxed, as few ever are.
    pub(super) line: Option<Box<Budget>>,
}

impl OfSubject for Entry {
    fn subject(&self) -> &Subject {
        &self.subject
    }
}

impl Entry {
    pub(super) fn new(subject: Subject, pace: Pace, budgets: Box<[Budget]>) -> Self {
        Self {
            subject,
            interval: pace.interval.map(Length::from),
            confirm_interval: pace.confirm_interval.into(),
            budgets,
            wait: None,
            last_start: None,
            backed_off_until: None,
            effective: pace.interval.unwrap_or_default().into(),
            runs: 0,
            run: Run::No,
            again: false,
            gone: false,
            first: false,
            unanswered: false,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.run != Run::No
    }

    /// The class of what is not routine.
    pub(super) fn pressing(&self) -> Class {
        if self.first || self.subject.probe() == ProbeKind::Vantage {
            Class::First
        } else {
            Class::Urgent
        }
    }

    pub(super) fn is_pressing(&self) -> bool {
        self.wait
            .as_ref()
            .is_some_and(|wait| wait.class != Class::Routine)
    }
}
