//! Whether a notifier has failed itself: an incident of our own, for the others to tell.
//!
//! A message that was refused for good has failed at once; one that is tried again, once nothing has got through for
//! a while. It is over when a message arrives, be it a test. What we do not know changes nothing: after a restart a
//! notifier counts as what it was, and while our own line is down nobody else is at fault.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Cause, Code, Confidence, Owner, Root, RootKind, State, Target, Verdict};
use crate::snapshot::{NotifierCounts, NotifierHealth};

/// For how long nothing must have got through.
const LONG: SignedDuration = SignedDuration::from_mins(5);

/// A notifier as what an incident is about.
pub fn target(name: &Arc<str>) -> Target {
    Target::Notifier(Arc::clone(name))
}

/// Watches the notifiers.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Which have failed, as last said.
    failed: BTreeMap<Arc<str>, bool>,
    /// When our own line was last down.
    blind: Option<Timestamp>,
}

impl Watch {
    /// What has turned since the last time, of those that are still `known`. `blind`: our own line is down.
    pub fn judge(
        &mut self,
        counts: &BTreeMap<Arc<str>, NotifierCounts>,
        known: impl Fn(&Arc<str>) -> bool,
        blind: bool,
        now: Timestamp,
    ) -> Vec<Verdict> {
        if blind {
            self.blind = Some(now);
        }
        self.failed.retain(|name, _| known(name));
        counts
            .iter()
            .filter(|(name, _)| known(name))
            .filter_map(|(name, counts)| {
                let verdict = self.verdict(name, &counts.health, now)?;
                let failed = verdict.state != State::Flowing;
                (self.failed.insert(Arc::clone(name), failed) != Some(failed)).then_some(verdict)
            })
            .collect()
    }

    /// What is to be said of one; `None`: nothing, as we do not know.
    fn verdict(&self, name: &Arc<str>, health: &NotifierHealth, now: Timestamp) -> Option<Verdict> {
        let (since, cause) = match health {
            NotifierHealth::Unproven => return None,
            NotifierHealth::Well => (now, None),
            NotifierHealth::Failing {
                since,
                reason,
                for_good: true,
            } => (
                *since,
                Some(cause(name, format!("A message was refused for good: {reason}"))),
            ),
            NotifierHealth::Failing { since, reason, .. } => {
                let counted = self.blind.map_or(*since, |blind| blind.max(*since));
                if now.duration_since(counted) < LONG {
                    return None;
                }
                let clock = since.strftime("%H:%M UTC");
                (
                    *since,
                    Some(cause(
                        name,
                        format!("No message has got through since {clock}: {reason}"),
                    )),
                )
            }
        };
        Some(Verdict {
            target: target(name),
            client: None,
            state: cause.as_ref().map_or(State::Flowing, |_| State::Degraded),
            since,
            checked: Some(now),
            proven_by: Vec::new(),
            cause: cause.map(Arc::new),
            symptoms: Vec::new(),
            also: Vec::new(),
            provider: None,
            incident: None,
            flapping: None,
            path: Box::default(),
        })
    }
}

fn cause(name: &Arc<str>, detail: String) -> Cause {
    Cause {
        on_route: false,
        code: Code::NotifierFailed,
        root: Root {
            kind: RootKind::Notifier,
            client: None,
            name: Arc::clone(name),
        },
        subject: name.to_string(),
        detail,
        owner: Owner::Us,
        contact: None,
        confidence: Confidence::Certain,
        confidence_reason: None,
        evidence: Arc::default(),
        stands_on: Vec::new(),
    }
}
