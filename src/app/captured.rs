//! What receivers gave to be kept, as the store keeps it: a learnt fact of each incident.

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::{IncidentId, Outcome};
use crate::notify::Captured;
use crate::store::{Fact, Loaded};

/// What marks such a fact among the others.
const KIND: &str = "captured ";

/// The fact that an outcome leaves, if any.
pub(super) fn fact(outcome: &Outcome) -> Option<Fact> {
    let (incident, value) = (outcome.incident?, outcome.captured.as_deref()?);
    Some(Fact {
        subject: outcome.notifier.to_string(),
        name: format!("{KIND}{incident}"),
        value: value.into(),
    })
}

/// Takes what was kept out of what a store remembers. Returns besides the facts to forget: no message will follow
/// about their incidents.
pub(super) fn restore(memory: &mut Loaded) -> (Captured, Vec<Fact>) {
    let known: HashSet<IncidentId> = memory
        .open
        .iter()
        .chain(&memory.ended)
        .map(|incident| incident.id)
        .collect();
    let (mut captured, mut stale) = (Captured::new(), Vec::new());
    for mut fact in memory.facts.extract_if(.., |fact| fact.name.starts_with(KIND)) {
        let incident = fact.name[KIND.len()..].parse().ok().map(IncidentId);
        if let (Some(incident), Some(value)) = (incident.filter(|id| known.contains(id)), fact.value.as_str())
        {
            captured.insert((incident, Arc::from(fact.subject)), value.into());
        } else {
            fact.value = serde_json::Value::Null;
            stale.push(fact);
        }
    }
    (captured, stale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::sample::{at, incident};
    use crate::model::{Event, MessageId};

    fn outcome(incident: u64, captured: Option<&str>) -> Outcome {
        Outcome {
            id: MessageId(7),
            notifier: "tickets".into(),
            incident: Some(IncidentId(incident)),
            event: Event::Opened,
            at: at(0),
            attempts: 1,
            failed: None,
            captured: captured.map(str::to_owned),
        }
    }

    #[test]
    fn what_was_kept_comes_back_for_as_long_as_its_incident_is_known() {
        assert_eq!(fact(&outcome(1, None)), None);
        let learnt = Fact {
            subject: "a.test".into(),
            name: "mx".into(),
            value: "x".into(),
        };
        let mut memory = Loaded {
            open: vec![incident(1)],
            facts: vec![
                fact(&outcome(1, Some("4711"))).unwrap(),
                learnt.clone(),
                fact(&outcome(2, Some("4712"))).unwrap(),
            ],
            ..Loaded::default()
        };
        let (captured, stale) = restore(&mut memory);
        let expected: Captured = [((IncidentId(1), "tickets".into()), "4711".into())].into();
        assert_eq!(captured, expected);
        assert_eq!(stale.len(), 1);
        assert_eq!(
            (stale[0].name.as_str(), stale[0].value.is_null()),
            ("captured 2", true)
        );
        assert_eq!(memory.facts, [learnt]);
    }
}
