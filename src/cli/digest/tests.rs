use rstest::rstest;

use super::*;

fn sheet(columns: usize) -> Sheet {
    Sheet {
        width: columns.min(100),
        columns,
        coloured: false,
        most: 50,
    }
}

fn incident(id: u64, opened: &str, resolved: Option<&str>, domains: &[&str], cost: (u64, u64)) -> Value {
    let domains = domains
        .iter()
        .map(|domain| json!({ "client": "acme", "domain": domain, "state": "broken", "since": opened }));
    json!({
        "id": id.to_string(),
        "severity": "critical",
        "opened": opened,
        "resolved": resolved,
        "cause": {
            "code": "gateway.down",
            "owner": "client",
            "subject": "hq-router (198.51.100.1)",
            "detail": "It answers neither ping nor port 443.",
            "contact": "Telekom business line, 0800 330 1000",
            "title": "The router does not answer",
            "action": "Call the line's provider; then have the router power-cycled.",
            "confidence": "certain",
            "confidence_reason": null,
            "root": { "kind": "gateway", "client": "acme" },
            "evidence": [],
        },
        "domains": domains.collect::<Vec<_>>(),
        "url": format!("/incidents/{id}"),
        "acknowledged": null,
        "held": null,
        "seconds": cost.0,
        "domain_seconds": cost.1,
    })
}

fn document(incidents: &[Value]) -> Document {
    let owners = match incidents {
        [] => json!([]),
        _ => json!([{ "owner": "client", "incidents": incidents.len(), "domain_seconds": 12_240 }]),
    };
    let text = match incidents {
        [] => "Nothing happened.",
        _ => "3 incidents, 1 still goes on. 2 domains of 1 client were hit, for 3 h 24 min altogether.",
    };
    let document = json!({
        "digest": {
            "since": "2026-11-19T23:00:00Z",
            "until": "2026-11-22T02:20:00Z",
            "text": text,
            "owners": owners,
            "incidents": incidents,
        },
        "clients": [{ "id": "acme", "name": "ACME Ltd" }],
        "at": "2026-11-22T02:20:00Z",
    });
    serde_json::from_value(document).unwrap()
}

#[test]
fn a_long_weekend() {
    let incidents = [
        incident(
            482,
            "2026-11-22T02:14:00Z",
            None,
            &["acme.test", "acme-shop.test"],
            (360, 720),
        ),
        incident(
            480,
            "2026-11-20T08:00:00Z",
            Some("2026-11-20T09:36:00Z"),
            &["acme.test", "acme-shop.test"],
            (5760, 11_520),
        ),
        incident(
            481,
            "2026-11-21T10:00:00Z",
            Some("2026-11-21T10:02:00Z"),
            &[],
            (120, 0),
        ),
    ];
    insta::assert_snapshot!(render(&document(&incidents), sheet(80)));
    insta::assert_snapshot!(render(&document(&incidents), sheet(120)));
}

#[test]
fn a_quiet_one() {
    insta::assert_snapshot!(render(&document(&[]), sheet(80)), @"
    From 19 Nov 23:00 UTC to 02:20 UTC (2 d 3 h)
    Nothing happened.
    ");
}

#[rstest]
#[case("3d", Moment::Ago(Duration::from_hours(72)))]
#[case("2026-11-20T18:00:00Z", Moment::At("2026-11-20T18:00:00Z".parse().unwrap()))]
#[case("2026-11-20T18:00:00+01:00", Moment::At("2026-11-20T17:00:00Z".parse().unwrap()))]
fn times_as_people_type_them(#[case] typed: &str, #[case] read: Moment) {
    assert_eq!(moment(typed), Ok(read));
}

#[test]
fn a_day_begins_where_we_are() {
    let midnight = "2026-11-20".parse::<Date>().unwrap().to_zoned(TimeZone::system());
    assert_eq!(
        moment("2026-11-20"),
        Ok(Moment::At(midnight.unwrap().timestamp()))
    );
    assert!(moment("last week").is_err());
}

#[test]
fn so_long_ago_is_reckoned_from_the_daemons_now() {
    let now: Timestamp = "2026-11-22T02:20:00Z".parse().unwrap();
    let day = Moment::Ago(Duration::from_hours(24)).timestamp(now);
    assert_eq!(day.to_string(), "2026-11-21T02:20:00Z");
    let ages = Moment::Ago(Duration::MAX).timestamp(now);
    assert_eq!(ages, Timestamp::UNIX_EPOCH);
}
