//! Muting: what holds a message back, and until when. It holds back beginnings and what comes after them, never an
//! end and never an acknowledgement (`semantics` 26).

use jiff::{Timestamp, TimestampRound, Unit};

use crate::model::{Affected, Hand, HandKind, Held, HeldBy, Incident};

/// What an incident's targets are to be told of now.
#[derive(Debug)]
pub(super) struct Muting<'a> {
    /// Those that nothing keeps quiet.
    pub(super) loud: Vec<&'a Affected>,
    /// Those that are kept quiet for now.
    pub(super) quiet: Vec<&'a Affected>,
    /// The first of what keeps some quiet to end.
    pub(super) held: Option<Held>,
}

/// Looks which of an incident's targets somebody wants to hear nothing of, `hands` being all that is set.
pub(super) fn mute<'a>(hands: &[Hand], incident: &'a Incident, now: Timestamp) -> Muting<'a> {
    let mut muting = Muting {
        loud: Vec::new(),
        quiet: Vec::new(),
        held: None,
    };
    let open: Vec<_> = hands
        .iter()
        .filter_map(|hand| {
            let (of, until) = hand.quiet_until(now)?;
            Some((hand, of, until))
        })
        .collect();
    for one in newsworthy(incident) {
        let longest = open
            .iter()
            .filter(|(_, of, _)| of.cover(incident, one))
            .max_by_key(|(_, _, until)| *until);
        let Some((hand, _, until)) = longest else {
            muting.loud.push(one);
            continue;
        };
        muting.quiet.push(one);
        if muting.held.as_ref().is_none_or(|held| *until < held.until) {
            muting.held = Some(Held {
                by: match hand.kind() {
                    HandKind::Maintenance => HeldBy::Maintenance,
                    HandKind::Silence | HandKind::Acceptance | HandKind::Watch => HeldBy::Silence,
                },
                until: *until,
                reason: hand.in_words(),
            });
        }
    }
    muting
}

/// The targets that are a reason to tell somebody: those that turned, not those that were so when first seen.
fn newsworthy(incident: &Incident) -> Vec<&Affected> {
    let turned: Vec<&Affected> = incident.affected.iter().filter(|one| !one.first_sight).collect();
    if turned.is_empty() {
        incident.affected.iter().collect()
    } else {
        turned
    }
}

/// The stage's reason.
pub(super) fn reason(muting: &Muting<'_>) -> String {
    match &muting.held {
        None => "mute: nothing holds it back".into(),
        Some(held) if muting.loud.is_empty() => {
            format!("mute: held back until {} by {}", clock(held.until), held.reason)
        }
        Some(held) => format!(
            "mute: {} of {} held back until {} by {}",
            muting.quiet.len(),
            muting.quiet.len() + muting.loud.len(),
            clock(held.until),
            held.reason
        ),
    }
}

/// A moment as the reasons name it.
pub(super) fn clock(at: Timestamp) -> Timestamp {
    at.round(TimestampRound::new().smallest(Unit::Second))
        .unwrap_or(at)
}
