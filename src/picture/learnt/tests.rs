use super::*;
use crate::model::policy::{StsMode, StsPolicy};

const HOUR: i64 = 3600;

fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn held(id: &str, days: u64, fetched: i64) -> HeldPolicy {
    HeldPolicy {
        id: id.into(),
        policy: StsPolicy {
            mode: StsMode::Enforce,
            max_age: Duration::from_hours(24 * days),
            mx: vec!["mx.acme.test".into()],
        },
        fetched: Timestamp::from_second(fetched).unwrap(),
    }
}

/// A policy that is read every quarter of an hour is written once a day, or ten times in a short life; a changed one
/// at once. What is in memory is the newest in any case.
#[test]
fn policies_are_written_down_seldom() {
    let acme = name("acme.test");
    for (days, written) in [(30, 7), (7, 10)] {
        let mut learnt = Learnt::default();
        let quarters = 0..7 * 24 * 4;
        let facts = quarters.filter(|quarter| {
            let read = held("1", days, quarter * HOUR / 4);
            let fact = learnt.see_sts(&acme, &read);
            assert_eq!(learnt.sts(&acme), Some(&read));
            fact.is_some()
        });
        let facts = facts.count();
        assert!(
            (written - written / 5..=written).contains(&facts),
            "{days}: {facts}"
        );
    }
    let mut learnt = Learnt::default();
    learnt.see_sts(&acme, &held("1", 7, 0));
    assert_eq!(learnt.see_sts(&acme, &held("1", 7, 0)), None);
    assert!(learnt.see_sts(&acme, &held("2", 7, 60)).is_some());
    assert!(learnt.see_sts(&acme, &held("2", 9, 120)).is_some());
    assert_eq!(learnt.forget_sts(&acme), Some(("acme.test".into(), "sts")));
    assert_eq!(learnt.forget_sts(&acme), None);
    assert_eq!(learnt.sts(&acme), None);
}

/// Whatever is learnt comes back from what the store keeps of it.
#[test]
fn facts_survive_the_store() {
    let client = ClientId::parse("acme").unwrap();
    let boot: Boot =
        serde_json::from_str(r#"{"uptime":500,"at":"2026-11-22T02:00:00Z","restarted":null}"#).unwrap();
    let gateway = |fact: fn(ClientId, Arc<str>, String) -> NewFact| {
        fact(client.clone(), "hq-router".into(), "198.51.100.1".into())
    };
    let mut facts = vec![
        NewFact::Sts {
            domain: name("acme.test"),
            held: held("1", 7, 0),
        },
        gateway(|client, name, address| NewFact::Delay {
            client,
            name,
            address,
            usual: Duration::from_micros(5300),
        }),
        gateway(|client, name, _| NewFact::Gateway { client, name }),
    ];
    facts.push(NewFact::Uptime {
        client,
        name: "hq-router".into(),
        address: "198.51.100.1".into(),
        boot,
    });
    for fact in facts {
        let kept = serde_json::to_value(&fact).unwrap();
        assert_eq!(serde_json::from_value::<NewFact>(kept).unwrap(), fact);
    }
    // As the first versions of the store kept a policy.
    let old = r#"{"policy":{"mode":"testing","max_age":{"secs":60,"nanos":0},"mx":["a.test"]},"fetched":"2026-11-22T02:00:00Z"}"#;
    assert_eq!(serde_json::from_str::<HeldPolicy>(old).unwrap().id, "");
}
