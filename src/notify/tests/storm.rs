//! Storms: everything fails at once, and still each cause is one message, soon, and of a bounded size.
//!
//! Small at each run; with `MAILFLOW_TESTS=thorough` 10,000 domains fail.

use std::sync::Arc;
use std::time::Duration;

use crate::incident::sample::{acme, at, cause, domain, root, verdict};
use crate::incident::{Lifecycle, Policy};
use crate::model::{Cause, ClientId, Code, Event, Message, RootKind, State, Verdict};
use crate::notify::{Pipeline, Routing, Step, Wording, step};
use crate::store::{Batch, SqliteStore, Store as _};

/// The most bytes of a message in the outbox, texts and all that it lists.
const MESSAGE: usize = 512 * 1024;

const GROUP_WAIT: u64 = 10;

/// How many domains fail.
fn many() -> usize {
    let thorough = std::env::var_os("MAILFLOW_TESTS").is_some_and(|how| how == "thorough");
    if thorough { 10_000 } else { 600 }
}

struct Storm {
    life: Lifecycle,
    pipeline: Pipeline,
    disk: SqliteStore,
}

impl Storm {
    /// All domains are well; two notifiers are told of everything.
    fn new(domains: usize) -> Self {
        let policy = Policy {
            group_wait: Duration::from_secs(GROUP_WAIT),
            critical_after: Duration::ZERO,
            ..Policy::default()
        };
        let notifiers: Vec<Arc<str>> = vec!["oncall".into(), "chat".into()];
        let routing = Routing {
            otherwise: notifiers.clone(),
            all: notifiers,
            ..Routing::default()
        };
        let mut storm = Self {
            life: Lifecycle::new(policy),
            pipeline: Pipeline::new(routing, Wording::default(), 1),
            disk: SqliteStore::in_memory().unwrap(),
        };
        for number in 0..domains {
            storm.life.judge(&judged(number, None), at(0));
        }
        storm
    }

    /// A turn of the daemon; what it decides is written down.
    fn turn(&mut self, seconds: u64) -> Vec<Message> {
        let Step { rows, messages } = step(&mut self.life, &mut self.pipeline, at(seconds));
        self.disk
            .commit(&Batch {
                incidents: rows.incidents,
                seen: rows.seen,
                messages: messages.clone(),
                ..Batch::default()
            })
            .unwrap();
        messages
    }

    /// All domains fail within some seconds, as their probes come round. What is told until long after, and when.
    fn rages(&mut self, domains: usize, blamed: impl Fn(usize) -> Cause) -> Vec<(u64, Message)> {
        let mut told = Vec::new();
        for second in 100..100 + GROUP_WAIT + 60 {
            for number in 0..domains {
                if u64::try_from(number).unwrap() % GROUP_WAIT == second.saturating_sub(100) {
                    let cause = blamed(number);
                    self.life.judge(&judged(number, Some(cause)), at(second));
                }
            }
            told.extend(self.turn(second).into_iter().map(|message| (second, message)));
        }
        told
    }
}

fn judged(number: usize, cause: Option<Cause>) -> Verdict {
    let state = cause.as_ref().map_or(State::Flowing, |_| State::Broken);
    let client = match number % 40 {
        0 => acme(),
        other => ClientId::parse(&format!("client{other}")).unwrap(),
    };
    Verdict {
        client: Some(client),
        ..verdict(&domain(&format!("domain-number-{number}.test")), state, cause)
    }
}

fn size(message: &Message) -> usize {
    serde_json::to_string(&*message.notice).unwrap().len()
}

#[test]
fn one_cause_is_one_message_however_many_it_touches() {
    let domains = many();
    let mut storm = Storm::new(domains);
    assert!(storm.turn(1).is_empty());
    let told = storm.rages(domains, |_| {
        cause(Code::ProviderOutage, root(RootKind::Provider, "BIGMAIL"))
    });
    let what: Vec<_> = told
        .iter()
        .map(|(_, message)| (&*message.notifier, message.notice.event))
        .collect();
    assert_eq!(what, [("oncall", Event::Opened), ("chat", Event::Opened)]);
    for (second, message) in &told {
        assert!(*second <= 100 + GROUP_WAIT + 2, "told only after {second} s");
        assert_eq!(message.notice.affected, domains, "it says how many");
        let notice = &message.notice;
        assert!(notice.subject.contains("more clients"), "{}", notice.subject);
        assert!(
            notice.text.contains(&format!("{domains} domains")),
            "{}",
            notice.text
        );
        assert!(notice.body.contains("and 20 more clients"), "{}", notice.body);
        assert!(notice.text.len() < 2500 && notice.body.len() < 20_000);
        assert!(size(message) < MESSAGE, "{} bytes", size(message));
    }
    let written = storm.disk.load(at(0)).unwrap();
    assert_eq!((written.outbox.len(), written.open.len()), (2, 1));
    assert_eq!(written.open[0].affected.len(), domains);
    assert!(serde_json::to_string(&written.open[0]).unwrap().len() < domains * 400 + 10_000);
}

#[test]
fn many_causes_at_once_are_one_message_each() {
    let (domains, causes) = (many(), many() / 50);
    let mut storm = Storm::new(domains);
    storm.turn(1);
    let told = storm.rages(domains, |number| {
        let name = format!("mx{}.test", number % causes);
        cause(Code::HostRefused, root(RootKind::MxSet, &name))
    });
    let mut groups: Vec<_> = told
        .iter()
        .map(|(_, message)| (message.incident(), message.notifier.clone()))
        .collect();
    groups.sort();
    let all = groups.len();
    groups.dedup();
    assert_eq!((groups.len(), all), (2 * causes, 2 * causes));
    let bytes: usize = told.iter().map(|(_, message)| size(message)).sum();
    assert!(bytes < all * 20_000, "{bytes} bytes for {all} messages");
    assert!(told.iter().all(|(second, _)| *second <= 100 + 2 * GROUP_WAIT + 2));
}
