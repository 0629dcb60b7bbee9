//! The world is sound, its sockets answer, and the diagnosis finds what the script breaks.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::*;
use crate::app::look;
use crate::model::{DialError, DomainName, State, Target};
use crate::net::dns::{Question, RecordData, RecordType};
use crate::picture::{Learnt, NewFact};

const LIMIT: Duration = Duration::from_secs(5);

fn living(net: &FakeNet) -> (World, Living, tempfile::TempDir) {
    let world = World::read().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(net.now()).unwrap();
    std::fs::write(folder.path().join("roots.pem"), &authority.pem).unwrap();
    let text = world.configuration("127.0.0.1:9525", "http://127.0.0.1:9/");
    std::fs::write(folder.path().join("mailflow.toml"), text).unwrap();
    let living = Living::new(&world, net.clone(), authority).unwrap();
    (world, living, folder)
}

/// What one look finds by domain: states and causes; and what it learns.
async fn seen(
    net: &FakeNet,
    folder: &Path,
    known: &[NewFact],
) -> (BTreeMap<String, (State, String)>, Vec<NewFact>) {
    let config = configuration(&folder.join("mailflow.toml")).unwrap_or_else(|problems| panic!("{problems}"));
    let (inventory, context, trust) = app::vantage(&config, net).unwrap();
    let wanted = look::Look {
        net: &Arc::new(net.clone()),
        context: &context,
        trust: &Arc::new(trust),
        inventory: Arc::new(inventory),
        learnt: Learnt::restore(known.iter().cloned()),
        deadline: Duration::from_secs(50),
    };
    let mut monitor = look::once(wanted, |_| {}).await;
    let found = monitor.view().domains.into_iter().map(|(name, verdict)| {
        let code = verdict.cause.as_ref().map_or("", |cause| cause.code.as_str());
        (name.to_string(), (verdict.state, code.to_owned()))
    });
    let found = found.collect();
    (found, monitor.take_changes().facts)
}

#[tokio::test(start_paused = true)]
async fn the_diagnosis_finds_what_the_script_breaks() {
    let net = FakeNet::new();
    let (world, living, folder) = living(&net);
    let all = world
        .clients
        .iter()
        .map(|client| client.domains.len())
        .sum::<usize>();
    let (well, learnt) = seen(&net, folder.path(), &[]).await;
    assert_eq!(well.len(), all);
    for (name, (state, code)) in &well {
        assert_eq!((*state, code.as_str()), (State::Flowing, ""), "{name}");
    }
    for act in Script::read().unwrap().acts {
        living.break_by(&act.fault).unwrap();
        let (found, _) = seen(&net, folder.path(), &learnt).await;
        for (name, code) in &act.expect {
            assert_eq!(found[name].1, *code, "{name}: {}", act.says);
        }
        if !matches!(act.fault, script::Fault::LineCut | script::Fault::Port25Filtered) {
            let beside = found
                .values()
                .filter(|(state, _)| *state != State::Flowing)
                .count();
            assert!(beside < all / 2, "{beside} domains: {}", act.says);
        }
        living.heal(&act.fault).unwrap();
    }
    assert_eq!(seen(&net, folder.path(), &learnt).await.0, well);
}

#[test]
fn the_script_keeps_its_times() {
    let script = Script::read().unwrap();
    assert!(
        script.acts[0].at < Duration::from_mins(1),
        "something is seen within a minute"
    );
    let turns = script.turns();
    assert_eq!(turns.len(), script.acts.len() * 2);
    assert!(turns.is_sorted_by_key(|turn| turn.at));
    assert!(
        turns.last().unwrap().at < script.round,
        "all is well again before the next round"
    );
}

#[tokio::test]
async fn the_world_answers_on_real_sockets() {
    let inner = FakeNet::new();
    let (world, living, _folder) = living(&inner);
    let net = DemoNet::open(inner, &world.dns_servers()).await.unwrap();
    let name = DomainName::parse("aldergrove.example").unwrap();
    let resolver = SocketAddr::new(world::RESOLVER, 53);
    let ask = |kind| Question::recursive(&name, kind);
    let answer = net.ask(resolver, &ask(RecordType::Mx), LIMIT).await.unwrap();
    assert_eq!(
        answer.answers[0].data,
        RecordData::Mx(10, "mx.aldergrove.example.".into())
    );
    for kind in [RecordType::Soa, RecordType::Ns, RecordType::Txt] {
        assert!(
            !net.ask(resolver, &ask(kind), LIMIT)
                .await
                .unwrap()
                .answers
                .is_empty()
        );
    }
    let server = "192.0.2.61:53".parse().unwrap();
    assert!(
        net.ask(server, &ask(RecordType::Mx), LIMIT)
            .await
            .unwrap()
            .authoritative
    );

    let mx: SocketAddr = "198.51.100.2:25".parse().unwrap();
    let connection = net.dial(mx, LIMIT).await.unwrap();
    assert!(connection.stream.peer_addr().unwrap().ip().is_loopback());
    assert_eq!(
        connection.source.unwrap().to_string(),
        "192.0.2.7",
        "our address in the world"
    );
    let mut greeting = String::new();
    BufReader::new(connection.stream)
        .read_line(&mut greeting)
        .await
        .unwrap();
    assert_eq!(greeting, "220 mx.aldergrove.example ESMTP\r\n");
    let stopped = script::Fault::Stopped {
        server: "mx.aldergrove.example".into(),
    };
    living.break_by(&stopped).unwrap();
    assert_eq!(net.dial(mx, LIMIT).await.unwrap_err(), DialError::Refused);
}

#[test]
fn the_past_ends_well() {
    let now = FakeNet::new().now();
    let batch = past::invent(&World::read().unwrap(), now);
    assert_eq!(
        batch,
        past::invent(&World::read().unwrap(), now),
        "the same at every start"
    );
    assert!(batch.turns.len() > batch.seen.len());
    let mut last = BTreeMap::new();
    for turn in &batch.turns {
        assert!(turn.at <= now && turn.at == turn.since);
        last.insert(turn.target.clone(), turn.state);
    }
    assert!(last.values().all(|state| *state == State::Flowing));
    assert!(last.keys().all(|target| matches!(target, Target::Domain(_))));
}
