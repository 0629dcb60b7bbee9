//! The verdict on our own side, which everybody else's stands on.

use std::sync::Arc;

use jiff::Timestamp;

use super::Monitor;
use super::publish::Draft;
use crate::diagnosis::{self, Doubt, Finding, OwnSide};
use crate::model::{Code, Evidence, Root, RootKind, State, Subject, Target, Verdict, Warning};

impl Monitor {
    /// Whether our own side is seen differently from before.
    pub(super) fn judge_own_side(&mut self, now: Timestamp) -> bool {
        let target = self.vantage_target();
        let mut doubt = Doubt::default();
        let own = diagnosis::own_side(&self.picture, now, &mut doubt);
        let code = |own: &OwnSide| own.worst().map(|finding| finding.code);
        // What was seen while we may have been cut off says nothing, whether we came to call it so or not.
        let before = self.suspected;
        let suspected = own.suspected.dated_no_later_than(before);
        self.suspected = suspected;
        if let (Some(since), None) = (before.port25, suspected.port25) {
            self.port25_recovered(since, now);
        }
        if let (Some(since), None) = (before.line, suspected.line) {
            self.line_recovered(since, now);
            return self.judge_own_side(now);
        }
        self.wonder(&target, &doubt, now);
        let worse = code(&own).is_some() && code(&own) != code(&self.own);
        if worse && self.hold(&target, &doubt, now) {
            return false;
        }
        self.release(&target);
        let changed = code(&own) != code(&self.own) || own.proven != self.own.proven;
        self.own = own;
        let verdict = self.vantage_verdict(&target);
        self.publish(target, verdict, now);
        changed
    }

    /// The verdict on our own side, which there is from the start.
    pub(super) fn vantage(&self) -> Arc<Verdict> {
        let target = self.vantage_target();
        let judged = self.verdicts.get(&target).cloned();
        judged.unwrap_or_else(|| Arc::new(Draft::default().verdict(target, None, Timestamp::UNIX_EPOCH)))
    }

    fn vantage_verdict(&self, target: &Target) -> Draft {
        let picture = &self.picture;
        let worst = self.own.worst();
        let state = match worst {
            None if self.own.proven => State::Flowing,
            _ => State::Unknown,
        };
        let no_evidence = || {
            let root = Root {
                kind: RootKind::Vantage,
                client: None,
                name: name_of(target),
            };
            Finding::new(
                Code::VantageNoEvidence,
                root,
                format!("our vantage {}", name_of(target)),
                "Nothing outside has answered us yet.",
            )
        };
        let cause = match (state, worst) {
            (State::Flowing, _) => None,
            (_, Some(finding)) => Some(finding.cause(picture, None, None)),
            (_, None) => Some(no_evidence().cause(picture, None, None)),
        };
        let mut also = Vec::new();
        if !picture.inventory.ipv6 {
            also.push(Warning {
                code: Code::VantageNoIpv6,
                subject: format!("our vantage {}", name_of(target)).into(),
                summary: "This machine has no way to the IPv6 internet: only IPv4 is looked at.".into(),
                accepted: false,
            });
        }
        also.extend(self.unbelieved_lists());
        let checked = picture.last_outside_success();
        Draft {
            state,
            cause,
            also,
            checked,
            ..Draft::default()
        }
    }

    /// Blocklists that failed their self-test: what they say of anybody is not believed, and that is ours to mend.
    fn unbelieved_lists(&self) -> Vec<Warning> {
        let zones = self.picture.inventory.blocklists.iter();
        let warnings = zones.filter_map(|zone| {
            let track = self.picture.track(&Subject::Blocklist(zone.clone()))?;
            let Evidence::Blocklist(evidence) = &track.settled.as_ref()?.observation.evidence else {
                return None;
            };
            Some(Warning {
                code: Code::VantageRefused,
                subject: format!("the blocklist {zone}").into(),
                summary: format!("What it says is not believed: {}.", evidence.complaint()?).into(),
                accepted: false,
            })
        });
        warnings.collect()
    }
}

fn name_of(target: &Target) -> Arc<str> {
    match target {
        Target::Vantage(name)
        | Target::Provider(name)
        | Target::Gateway(_, name)
        | Target::Canary(_, name)
        | Target::Notifier(name)
        | Target::Source(name) => Arc::clone(name),
        Target::Domain(name) | Target::Route(_, name) => name.as_str().into(),
    }
}
