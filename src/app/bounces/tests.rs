//! A mailbox for bounces in a small post office, read by the reader itself.

use std::time::Duration;

use rstest::rstest;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

mod hook;

use super::*;
use crate::app::engine::Command;
use crate::app::keeper::Keeper;
use crate::app::sources::Marks;
use crate::model::{Code, Fate};
use crate::probe::canary::Identity;
use crate::probe::canary::tests::post::{Idle, Manner, Post, SERVER};
use crate::probe::fixtures::context;
use crate::store::{SqliteStore, Store as _};
use crate::surface::sample;

fn message(name: &str) -> String {
    let path = format!("{}/tests/messages/{name}.eml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().replace('\n', "\r\n")
}

fn senders() -> Senders {
    let domain = |name: &str| DomainName::parse(name).unwrap();
    let client = |id: &str| ClientId::parse(id).unwrap();
    Senders {
        addresses: BTreeSet::from(["boss@elsewhere.test".to_owned()]),
        domains: BTreeSet::from([domain("msp.test")]),
        owners: BTreeMap::from([
            (domain("acme.test"), client("acme")),
            (domain("beta.test"), client("beta")),
        ]),
        witness: Witness::Own("mx.msp.test".into()),
    }
}

fn place(port: u16) -> Place {
    Place {
        host: SERVER.parse().unwrap(),
        port,
        identity: Some(Identity::with_password(
            "canary",
            Arc::new(|| Ok(SecretString::from("hunter2"))),
        )),
    }
}

/// A post office, a store, and whoever reads.
struct Bench {
    post: Arc<Post>,
    folder: TempDir,
}

struct Running {
    stop: CancellationToken,
    reading: JoinHandle<()>,
    heard: mpsc::Receiver<Command>,
    keeper: Keeper,
    thread: std::thread::JoinHandle<()>,
}

impl Bench {
    fn new(manner: Manner) -> Self {
        Self {
            post: Arc::new(Post::new(manner)),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn start(&self, delete: bool) -> Running {
        let mut store = SqliteStore::open(&self.folder.path().join("mailflow.db")).unwrap();
        let mut memory = store.load(Timestamp::MAX).unwrap();
        let (keeper, thread) = Keeper::start(Box::new(store)).unwrap();
        let (commands, heard) = mpsc::channel(100);
        let wires = Wires {
            commands,
            marks: Arc::new(Marks::restore(&mut memory, &keeper)),
            snapshots: watch::channel(Arc::new(sample::calm())).1,
        };
        let mailbox = Arc::new(Mailbox {
            name: "mailbox bounces".into(),
            place: place(993),
            folder: "INBOX".into(),
            interval: Duration::from_secs(10),
            delete,
            way: Way {
                mail: Some((place(587), "bounces@msp.test".into())),
                hook: None,
            },
            senders: senders(),
            counted: Bounces::new(),
        });
        let trust = Arc::clone(&self.post.trust);
        let reader = Reader::new(&self.post, (context(), trust), mailbox, wires);
        let stop = CancellationToken::new();
        let reading = tokio::spawn(reader.run(stop.clone()));
        Running {
            stop,
            reading,
            heard,
            keeper,
            thread,
        }
    }

    /// What was handed in as an answer.
    fn answers(&self) -> Vec<String> {
        let left = self.post.left().into_iter();
        let ours = |text: &String| text.contains("From: bounces@msp.test\r\n");
        left.map(|mail| mail.text).filter(ours).collect()
    }
}

impl Running {
    /// Time passes; what is to be written down is, before it goes on: the store's thread knows no paused clock.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.keeper.ask(|_| ());
        }
    }

    async fn end(mut self) -> Vec<Heard> {
        self.stop.cancel();
        self.reading.await.unwrap();
        self.keeper.close(mpsc::unbounded_channel().1);
        self.thread.join().unwrap();
        let mut all = Vec::new();
        while let Ok(command) = self.heard.try_recv() {
            if let Command::Heard(heard) = command {
                all.push(*heard);
            }
        }
        all
    }
}

#[tokio::test(start_paused = true)]
async fn a_forwarded_bounce_is_explained_once_and_never_again() {
    let bench = Bench::new(Manner::default());
    bench.post.put(&message("forwarded-attached"), false);
    let running = bench.start(false);
    running.pass(25).await;
    let heard = running.end().await;
    let reports: Vec<_> = heard.iter().flat_map(|heard| &heard.reports).collect();
    assert_eq!(reports.len(), 1, "{heard:?}");
    assert_eq!(
        (reports[0].code, reports[0].fate),
        (Some(Code::RecipientUnknown), Fate::Bounced)
    );
    assert_eq!(
        (reports[0].client.as_str(), reports[0].to.as_str()),
        ("acme", "partner.test")
    );
    let answers = bench.answers();
    assert_eq!(answers.len(), 1, "{:?}", bench.post.left());
    assert!(
        answers[0].contains("There is no mailbox with this address"),
        "{}",
        answers[0]
    );
    assert!(
        answers[0].contains("In-Reply-To: <fwd@acme.test>\r\n"),
        "{}",
        answers[0]
    );
    let original = &bench.post.left()[0];
    assert!(original.seen && !original.deleted, "{original:?}");
    // Somebody marks it as unread, and the daemon starts anew.
    bench.post.state.lock().unwrap().mail[0].seen = false;
    let running = bench.start(false);
    running.pass(25).await;
    bench.post.put(&message("forwarded-outlook-de"), false);
    running.pass(25).await;
    let heard = running.end().await;
    let reports = heard.iter().flat_map(|heard| &heard.reports);
    assert_eq!(
        reports.count(),
        1,
        "only the new one: {heard:?} {:?}",
        bench.post.heard()
    );
    assert_eq!(bench.answers().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_machines_and_strangers_send_is_not_answered() {
    let bench = Bench::new(Manner::default());
    let person = message("forwarded-attached");
    for text in [
        person.replacen("To: help", "Auto-Submitted: auto-generated\r\nTo: help", 1),
        person.replacen("anna@acme.test", "mallory@evil.test", 1),
        person.replacen(
            "From: Anna",
            "Authentication-Results: mx; dmarc=fail\r\nFrom: Anna",
            1,
        ),
        message("postfix-unknown"),
        message("out-of-office"),
    ] {
        bench.post.put(&text, false);
    }
    let running = bench.start(false);
    running.pass(25).await;
    let heard = running.end().await;
    assert_eq!(bench.answers(), [""; 0]);
    assert_eq!(
        heard.iter().flat_map(|heard| &heard.reports).count(),
        1,
        "that which a rule forwards"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_read_is_deleted_where_that_is_asked_for() {
    let bench = Bench::new(Manner::default());
    bench.post.put(&message("forwarded-attached"), false);
    let running = bench.start(true);
    running.pass(5).await;
    running.end().await;
    let left = bench.post.left();
    assert!(left.iter().all(|mail| mail.uid != 1), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_told_at_once_and_an_outage_after_a_while() {
    let bench = Bench::new(Manner {
        says: vec![("LOGIN", "NO [AUTHENTICATIONFAILED] Invalid credentials")],
        ..Manner::default()
    });
    let running = bench.start(false);
    running.pass(5).await;
    let heard = running.end().await;
    let told = heard.iter().find_map(|heard| heard.health.clone()).unwrap();
    assert!(told.1.unwrap().contains("Invalid credentials"));
    let bench = Bench::new(Manner {
        down: vec![993],
        ..Manner::default()
    });
    let running = bench.start(false);
    running.pass(120).await;
    assert_eq!(running.end().await, [], "it may pass");
    let running = bench.start(false);
    running.pass(400).await;
    bench.post.manner.lock().unwrap().down.clear();
    running.pass(60).await;
    let told: Vec<_> = running
        .end()
        .await
        .into_iter()
        .filter_map(|heard| heard.health)
        .collect();
    assert!(
        told[0].1.is_some() && told.last().unwrap().1.is_none(),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_handed_in_is_tried_again() {
    let bench = Bench::new(Manner {
        down: vec![587],
        ..Manner::default()
    });
    bench.post.put(&message("forwarded-attached"), false);
    let running = bench.start(false);
    running.pass(40).await;
    assert_eq!(bench.answers(), [""; 0]);
    bench.post.manner.lock().unwrap().down.clear();
    running.pass(120).await;
    running.end().await;
    assert_eq!(bench.answers().len(), 1);
}

/// A server that tells of new mail by itself and loses us now and then: what comes is read, and nothing twice.
#[tokio::test(start_paused = true)]
async fn a_mailbox_that_drops_us_while_we_wait_is_opened_anew() {
    let bench = Bench::new(Manner {
        idle: Some(Idle::Drops(Duration::from_secs(4))),
        ..Manner::default()
    });
    let running = bench.start(false);
    running.pass(20).await;
    bench.post.put(&message("forwarded-attached"), false);
    running.pass(40).await;
    let heard = running.end().await;
    assert_eq!(heard.iter().flat_map(|heard| &heard.reports).count(), 1);
    let failed = heard.iter().filter_map(|heard| heard.health.as_ref()?.1.as_ref());
    assert_eq!(failed.count(), 0, "{heard:?}");
    assert_eq!(bench.answers().len(), 1);
    let sessions = bench.post.state.lock().unwrap().connections.clone();
    assert!(
        sessions.iter().filter(|port| **port == 993).count() >= 3,
        "{sessions:?}"
    );
}

#[test]
fn a_client_is_not_believed_about_anothers_mail() {
    let senders = senders();
    let explanation = message::explain(message("forwarded-attached").as_bytes());
    let letter = |from: &str| Letter {
        from: Some(from.into()),
        ..message::letter(message("forwarded-attached").as_bytes())
    };
    let now: Timestamp = "2026-11-26T09:30:00Z".parse().unwrap();
    let heard = |from: &str| match read(&senders, &letter(from), &explanation, now, now) {
        Reading::Heard { client, reports, .. } => (client.map(|client| client.to_string()), reports.len()),
        Reading::Ignored(_) => (None, 99),
    };
    assert_eq!(heard("anna@acme.test"), (Some("acme".into()), 1));
    assert_eq!(
        heard("tech@msp.test"),
        (Some("acme".into()), 1),
        "whoever looks after them"
    );
    assert_eq!(heard("Boss@elsewhere.test"), (Some("acme".into()), 1));
    assert_eq!(heard("bert@beta.test"), (None, 0));
    assert_eq!(heard("mallory@evil.test"), (None, 99));
}

/// What a server says of where a forward comes from: its own uppermost word counts, and where it is named, nothing does
/// without it.
#[rstest]
#[case::nothing_said("", true, false)]
#[case::vouched_for(
    "Authentication-Results: mx.msp.test; dmarc=pass header.from=acme.test\r\n",
    true,
    true
)]
#[case::signed(
    "Authentication-Results: MX.msp.test; dkim=pass header.d=acme.test\r\n",
    true,
    true
)]
#[case::nothing_found("Authentication-Results: mx.msp.test; spf=none; dkim=none\r\n", false, false)]
#[case::signed_by_another(
    "Authentication-Results: mx.msp.test; dkim=pass header.d=evil.test\r\n",
    false,
    false
)]
#[case::somebody_elses_word(
    "Authentication-Results: mx.evil.test; dmarc=pass header.from=acme.test\r\n",
    true,
    false
)]
#[case::brought_along(
    "Authentication-Results: mx.msp.test; dkim=none\r\n\
     Authentication-Results: mx.msp.test; dmarc=pass header.from=acme.test\r\n",
    false,
    false
)]
#[case::microsofts(
    "Authentication-Results: spf=pass smtp.mailfrom=acme.test; dkim=none\r\n",
    true,
    false
)]
#[case::microsofts_doubt(
    "Authentication-Results: spf=none smtp.mailfrom=acme.test; dkim=none\r\n",
    false,
    false
)]
fn a_forward_is_believed_by_the_word_of_a_server(
    #[case] headers: &str,
    #[case] own: bool,
    #[case] named: bool,
) {
    let text = format!("{headers}{}", message("forwarded-attached"));
    let (letter, explanation) = (
        message::letter(text.as_bytes()),
        message::explain(text.as_bytes()),
    );
    let now: Timestamp = "2026-11-26T09:30:00Z".parse().unwrap();
    let is_evidence = |witness| {
        let senders = Senders { witness, ..senders() };
        match read(&senders, &letter, &explanation, now, now) {
            Reading::Heard { client, reports, .. } => {
                assert_eq!(client.is_some(), !reports.is_empty());
                client.is_some()
            }
            Reading::Ignored(why) => panic!("{why}"),
        }
    };
    assert_eq!(is_evidence(Witness::Own("mx.msp.test".into())), own);
    assert_eq!(is_evidence(Witness::Named("mx.msp.test".into())), named);
    assert!(is_evidence(Witness::Nobody));
}

#[test]
fn a_bounce_happened_when_it_was_written() {
    let text = message("forwarded-attached");
    let (letter, explanation) = (
        message::letter(text.as_bytes()),
        message::explain(text.as_bytes()),
    );
    let at = |arrived: &str, now: &str| {
        let now: Timestamp = now.parse().unwrap();
        match read(&senders(), &letter, &explanation, arrived.parse().unwrap(), now) {
            Reading::Heard { reports, .. } => reports[0].at.to_string(),
            Reading::Ignored(why) => why.to_owned(),
        }
    };
    assert_eq!(
        at("2026-11-27T10:00:00Z", "2026-11-27T10:00:10Z"),
        "2026-11-26T09:00:02Z"
    );
    // A clock that is wrong is not believed.
    assert_eq!(
        at("2026-11-25T10:00:00Z", "2026-11-25T10:00:10Z"),
        "2026-11-25T10:00:00Z"
    );
}
