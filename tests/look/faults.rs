//! What is wrong at the domain's own end, one case each: state, cause, and the exit code of `mailflow check`.

use std::time::Duration;

use mailflow::model::State::{self, Broken, Degraded, Flowing, Unknown};
use mailflow::net::RecordType;
use mailflow::net::fake::{DnsMode, MailServer, Peer, Reach};
use rstest::rstest;

use super::world::{Authority, DEADLINE, MX, NAME_SERVERS, ROUTER, World, name, smtp};

/// A fault, injected.
type Fault = fn(&mut World);

fn greets(world: &World, line: &str) {
    world.net.listen((MX, 25), Peer::greets(line));
}

fn certificate(world: &World, authority: &Authority, of: &str, last_year: i32) {
    let server = MailServer::new("mx.acme.test").with_tls(authority.serves(of, last_year));
    world.mail_server(MX, server);
}

#[rstest]
#[case::nothing(|_: &mut World| {}, Flowing, "")]
#[case::stopped(|w: &mut World| w.net.listen((MX, 25), Peer::Refuse), Broken, "host.refused")]
#[case::line_down(|w: &mut World| w.net.set_reach(MX, Reach::Silent), Broken, "host.unreachable")]
#[case::line_said_to_be_down(|w: &mut World| w.net.set_reach(MX, Reach::Unreachable), Broken, "host.unreachable")]
#[case::port_filtered(|w: &mut World| w.net.listen((MX, 25), Peer::Drop), Broken, "host.port25-filtered")]
#[case::prohibited(|w: &mut World| w.net.set_reach(MX, Reach::Prohibited), Broken, "host.port25-filtered")]
#[case::router_down(
    |w: &mut World| {
        w.router_known();
        w.net.set_reach(ROUTER, Reach::Silent);
        w.net.set_reach(MX, Reach::Silent);
    },
    Broken,
    "gateway.down"
)]
#[case::router_down_that_never_answered(
    |w: &mut World| {
        w.net.set_reach(ROUTER, Reach::Silent);
        w.net.set_reach(MX, Reach::Silent);
    },
    Broken,
    "host.unreachable"
)]
#[case::router_that_drops_pings(|w: &mut World| w.net.set_reach(ROUTER, Reach::Silent), Flowing, "")]
fn hosts(#[case] fault: Fault, #[case] state: State, #[case] code: &str) {
    check(fault, state, code);
}

#[rstest]
#[case::nxdomain(
    |w: &mut World| {
        w.net.load("test. 60 SOA 1 60\ntest. NS ns.nic.test.\nns.nic.test. A 192.0.2.40").unwrap();
    },
    Broken,
    "dns.domain-not-found"
)]
#[case::servfail(|w: &mut World| for server in NAME_SERVERS { w.net.set_dns(server, DnsMode::Refuses) }, Broken, "dns.servfail")]
#[case::servers_silent(
    |w: &mut World| for server in NAME_SERVERS { w.net.set_reach(server, Reach::Silent) },
    Broken,
    "dns.nameservers-unreachable"
)]
#[case::bogus(|w: &mut World| w.net.set_bogus(&name("acme.test"), true), Broken, "dns.dnssec-bogus")]
#[case::null_mx(
    |w: &mut World| {
        w.net.remove(&name("acme.test"), Some(RecordType::Mx));
        w.net.add("acme.test. MX 0 .").unwrap();
    },
    Broken,
    "dns.null-mx"
)]
#[case::no_mx_no_address(
    |w: &mut World| w.net.remove(&name("acme.test"), Some(RecordType::Mx)),
    Broken,
    "dns.no-mail-host"
)]
#[case::implicit_mx(
    |w: &mut World| {
        w.net.remove(&name("acme.test"), Some(RecordType::Mx));
        w.net.add("acme.test. A 198.51.100.10").unwrap();
    },
    // The certificate is that of mx.acme.test.
    Degraded,
    "tls.certificate-name-mismatch"
)]
#[case::dangling(|w: &mut World| w.net.remove(&name("mx.acme.test"), None), Broken, "dns.mx-dangling")]
#[case::invalid(
    |w: &mut World| {
        w.net.remove(&name("acme.test"), Some(RecordType::Mx));
        w.net.add("acme.test. MX 10 198.51.100.10.").unwrap();
    },
    Broken,
    "dns.mx-invalid"
)]
#[case::changed(
    |w: &mut World| {
        let set = vec!["old.acme.test".into()].into();
        w.learnt.approve_mx(&name("acme.test"), set);
    },
    Degraded,
    "dns.mx-changed"
)]
fn names(#[case] fault: Fault, #[case] state: State, #[case] code: &str) {
    check(fault, state, code);
}

#[rstest]
#[case::shutting_down(|w: &mut World| greets(w, "421 4.3.2 Service shutting down"), Broken, "smtp.unavailable")]
#[case::no_reason(|w: &mut World| greets(w, "421 mx.acme.test closing"), Broken, "smtp.unavailable")]
#[case::refuses_us_for_now(|w: &mut World| greets(w, "421 4.7.0 Try again later"), Unknown, "vantage.refused")]
#[case::names_our_address(|w: &mut World| greets(w, "421 go away, 192.0.2.7"), Unknown, "vantage.refused")]
#[case::no_service(|w: &mut World| greets(w, "554 No SMTP service here"), Broken, "smtp.rejects-connections")]
#[case::refuses_us(|w: &mut World| greets(w, "554 5.7.1 Access denied"), Unknown, "vantage.refused")]
#[case::does_not_accept(|w: &mut World| greets(w, "521 mx does not accept mail"), Broken, "smtp.rejects-connections")]
#[case::ehlo_refused(
    |w: &mut World| w.mail_server(MX, MailServer::new("mx").reply("EHLO", "421 4.3.2 down").reply("HELO", "421 4.3.2 down")),
    Broken,
    "smtp.unavailable"
)]
#[case::hangs_up(|w: &mut World| w.net.listen((MX, 25), Peer::closes_at_once()), Broken, "smtp.disconnects")]
#[case::silent(|w: &mut World| w.net.listen((MX, 25), Peer::Silent), Degraded, "smtp.slow-greeting")]
#[case::greets_late(
    |w: &mut World| {
        let mut server = w.secured();
        server.greets_after = Duration::from_secs(6);
        w.mail_server(MX, server);
    },
    Degraded,
    "smtp.slow-greeting"
)]
#[case::greets_in_time(
    |w: &mut World| {
        let mut server = w.secured();
        server.greets_after = Duration::from_secs(3);
        w.mail_server(MX, server);
    },
    Flowing,
    ""
)]
fn replies(#[case] fault: Fault, #[case] state: State, #[case] code: &str) {
    check(fault, state, code);
}

#[rstest]
#[case::expired(
    |w: &mut World| certificate(w, &w.authority, "mx.acme.test", 2025),
    Degraded,
    "tls.certificate-expired"
)]
#[case::untrusted(
    |w: &mut World| certificate(w, &Authority::new("Stranger"), "mx.acme.test", 2027),
    Degraded,
    "tls.certificate-untrusted"
)]
#[case::wrong_name(
    |w: &mut World| certificate(w, &w.authority, "www.acme.test", 2027),
    Degraded,
    "tls.certificate-name-mismatch"
)]
#[case::handshake_breaks(
    |w: &mut World| {
        let server = w.secured().reply("STARTTLS", "454 4.7.0 TLS not available");
        w.mail_server(MX, server);
    },
    Degraded,
    "tls.handshake-failed"
)]
#[case::never_offered(|w: &mut World| w.mail_server(MX, MailServer::new("mx.acme.test")), Flowing, "")]
#[case::formerly_offered(
    |w: &mut World| {
        let address = "198.51.100.10:25".parse().unwrap();
        w.learnt.see_starttls(address);
        w.learnt.see_starttls(address);
        w.mail_server(MX, MailServer::new("mx.acme.test"));
    },
    Degraded,
    "tls.not-offered"
)]
fn certificates(#[case] fault: Fault, #[case] state: State, #[case] code: &str) {
    check(fault, state, code);
}

/// The fault gives this state and cause within the time that a look has, and one SMTP session an address.
fn check(fault: Fault, state: State, code: &str) {
    let looked = run(async {
        let mut world = World::healthy();
        fault(&mut world);
        let looked = world.look().await;
        let opened = world.net.counts(MX);
        assert_eq!(opened.open, 0, "no connection stays behind");
        looked
    });
    assert_eq!(
        looked.outcome(),
        (state, code, state.exit_code()),
        "{:#?}",
        looked.verdict
    );
    assert!(looked.elapsed < DEADLINE, "it took {:?}", looked.elapsed);
    let sessions = looked.probes.iter().filter(|one| **one == smtp(MX)).count();
    assert!(sessions <= 1, "{sessions} sessions");
    if let Some(cause) = &looked.verdict.cause {
        assert!(
            !cause.evidence.is_empty() || state == Unknown,
            "every finding names what it rests on: {cause:#?}"
        );
    }
}

#[test]
fn a_healthy_domain_shows_its_whole_path() {
    let looked = run(async { World::healthy().look().await });
    let path: Vec<String> = looked
        .verdict
        .path
        .iter()
        .map(|hop| format!("{} {} {}", hop.hop.as_str(), hop.subject, hop.state))
        .collect();
    insta::assert_snapshot!(path.join("\n"), @"
    vantage hq flowing
    dns acme.test flowing
    gateway hq-router (198.51.100.1) flowing
    host mx.acme.test (198.51.100.10) flowing
    smtp mx.acme.test (198.51.100.10) flowing
    tls mx.acme.test (198.51.100.10) flowing
    policy acme.test flowing
    ");
    assert_eq!(looked.warnings(), Vec::<&str>::new());
}

/// Runs a test's world under its own clock.
pub fn run<T>(world: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(world)
}
