//! Lists in order, and lists that are not.

use rstest::rstest;

use super::*;
use crate::net::FakeNet;
use crate::net::fake::DnsMode;
use crate::probe::fixtures::{LIMIT, RESOLVER, context, name, world};

const GOOD: &str = "
    bl.test.              60 SOA 1 60
    2.0.0.127.bl.test.    A 127.0.0.2
    10.100.51.198.bl.test. A 127.0.0.4
    10.100.51.198.bl.test. TXT spam seen, see https://bl.test/?198.51.100.10
";

fn list(zone: &str) -> FakeNet {
    let net = world();
    net.add(zone).unwrap();
    net
}

async fn test_of(net: &FakeNet) -> BlocklistEvidence {
    match self_test(net, &context(), &name("bl.test"), LIMIT).await.evidence {
        Evidence::Blocklist(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

async fn said_of(net: &FakeNet, address: &str) -> ListingEvidence {
    let address = address.parse().unwrap();
    match listing(net, &context(), &name("bl.test"), address, LIMIT)
        .await
        .evidence
    {
        Evidence::Listing(evidence) => *evidence,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_in_order_passes_and_says_why() {
    let net = list(GOOD);
    let tested = test_of(&net).await;
    assert!(tested.v4.passes() && !tested.v6.passes());
    assert!(tested.is_believed_of("192.0.2.1".parse().unwrap()));
    assert!(!tested.is_believed_of("2001:db8::1".parse().unwrap()));
    let listed = said_of(&net, "198.51.100.10").await;
    assert_eq!(listed.answer.listing(), Listing::Listed);
    assert_eq!(
        listed.reason.as_deref(),
        Some("spam seen, see https://bl.test/?198.51.100.10")
    );
    let clean = said_of(&net, "198.51.100.11").await;
    assert_eq!((clean.answer.listing(), clean.reason), (Listing::NotListed, None));
}

#[tokio::test(start_paused = true)]
async fn a_list_of_ipv6_addresses_is_tested_by_its_own() {
    let test = "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.test. A 127.0.0.2";
    let hit = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test. A 127.0.0.2";
    let net = list(&format!("{GOOD}\n{test}\n{hit}"));
    assert!(test_of(&net).await.v6.passes());
    assert_eq!(
        said_of(&net, "2001:db8::1").await.answer.listing(),
        Listing::Listed
    );
}

#[rstest]
#[case::empty("bl.test. 60 SOA 1 60", "not on it")]
#[case::everything(
    "2.0.0.127.bl.test. A 127.0.0.2\n1.0.0.127.bl.test. A 127.0.0.2",
    "lists everything"
)]
#[case::refuses(
    "2.0.0.127.bl.test. A 127.255.255.254\n1.0.0.127.bl.test. A 127.255.255.254",
    "turns our questions away"
)]
#[case::sold(
    "2.0.0.127.bl.test. A 203.0.113.80\n1.0.0.127.bl.test. A 203.0.113.80",
    "not on it"
)]
#[tokio::test(start_paused = true)]
async fn a_list_that_is_none_does_not_pass(#[case] zone: &str, #[case] complaint: &str) {
    let tested = test_of(&list(zone)).await;
    assert!(
        tested.complaint().unwrap().contains(complaint),
        "{:?}",
        tested.complaint()
    );
}

#[rstest]
#[case("127.0.0.2", Listing::Listed)]
#[case("127.0.0.255", Listing::Listed)]
#[case("127.0.0.1", Listing::NotListed)]
#[case("127.0.1.2", Listing::NotListed)]
#[case("203.0.113.80", Listing::NotListed)]
#[case("127.255.255.252", Listing::RefusesUs)]
#[case("127.255.255.254", Listing::RefusesUs)]
#[case("127.255.255.255", Listing::RefusesUs)]
#[tokio::test(start_paused = true)]
async fn only_documented_answers_list(#[case] answer: &str, #[case] expected: Listing) {
    let net = list(&format!("1.2.0.192.bl.test. A {answer}"));
    assert_eq!(said_of(&net, "192.0.2.1").await.answer.listing(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_is_dead_tells_nothing() {
    let net = list(GOOD);
    net.set_dns(RESOLVER, DnsMode::Silent);
    assert_eq!(
        said_of(&net, "198.51.100.10").await.answer.listing(),
        Listing::Untold
    );
    assert!(test_of(&net).await.v4.is_untold());
}
