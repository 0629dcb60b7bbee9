//! What the HTTP server may ask of the daemon.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::model::{
    DomainName, Hand, HandId, HandKind, Incident, IncidentId, IncidentState, Measure, State, Target,
};
use crate::monitor::Unapprovable;
use crate::notify::{Clock, Notifiers, Order, Pipeline, attempt};
use crate::picture::MxSet;
use crate::store::{Batch, IncidentFilter};
use crate::surface::http::{
    ApproveError, Approver, History, HistoryError, NotifierTester, OperateError, Operator, Reloader,
    TestError,
};

use super::engine::{Command, Settled};
use super::hands::Wish;
use super::keeper::Keeper;

/// Incidents from the store.
pub struct Archive(pub Keeper);

const GONE: &str = "the store is closed";
/// More turns of one target than retention keeps of any that does not flap all day.
const TURNS: usize = 50_000;

impl Archive {
    fn incidents(
        &self,
        filter: IncidentFilter,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, HistoryError> {
        let answer = self.0.ask(move |store| {
            store
                .incidents(&filter, before, limit)
                .map_err(|error| error.to_string())
        });
        answer.unwrap_or_else(|| Err(GONE.into())).map_err(HistoryError)
    }
}

impl History for Archive {
    fn closed(&self, before: Option<IncidentId>, limit: usize) -> Result<Vec<Incident>, HistoryError> {
        let filter = IncidentFilter {
            state: Some(IncidentState::Resolved),
            ..IncidentFilter::default()
        };
        self.incidents(filter, before, limit)
    }

    fn over_since(&self, since: Timestamp, limit: usize) -> Result<Vec<Incident>, HistoryError> {
        let filter = IncidentFilter {
            state: Some(IncidentState::Resolved),
            lasted_until: Some(since),
            ..IncidentFilter::default()
        };
        self.incidents(filter, None, limit)
    }

    fn incident(&self, id: IncidentId) -> Result<Option<Incident>, HistoryError> {
        let answer = self
            .0
            .ask(move |store| store.incident(id).map_err(|error| error.to_string()));
        answer.unwrap_or_else(|| Err(GONE.into())).map_err(HistoryError)
    }

    fn turns(&self, target: &Target) -> Result<Vec<(Timestamp, State)>, HistoryError> {
        let target = target.clone();
        let answer = self.0.ask(move |store| {
            let turns = store.history(&target, Timestamp::UNIX_EPOCH, TURNS);
            turns.map_err(|error| error.to_string())
        });
        let turns = answer.unwrap_or_else(|| Err(GONE.into())).map_err(HistoryError)?;
        Ok(turns.into_iter().map(|turn| (turn.at, turn.state)).collect())
    }
}

/// Reads the configuration anew and settles it for every room.
pub type Settle = Arc<dyn Fn() -> Result<Settled, String> + Send + Sync>;

/// Reloads the configuration.
pub struct Reload {
    /// Reads and settles it; may block.
    pub settle: Settle,
    /// To the daemon's loop.
    pub commands: mpsc::Sender<Command>,
    /// The notifiers in use, for test messages.
    pub notifiers: Arc<Mutex<Notifiers>>,
    /// Where the HTTP server listens: that cannot be changed while it does.
    pub listen: SocketAddr,
}

impl Reload {
    async fn take(&self) -> Result<(), String> {
        let settle = Arc::clone(&self.settle);
        let settled = tokio::task::spawn_blocking(move || settle())
            .await
            .unwrap_or_else(|error| Err(format!("reading the configuration failed: {error}")))
            .and_then(|settled| self.same_place(settled));
        let settled = match settled {
            Ok(settled) => settled,
            Err(problems) => {
                tracing::error!("the configuration was not reloaded, the old one goes on:\n{problems}");
                let _ = self.commands.send(Command::ReloadFailed).await;
                return Err(problems);
            }
        };
        let notifiers = settled.notifiers.clone();
        let (done, taken) = oneshot::channel();
        let gone = || "the daemon is stopping".to_owned();
        self.commands
            .send(Command::Reload(Box::new(settled), done))
            .await
            .map_err(|_| gone())?;
        taken.await.map_err(|_| gone())?;
        *self.notifiers.lock().unwrap_or_else(PoisonError::into_inner) = notifiers;
        Ok(())
    }
}

impl Reload {
    /// What protects a listener on loopback may not be enough for the one that we have.
    fn same_place(&self, settled: Settled) -> Result<Settled, String> {
        if settled.listen == self.listen {
            return Ok(settled);
        }
        let (old, new) = (self.listen, settled.listen);
        Err(format!(
            "server.listen has changed from {old} to {new}: that takes a restart"
        ))
    }
}

impl Reloader for Reload {
    fn reload(&self) -> BoxFuture<'_, Result<(), String>> {
        self.take().boxed()
    }
}

/// Sends test messages.
pub struct Tester {
    /// The notifiers in use.
    pub notifiers: Arc<Mutex<Notifiers>>,
    /// To whoever delivers messages: what waits is worth trying once a test has arrived.
    pub orders: mpsc::Sender<Order>,
    /// The time.
    pub clock: Clock,
}

impl NotifierTester for Tester {
    fn test<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), TestError>> {
        async move {
            let notifiers = self
                .notifiers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let notifier = notifiers.get(name).ok_or(TestError::Unknown)?;
            send_test(notifier, name, (self.clock)())
                .await
                .map_err(TestError::Failed)?;
            // Only a daemon that ends no longer listens.
            let _ = self.orders.send(Order::Proven(name.into())).await;
            Ok(())
        }
        .boxed()
    }
}

/// Approves changed MX sets.
pub struct Approvals(pub mpsc::Sender<Command>);

impl Approvals {
    async fn pass_on(&self, domain: DomainName) -> Result<BTreeSet<String>, ApproveError> {
        let (done, answer) = oneshot::channel();
        let sent = self.0.send(Command::Approve(domain, done)).await;
        sent.map_err(|_| ApproveError::Stopping)?;
        let approved = answer.await.map_err(|_| ApproveError::Stopping)?;
        let names = |set: MxSet| set.iter().map(ToString::to_string).collect();
        approved.map(names).map_err(|reason| match reason {
            Unapprovable::Unwatched => ApproveError::Unwatched,
            Unapprovable::Configured => ApproveError::Configured,
            Unapprovable::Unanswered => ApproveError::Unanswered,
        })
    }
}

impl Approver for Approvals {
    fn approve(&self, domain: DomainName) -> BoxFuture<'_, Result<BTreeSet<String>, ApproveError>> {
        self.pass_on(domain).boxed()
    }
}

/// Does what people wish.
pub struct Desk {
    /// To the daemon's loop.
    pub commands: mpsc::Sender<Command>,
    /// For incidents that the loop no longer has at hand.
    pub keeper: Keeper,
    /// The time.
    pub clock: Clock,
}

impl Desk {
    async fn ask<T>(&self, wish: impl FnOnce(oneshot::Sender<T>) -> Wish) -> Result<T, OperateError> {
        let (done, answer) = oneshot::channel();
        let sent = self.commands.send(Command::Grant(Box::new(wish(done)))).await;
        sent.map_err(|_| OperateError::Stopping)?;
        answer.await.map_err(|_| OperateError::Stopping)
    }

    /// Writes a line into the log of an incident that ended long ago.
    async fn note_in_store(&self, id: IncidentId, text: String) -> Result<(), OperateError> {
        let (keeper, now) = (self.keeper.clone(), (self.clock)());
        let written = tokio::task::spawn_blocking(move || {
            keeper.ask(move |store| {
                let Some(mut incident) = store.incident(id)? else {
                    return Ok(false);
                };
                incident.write(now, text);
                let batch = Batch {
                    incidents: vec![Arc::new(incident)],
                    ..Batch::default()
                };
                store.commit(&batch).map(|()| true)
            })
        });
        match written.await {
            Ok(Some(Ok(true))) => Ok(()),
            Ok(Some(Ok(false))) => Err(OperateError::Missing),
            Ok(Some(Err(error))) => Err(OperateError::Store(error.to_string())),
            Ok(None) | Err(_) => Err(OperateError::Stopping),
        }
    }
}

impl Operator for Desk {
    fn acknowledge(&self, id: IncidentId, by: String) -> BoxFuture<'_, Result<Arc<Incident>, OperateError>> {
        async move {
            let answer = self.ask(|done| Wish::Acknowledge(id, by, done)).await?;
            answer.map_err(|_| OperateError::Over)
        }
        .boxed()
    }

    fn note(&self, id: IncidentId, text: String) -> BoxFuture<'_, Result<(), OperateError>> {
        async move {
            let known = self.ask(|done| Wish::Note(id, text.clone(), done)).await?;
            if known {
                return Ok(());
            }
            self.note_in_store(id, text).await
        }
        .boxed()
    }

    fn set(&self, measure: Measure, by: String, reason: String) -> BoxFuture<'_, Result<Hand, OperateError>> {
        async move {
            let made = self.ask(|done| Wish::Set(measure, by, reason, done)).await?;
            made.map_err(OperateError::Wrong)
        }
        .boxed()
    }

    fn lift(&self, id: HandId, kind: HandKind) -> BoxFuture<'_, Result<Hand, OperateError>> {
        async move {
            let lifted = self.ask(|done| Wish::Lift(id, kind, done)).await?;
            lifted.ok_or(OperateError::Missing)
        }
        .boxed()
    }
}

/// Sends one test message and waits for what becomes of it.
///
/// # Errors
/// What the other side, or the way there, said.
pub async fn send_test(
    notifier: &Arc<crate::notify::Notifier>,
    name: &str,
    now: Timestamp,
) -> Result<(), String> {
    let message = Pipeline::test_message(name, now);
    attempt(notifier, &message, None, now)
        .await
        .map(drop)
        .map_err(|failure| failure.to_string())
}
