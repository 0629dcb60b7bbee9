use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::model::reach::{AnchorEvidence, AnchorOutcome, GatewayEvidence, PingReport};
use crate::picture::Taking;
use crate::picture::fixtures::picture;

const CONFIG: &str = r#"
[vantage]
anchors = ["ping:anchor.msp.test"]
[[clients]]
name = "BETA"
domains = ["beta.test"]
[[clients.gateways]]
name = "router"
address = "router.beta.test"
"#;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn take(picture: &mut Picture, subject: Subject, evidence: Evidence, second: i64, health: Health) {
    let observation = Arc::new(Observation {
        subject,
        at: at(second),
        elapsed: Duration::ZERO,
        source: None,
        evidence,
    });
    let taking = Taking {
        confirm: 0,
        seen: at(second),
        fresh_until: Timestamp::MAX,
    };
    picture.record(&observation, health, taking);
}

fn gateway(address: IpAddr) -> Evidence {
    let report = PingReport {
        sent: 5,
        round_trips: vec![Duration::from_millis(9); 5],
        unreachable: false,
    };
    let evidence = GatewayEvidence {
        address: Some(address),
        checks: vec![LifeCheck::Ping { report: Ok(report) }],
    };
    Evidence::Gateway(Box::new(evidence))
}

/// Where the anchors are silent over one family of addresses, what answers over the other proves nothing: the two may
/// fail apart, and nobody would ever hear that one of them has.
#[rstest]
#[case::the_same_line(Some("192.0.2.200"), "203.0.113.1", true)]
#[case::the_other_line(Some("192.0.2.200"), "2001:db8:b::1", false)]
#[case::the_other_way_round(Some("2001:db8::200"), "203.0.113.1", false)]
#[case::both_over_ipv6(Some("2001:db8::200"), "2001:db8:b::1", true)]
#[case::no_anchor_has_been_asked(None, "2001:db8:b::1", true)]
fn what_answers_proves_its_own_line(
    #[case] anchor: Option<&str>,
    #[case] answers: &str,
    #[case] proves: bool,
) {
    let mut picture = picture(CONFIG);
    let witness = picture.inventory.anchors[0].clone();
    if let Some(address) = anchor {
        let silent = AnchorEvidence {
            address: Some(address.parse().unwrap()),
            outcome: AnchorOutcome::Silent {
                reason: "no answer".into(),
            },
            pings: None,
        };
        let failed = Health::Failed(crate::model::Code::VantageOffline);
        take(
            &mut picture,
            Subject::Anchor(witness),
            Evidence::Anchor(Box::new(silent)),
            10,
            failed,
        );
    }
    let subject = picture.inventory.gateways[0].subject();
    let evidence = gateway(answers.parse().unwrap());
    take(&mut picture, subject, evidence, 20, Health::Good);
    assert_eq!(picture.last_outside_success(), proves.then(|| at(20)));
}
