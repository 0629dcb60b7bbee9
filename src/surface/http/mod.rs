//! The HTTP server: metrics, health, the API, live events and the page.
//!
//! Whatever can be known is read from the newest snapshot; the few things that lie elsewhere (older incidents)
//! or change something (reload, test alerts) go through the small traits here, which the daemon implements.

mod api;
mod book;
mod buttons;
mod check;
mod connections;
mod digest;
mod door;
mod error;
mod events;
mod explain;
mod guard;
mod hands;
mod incidents;
mod links;
mod openapi;
mod operate;
mod pages;
mod paging;
mod probe;
mod quiet;
mod report;
mod scrape;
mod summary;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
mod views;
mod visit;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use axum::routing::{delete, get, post};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::model::{
    Deed, DomainName, Entry, Hand, HandError, HandId, HandKind, Incident, IncidentId, Measure, Seal, State,
    Target, Verdict,
};
use crate::snapshot::Snapshot;

pub use door::{Access, Doors, Guests, Hidden, Token, User, hash_password};
pub use tls::tls;

/// Everything that the server reads and may ask for. Cheap to clone.
#[derive(Clone)]
pub struct Surface {
    /// The newest snapshot.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The time, as the net port tells it.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Incidents that the snapshot no longer holds.
    pub history: Arc<dyn History>,
    /// Takes a new configuration.
    pub reloader: Arc<dyn Reloader>,
    /// Sends test alerts.
    pub notifiers: Arc<dyn NotifierTester>,
    /// Takes changed MX sets for right.
    pub approver: Arc<dyn Approver>,
    /// Does what people wish.
    pub operator: Arc<dyn Operator>,
    /// Looks at domains that are not configured.
    pub prober: Arc<dyn Prober>,
    /// Set once the first snapshot stands; until then `/-/ready` says 503.
    pub ready: Arc<AtomicBool>,
    /// `server.external_url`, for links in answers; without it links are relative.
    pub external_url: Option<Arc<str>>,
    /// What every page says on top.
    pub notice: Option<Arc<str>>,
    /// Who may come in.
    pub doors: watch::Receiver<Arc<Doors>>,
    /// What sessions and links are signed with.
    pub seal: Seal,
    /// Keeps the book of what was done by hand.
    pub clerk: Arc<dyn Clerk>,
}

/// Keeps the book of what was done by hand, and the seal.
pub trait Clerk: Send + Sync + 'static {
    /// Writes something down, soon.
    fn record(&self, deed: Deed);

    /// What was written down, the latest first, with a number below `before`, at most `limit`. May block.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn deeds(&self, before: Option<u64>, limit: usize) -> Result<Vec<Entry>, HistoryError>;

    /// Signs with another key from now on: all links and sessions of before end. May block.
    ///
    /// # Errors
    /// When there is no randomness for a key, or the store cannot be written: all stays as it was then.
    fn renew_seal(&self) -> Result<(), HistoryError>;
}

/// Incidents that are over, beyond the last hundred of the snapshot.
pub trait History: Send + Sync + 'static {
    /// Those that are over with a number below `before`, the highest number first, at most `limit`. May block.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn closed(&self, before: Option<IncidentId>, limit: usize) -> Result<Vec<Incident>, HistoryError>;

    /// Those that are over, and went on at `since` or later, the highest number first, at most `limit`. May block.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn over_since(&self, since: Timestamp, limit: usize) -> Result<Vec<Incident>, HistoryError>;

    /// One incident by its number, open or over. May block.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn incident(&self, id: IncidentId) -> Result<Option<Incident>, HistoryError>;

    /// Into which states a target turned and when, the oldest first, as far back as is kept. May block.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn turns(&self, target: &Target) -> Result<Vec<(Timestamp, State)>, HistoryError>;
}

/// The store could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store could not be read: {0}")]
pub struct HistoryError(pub String);

/// Takes the configuration anew.
pub trait Reloader: Send + Sync + 'static {
    /// Reloads; a configuration with a mistake changes nothing.
    ///
    /// # Errors
    /// The problems, rendered for people.
    fn reload(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// Sends test alerts.
pub trait NotifierTester: Send + Sync + 'static {
    /// Sends one test message by the notifier of this name, and waits for what becomes of it.
    ///
    /// # Errors
    /// [`TestError`] tells an unknown name from a failed delivery.
    fn test<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), TestError>>;
}

/// Why a test message did not go out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestError {
    /// No notifier has this name.
    #[error("no notifier has this name")]
    Unknown,
    /// The other side did not take it; why, in words.
    #[error("the test message was not taken: {0}")]
    Failed(String),
}

/// Takes changed MX sets for right (`semantics` 8).
pub trait Approver: Send + Sync + 'static {
    /// Approves the MX set that a domain has now, and gives it: names of hosts, `.` for a null MX, nothing where mail
    /// goes to the domain's own address.
    ///
    /// # Errors
    /// [`ApproveError`]; nothing has changed then.
    fn approve(&self, domain: DomainName) -> BoxFuture<'_, Result<BTreeSet<String>, ApproveError>>;
}

/// Why an MX set was not approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApproveError {
    /// The domain is not watched.
    #[error("this domain is not watched")]
    Unwatched,
    /// The configuration says what is right.
    #[error("expect_mx in the configuration says which mail servers are right: change it there, and reload")]
    Configured,
    /// There is no MX set to approve.
    #[error(
        "DNS does not say at the moment where the domain's mail goes, so there is nothing to approve: try again later"
    )]
    Unanswered,
    /// The daemon is about to end.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Does what people wish about incidents and messages.
pub trait Operator: Send + Sync + 'static {
    /// Takes an open incident on for `by`, and gives it; who took it on first stays.
    ///
    /// # Errors
    /// [`OperateError::Over`], [`OperateError::Stopping`].
    fn acknowledge(&self, id: IncidentId, by: String) -> BoxFuture<'_, Result<Arc<Incident>, OperateError>>;

    /// Writes a line into an incident's log, open or over.
    ///
    /// # Errors
    /// [`OperateError::Missing`], [`OperateError::Store`], [`OperateError::Stopping`].
    fn note(&self, id: IncidentId, text: String) -> BoxFuture<'_, Result<(), OperateError>>;

    /// Sets something by hand: what, who, why.
    ///
    /// # Errors
    /// [`OperateError::Wrong`], [`OperateError::Stopping`].
    fn set(&self, measure: Measure, by: String, reason: String) -> BoxFuture<'_, Result<Hand, OperateError>>;

    /// Lifts what was set by hand, and gives it.
    ///
    /// # Errors
    /// [`OperateError::Missing`], where nothing of this kind and number holds; [`OperateError::Stopping`].
    fn lift(&self, id: HandId, kind: HandKind) -> BoxFuture<'_, Result<Hand, OperateError>>;
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperateError {
    /// The incident does not go on.
    #[error("this incident is over: there is nothing to take on")]
    Over,
    /// There is nothing of this number.
    #[error("there is nothing of this number")]
    Missing,
    /// What somebody wants to set means nothing.
    #[error("{0}")]
    Wrong(HandError),
    /// The store could not be read or written.
    #[error("the store failed: {0}")]
    Store(String),
    /// The daemon is about to end.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Looks at domains that are not configured.
pub trait Prober: Send + Sync + 'static {
    /// Looks once at a domain, for at most `within` (what is unanswered then is unknown), and gives a snapshot that
    /// holds nothing but this domain.
    ///
    /// # Errors
    /// [`ProbeError`]; nothing was sent then.
    fn probe(&self, domain: DomainName, within: Duration)
    -> BoxFuture<'_, Result<Arc<Snapshot>, ProbeError>>;

    /// Looks once at a domain, or at the way of a client's mail to one, configured or not, for at most `within`.
    ///
    /// # Errors
    /// [`ProbeError::Busy`]; [`ProbeError::Unwatched`] where no such client is configured.
    fn check(&self, target: Target, within: Duration) -> BoxFuture<'_, Result<Arc<Verdict>, ProbeError>>;
}

/// Why a domain was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// It is not configured, and nobody may ask for others.
    #[error("/probe answers for configured domains only, unless `server.probe_any` is set")]
    Unwatched,
    /// Others are being looked at.
    #[error("too many other domains are being looked at: try again, or ask for fewer at a time")]
    Busy,
}

/// Looks at nothing but what is configured.
pub struct ConfiguredOnly;

impl Prober for ConfiguredOnly {
    fn probe(&self, _: DomainName, _: Duration) -> BoxFuture<'_, Result<Arc<Snapshot>, ProbeError>> {
        Box::pin(async { Err(ProbeError::Unwatched) })
    }

    fn check(&self, _: Target, _: Duration) -> BoxFuture<'_, Result<Arc<Verdict>, ProbeError>> {
        Box::pin(async { Err(ProbeError::Unwatched) })
    }
}

/// How long an answer may take to begin.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// The most event streams at a time.
const STREAMS: usize = 256;

/// How long an answer waits at most for the page to show what was done.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);

impl Surface {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Waits until the page shows something: who pressed a button wants to see that it did. What comes later than an
    /// answer may wait is told by the live events.
    async fn shows(&self, what: impl Fn(&Snapshot) -> bool) {
        let mut snapshots = self.snapshots.clone();
        let shown = snapshots.wait_for(|snapshot| what(snapshot));
        let _ = tokio::time::timeout(SHOWN_WITHIN, shown).await;
    }

    /// Waits until the page shows that an incident is taken on, or over.
    async fn shows_taken(&self, id: IncidentId) {
        let taken = |snapshot: &Snapshot| {
            let open = snapshot.open_incidents.iter().find(|one| one.id == id);
            open.is_none_or(|incident| incident.acknowledged.is_some())
        };
        self.shows(taken).await;
    }

    /// Waits until the page shows that what somebody set by hand holds, or no longer does.
    async fn shows_hand(&self, id: HandId, holds: bool) {
        self.shows(|snapshot| snapshot.hands.iter().any(|hand| hand.id == id) == holds)
            .await;
    }
}

/// What the handlers share: the surface, and what belongs to the running server alone.
#[derive(Clone)]
struct Server {
    surface: Surface,
    stop: CancellationToken,
    streams: Arc<Semaphore>,
    explaining: Arc<Semaphore>,
    scrapes: Arc<Semaphore>,
    porter: Arc<door::Porter>,
}

impl std::ops::Deref for Server {
    type Target = Surface;
    fn deref(&self) -> &Surface {
        &self.surface
    }
}

/// Answers requests on `listener` until `stop` is cancelled; what is under way then may end within five seconds.
pub async fn serve(listener: TcpListener, surface: Surface, stop: CancellationToken) {
    let router = router(surface.clone(), stop.clone());
    connections::serve(listener, &surface, router, stop).await;
}

/// All routes with their guards.
fn router(surface: Surface, stop: CancellationToken) -> Router {
    let server = Server {
        surface,
        stop,
        streams: Arc::new(Semaphore::new(STREAMS)),
        explaining: Arc::new(Semaphore::new(explain::AT_ONCE)),
        scrapes: Arc::new(Semaphore::new(scrape::AT_ONCE)),
        porter: Arc::new(door::Porter::new()),
    };
    let api = Router::new()
        .route("/summary", get(summary::summary))
        .route("/domains", get(api::domains))
        .route("/domains/{domain}", get(api::domain))
        .route("/domains/{domain}/approve", post(operate::approve))
        .route("/routes", get(api::routes))
        .route("/routes/{client}/{destination}", get(api::route))
        .route("/canaries", get(api::canaries))
        .route("/canaries/{client}/{name}", get(api::canary))
        .route("/gateways", get(api::gateways))
        .route("/hosts", get(api::hosts))
        .route("/hosts/{address}", get(api::host))
        .route("/vantages", get(api::vantages))
        .route("/providers", get(api::providers))
        .route("/clients", get(api::clients))
        .route("/incidents", get(incidents::list))
        .route("/incidents/{id}", get(incidents::one))
        .route("/incidents/{id}/ack", post(hands::acknowledge))
        .route("/incidents/{id}/note", post(hands::note))
        .route("/digest", get(digest::digest))
        .route("/incidents/{id}/report", get(report::report))
        .route("/silences", get(hands::silences).post(hands::silence))
        .route("/silences/{id}", delete(hands::lift_silence))
        .route("/maintenance", get(hands::windows).post(hands::maintain))
        .route("/maintenance/{id}", delete(hands::lift_maintenance))
        .route("/acceptances", get(hands::acceptances).post(hands::accept))
        .route("/acceptances/{id}", delete(hands::lift_acceptance))
        .route("/watches", get(hands::watches).post(hands::watch))
        .route("/watches/{id}", delete(hands::lift_watch))
        .route("/check", post(check::api))
        .route("/audit", get(book::list))
        .route("/clients/{id}/links", post(links::make))
        .route("/links/revoke", post(links::revoke))
        .route("/events", get(events::stream))
        .route("/notifiers/{name}/test", post(operate::test_notifier));
    let router = Router::new()
        .route("/", get(pages::index))
        .route("/domains/{domain}", get(pages::domain))
        .route("/incidents/{id}", get(pages::incident))
        .route("/incidents/{id}/ack", post(buttons::acknowledge))
        .route("/incidents/{id}/silence", post(buttons::silence))
        .route("/digest", get(pages::digest))
        .route("/check", get(check::form).post(check::page))
        .route("/check/watch", post(check::watch))
        .route("/quiet", get(quiet::page).post(quiet::set))
        .route("/quiet/{id}/lift", post(quiet::lift))
        .route("/clients/{id}", get(links::client))
        .route("/take/{id}/{notifier}", get(links::show).post(links::take))
        .route("/login", get(door::form).post(door::enter))
        .route("/logout", post(door::leave))
        .route("/metrics", get(scrape::metrics))
        .route("/probe", get(probe::probe))
        .route("/sd", get(api::service_discovery))
        .route("/-/healthy", get(operate::healthy))
        .route("/-/ready", get(operate::ready))
        .route("/-/reload", post(operate::reload).put(operate::reload))
        .route("/api/openapi.json", get(openapi::document))
        .nest("/api/v1", api)
        .fallback(pages::missing)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(server.clone());
    let messages = Router::new()
        .route("/api/v1/explain", post(explain::explain))
        .route("/explain", get(explain::form).post(explain::page))
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(server.clone());
    guard::guarded(router, messages, &server)
}
