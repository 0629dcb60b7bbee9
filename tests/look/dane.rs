//! Certificates that DNS names (RFC 7672), beyond the simple case: issuers, aliases, and records that protect nobody.

use std::sync::Arc;

use mailflow::model::{DomainName, State};
use mailflow::net::RecordType;
use mailflow::net::fake::MailServer;
use rstest::rstest;

use super::faults::run;
use super::world::{Looked, MX, World, name};

/// A domain whose zone is signed.
fn signed() -> World {
    let world = World::healthy();
    world.net.set_signed(&name("acme.test"), true);
    world
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn wrong(usage: u8) -> String {
    format!("{usage} 1 1 {}", "ab".repeat(32))
}

fn publish(world: &World, host: &str, record: &str) {
    world.net.add(&format!("_25._tcp.{host}. TLSA {record}")).unwrap();
}

fn alias(world: &World, to: &str) {
    let host: DomainName = name("mx.acme.test");
    world.net.remove(&host, Some(RecordType::A));
    world
        .net
        .add(&format!("mx.acme.test. CNAME {to}.\n{to}. A 198.51.100.10"))
        .unwrap();
}

fn detail(looked: &Looked) -> &str {
    looked.verdict.cause.as_ref().map_or("", |cause| &cause.detail)
}

/// A record of usage 2 names an issuer. The certificate has to be for the host, in date, and from that issuer.
#[rstest]
#[case::right("mx.acme.test", 2027, true, None)]
#[case::for_the_domain("acme.test", 2027, true, None)]
#[case::of_another_name("other.test", 2027, true, Some("not for mx.acme.test"))]
#[case::out_of_date("mx.acme.test", 2025, true, Some("out of date"))]
#[case::issuer_in_dns_alone("mx.acme.test", 2027, false, None)]
fn an_issuer_vouches(
    #[case] host: &str,
    #[case] until: i32,
    #[case] sent: bool,
    #[case] fault: Option<&str>,
) {
    run(async move {
        let world = signed();
        publish(
            &world,
            "mx.acme.test",
            &format!("2 0 0 {}", hex(&world.authority.root)),
        );
        let tls = if sent {
            world.authority.serves_with_issuer(host, until)
        } else {
            world.authority.serves(host, until)
        };
        world.mail_server(MX, MailServer::new("mx.acme.test").with_tls(tls));
        let looked = world.look().await;
        match fault {
            Some(says) => {
                assert_eq!(looked.outcome(), (State::Broken, "policy.dane-mismatch", 2));
                assert!(detail(&looked).contains(says), "{}", detail(&looked));
            }
            None => assert_ne!(looked.outcome().0, State::Broken, "{:#?}", looked.verdict),
        }
    });
}

/// The digest of an issuer that the server does not send along fits nothing.
#[test]
fn an_issuer_that_is_not_shown_cannot_vouch() {
    run(async {
        let world = signed();
        publish(&world, "mx.acme.test", &wrong(2));
        let looked = world.look().await;
        assert_eq!(looked.outcome(), (State::Broken, "policy.dane-mismatch", 2));
    });
}

/// The records of a host that is an alias stand at what it leads to, else at its own name; into a zone that is not
/// signed only the latter count (RFC 7672 2.2.3).
#[rstest]
#[case::at_its_end("real.acme.test", "real.acme.test", true)]
#[case::at_its_own_name("real.acme.test", "mx.acme.test", true)]
#[case::unsigned_end("mail.host.test", "mail.host.test", false)]
#[case::own_name_of_an_unsigned_end("mail.host.test", "mx.acme.test", true)]
fn an_alias_is_followed(#[case] to: &'static str, #[case] at: &'static str, #[case] counts: bool) {
    run(async move {
        let world = signed();
        alias(&world, to);
        publish(&world, at, &wrong(3));
        let looked = world.look().await;
        if counts {
            assert_eq!(
                looked.outcome(),
                (State::Broken, "policy.dane-mismatch", 2),
                "{:#?}",
                looked.verdict
            );
            let place = format!("_25._tcp.{at} ");
            assert!(detail(&looked).contains(&place), "{}", detail(&looked));
        } else {
            assert_eq!(looked.outcome(), (State::Flowing, "", 0), "{:#?}", looked.verdict);
        }
    });
}

/// Of two sets of records of an alias the one at its end counts.
#[test]
fn the_end_of_an_alias_comes_first() {
    run(async {
        let world = signed();
        alias(&world, "real.acme.test");
        publish(&world, "real.acme.test", &wrong(3));
        let looked = world.look().await;
        let said = detail(&looked).to_owned();
        let right = said.rfind("\"3 1 1 ").map(|at| &said[at + 1..]).unwrap();
        let right = right.split('"').next().unwrap();
        world
            .net
            .remove(&name("_25._tcp.real.acme.test"), Some(RecordType::Tlsa));
        publish(&world, "real.acme.test", right);
        publish(&world, "mx.acme.test", &wrong(3));
        let looked = world.look().await;
        assert_eq!(looked.outcome(), (State::Flowing, "", 0), "{:#?}", looked.verdict);
    });
}

/// Records that no sender can use still say that the server encrypts; somebody should know that they do no more.
#[test]
fn records_that_nobody_can_use_demand_encryption_alone() {
    run(async {
        let world = signed();
        publish(&world, "mx.acme.test", &wrong(1));
        let looked = world.look().await;
        assert_eq!(looked.outcome(), (State::Flowing, "", 0), "{:#?}", looked.verdict);
        let told = looked.verdict.also.iter().map(|one| &*one.summary);
        let told: Vec<&str> = told
            .filter(|text| text.contains("check no certificate"))
            .collect();
        assert_eq!(told.len(), 1, "{:#?}", looked.verdict.also);
        world.mail_server(MX, MailServer::new("mx.acme.test"));
        let looked = world.look().await;
        assert_eq!(looked.outcome(), (State::Broken, "tls.not-offered", 2));
    });
}

/// A host in a zone that is not signed: its records protect nobody, which whoever wrote them should know.
#[test]
fn records_that_are_not_signed_are_told_of() {
    run(async {
        let world = signed();
        let tls = world.authority.serves("mx.host.test", 2027);
        world.mail_server(MX, MailServer::new("mx.host.test").with_tls(Arc::clone(&tls)));
        world.net.remove(&name("acme.test"), Some(RecordType::Mx));
        world
            .net
            .add("acme.test. MX 10 mx.host.test.\nmx.host.test. A 198.51.100.10")
            .unwrap();
        publish(&world, "mx.host.test", &wrong(3));
        let looked = world.look().await;
        assert_eq!(looked.outcome().0, State::Flowing, "{:#?}", looked.verdict);
        let told = looked.verdict.also.iter().map(|one| &*one.summary);
        let told: Vec<&str> = told.filter(|text| text.contains("pay no attention")).collect();
        assert_eq!(told.len(), 1, "{:#?}", looked.verdict.also);
    });
}
