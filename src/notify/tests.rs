//! From verdicts to receivers, over a real database, with the process killed at any point and receivers that come
//! and go: each receiver hears each beginning and each end, in order, and nothing twice but under the same number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{Failure, Manner, Pipeline, Queue, Routing, Wording, step};
use crate::incident::sample::{acme, at, cause, domain, root, verdict};
use crate::incident::{Lifecycle, Policy, Restored};
use crate::model::{
    ClientId, Code, Event, Hand, HandId, IncidentId, Matchers, Measure, Message, MessageId, Outcome,
    RootKind, State, Verdict,
};
use crate::store::{Batch, SqliteStore, Store as _};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kill {
    /// Nothing of the turn is written down.
    Undecided,
    /// It is written down, but nothing is sent.
    Unsent,
    /// A message is sent, but that is not written down.
    Unconfirmed,
}

#[derive(Debug, Clone)]
enum Action {
    Judge(usize, State, usize),
    Wait(u64),
    /// Somebody takes on whatever goes on.
    Acknowledge,
    /// Both clients are silenced for so many seconds.
    Silence(u64),
    Receiver(usize, bool),
    Kill(Kill),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let state = prop_oneof![2 => Just(State::Flowing), 2 => Just(State::Broken), 1 => Just(State::Unknown)];
    let kill = prop_oneof![Just(Kill::Undecided), Just(Kill::Unsent), Just(Kill::Unconfirmed)];
    let action = prop_oneof![
        6 => (0..4_usize, state, 0..3_usize).prop_map(|(target, state, root)| Action::Judge(target, state, root)),
        3 => (1..400_u64).prop_map(Action::Wait),
        1 => Just(Action::Acknowledge),
        1 => (1..900_u64).prop_map(Action::Silence),
        1 => (0..3_usize, any::<bool>()).prop_map(|(receiver, up)| Action::Receiver(receiver, up)),
        1 => kill.prop_map(Action::Kill),
    ];
    prop::collection::vec(action, 1..60)
}

fn names() -> [Arc<str>; 3] {
    ["desk".into(), "oncall".into(), "boss".into()]
}

/// The first two domains are ACME's, which has a desk of its own; the others' client has none.
fn judged(target: usize, state: State, blamed: usize) -> Verdict {
    let roots = [
        (Code::ProviderOutage, root(RootKind::Provider, "BIGMAIL")),
        (Code::HostRefused, root(RootKind::MxSet, "mx.a.test")),
        (Code::HostRefused, root(RootKind::MxSet, "mx.b.test")),
    ];
    let (code, root) = roots[blamed].clone();
    let cause = match state {
        State::Flowing => None,
        State::Unknown => Some(cause(Code::VantageNoEvidence, root)),
        _ => Some(cause(code, root)),
    };
    let client = if target < 2 {
        acme()
    } else {
        ClientId::parse("bravo").unwrap()
    };
    Verdict {
        client: Some(client),
        ..verdict(&domain(&format!("d{target}.test")), state, cause)
    }
}

/// What lives in the process, and dies with it.
struct Process {
    life: Lifecycle,
    pipeline: Pipeline,
    queue: Queue,
}

impl Process {
    fn start(disk: &mut SqliteStore, now: u64) -> Self {
        let loaded = disk.load(at(0)).unwrap();
        assert!(loaded.unreadable.is_empty());
        let policy = Policy {
            group_wait: Duration::ZERO,
            critical_after: Duration::from_mins(2),
            escalate: vec![Duration::ZERO, Duration::from_mins(5)],
            repeat_interval: Some(Duration::from_mins(20)),
            ..Policy::default()
        };
        let routing = Routing {
            by_client: [(acme(), vec!["desk".into()])].into(),
            otherwise: vec!["oncall".into()],
            all: names().into(),
            later: vec![vec!["boss".into()]],
            ..Routing::default()
        };
        let mut queue = Queue::default();
        queue.configure(names().iter().map(|name| (name, Manner::default())), at(now));
        for message in loaded.outbox {
            assert!(queue.add(message, at(now)).is_empty());
        }
        let restored = Restored {
            open: loaded.open,
            ended: loaded.ended,
            seen: loaded.seen,
            next_id: loaded.next_incident,
        };
        let mut pipeline = Pipeline::new(routing, Wording::default(), loaded.next_message);
        pipeline.set_hands(loaded.hands);
        Self {
            life: Lifecycle::restore(policy, restored),
            pipeline,
            queue,
        }
    }
}

/// What a receiver heard of an incident.
type Heard = Vec<(MessageId, Event)>;

struct World {
    disk: SqliteStore,
    process: Process,
    now: u64,
    up: [bool; 3],
    silent_until: u64,
    heard: BTreeMap<(Arc<str>, IncidentId), Heard>,
}

impl World {
    fn new() -> Self {
        let mut disk = SqliteStore::in_memory().unwrap();
        let mut process = Process::start(&mut disk, 0);
        for target in 0..4 {
            process.life.judge(&judged(target, State::Flowing, 0), at(0));
        }
        Self {
            disk,
            process,
            now: 0,
            up: [true; 3],
            silent_until: 0,
            heard: BTreeMap::new(),
        }
    }

    fn play(&mut self, action: &Action) {
        match action {
            Action::Judge(target, state, root) => {
                let verdict = judged(*target, *state, *root);
                self.process.life.judge(&verdict, at(self.now));
                self.turn(None);
            }
            Action::Wait(seconds) => {
                self.now += seconds;
                // As long as that, a target that flapped and is well now is found well again and again.
                for target in self.process.life.held() {
                    self.process.life.found_well(&target, u32::MAX);
                }
                self.turn(None);
            }
            Action::Acknowledge => {
                let open: Vec<IncidentId> = self.process.life.open().map(|row| row.id).collect();
                for id in open {
                    self.process.life.acknowledge(id, "anna", at(self.now)).unwrap();
                }
                self.turn(None);
            }
            Action::Silence(seconds) => self.silence(*seconds),
            Action::Receiver(receiver, up) => self.up[*receiver] = *up,
            Action::Kill(kill) => {
                self.turn(Some(*kill));
                self.process = Process::start(&mut self.disk, self.now);
            }
        }
    }

    fn silence(&mut self, seconds: u64) {
        self.silent_until = self.silent_until.max(self.now + seconds);
        let mut hands = self.disk.load(at(0)).unwrap().hands;
        for client in ["acme", "bravo"] {
            let measure = Measure::Silence {
                of: Matchers {
                    client: Some(ClientId::parse(client).unwrap()),
                    ..Matchers::default()
                },
                until: at(self.now + seconds),
            };
            let id = HandId(u64::try_from(hands.len()).unwrap() + 1);
            hands.push(Hand::new(id, measure, "anna", "quiet", at(self.now)).unwrap());
        }
        let batch = Batch {
            hands: hands.clone(),
            ..Batch::default()
        };
        self.disk.commit(&batch).unwrap();
        self.process.pipeline.set_hands(hands);
        self.process.life.reconsider();
    }

    /// The daemon turns until nothing is due any more: one incident has one message a turn.
    fn turn(&mut self, kill: Option<Kill>) {
        for _ in 0..5 {
            self.turn_once(kill);
            let due = self.process.life.next_due();
            if kill.is_some() || due.is_none_or(|due| due > at(self.now)) {
                return;
            }
        }
        panic!("the daemon would spin");
    }

    /// One turn of the daemon, cut short where it is killed.
    fn turn_once(&mut self, kill: Option<Kill>) {
        let decided = step(&mut self.process.life, &mut self.process.pipeline, at(self.now));
        if self.now < self.silent_until {
            for message in &decided.messages {
                let event = message.notice.event;
                assert!(
                    matches!(event, Event::Resolved | Event::Acknowledged),
                    "{event:?} while silenced"
                );
            }
        }
        if kill == Some(Kill::Undecided) {
            return;
        }
        let batch = Batch {
            incidents: decided.rows.incidents,
            seen: decided.rows.seen,
            forgotten: decided.rows.forgotten,
            messages: decided.messages.clone(),
            ..Batch::default()
        };
        self.disk.commit(&batch).unwrap();
        if kill == Some(Kill::Unsent) {
            return;
        }
        for message in decided.messages {
            self.process.queue.add(message, at(self.now));
        }
        self.deliver(kill == Some(Kill::Unconfirmed));
    }

    fn deliver(&mut self, killed: bool) {
        while let Some(message) = self.process.queue.next(at(self.now)) {
            let result = self.receive(&message);
            if killed {
                return;
            }
            let outcome = self.process.queue.finished(&message, &result, at(self.now), 0.5);
            let outcomes: Vec<Outcome> = outcome.into_iter().collect();
            let batch = Batch {
                outcomes,
                ..Batch::default()
            };
            self.disk.commit(&batch).unwrap();
        }
    }

    fn receive(&mut self, message: &Message) -> Result<(), Failure> {
        let receiver = names().iter().position(|name| *name == message.notifier).unwrap();
        if !self.up[receiver] {
            return Err(Failure::passing("connection refused"));
        }
        self.heard
            .entry((message.notifier.clone(), message.incident().unwrap()))
            .or_default()
            .push((message.id, message.notice.event));
        Ok(())
    }

    fn heal(&mut self) {
        self.up = [true; 3];
        for target in 0..4 {
            self.play(&Action::Judge(target, State::Flowing, 0));
        }
        for _ in 0..100 {
            self.play(&Action::Wait(3600));
        }
    }
}

/// A beginning, changes, repetitions, an end; and the same again where it came back.
fn is_complete(heard: &[(MessageId, Event)]) -> bool {
    let mut told = false;
    let fits = heard.iter().all(|(_, event)| {
        let fits = match event {
            Event::Opened | Event::Reopened => !told,
            // Who is named by a later step only hears of it for the first time then.
            Event::Escalated => true,
            _ => told,
        };
        told = *event != Event::Resolved;
        fits
    });
    let numbers: BTreeSet<MessageId> = heard.iter().map(|(id, _)| *id).collect();
    let opened = heard.iter().filter(|(_, event)| *event == Event::Opened);
    fits && !told && numbers.len() == heard.len() && opened.count() <= 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn who_hears_of_a_beginning_hears_of_the_end_whatever_happens(actions in actions()) {
        let mut world = World::new();
        for action in &actions {
            world.play(action);
        }
        world.heal();
        prop_assert_eq!(world.process.life.open().count(), 0);
        prop_assert!(world.disk.load(at(0)).unwrap().outbox.is_empty());
        for (who, mut heard) in world.heard {
            // A kill between sending and writing that down repeats the very same message.
            heard.dedup();
            prop_assert!(is_complete(&heard), "{who:?}: {heard:?}");
        }
    }
}
