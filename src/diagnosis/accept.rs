//! Conditions that somebody has accepted: they stand beside the verdict as warnings, and count no longer.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::inventory::Domain;
use crate::model::{Accepted, State, Warning};
use crate::picture::Picture;

use super::domain::Rolled;
use super::finding::Finding;

/// What is accepted of a domain now, by the configuration and by hand.
pub fn accepted<'a>(picture: &'a Picture, domain: &'a Domain, now: Timestamp) -> Vec<&'a Accepted> {
    let by_hand = picture.accepted.get(&domain.name).into_iter().flatten();
    domain
        .accepted
        .iter()
        .chain(by_hand)
        .filter(|one| now < one.until)
        .collect()
}

/// Takes what is accepted out of a verdict; the next in rank is the cause then. What we cannot see is no condition of
/// the domain's, so that an unknown stays one.
pub(super) fn set_aside(verdict: &mut Rolled, accepted: &[&Accepted]) {
    let is_accepted = |finding: &Finding| accepted.iter().any(|one| one.code == finding.code);
    while matches!(verdict.state, State::Broken | State::Degraded)
        && let Some(cause) = verdict.cause.take_if(|cause| is_accepted(cause))
    {
        // What the cause explains goes with it: those are bare, and ride along for their codes alone.
        verdict.others.retain(|other| !other.subject.is_empty());
        verdict.accepted.push(cause);
        if verdict.others.is_empty() {
            verdict.state = State::Flowing;
        } else {
            let next = verdict.others.remove(0);
            verdict.state = next.state;
            verdict.cause = Some(next);
        }
    }
    for list in [&mut verdict.others, &mut verdict.warnings] {
        let aside = list.extract_if(.., |one| !one.subject.is_empty() && is_accepted(one));
        verdict.accepted.extend(aside);
    }
}

/// A condition that is accepted, as a warning that says so.
pub(super) fn warning(finding: &Finding, accepted: &[&Accepted]) -> Warning {
    let mut warning = finding.warning();
    if let Some(one) = accepted.iter().find(|one| one.code == finding.code) {
        let until = one.until.to_zoned(TimeZone::UTC).strftime("%-d %b %Y %H:%M UTC");
        warning.summary = format!("accepted until {until} ({}): {}", one.reason, finding.detail).into();
        warning.accepted = true;
    }
    warning
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::model::{Code, Root, RootKind};

    fn finding(code: Code, state: State) -> Finding {
        let root = Root {
            kind: RootKind::Domain,
            client: None,
            name: "acme.test".into(),
        };
        Finding::new(code, root, "acme.test", "It is so.").giving(state)
    }

    fn bare(code: Code) -> Finding {
        Finding {
            subject: String::new(),
            ..finding(code, State::Broken)
        }
    }

    fn accepting(codes: &[Code]) -> Vec<Accepted> {
        let of = |code: &Code| Accepted {
            code: *code,
            until: "2027-02-01T00:00:00Z".parse().unwrap(),
            reason: "migration".into(),
        };
        codes.iter().map(of).collect()
    }

    use Code::{GatewayDown, HostUnreachable, PolicyDkimMissing, PolicySpfInvalid};
    use State::{Broken, Degraded, Flowing, Unknown};

    #[rstest]
    #[case::nothing(&[], Degraded, Some(PolicyDkimMissing))]
    #[case::the_cause(&[PolicyDkimMissing], Degraded, Some(PolicySpfInvalid))]
    #[case::another(&[PolicySpfInvalid], Degraded, Some(PolicyDkimMissing))]
    #[case::both(&[PolicyDkimMissing, PolicySpfInvalid], Flowing, None)]
    fn the_next_in_rank_counts(#[case] codes: &[Code], #[case] state: State, #[case] cause: Option<Code>) {
        let accepted = accepting(codes);
        let accepted: Vec<&Accepted> = accepted.iter().collect();
        let mut verdict = Rolled {
            state: Degraded,
            cause: Some(finding(PolicyDkimMissing, Degraded)),
            others: vec![finding(PolicySpfInvalid, Degraded)],
            warnings: Vec::new(),
            accepted: Vec::new(),
        };
        set_aside(&mut verdict, &accepted);
        assert_eq!((verdict.state, verdict.cause.map(|one| one.code)), (state, cause));
        assert_eq!(verdict.accepted.len(), codes.len());
    }

    #[test]
    fn what_an_accepted_cause_explains_goes_with_it() {
        let accepted = accepting(&[GatewayDown]);
        let accepted: Vec<&Accepted> = accepted.iter().collect();
        let mut verdict = Rolled {
            state: Broken,
            cause: Some(finding(GatewayDown, Broken)),
            others: vec![bare(HostUnreachable)],
            warnings: Vec::new(),
            accepted: Vec::new(),
        };
        set_aside(&mut verdict, &accepted);
        assert_eq!((verdict.state, verdict.others.len()), (Flowing, 0));
        let told = warning(&verdict.accepted[0], &accepted);
        assert!(told.accepted);
        insta::assert_snapshot!(told.summary, @"accepted until 1 Feb 2027 00:00 UTC (migration): It is so.");
    }

    #[test]
    fn an_unknown_stays_one() {
        let accepted = accepting(&[Code::VantageRefused]);
        let accepted: Vec<&Accepted> = accepted.iter().collect();
        let mut verdict = Rolled {
            state: Unknown,
            cause: Some(finding(Code::VantageRefused, Unknown)),
            others: Vec::new(),
            warnings: Vec::new(),
            accepted: Vec::new(),
        };
        set_aside(&mut verdict, &accepted);
        assert_eq!(verdict.state, Unknown);
    }
}
