//! One look: what it waits for, and what it does not.

use std::time::Duration;

use super::*;
use crate::app::look::{self, Look, once};
use crate::app::start;
use crate::model::Code;
use crate::picture::Learnt;
use daemon::{ANCHOR, RESOLVER};

/// There and back.
const ROUND_TRIP: Duration = Duration::from_millis(100);

/// What a look at `beta.test` finds, and how many round trips it waits for.
async fn look(bench: &Bench) -> ((State, Option<Code>), f64) {
    for address in [RESOLVER, MX_BETA, ANCHOR, ROUTER] {
        bench.net.set_latency(address, ROUND_TRIP / 2);
    }
    let net = Arc::new(bench.net.clone());
    let config = configured(CONFIG);
    let (mut inventory, context, trust) = start::vantage(&config, &*net).unwrap();
    let target = domain("beta.test");
    look::only(&mut inventory, std::slice::from_ref(&target));
    let began = net.now();
    let wanted = Look {
        net: &net,
        context: &context,
        trust: &Arc::new(trust),
        inventory: Arc::new(inventory),
        learnt: Learnt::default(),
        deadline: Duration::from_mins(1),
    };
    let monitor = once(wanted, |_| {}).await;
    let took = net.now().duration_since(began).as_secs_f64();
    let verdict = monitor.verdict(&target).unwrap();
    let code = verdict.cause.as_ref().map(|cause| cause.code);
    ((verdict.state, code), took / ROUND_TRIP.as_secs_f64())
}

/// MX, address, connection, greeting, EHLO and QUIT each need the one before; another client's router is not asked.
#[rstest]
#[case::all_is_well(Reach::Answers)]
#[case::no_witness_answers(Reach::Silent)]
#[tokio::test(start_paused = true)]
async fn where_mail_flows_it_waits_for_nothing_else(#[case] anchor: Reach) {
    let bench = Bench::new();
    bench.net.set_reach(ANCHOR, anchor);
    bench.net.set_reach(ROUTER, Reach::Silent);
    let (found, round_trips) = look(&bench).await;
    assert_eq!(found, (State::Flowing, None));
    assert!(round_trips < 6.5, "{round_trips} round trips");
}

/// Where something fails, whoever could show that it is we is heard to the end.
#[rstest]
#[case::their_server(Reach::Answers, (State::Broken, Some(Code::HostUnreachable)))]
#[case::our_line(Reach::Silent, (State::Unknown, Some(Code::VantageOffline)))]
#[tokio::test(start_paused = true)]
async fn nobody_is_blamed_before_our_own_line_is_cleared(
    #[case] anchor: Reach,
    #[case] expected: (State, Option<Code>),
) {
    let bench = Bench::new();
    bench.net.set_reach(MX_BETA, Reach::Silent);
    bench.net.set_reach(ANCHOR, anchor);
    assert_eq!(look(&bench).await.0, expected);
}
