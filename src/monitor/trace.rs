//! When the way to an unreachable address is followed: once it is known to be unreachable, and seldom.

use jiff::{SignedDuration, Timestamp};

use crate::diagnosis;
use crate::model::{DomainName, State, Subject, Target, Verdict};

use super::{Mode, Monitor};

/// An address that comes and goes is not followed to more often than this.
const AT_MOST_EVERY: SignedDuration = SignedDuration::from_mins(10);

impl Monitor {
    /// Follows the way to the first unreachable address of the domain that a target is about, once an outage, after the
    /// verdict has turned.
    pub(super) fn follow_way(&mut self, target: &Target, name: &DomainName, now: Timestamp) {
        if self.mode == Mode::OneLook || !self.verdicts.get(target).is_some_and(|one| is_traced(one)) {
            return;
        }
        let Some((address, since)) = diagnosis::unreachable(&self.picture, name) else {
            return;
        };
        let subject = Subject::Trace(address);
        let last = self.picture.track(&subject).map(|track| track.latest.at);
        if last.is_some_and(|last| last >= since || now.duration_since(last) < AT_MOST_EVERY) {
            return;
        }
        self.watch(&subject, now);
        // One that runs will do, if it began within this outage.
        self.agenda.ask(&subject, since, now);
    }

    /// The cause now says where the way ends: whoever tells of it should know.
    pub(super) fn tell_of_way(&mut self, subject: &Subject) {
        if !matches!(subject, Subject::Trace(_)) {
            return;
        }
        for target in self.dependents(subject, false) {
            let verdict = self.verdicts.get(&target).filter(|verdict| is_traced(verdict));
            self.changes.refreshed.extend(verdict.cloned());
        }
    }
}

fn is_traced(verdict: &Verdict) -> bool {
    let cause = verdict.cause.as_ref();
    matches!(verdict.state, State::Broken | State::Degraded)
        && cause.is_some_and(|cause| diagnosis::is_traced(cause.code))
}
