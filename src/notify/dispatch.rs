//! The driver around the [`Queue`]: starts what is due, waits, and reports what became of it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Failure, Notifier, Queue};
use crate::model::{IncidentId, Message, Outcome};
use crate::snapshot::NotifierCounts;

/// How long one attempt may take, whatever the notifier itself thinks of it.
const ATTEMPT: Duration = Duration::from_secs(30);
/// How long deliveries on their way may still take when we are to stop.
const GRACE: Duration = Duration::from_secs(1);

/// The time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The notifiers, by name.
pub type Notifiers = BTreeMap<Arc<str>, Arc<Notifier>>;

/// What the dispatcher is asked to do.
#[derive(Debug)]
pub enum Order {
    /// Deliver these; they are written down.
    Send(Vec<Message>),
    /// Use these notifiers from now on.
    Configure(Notifiers),
    /// Go on where the process before this one ended.
    Resume {
        /// What was last told of each incident that goes on, for receivers that have to hear it again and again.
        standing: Vec<Message>,
        /// What receivers gave to be kept.
        captured: Captured,
    },
    /// A test message arrived at this notifier.
    Proven(Arc<str>),
}

/// What a receiver's answer about an incident gave to be kept, by notifier.
pub type Captured = BTreeMap<(IncidentId, Arc<str>), Arc<str>>;

/// The most answers that are kept in memory; the oldest incidents' go first.
const MOST_CAPTURED: usize = 10_000;

/// How an attempt went; taken, it may have given something to be kept.
type Landed = Result<Option<String>, Failure>;

/// Delivers messages.
pub struct Dispatcher {
    queue: Queue,
    notifiers: Notifiers,
    clock: Clock,
    outcomes: mpsc::UnboundedSender<Outcome>,
    counts: watch::Sender<BTreeMap<Arc<str>, NotifierCounts>>,
    captured: Captured,
    flights: JoinSet<(Message, Landed)>,
}

impl Dispatcher {
    /// A dispatcher that reports to `outcomes` what became of each message, for the store, and keeps `counts` up to
    /// date. There are never more outcomes under way than messages were ordered.
    pub fn new(
        notifiers: Notifiers,
        clock: Clock,
        outcomes: mpsc::UnboundedSender<Outcome>,
        counts: watch::Sender<BTreeMap<Arc<str>, NotifierCounts>>,
    ) -> Self {
        let mut this = Self {
            queue: Queue::default(),
            notifiers: Notifiers::new(),
            clock,
            outcomes,
            counts,
            captured: Captured::new(),
            flights: JoinSet::new(),
        };
        this.configure(notifiers);
        this
    }

    /// Works until it is told to stop or nobody can give orders any more. What was not delivered by then stays in
    /// the store's outbox.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>, stop: CancellationToken) {
        loop {
            self.start_due();
            self.counts.send_replace(self.queue.counts());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(landed) = self.flights.join_next() => self.landed(landed),
                order = orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => break,
                },
                () = wait_until(self.queue.next_due(), &self.clock) => {}
            }
        }
        self.land().await;
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Configure(notifiers) => self.configure(notifiers),
            Order::Send(messages) => {
                for message in messages {
                    let dropped = self.queue.add(message, (self.clock)());
                    self.report(dropped);
                }
            }
            Order::Resume { standing, captured } => {
                for message in standing {
                    self.queue.stand(message, (self.clock)());
                }
                self.captured = captured;
            }
            Order::Proven(notifier) => self.queue.proven(&notifier, (self.clock)()),
        }
    }

    fn configure(&mut self, notifiers: Notifiers) {
        let manners = notifiers.iter().map(|(name, notifier)| (name, notifier.manner()));
        let dropped = self.queue.configure(manners, (self.clock)());
        self.notifiers = notifiers;
        self.report(dropped);
    }

    fn start_due(&mut self) {
        while let Some(message) = self.queue.next((self.clock)()) {
            let notifier = self.notifiers.get(&message.notifier).cloned();
            let captured = self.captured_by(&message);
            let now = (self.clock)();
            self.flights.spawn(async move {
                let result = match notifier {
                    Some(notifier) => attempt(&notifier, &message, captured.as_deref(), now).await,
                    None => Err(Failure::permanent("no such notifier is configured")),
                };
                (message, result)
            });
        }
    }

    fn captured_by(&self, message: &Message) -> Option<Arc<str>> {
        let key = (message.incident()?, message.notifier.clone());
        self.captured.get(&key).cloned()
    }

    /// Keeps what an answer gave, unless an earlier one did: a comment's number is not the ticket's.
    fn capture(&mut self, message: &Message, given: Option<String>) -> Option<String> {
        let (incident, given) = (message.incident()?, given?);
        let key = (incident, message.notifier.clone());
        if self.captured.contains_key(&key) {
            return None;
        }
        self.captured.insert(key, given.as_str().into());
        while self.captured.len() > MOST_CAPTURED {
            self.captured.pop_first();
        }
        Some(given)
    }

    fn landed(&mut self, landed: Result<(Message, Landed), tokio::task::JoinError>) {
        // A flight catches its own panics, so that nothing but an abort at the end leaves no result.
        let Ok((message, result)) = landed else { return };
        let result = result.map(|given| self.capture(&message, given));
        if let Err(failure) = &result {
            let (notifier, event) = (&message.notifier, message.notice.event.as_str());
            tracing::warn!(%notifier, event, dedup_key = message.notice.dedup_key, "not delivered: {failure}");
        }
        let (captured, result) = match result {
            Ok(captured) => (captured, Ok(())),
            Err(failure) => (None, Err(failure)),
        };
        let outcome = self.queue.finished(&message, &result, (self.clock)(), chance());
        self.report(outcome.map(|outcome| Outcome { captured, ..outcome }));
    }

    fn report(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        for outcome in outcomes {
            tracing::info!(incident = outcome.incident.map(|id| id.0), "{outcome}");
            // Nobody listens any more only when the daemon ends; then the outbox still has it.
            let _ = self.outcomes.send(outcome);
        }
    }

    /// Waits a moment for what is on its way, and cuts off the rest.
    async fn land(&mut self) {
        let all = async {
            while let Some(landed) = self.flights.join_next().await {
                self.landed(landed);
            }
        };
        let _ = timeout(GRACE, all).await;
        self.flights.shutdown().await;
    }
}

/// Tries once to deliver a message, within 30 s, and survives whatever the notifier does. `captured` is what an
/// earlier answer about the same incident gave to be kept; returns what this one gives.
///
/// # Errors
/// [`Failure`] says whether it is worth trying again.
pub async fn attempt(
    notifier: &Notifier,
    message: &Message,
    captured: Option<&str>,
    now: Timestamp,
) -> Landed {
    let delivery = AssertUnwindSafe(notifier.deliver(message, captured, now)).catch_unwind();
    match timeout(ATTEMPT, delivery).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Failure::passing(
            "the notifier failed within mailflow: this is a bug",
        )),
        Err(_) => Err(Failure::passing("no answer within 30 s")),
    }
}

async fn wait_until(due: Option<Timestamp>, clock: &Clock) {
    match due {
        Some(due) => {
            let left = due.duration_since(clock());
            sleep(Duration::try_from(left).unwrap_or_default()).await;
        }
        None => std::future::pending().await,
    }
}

/// A number from 0 to 1.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness the attempts are merely not spread.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}
