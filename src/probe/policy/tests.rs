use std::net::SocketAddr;
use std::time::Duration;

use crate::model::policy::{HeldPolicy, PolicyPart, SpfOutcome, StsMode, StsOutcome, StsPolicy};
use crate::model::{DomainName, Evidence};
use crate::net::Net as _;
use crate::net::dns::RecordType;
use crate::net::fake::{DnsMode, FakeNet, Peer, WebPage};
use crate::net::trust::Trust;
use crate::probe::fixtures::{LIMIT, NAME_SERVERS, RESOLVER, context, name, world};
use crate::probe::{Detail, Seen};

const WEB: [u8; 4] = [198, 51, 100, 80];

async fn look(net: &FakeNet, domain: &str, part: PolicyPart, detail: Detail) -> Evidence {
    let Seen { evidence, .. } = super::run(
        net,
        &context(),
        &Trust::only([]),
        &name(domain),
        part,
        &detail,
        LIMIT,
    )
    .await;
    evidence
}

fn txt(net: &FakeNet, at: &str, text: &str) {
    net.add(&format!("{at} TXT \"{text}\"")).unwrap();
}

/// The TXT names that were asked for, in order.
fn asked(net: &FakeNet) -> Vec<String> {
    let questions = net.questions().into_iter();
    let texts = questions.filter(|(_, question)| question.kind == RecordType::Txt);
    texts
        .map(|(_, question)| {
            question
                .name
                .map(|name: DomainName| name.to_string())
                .unwrap_or_default()
        })
        .collect()
}

/// A record that branches without end costs us no more questions than it takes to tell by how much it is too long.
#[tokio::test(start_paused = true)]
async fn a_record_that_branches_without_end_is_given_up() {
    let net = world();
    for level in 0..20 {
        let next = format!(
            "v=spf1 include:a.l{0}.acme.test include:b.l{0}.acme.test -all",
            level + 1
        );
        for branch in ["a", "b"] {
            txt(&net, &format!("{branch}.l{level}.acme.test."), &next);
        }
    }
    txt(&net, "acme.test.", "v=spf1 include:a.l0.acme.test -all");
    let Evidence::Spf(spf) = look(&net, "acme.test", PolicyPart::Spf, Detail::Plain).await else {
        panic!("no SPF")
    };
    assert_eq!(spf.lookups, 31);
    assert!(matches!(&spf.outcome, SpfOutcome::Invalid { problem, .. } if problem.contains("more than 10")));
    assert!(asked(&net).len() <= 31, "{}", asked(&net).len());
}

/// Every term is counted and asked for once, in the order in which receivers meet them.
#[tokio::test(start_paused = true)]
async fn terms_are_followed_in_order() {
    let net = world();
    txt(
        &net,
        "acme.test.",
        "v=spf1 include:one.acme.test mx redirect=two.acme.test",
    );
    txt(&net, "one.acme.test.", "v=spf1 ip4:192.0.2.1 -all");
    txt(&net, "two.acme.test.", "v=spf1 exists:%{i}.acme.test ~all");
    let Evidence::Spf(spf) = look(&net, "acme.test", PolicyPart::Spf, Detail::Plain).await else {
        panic!("no SPF")
    };
    assert_eq!(asked(&net), ["acme.test", "one.acme.test", "two.acme.test"]);
    assert_eq!((spf.lookups, spf.void.len(), spf.read.len()), (4, 0, 3));
    assert_eq!(
        spf.outcome,
        SpfOutcome::Valid {
            all: None,
            ptr: false
        }
    );
}

#[tokio::test(start_paused = true)]
async fn servers_that_fail_tell_nothing() {
    for mode in [DnsMode::Silent, DnsMode::Refuses, DnsMode::ServFail(vec![])] {
        let net = world();
        txt(&net, "acme.test.", "v=spf1 broken");
        for server in NAME_SERVERS {
            net.set_dns(server, mode.clone());
        }
        let Evidence::Spf(spf) = look(&net, "acme.test", PolicyPart::Spf, Detail::Plain).await else {
            panic!("no SPF")
        };
        assert!(
            matches!(spf.outcome, SpfOutcome::Untold { .. }),
            "{mode:?}: {spf:?}"
        );
        let Evidence::Dmarc(dmarc) = look(&net, "acme.test", PolicyPart::Dmarc, Detail::Plain).await else {
            panic!("no DMARC")
        };
        assert!(!dmarc.own.is_definite(), "{mode:?}");
    }
    let net = world();
    net.set_local_fault(Some("too many open files"));
    let seen = look(&net, "acme.test", PolicyPart::Spf, Detail::Plain).await;
    assert!(matches!(seen, Evidence::Unrunnable(_)));
}

/// From a long name straight to where seven labels are left, and never more than eight questions (RFC 9989 4.10).
#[tokio::test(start_paused = true)]
async fn the_walk_up_is_bounded() {
    let net = world();
    let long = "a.b.c.d.e.f.g.h.i.j.mail.acme.test";
    look(&net, long, PolicyPart::Dmarc, Detail::Plain).await;
    let names = asked(&net);
    assert_eq!(names.len(), 8, "{names:?}");
    assert_eq!(
        (&*names[0], &*names[1]),
        (&*format!("_dmarc.{long}"), "_dmarc.g.h.i.j.mail.acme.test")
    );
    assert_eq!(names[7], "_dmarc.test");
}

/// The highest record holds, unless the organisation or its registry says where it begins.
#[tokio::test(start_paused = true)]
async fn the_record_of_the_organisation_holds() {
    let cases = [
        (["p=none", "p=quarantine", ""], Some("acme.test")),
        (["p=none; psd=n", "p=quarantine", ""], Some("b.acme.test")),
        (["", "p=quarantine", "p=reject; psd=y"], Some("acme.test")),
        (["p=none", "", "p=reject; psd=y"], Some("test")),
        (["", "p=nonsense", ""], None),
        (["", "", ""], None),
    ];
    for (records, expected) in cases {
        let net = world();
        for (at, text) in ["b.acme.test", "acme.test", "test"].iter().zip(records) {
            if !text.is_empty() {
                txt(&net, &format!("_dmarc.{at}."), &format!("v=DMARC1; {text}"));
            }
        }
        let Evidence::Dmarc(dmarc) = look(&net, "a.b.acme.test", PolicyPart::Dmarc, Detail::Plain).await
        else {
            panic!("no DMARC")
        };
        let from = dmarc.inherited.map(|(name, _)| name.to_string());
        assert_eq!(from.as_deref(), expected, "{records:?}");
    }
}

/// What was read last holds for as long as senders may remember it, also when the record is gone.
#[tokio::test(start_paused = true)]
async fn a_policy_is_remembered_for_its_time() {
    let net = world();
    txt(&net, "_mta-sts.acme.test.", "v=STSv1; id=1;");
    net.add("mta-sts.acme.test. A 198.51.100.80").unwrap();
    net.listen(
        (WEB, 443),
        Peer::Web(WebPage::plain(
            "version: STSv1\nmode: enforce\nmx: mx.acme.test\nmax_age: 60\n",
        )),
    );
    let sts = async |held| match look(&net, "acme.test", PolicyPart::Sts, Detail::Sts { held }).await {
        Evidence::Sts(sts) => *sts,
        other => panic!("{other:?}"),
    };
    let seen = sts(None).await;
    assert!(matches!(seen.fetch.unwrap().outcome, StsOutcome::Read { .. }));
    let held = seen.held.unwrap();
    assert_eq!((held.policy.mode, held.fetched), (StsMode::Enforce, net.now()));
    assert_eq!(held.id, "1");
    net.listen((WEB, 443), Peer::Silent);
    assert_eq!(sts(Some((*held).clone())).await.held, Some(held.clone()));
    net.remove(&name("_mta-sts.acme.test"), None);
    assert_eq!(sts(Some((*held).clone())).await.held, Some(held.clone()));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(sts(Some(*held)).await.held, None);
}

/// A policy host cannot send us to ourselves or to a neighbour that nobody could have meant.
#[tokio::test(start_paused = true)]
async fn nobody_sends_us_to_ourselves() {
    let net = world();
    txt(&net, "_mta-sts.acme.test.", "v=STSv1; id=1;");
    net.add("mta-sts.acme.test. A 127.0.0.1").unwrap();
    net.listen(([127, 0, 0, 1], 443), Peer::Web(WebPage::plain("secret")));
    let Evidence::Sts(sts) = look(&net, "acme.test", PolicyPart::Sts, Detail::Sts { held: None }).await
    else {
        panic!("no MTA-STS")
    };
    assert!(matches!(
        sts.fetch.unwrap().outcome,
        StsOutcome::Failed { text: None, .. }
    ));
    assert_eq!(net.counts([127, 0, 0, 1]).dials, 0);
}

#[tokio::test(start_paused = true)]
async fn a_policy_host_that_drips_is_left_in_time() {
    let net = world();
    txt(&net, "_mta-sts.acme.test.", "v=STSv1; id=1;");
    net.add("mta-sts.acme.test. A 198.51.100.80").unwrap();
    net.listen((WEB, 443), Peer::Silent);
    let before = net.now();
    let held = HeldPolicy {
        id: "1".into(),
        policy: StsPolicy {
            mode: StsMode::Enforce,
            max_age: Duration::from_hours(1),
            mx: vec!["mx.acme.test".into()],
        },
        fetched: before,
    };
    look(
        &net,
        "acme.test",
        PolicyPart::Sts,
        Detail::Sts { held: Some(held) },
    )
    .await;
    assert!(net.now().duration_since(before) <= jiff::SignedDuration::try_from(LIMIT).unwrap());
    let resolver = SocketAddr::new(RESOLVER, 53);
    assert!(net.questions().iter().all(|(server, _)| *server == resolver));
}

/// Neither a hundred records nor a very long one are kept whole.
#[tokio::test(start_paused = true)]
async fn texts_are_bounded_in_number_and_length() {
    let net = world();
    let long = format!("v=DMARC1; p=none; rua={}", "a".repeat(20_000));
    for number in 0..100 {
        txt(&net, "_dmarc.acme.test.", &format!("{long}{number}"));
    }
    let Evidence::Dmarc(seen) = look(&net, "acme.test", PolicyPart::Dmarc, Detail::Plain).await else {
        panic!("no evidence of DMARC");
    };
    let kept = serde_json::to_string(&seen).unwrap();
    assert_eq!(kept.matches("v=DMARC1").count(), super::MOST_TEXTS);
    assert!(
        kept.len() < super::MOST_TEXTS * (super::LONGEST_TEXT + 100),
        "{} bytes",
        kept.len()
    );
}
