use std::net::IpAddr;

use rstest::rstest;

use crate::model::Evidence;
use crate::model::dns::Lookup;
use crate::model::sender::{SenderEvidence, SpfResult};
use crate::net::fake::{DnsMode, FakeNet};
use crate::probe::fixtures::{LIMIT, NAME_SERVERS, context, name, world};

const SENDER: &str = "198.51.100.10";

async fn look(net: &FakeNet, address: &str) -> SenderEvidence {
    let address: IpAddr = address.parse().unwrap();
    let greets = name("mx.acme.test");
    let domains = [name("acme.test")];
    let seen = super::sender(net, &context(), address, Some(&greets), &domains, LIMIT).await;
    match seen.evidence {
        Evidence::Sender(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

/// A world in which acme.test has this record, and what it may lead to.
fn with(record: &str) -> FakeNet {
    let net = world();
    net.add(&format!("acme.test. TXT \"{record}\"")).unwrap();
    net.add("ok.acme.test. TXT \"v=spf1 ip4:198.51.100.0/28 -all\"")
        .unwrap();
    net.add("no.acme.test. TXT \"v=spf1 ip4:203.0.113.0/24 -all\"")
        .unwrap();
    net.add("198.51.100.10.x.acme.test. A 127.0.0.2").unwrap();
    net.add("loop.acme.test. TXT \"v=spf1 include:loop.acme.test -all\"")
        .unwrap();
    net
}

#[rstest]
#[case::network(
    "v=spf1 ip4:198.51.100.0/24 -all",
    SpfResult::Pass,
    Some("ip4:198.51.100.0/24")
)]
#[case::other_network("v=spf1 ip4:203.0.113.0/24 -all", SpfResult::Fail, Some("-all"))]
#[case::soft("v=spf1 ~all", SpfResult::SoftFail, Some("~all"))]
#[case::neutral("v=spf1 ?all", SpfResult::Neutral, Some("?all"))]
#[case::nothing_said("v=spf1 ip4:203.0.113.1", SpfResult::Neutral, None)]
#[case::address("v=spf1 a:mx.acme.test -all", SpfResult::Pass, Some("a:mx.acme.test"))]
#[case::near("v=spf1 a:web.acme.test/24 -all", SpfResult::Pass, Some("a:web.acme.test/24"))]
#[case::not_near("v=spf1 a:web.acme.test -all", SpfResult::Fail, Some("-all"))]
#[case::mail_host("v=spf1 mx -all", SpfResult::Pass, Some("mx"))]
#[case::include(
    "v=spf1 include:ok.acme.test -all",
    SpfResult::Pass,
    Some("include:ok.acme.test")
)]
#[case::include_that_denies("v=spf1 include:no.acme.test ~all", SpfResult::SoftFail, Some("~all"))]
#[case::redirect("v=spf1 redirect=ok.acme.test", SpfResult::Pass, Some("ip4:198.51.100.0/28"))]
#[case::exists("v=spf1 exists:%{i}.x.%{d} -all", SpfResult::Pass, Some("exists:%{i}.x.%{d}"))]
#[case::first_match_counts("v=spf1 -ip4:198.51.100.10 +all", SpfResult::Fail, Some("-ip4:198.51.100.10"))]
#[case::other_family("v=spf1 ip6:2001:db8::/32 -all", SpfResult::Fail, Some("-all"))]
#[case::no_record("something else", SpfResult::None, None)]
#[tokio::test(start_paused = true)]
async fn spf_says_whether_an_address_may_send(
    #[case] record: &str,
    #[case] result: SpfResult,
    #[case] because: Option<&str>,
) {
    let seen = look(&with(record), SENDER).await;
    let check = &seen.spf[0];
    assert_eq!((check.result, check.because.as_deref()), (result, because));
}

#[rstest]
#[case::circle("v=spf1 include:loop.acme.test -all", "one lookup beyond 10")]
#[case::lost_include("v=spf1 include:nobody.acme.test -all", "nobody.acme.test has no SPF record")]
#[case::lost_redirect("v=spf1 redirect=nobody.acme.test", "nobody.acme.test has no SPF record")]
#[case::misspelt("v=spf1 ipv4:198.51.100.10 -all", "there is no such mechanism")]
#[case::void("v=spf1 a:v1.acme.test a:v2.acme.test a:v3.acme.test -all", "find nothing")]
#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_followed_says_why(#[case] record: &str, #[case] why: &str) {
    let seen = look(&with(record), SENDER).await;
    let check = &seen.spf[0];
    assert_eq!(check.result, SpfResult::PermError);
    let because = check.because.as_deref().unwrap();
    assert!(because.contains(why), "{because}");
}

#[tokio::test(start_paused = true)]
async fn a_name_counts_once_it_leads_back() {
    let net = world();
    let reverse = "10.100.51.198.in-addr.arpa.";
    let seen = look(&net, SENDER).await;
    assert!(
        matches!(seen.names, Lookup::NoData { .. } | Lookup::NxDomain { .. }),
        "{:?}",
        seen.names
    );
    assert_eq!(seen.greets, Some((name("mx.acme.test"), Some(true))));
    net.add(&format!("{reverse} PTR web.acme.test.")).unwrap();
    let seen = look(&net, SENDER).await;
    assert_eq!((seen.names.records().unwrap().len(), seen.confirmed), (1, None));
    net.add(&format!("{reverse} PTR mx.acme.test.")).unwrap();
    let seen = look(&net, SENDER).await;
    assert_eq!(seen.confirmed, Some(name("mx.acme.test")));
    let elsewhere = look(&net, "203.0.113.9").await;
    assert_eq!(elsewhere.greets, Some((name("mx.acme.test"), Some(false))));
}

#[tokio::test(start_paused = true)]
async fn where_nobody_answers_nothing_is_said() {
    let net = with("v=spf1 -all");
    for server in NAME_SERVERS {
        net.set_dns(server, DnsMode::Silent);
    }
    let seen = look(&net, SENDER).await;
    assert_eq!(seen.spf[0].result, SpfResult::TempError);
    assert_eq!(seen.greets, Some((name("mx.acme.test"), None)));
}
