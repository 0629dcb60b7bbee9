//! Routes: what many clients that send to one destination share, and what is one client's own.

use super::sim::{SenderIs, Server, Sim, World};
use crate::model::{Code, Owner, Proof, RootKind, SmtpStage, State, Subject};

const CONFIG: &str = include_str!("worlds/routes.toml");

/// A daemon that has watched a world for a minute.
fn watched(world: World, config: &str) -> Sim {
    let mut sim = Sim::started_in(world, config);
    sim.run(60.0);
    sim
}

/// `CONFIG` with so many more clients that send to the same destination.
fn with_more(clients: usize) -> String {
    let more = (0..clients).map(|index| {
        format!(
            "[[clients]]\nid = \"more-{index}\"\ndomains = []\n[[clients.routes]]\nto = \"partner.test\"\n"
        )
    });
    std::iter::once(CONFIG.to_owned()).chain(more).collect()
}

#[test]
fn a_healthy_route_is_proven_by_dialogue_and_recipient() {
    let sim = watched(World::healthy(), CONFIG);
    let (acme, beta) = (
        sim.route("acme", "partner.test"),
        sim.route("beta", "partner.test"),
    );
    assert_eq!((acme.state, beta.state), (State::Flowing, State::Flowing));
    assert_eq!(acme.proven_by, [Proof::Dialogue, Proof::Rcpt]);
    assert_eq!(beta.proven_by, [Proof::Dialogue]);
    let hops: Vec<&str> = acme.path.iter().map(|hop| hop.hop.as_str()).collect();
    assert_eq!(
        hops,
        [
            "vantage", "policy", "dns", "host", "smtp", "tls", "policy", "delivery"
        ]
    );
    assert!(
        sim.verdicts()
            .all(|verdict| verdict.target.to_string() != "partner.test")
    );
}

/// However many clients send there, the destination is looked at as often as for one.
#[test]
fn many_routes_to_one_destination_share_its_probes() {
    let count = |config: &str| {
        let mut sim = watched(World::healthy(), config);
        sim.forget();
        sim.run(60.0);
        let of = |wanted: fn(&Subject) -> bool| -> usize {
            let probes = sim.probes.iter();
            probes
                .filter(|(subject, _)| wanted(subject))
                .map(|(_, spans)| spans.len())
                .sum()
        };
        (
            of(|subject| matches!(subject, Subject::Smtp(peer) if peer.ip().to_string() == "192.0.2.81")),
            of(|subject| matches!(subject, Subject::Recipient(_))),
        )
    };
    let few = count(CONFIG);
    assert_eq!(few, count(&with_more(12)));
    assert_eq!(few.0, 12);
    assert!((11..=13).contains(&few.1), "{few:?}");
}

/// A destination that is one client's own domain and another one's route fails as one thing.
#[test]
fn a_route_and_a_domain_fail_by_the_same_root() {
    let config = format!(
        "{CONFIG}[[clients]]\nname = \"GAMMA\"\ncontact = \"desk of GAMMA\"\ndomains = [\"partner.test\"]\n"
    );
    let mut sim = watched(World::healthy(), &config);
    sim.world.servers.insert("192.0.2.81", Server::Stopped);
    sim.run(20.0);
    let domain = sim.verdict("partner.test").cause.unwrap();
    for client in ["acme", "beta"] {
        let route = sim.route(client, "partner.test").cause.unwrap();
        assert_eq!((route.code, &route.root), (Code::HostRefused, &domain.root));
        assert_eq!(route.owner, Owner::Recipient);
        assert_eq!(route.contact.as_deref(), Some("desk of GAMMA"));
        assert!(route.on_route && !domain.on_route);
    }
    assert_eq!(domain.owner, Owner::Client);
}

#[test]
fn whose_side_it_is_is_said_with_what_others_see() {
    let mut world = World::healthy();
    world.senders.insert("198.51.100.20", SenderIs::Uncovered);
    let sim = watched(world, &with_more(3));
    let cause = sim.route("acme", "partner.test").cause.unwrap();
    assert_eq!(
        (cause.code, cause.owner),
        (Code::SenderAuthentication, Owner::Client)
    );
    assert_eq!(
        (cause.root.kind, &*cause.root.name),
        (RootKind::Sender, "198.51.100.20")
    );
    assert_eq!(cause.contact.as_deref(), Some("reception of ACME"));
    let control = cause.evidence[0].control.as_deref();
    assert_eq!(
        control,
        Some("4 other clients reach partner.test: suspect ACME's side")
    );

    let mut world = World::healthy();
    world.servers.insert("192.0.2.81", Server::Stopped);
    let sim = watched(world, &with_more(3));
    let cause = sim.route("acme", "partner.test").cause.unwrap();
    assert_eq!((cause.code, cause.owner), (Code::HostRefused, Owner::Recipient));
    assert!(cause.evidence[0].control.is_some());
}

/// Greylisting is how things should be, for an hour; then it is a fault.
#[test]
fn greylisting_for_an_hour_is_a_fault() {
    let slow = CONFIG.replace("interval = \"5s\"", "interval = \"5m\"").replace(
        "confirm_interval = \"1s\"\n[budgets]",
        "confirm_interval = \"6m\"\n[budgets]",
    );
    let mut sim = watched(World::healthy(), &slow);
    sim.world
        .asked
        .insert("192.0.2.81", (SmtpStage::Rcpt, "450 4.2.0 Greylisted"));
    sim.run(50.0 * 60.0);
    let verdict = sim.route("acme", "partner.test");
    assert_eq!(verdict.state, State::Flowing);
    assert!(
        verdict
            .also
            .iter()
            .any(|warning| warning.code == Code::SmtpGreylisted)
    );
    sim.run(40.0 * 60.0);
    let verdict = sim.route("acme", "partner.test");
    assert_eq!(verdict.cause.map(|cause| cause.code), Some(Code::SmtpGreylisted));
    assert_eq!(verdict.state, State::Degraded);
    sim.world.asked.clear();
    sim.run(20.0 * 60.0);
    assert_eq!(sim.route("acme", "partner.test").state, State::Flowing);
}

/// Somebody who is let in at the second try, as greylisting means it, is never spoken of.
#[test]
fn who_is_let_in_later_is_never_spoken_of() {
    let mut world = World::healthy();
    world.asked.insert(
        "192.0.2.81",
        (SmtpStage::Rcpt, "451 4.7.1 Please try again later"),
    );
    let config = CONFIG.replace(
        "confirm_interval = \"1s\"\n[budgets]",
        "confirm_interval = \"6m\"\n[budgets]",
    );
    let mut sim = watched(world, &config);
    sim.run(200.0);
    assert_eq!(sim.route("acme", "partner.test").also, []);
    sim.world.asked.clear();
    sim.run(400.0);
    let verdict = sim.route("acme", "partner.test");
    assert_eq!(verdict.proven_by, [Proof::Dialogue, Proof::Rcpt]);
    assert_eq!(verdict.also, []);
}

/// Who refuses us is asked for ever less often, though the dialogue goes on.
#[test]
fn a_server_that_refuses_us_a_recipient_is_not_pestered() {
    let config = CONFIG.replace("refused_backoff = \"5s\"", "refused_backoff = \"2m\"");
    let mut sim = watched(World::healthy(), &config);
    sim.world
        .asked
        .insert("192.0.2.81", (SmtpStage::Rcpt, "550 5.7.1 Blocked"));
    sim.run(20.0);
    sim.forget();
    sim.run(115.0);
    let asked = sim
        .probes
        .keys()
        .filter(|subject| matches!(subject, Subject::Recipient(_)));
    assert!(asked.count() <= 1);
    assert_eq!(sim.route("acme", "partner.test").state, State::Flowing);
}

#[test]
fn a_reload_forgets_routes_that_are_gone() {
    let mut sim = watched(World::healthy(), CONFIG);
    let none = CONFIG.replace("[[clients.routes]]\nto = \"partner.test\"\nrecipient = \"postmaster@partner.test\"\nmail_from = \"probe@msp.example\"\n", "");
    sim.reload(&none);
    sim.run(1.0);
    assert!(
        sim.verdicts()
            .all(|verdict| verdict.target.to_string() != "route from acme to partner.test")
    );
    assert_eq!(sim.route("beta", "partner.test").state, State::Flowing);
    sim.forget();
    sim.run(30.0);
    let asked = |subject: &&Subject| matches!(subject, Subject::Recipient(_) | Subject::Sender(..));
    assert_eq!(sim.probes.keys().find(asked), None);
    sim.reload(CONFIG);
    sim.run(30.0);
    assert_eq!(
        sim.route("acme", "partner.test").proven_by,
        [Proof::Dialogue, Proof::Rcpt]
    );
}
