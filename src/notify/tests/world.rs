//! The world of the chaos: a daemon's incidents, stages and queue over a real database, with receivers that come and
//! go, and a process that can be killed at any point.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::history::{Action, Change, Kill, Receiver, Whom};
use crate::incident::sample::{acme, at, cause, domain, root, verdict};
use crate::incident::{Flapping, Lifecycle, Policy, Restored};
use crate::model::{
    ClientId, Code, Event, Hand, HandId, IncidentId, Matchers, Measure, Message, MessageId, Outcome,
    RootKind, Severity, State, Target, Verdict, Warning, When,
};
use crate::notify::{Failure, Manner, Pipeline, Queue, Routing, Watch, Wording, health, step};
use crate::store::{Batch, Loaded, SqliteStore, Store as _};

/// How often targets are looked at, in seconds.
const INTERVAL: u64 = 10;

/// What the configuration says at the moment. It outlives the process.
#[derive(Debug, Clone, Copy)]
struct Settings {
    policy: usize,
    routing: usize,
    domain: bool,
    boss: bool,
}

pub(super) fn names() -> [Arc<str>; 3] {
    ["desk".into(), "oncall".into(), "boss".into()]
}

fn bravo() -> ClientId {
    ClientId::parse("bravo").unwrap()
}

/// The first two domains are ACME's, which has a desk of its own; the others' client has none.
fn target(number: usize) -> (Target, ClientId) {
    let client = if number < 2 { acme() } else { bravo() };
    (domain(&format!("d{number}.test")), client)
}

fn judged(number: usize, state: State, blamed: usize) -> Verdict {
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
    let (target, client) = target(number);
    Verdict {
        client: Some(client),
        ..verdict(&target, state, cause)
    }
}

impl Settings {
    fn policy(self) -> Policy {
        let usual = Policy {
            group_wait: Duration::ZERO,
            critical_after: Duration::from_mins(2),
            warning_after: Duration::from_mins(6),
            escalate: vec![Duration::ZERO, Duration::from_mins(5)],
            repeat_interval: Some(Duration::from_mins(20)),
            flapping: Some(Flapping::of_interval(Duration::from_secs(INTERVAL))),
            ..Policy::default()
        };
        match self.policy {
            0 => usual,
            1 => Policy {
                group_wait: Duration::from_secs(10),
                critical_after: Duration::ZERO,
                reopen_within: Duration::ZERO,
                ..usual
            },
            _ => Policy {
                escalate: Vec::new(),
                repeat_interval: None,
                flapping: None,
                severity: [(Code::ProviderOutage, Severity::Warning)].into(),
                ..usual
            },
        }
    }

    fn names(self) -> Vec<Arc<str>> {
        let known = |name: &Arc<str>| self.boss || **name != *"boss";
        names().into_iter().filter(known).collect()
    }

    fn routing(self) -> Routing {
        let own = [(acme(), vec!["desk".into()])];
        Routing {
            by_client: if self.routing == 1 {
                BTreeMap::new()
            } else {
                own.into()
            },
            otherwise: vec!["oncall".into()],
            all: self.names(),
            later: if self.boss {
                vec![vec!["boss".into()]]
            } else {
                Vec::new()
            },
            hours: if self.routing == 2 {
                [(Severity::Warning, "Mon-Fri 08:00-18:00 UTC".parse().unwrap())].into()
            } else {
                BTreeMap::new()
            },
            ways: BTreeMap::new(),
        }
    }
}

/// What lives in the process, and dies with it.
struct Process {
    life: Lifecycle,
    pipeline: Pipeline,
    queue: Queue,
    watch: Watch,
    hands: Vec<Hand>,
    /// What waits for the disk.
    unwritten: Batch,
    /// Which life this is.
    number: u32,
}

/// What a receiver heard, and in which life of the process it was sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heard {
    pub(super) id: MessageId,
    pub(super) event: Event,
    pub(super) key: String,
    pub(super) text: String,
    pub(super) life: u32,
}

/// Everything.
pub(super) struct World {
    pub(super) disk: SqliteStore,
    settings: Settings,
    process: Process,
    now: u64,
    receivers: [(Receiver, u64); 3],
    disk_full: bool,
    truth: [(State, usize); 4],
    /// Everything that was ever decided to be sent and written down.
    pub(super) decided: BTreeMap<MessageId, Message>,
    /// What receivers heard of each incident, in order.
    pub(super) heard: BTreeMap<(Arc<str>, IncidentId), Vec<Heard>>,
    /// What was given up: refused for good, or its notifier was no longer there.
    pub(super) given_up: BTreeSet<MessageId>,
}

impl World {
    pub(super) fn new() -> Self {
        let mut disk = SqliteStore::in_memory().unwrap();
        let settings = Settings {
            policy: 0,
            routing: 0,
            domain: true,
            boss: true,
        };
        let loaded = disk.load(at(0)).unwrap();
        let (process, _) = Process::start(loaded, settings, 0, 0);
        let mut world = Self {
            disk,
            settings,
            process,
            now: 0,
            receivers: [(Receiver::Up, 0); 3],
            disk_full: false,
            truth: [(State::Flowing, 0); 4],
            decided: BTreeMap::new(),
            heard: BTreeMap::new(),
            given_up: BTreeSet::new(),
        };
        world.look();
        world
    }

    pub(super) fn now(&self) -> Timestamp {
        at(self.now)
    }

    pub(super) fn open(&self) -> Vec<IncidentId> {
        self.process.life.open().map(|row| row.id).collect()
    }

    pub(super) fn play(&mut self, action: &Action) {
        match *action {
            Action::Judge(number, state, root) => {
                self.truth[number] = (state, root);
                self.judge(number);
                self.turn(None);
            }
            Action::Flap(number, times) => self.flap(number, times),
            Action::Accept(number) => self.accept(number),
            Action::Wait(seconds) => self.wait(seconds),
            Action::Acknowledge => {
                for id in self.open() {
                    self.process.life.acknowledge(id, "anna", at(self.now)).unwrap();
                }
                self.turn(None);
            }
            Action::Silence(whom, seconds) => {
                let until = at(self.now + seconds);
                self.set(Measure::Silence { of: of(whom), until });
            }
            Action::Maintain(whom, from, seconds) => {
                let from = self.now + from;
                let when = When::Once {
                    from: at(from),
                    until: at(from + seconds),
                };
                self.set(Measure::Maintenance { of: of(whom), when });
            }
            Action::Lift => self.lift(),
            Action::Receiver(number, receiver) => self.receivers[number] = (receiver, self.now),
            Action::Reload(change) => self.reload(change),
            Action::Disk(full) => {
                self.disk_full = full;
                self.commit(Batch::default());
            }
            Action::Kill(kill, look) => self.kill(kill, look),
        }
    }

    fn judge(&mut self, number: usize) {
        if number == 3 && !self.settings.domain {
            return;
        }
        let (state, root) = self.truth[number];
        let pace = Some(Duration::from_secs(INTERVAL));
        let verdict = judged(number, state, root);
        self.process.life.judge_paced(&verdict, pace, at(self.now));
    }

    /// Everything is looked at.
    fn look(&mut self) {
        for number in 0..4 {
            self.judge(number);
        }
        self.turn(None);
    }

    fn flap(&mut self, number: usize, times: u64) {
        let root = self.truth[number].1;
        for _ in 0..times {
            for state in [State::Broken, State::Flowing] {
                self.play(&Action::Judge(number, state, root));
                self.wait(INTERVAL);
            }
        }
    }

    fn accept(&mut self, number: usize) {
        let (_, root) = std::mem::replace(&mut self.truth[number], (State::Flowing, 0));
        let broken = judged(number, State::Broken, root);
        let flowing = judged(number, State::Flowing, root);
        let also = broken.cause.iter().map(|cause| Warning {
            code: cause.code,
            subject: "".into(),
            summary: "".into(),
            accepted: true,
        });
        let verdict = Verdict {
            also: also.collect(),
            ..flowing
        };
        if number < 3 || self.settings.domain {
            self.process.life.judge(&verdict, at(self.now));
        }
        self.turn(None);
    }

    /// Lets time pass; the daemon wakes whenever something is due.
    fn wait(&mut self, seconds: u64) {
        let end = self.now + seconds;
        for _ in 0..200 {
            let due = self.process.life.next_due().into_iter();
            let due = due.chain(self.process.queue.next_due()).min();
            let Some(due) = due.filter(|due| *due < at(end)) else {
                break;
            };
            let seconds = due.duration_since(at(0)).as_millis().max(0);
            let seconds = u64::try_from(seconds).unwrap().div_ceil(1000);
            self.now = seconds.max(self.now + 1).min(end);
            self.turn(None);
        }
        self.now = end;
        if seconds >= 6 * INTERVAL {
            for target in self.process.life.held() {
                self.process.life.found_well(&target, 6);
            }
        }
        self.turn(None);
    }

    fn set(&mut self, measure: Measure) {
        let id = HandId(u64::try_from(self.process.hands.len()).unwrap() + 1);
        let hand = Hand::new(id, measure, "anna", "quiet", at(self.now)).unwrap();
        self.process.hands.push(hand);
        self.use_hands();
    }

    fn lift(&mut self) {
        let now = at(self.now);
        let hand = self
            .process
            .hands
            .iter_mut()
            .rev()
            .find(|hand| !hand.is_over(now));
        if let Some(hand) = hand {
            hand.lifted = Some(now);
        }
        self.use_hands();
    }

    fn use_hands(&mut self) {
        let hands = self.process.hands.clone();
        self.process.pipeline.set_hands(hands.clone());
        self.process.life.reconsider();
        self.commit(Batch {
            hands,
            ..Batch::default()
        });
        self.turn(None);
    }

    fn reload(&mut self, change: Change) {
        match change {
            Change::Policy(number) => self.settings.policy = number,
            Change::Routing(number) => self.settings.routing = number,
            Change::Domain(watched) => self.settings.domain = watched,
            Change::Boss(configured) => self.settings.boss = configured,
        }
        let settings = self.settings;
        let process = &mut self.process;
        process.life.set_policy(settings.policy());
        process.pipeline.set(settings.routing(), Wording::default());
        process.life.retain(|target| settings.has(target));
        for name in settings.names() {
            process.life.trust(&health::target(&name));
        }
        let names = settings.names();
        let manners = names.iter().map(|name| (name, Manner::default()));
        let outcomes = process.queue.configure(manners, at(self.now));
        self.settle_outcomes(outcomes);
        self.look();
    }

    fn kill(&mut self, kill: Kill, look: bool) {
        // What waits for a disk is lost with the process, and so are its promises.
        if self.disk_full {
            self.disk_full = false;
            self.commit(Batch::default());
        } else {
            self.turn(Some(kill));
        }
        let number = self.process.number + 1;
        let loaded = self.disk.load(at(0)).unwrap();
        let (process, outcomes) = Process::start(loaded, self.settings, number, self.now);
        self.process = process;
        self.settle_outcomes(outcomes);
        if look {
            self.look();
        }
    }

    /// The daemon turns until nothing is due any more: one incident has one message a turn.
    fn turn(&mut self, kill: Option<Kill>) {
        for _ in 0..8 {
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
        let now = at(self.now);
        let process = &mut self.process;
        let names = self.settings.names();
        let counts = process.queue.counts();
        for verdict in process
            .watch
            .judge(&counts, |name| names.contains(name), false, now)
        {
            process.life.judge(&verdict, now);
        }
        let decided = step(&mut process.life, &mut process.pipeline, now);
        for message in &decided.messages {
            self.must_be_wanted(message);
        }
        if kill == Some(Kill::Undecided) {
            return;
        }
        for message in &decided.messages {
            let before = self.decided.insert(message.id, message.clone());
            assert!(before.is_none(), "the number {} is used twice", message.id);
        }
        self.commit(Batch {
            incidents: decided.rows.incidents,
            seen: decided.rows.seen,
            forgotten: decided.rows.forgotten,
            messages: decided.messages.clone(),
            ..Batch::default()
        });
        if kill == Some(Kill::Unsent) {
            return;
        }
        for message in decided.messages {
            let outcomes = self.process.queue.add(message, now);
            self.settle_outcomes(outcomes);
        }
        self.deliver(match kill {
            Some(Kill::Unconfirmed(after)) => after,
            _ => usize::MAX,
        });
    }

    /// What is muted, outside its hours or taken on by somebody wakes nobody (`semantics` 26).
    fn must_be_wanted(&self, message: &Message) {
        let (event, now) = (message.notice.event, self.now());
        let incident = message.notice.incident.as_deref().unwrap();
        if matches!(event, Event::Resolved | Event::Acknowledged) {
            return;
        }
        let quiet = |client: &Option<ClientId>| {
            self.process.hands.iter().any(|hand| {
                let (of, from, until) = match &hand.measure {
                    Measure::Silence { of, until } => (of, hand.made, *until),
                    Measure::Maintenance {
                        of,
                        when: When::Once { from, until },
                    } => (of, *from, *until),
                    _ => return false,
                };
                let until = hand.lifted.map_or(until, |lifted| lifted.min(until));
                let covers = match &of.client {
                    Some(of) => client.as_ref() == Some(of),
                    None => incident.cause.code.layer() == "host",
                };
                covers && from <= now && now < until
            })
        };
        let turned = incident.affected.iter().any(|one| !one.first_sight);
        let mut news = incident.affected.iter().filter(|one| !turned || !one.first_sight);
        let loud: Vec<_> = news.by_ref().filter(|one| !quiet(&one.client)).collect();
        assert!(!loud.is_empty(), "{event:?} of what is muted: {incident:#?}");
        let begins = matches!(event, Event::Opened | Event::Reopened);
        if begins && self.settings.routing != 1 && incident.cause.root.kind != RootKind::Notifier {
            let own = loud.iter().any(|one| one.client == Some(acme()));
            assert!(
                own || *message.notifier != *"desk",
                "ACME's desk has nothing to do with it"
            );
        }
        if let Some(hours) = self.settings.routing().hours.get(&incident.severity) {
            assert!(hours.contains(now), "{event:?} outside the hours");
        }
        let again = begins || matches!(event, Event::Repeated | Event::Escalated);
        let taken = incident.acknowledged.as_ref();
        assert!(
            !again || taken.is_none(),
            "{event:?} although somebody has taken it on"
        );
    }

    fn deliver(&mut self, most: usize) {
        let mut sent = 0;
        while let Some(message) = self.process.queue.next(at(self.now)) {
            let result = self.receive(&message);
            if sent == most {
                return;
            }
            sent += 1;
            let outcome = self.process.queue.finished(&message, &result, at(self.now), 0.5);
            self.settle_outcomes(outcome.into_iter().collect());
        }
    }

    /// Writes down what became of messages.
    fn settle_outcomes(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes.iter().filter(|outcome| outcome.failed.is_some()) {
            self.given_up.insert(outcome.id);
        }
        self.commit(Batch {
            outcomes,
            ..Batch::default()
        });
    }

    fn receive(&mut self, message: &Message) -> Result<(), Failure> {
        let number = names().iter().position(|name| *name == message.notifier).unwrap();
        match self.receivers[number] {
            (Receiver::Down, _) => return Err(Failure::passing("connection refused")),
            (Receiver::Busy(seconds), since) if self.now < since + seconds => {
                let left = Duration::from_secs(since + seconds - self.now);
                return Err(Failure::passing("429").asking_to_wait(Some(left)));
            }
            (Receiver::Refusing, _) => return Err(Failure::permanent("404")),
            (Receiver::Up | Receiver::Busy(_), _) => {}
        }
        let heard = Heard {
            id: message.id,
            event: message.notice.event,
            key: message.notice.dedup_key.clone(),
            text: message.notice.text.clone(),
            life: self.process.number,
        };
        let key = (message.notifier.clone(), message.incident().unwrap());
        self.heard.entry(key).or_default().push(heard);
        Ok(())
    }

    fn commit(&mut self, batch: Batch) {
        self.process.unwritten.absorb(batch);
        if !self.disk_full {
            self.disk
                .commit(&std::mem::take(&mut self.process.unwritten))
                .unwrap();
        }
    }

    /// Everything is well again, and stays so for long.
    pub(super) fn heal(&mut self) {
        self.play(&Action::Disk(false));
        for change in [Change::Domain(true), Change::Boss(true), Change::Policy(0)] {
            self.play(&Action::Reload(change));
        }
        self.receivers = [(Receiver::Up, self.now); 3];
        self.truth = [(State::Flowing, 0); 4];
        for name in names() {
            self.process.queue.proven(&name, at(self.now));
        }
        self.look();
        // Also over a weekend, in which nobody is told of warnings.
        for _ in 0..14 {
            self.wait(6 * 3600);
        }
    }
}

impl Settings {
    fn has(self, target: &Target) -> bool {
        match target {
            Target::Notifier(name) => self.names().contains(name),
            target => self.domain || *target != self::target(3).0,
        }
    }
}

fn of(whom: Whom) -> Matchers {
    Matchers {
        client: match whom {
            Whom::Acme => Some(acme()),
            Whom::Bravo => Some(bravo()),
            Whom::Hosts => None,
        },
        code: (whom == Whom::Hosts).then(|| "host.*".to_owned()),
        ..Matchers::default()
    }
}

impl Process {
    fn start(loaded: Loaded, settings: Settings, number: u32, now: u64) -> (Self, Vec<Outcome>) {
        assert!(loaded.unreadable.is_empty());
        let mut queue = Queue::default();
        let names = settings.names();
        queue.configure(names.iter().map(|name| (name, Manner::default())), at(now));
        let waiting = loaded.outbox.into_iter();
        let outcomes = waiting.flat_map(|message| queue.add(message, at(now))).collect();
        let restored = Restored {
            open: loaded.open,
            ended: loaded.ended,
            seen: loaded.seen,
            next_id: loaded.next_incident,
        };
        let mut life = Lifecycle::restore(settings.policy(), restored);
        life.retain(|target| settings.has(target));
        for name in &names {
            life.trust(&health::target(name));
        }
        let mut pipeline = Pipeline::new(settings.routing(), Wording::default(), loaded.next_message);
        pipeline.set_hands(loaded.hands.clone());
        let process = Self {
            life,
            pipeline,
            queue,
            watch: Watch::default(),
            hands: loaded.hands,
            unwritten: Batch::default(),
            number,
        };
        (process, outcomes)
    }
}
