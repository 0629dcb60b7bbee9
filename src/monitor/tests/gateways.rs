//! Gateways that answer, but badly; and that nobody is blamed for what our own line does.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::sim::{CONFIG, Sim, World, start};
use crate::model::snmp::SnmpFailure;
use crate::model::{ClientId, Code, HopKind, RootKind, State, Target, Verdict};

use Code::*;
use State::*;

const ROUTER: &str = "198.51.100.1";
const ACME: &[&str] = &["acme.test", "acme-shop.test"];

/// The turns of everything, without times and targets' names beyond what people call them.
fn turns(sim: &Sim) -> Vec<(String, State, Option<Code>)> {
    let mut turns: Vec<_> = sim
        .turns
        .iter()
        .map(|(_, target, state, code)| (target.to_string(), *state, *code))
        .collect();
    turns.sort_by(|a, b| a.0.cmp(&b.0));
    turns
}

fn all_of_acme(state: State, code: Option<Code>) -> Vec<(String, State, Option<Code>)> {
    ["acme-shop.test", "acme.test", "gateway hq-router of acme"]
        .map(|target| (target.to_owned(), state, code))
        .to_vec()
}

/// A daemon that has watched long enough to know what is usual, in a world that then changes.
fn after(seconds: f64, change: impl Fn(&mut World)) -> Sim {
    let mut sim = Sim::settled();
    sim.run(60.0);
    change(&mut sim.world);
    sim.run(seconds);
    sim
}

fn heal(sim: &mut Sim, seconds: f64) {
    sim.world = World::healthy();
    sim.forget();
    sim.run(seconds);
}

#[test]
fn loss_begins_and_ends_as_one_incident_of_the_gateway() {
    let mut sim = after(60.0, |world| {
        world.lossy.insert(ROUTER, 2);
    });
    assert_eq!(turns(&sim), all_of_acme(Degraded, Some(GatewayLossy)));
    let roots = ACME
        .iter()
        .map(|name| sim.verdict(name).cause.unwrap().root.clone());
    for root in roots {
        assert_eq!((root.kind, &*root.name), (RootKind::Gateway, "hq-router"));
    }
    let cause = sim.verdict("acme.test").cause.unwrap();
    insta::assert_snapshot!(cause.detail, @"24 of 60 pings to hq-router (198.51.100.1) were lost (40 %) in the last 12 rounds, since 02:02 UTC; our own line lost none meanwhile.");
    assert_eq!(cause.contact.as_deref(), Some("Telekom business line"));
    let hop = sim
        .verdict("acme.test")
        .path
        .into_iter()
        .find(|hop| hop.hop == HopKind::Gateway);
    assert_eq!(hop.unwrap().state, Degraded);
    heal(&mut sim, 70.0);
    assert_eq!(turns(&sim), all_of_acme(Flowing, None));
}

#[test]
fn what_our_own_line_loses_or_delays_is_nobody_elses() {
    for own_line in [
        (1, Duration::ZERO),
        (3, Duration::ZERO),
        (0, Duration::from_millis(400)),
        (2, Duration::from_millis(900)),
    ] {
        let mut sim = after(180.0, |world| world.own_line = own_line);
        assert_eq!(turns(&sim), [], "{own_line:?}");
        heal(&mut sim, 120.0);
        assert_eq!(turns(&sim), [], "{own_line:?}, healed");
    }
}

#[test]
fn loss_between_the_thresholds_turns_nothing() {
    let waver = |sim: &mut Sim| {
        for round in 0..60 {
            sim.world.lossy.insert(ROUTER, round % 2);
            sim.run(5.0);
        }
    };
    let mut sim = after(0.0, |_| {});
    waver(&mut sim);
    assert_eq!(turns(&sim), [], "a tenth lost is not lossy");
    sim.world.lossy.insert(ROUTER, 2);
    sim.run(60.0);
    sim.forget();
    waver(&mut sim);
    assert_eq!(turns(&sim), [], "nor is it an end of that");
}

#[test]
fn a_gateway_that_falls_silent_to_pings_is_not_lossy() {
    let silent = |world: &mut World| {
        world.lossy.insert(ROUTER, 5);
    };
    assert_eq!(turns(&after(180.0, silent)), []);
    let mut sim = after(60.0, |world| {
        world.lossy.insert(ROUTER, 2);
    });
    sim.forget();
    silent(&mut sim.world);
    sim.run(60.0);
    assert_eq!(turns(&sim), all_of_acme(Flowing, None));
}

#[test]
fn a_lossy_router_that_dies_is_down_and_a_restart_is_no_loss() {
    let mut sim = after(60.0, |world| {
        world.lossy.insert(ROUTER, 2);
    });
    sim.forget();
    sim.world.routers.insert(ROUTER, false);
    sim.run(45.0);
    assert_eq!(turns(&sim), all_of_acme(Broken, Some(GatewayDown)));
    heal(&mut sim, 180.0);
    assert!(
        turns(&sim)
            .iter()
            .all(|(_, state, _)| *state == Flowing || *state == Unknown)
    );
}

#[test]
fn stand_ins_for_anchors_are_asked_when_a_router_loses_pings() {
    let none = CONFIG.replace("anchors = [\"ping:192.0.2.200\", \"smtp:192.0.2.200:25\"]\n", "");
    let mut sim = Sim::configured(&none);
    sim.run(120.0);
    sim.forget();
    sim.world.lossy.insert(ROUTER, 2);
    sim.run(60.0);
    assert_eq!(turns(&sim), all_of_acme(Degraded, Some(GatewayLossy)));
    let mut shared = Sim::configured(&none);
    shared.run(120.0);
    shared.forget();
    shared.world.own_line = (2, Duration::ZERO);
    shared.run(180.0);
    assert_eq!(turns(&shared), []);
    let target = Target::Domain(crate::model::DomainName::parse("beta.test").unwrap());
    assert_eq!(sim.monitor.verdict(&target).unwrap().state, Flowing);
}

const DAY: f64 = 86_400.0;
const BETA_ROUTER: &str = "203.0.113.1";

fn gateway(sim: &Sim, client: &str, name: &str) -> Verdict {
    let target = Target::Gateway(ClientId::parse(client).unwrap(), name.into());
    (**sim.monitor.verdict(&target).unwrap()).clone()
}

fn before(at: Timestamp, seconds: f64) -> Timestamp {
    at.checked_sub(SignedDuration::from_secs_f64(seconds)).unwrap()
}

/// A daemon that has watched a router whose agent started so long before.
fn with_agent(started: f64) -> Sim {
    let mut sim = Sim::settled();
    sim.world.agents.insert(ROUTER, Ok(before(start(), started)));
    sim.run(60.0);
    assert_eq!(gateway(&sim, "acme", "hq-router").also, []);
    sim
}

#[test]
fn a_restart_is_told_for_an_hour_and_alarms_nobody() {
    let mut sim = with_agent(12.0 * DAY);
    // An hour of looking every five seconds would show no more than one of looking twice a minute.
    sim.reload(&CONFIG.replace("\ninterval = \"5s\"", "\ninterval = \"30s\""));
    sim.world.agents.insert(ROUTER, Ok(sim.now));
    sim.run(3590.0);
    let also = gateway(&sim, "acme", "hq-router").also;
    assert_eq!(also.len(), 1);
    assert_eq!(also[0].code, GatewayRebooted);
    insta::assert_snapshot!(also[0].summary, @"It restarted at 2026-11-22 02:02:00 UTC, says its uptime (SNMP).");
    sim.run(40.0);
    assert_eq!(gateway(&sim, "acme", "hq-router").also, []);
    assert_eq!(turns(&sim), []);
}

#[test]
fn an_uptime_that_wraps_after_497_days_is_no_restart() {
    let wrap = f64::from(u32::MAX) / 100.0;
    let mut sim = with_agent(wrap - 150.0);
    sim.run(120.0);
    assert_eq!(gateway(&sim, "acme", "hq-router").also, []);
    assert_eq!(turns(&sim), []);
}

#[rstest::rstest]
#[case(SnmpFailure::Silent)]
#[case(SnmpFailure::Closed)]
#[case(SnmpFailure::Denied)]
fn an_agent_that_never_answers_is_a_warning_at_most(#[case] failure: SnmpFailure) {
    let mut sim = Sim::settled();
    sim.world.agents.insert(ROUTER, Err(failure));
    sim.run(60.0);
    let verdict = gateway(&sim, "acme", "hq-router");
    assert_eq!(verdict.state, Flowing);
    let codes: Vec<Code> = verdict.also.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, [GatewayUnproven]);
    assert_eq!(turns(&sim), []);
}

/// A daemon and routers that answer no pings, but have agents.
fn silent_to_pings(config: &str, routers: &[&'static str]) -> Sim {
    let mut sim = Sim::configured(config);
    sim.world.router_pings = false;
    for router in routers {
        sim.world.agents.insert(router, Ok(before(start(), DAY)));
    }
    sim.run(60.0);
    sim.forget();
    sim
}

#[test]
fn an_agent_alone_shows_that_a_gateway_lives_and_with_its_servers_that_it_does_not() {
    let mut sim = silent_to_pings(CONFIG, &[BETA_ROUTER]);
    assert_eq!(gateway(&sim, "beta", "beta-router").state, Flowing);
    sim.world.agents.insert(BETA_ROUTER, Err(SnmpFailure::Silent));
    sim.run(60.0);
    assert_eq!(turns(&sim), [], "the server behind it answers");
    sim.world.agents.insert(BETA_ROUTER, Ok(before(start(), DAY)));
    sim.run(60.0);
    sim.world.routers.insert(BETA_ROUTER, false);
    sim.run(45.0);
    assert_eq!(sim.state("beta.test"), (Broken, Some(GatewayDown)));
}

#[test]
fn an_agent_that_is_switched_off_is_no_gateway_down_where_nothing_else_bears_witness() {
    let lonely = "[[clients]]\nname = \"LONELY\"\ndomains = [\"zeta.test\"]\n[[clients.gateways]]\n\
                  name = \"cellar\"\naddress = \"203.0.113.200\"\n";
    let config = CONFIG.replace("\"epsilon.test\", \"zeta.test\"", "\"epsilon.test\"") + lonely;
    let mut sim = silent_to_pings(&config, &["203.0.113.200"]);
    assert_eq!(gateway(&sim, "lonely", "cellar").state, Flowing);
    sim.world.agents.insert("203.0.113.200", Err(SnmpFailure::Silent));
    sim.run(60.0);
    assert_eq!(gateway(&sim, "lonely", "cellar").state, Unknown);
    assert!(sim.turns.iter().all(|(_, _, state, _)| *state == Unknown));
}

/// What is usual was learnt before our own restart: a line that has become slow meanwhile is not taken for usual. A
/// gateway that has moved to another address is.
#[test]
fn a_line_that_became_slow_during_our_own_restart_is_slow() {
    let mut sim = Sim::settled();
    sim.run(60.0);
    sim.world.slow.insert(ROUTER, Duration::from_millis(150));
    sim.restart(CONFIG, 30.0);
    sim.run(60.0);
    let verdict = gateway(&sim, "acme", "hq-router");
    assert_eq!(
        (verdict.state, verdict.cause.unwrap().code),
        (Degraded, GatewaySlow)
    );
    assert_eq!(gateway(&sim, "beta", "beta-router").state, Flowing);
    sim.world.slow.insert("198.51.100.2", Duration::from_millis(150));
    sim.restart(&CONFIG.replace("\"198.51.100.1\"", "\"198.51.100.2\""), 30.0);
    sim.run(60.0);
    assert_eq!(gateway(&sim, "acme", "hq-router").state, Flowing);
}

#[test]
fn a_reboot_during_our_own_restart_is_seen() {
    let mut sim = with_agent(12.0 * DAY);
    sim.world.agents.insert(ROUTER, Ok(sim.now));
    sim.restart(CONFIG, 30.0);
    sim.run(20.0);
    let also = gateway(&sim, "acme", "hq-router").also;
    assert_eq!(
        also.iter().map(|one| one.code).collect::<Vec<_>>(),
        [GatewayRebooted]
    );
    insta::assert_snapshot!(also[0].summary, @"It restarted at 2026-11-22 02:02:00 UTC, says its uptime (SNMP).");
    // It goes on being told after another restart of ours, and the store keeps no more than one fact of it.
    sim.restart(CONFIG, 30.0);
    sim.run(20.0);
    assert_eq!(gateway(&sim, "acme", "hq-router").also.len(), 1);
    let uptimes = sim.store.keys().filter(|(_, kind)| *kind == "uptime");
    assert_eq!(uptimes.count(), 1);
}

/// A gateway and a domain that leave the configuration, at a reload or while we are away, leave the store as well.
#[test]
fn what_left_the_configuration_leaves_the_store() {
    let mut sim = with_agent(12.0 * DAY);
    let of = |sim: &Sim, subject: &str| {
        let keys = sim.store.keys().filter(|(of, _)| of == subject);
        keys.map(|(_, kind)| *kind).collect::<Vec<_>>()
    };
    sim.restart(CONFIG, 1.0);
    sim.run(60.0);
    assert_eq!(of(&sim, "acme/hq-router"), ["delay", "gateway", "uptime"]);
    assert_eq!(of(&sim, "acme.test"), ["mx"]);
    let without = CONFIG
        .replace("hq-router", "other-router")
        .replace("\"acme.test\", ", "");
    let mut reloaded = sim.clone();
    reloaded.reload(&without);
    reloaded.run(10.0);
    sim.restart(&without, 1.0);
    sim.run(10.0);
    for sim in [sim, reloaded] {
        assert_eq!(of(&sim, "acme/hq-router"), [""; 0]);
        assert_eq!(of(&sim, "acme.test"), [""; 0]);
        assert_eq!(of(&sim, "acme-shop.test"), ["mx"]);
    }
}
