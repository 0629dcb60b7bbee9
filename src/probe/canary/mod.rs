//! A canary: a small message that we hand in through a client's own server and then look for in its mailbox. One run of the
//! probe is one message, from handing it in until it lies there or its time is over.
//!
//! Canaries of one mailbox share one session, and what one look finds counts for all of them. Whatever turns up after it
//! was given up is told of with the next one of the same canary.

mod bearer;
pub mod folder;
mod imap;
mod login;
mod oauth;
mod reach;
mod submit;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{self, Arc, OnceLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use super::{Context, Seen};
use crate::message::canary::{Token, TokenKey, compose, mark};
use crate::message::received::journey;
use crate::model::smtp::SmtpFailureKind;
use crate::model::text::hex;
use crate::model::{CanaryEvidence, CanaryOutcome, CanaryStage, ClientId, Evidence, LateCanary};
use crate::net::Net;
use crate::net::trust::Trust;
use imap::{Arrival, Mailbox};
use reach::Trouble;
use submit::{Handing, Letter};

pub use login::{Identity, Place, Secret};
pub use oauth::{Grant, Issuer, Tokens};

/// From one look into a mailbox to the next.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Likewise at the most, where the server tells of new mail by itself (RFC 2177): only the junk folder has to be looked into.
const LISTEN: Duration = Duration::from_secs(10);
/// How long a server that says it does may take to begin and to end with it.
const AGREE: Duration = Duration::from_secs(5);
/// What one stage of a session may take.
const STAGE: Duration = Duration::from_secs(30);
/// How many bytes a mailbox may send in one session.
const LOOKS: usize = 4 * 1024 * 1024;
/// Sessions that hand canaries in at one server at a time: a few hundred at once would be an attack, and seen as one.
const AT_ONE_SERVER: usize = 4;
/// Canaries that were found and nobody has asked for yet: the oldest go first.
const MOST_LATE: usize = 5000;

/// What one canary is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where it is handed in.
    pub submit: Place,
    /// Its sender.
    pub from: Arc<str>,
    /// Its recipient.
    pub to: Arc<str>,
    /// Where it is looked for.
    pub mailbox: Place,
    /// Where it comes back to if it cannot be delivered, where that is another mailbox that we may look into.
    pub sender: Option<Place>,
    /// How long it may take.
    pub deadline: Duration,
}

/// All canaries, and the mailboxes that they share.
#[derive(Default)]
pub struct Canaries {
    plans: BTreeMap<(ClientId, Arc<str>), Plan>,
    boxes: BTreeMap<String, Mutex<Shared>>,
    /// Turns at the servers that canaries are handed in at.
    turns: BTreeMap<String, Semaphore>,
    /// What was found in any of them: two names may lead to one mailbox, and the first look takes all.
    arrived: sync::Mutex<Vec<(Arrival, Timestamp)>>,
    key: OnceLock<TokenKey>,
}

impl std::fmt::Debug for Canaries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canaries")
            .field("plans", &self.plans)
            .finish_non_exhaustive()
    }
}

/// A mailbox that several canaries look into.
#[derive(Default)]
struct Shared {
    session: Option<Mailbox>,
    peer: Option<SocketAddr>,
    looked: Option<Timestamp>,
    waiting: usize,
    /// It says that it tells of new mail, and did not.
    is_mute: bool,
}

impl Canaries {
    /// Canaries by client and name.
    pub fn new(plans: BTreeMap<(ClientId, Arc<str>), Plan>) -> Self {
        let places = plans
            .values()
            .flat_map(|plan| plan.sender.iter().chain([&plan.mailbox]));
        let boxes = places.map(|place| (box_of(place), Mutex::default()));
        let servers = plans.values().map(|plan| server_of(&plan.submit));
        Self {
            boxes: boxes.collect(),
            turns: servers
                .map(|server| (server, Semaphore::new(AT_ONE_SERVER)))
                .collect(),
            plans,
            arrived: sync::Mutex::default(),
            key: OnceLock::new(),
        }
    }

    /// The key that tokens are signed with, once and for all; without one no canary is sent.
    pub fn sign_with(&self, secret: &[u8]) {
        let _ = self.key.set(TokenKey::new(secret));
    }
}

/// Which server a place is at.
fn server_of(place: &Place) -> String {
    format!("{}:{}", place.host, place.port)
}

/// Which mailbox a place is.
fn box_of(place: &Place) -> String {
    let user = place.identity.as_ref().map(|identity| Arc::clone(&identity.user));
    format!("{}/{}", server_of(place), user.unwrap_or_default())
}

/// Sends one canary and looks for it.
pub async fn run<N: Net>(
    net: &N,
    context: &Context,
    trust: &Trust,
    client: &ClientId,
    name: &Arc<str>,
) -> Seen {
    let known = context.canaries.plans.get(&(client.clone(), Arc::clone(name)));
    let (Some(plan), Some(key)) = (known, context.canaries.key.get()) else {
        return Seen::unrunnable("this canary is not configured, or there is no key to sign it with");
    };
    let shared = |place: &Place| context.canaries.boxes.get(&box_of(place));
    let Some(own) = shared(&plan.mailbox) else {
        return Seen::unrunnable("this canary has no mailbox");
    };
    let sender = plan.sender.as_ref();
    // Nobody closes it. Its time begins when it is its turn.
    let turn = match context.canaries.turns.get(&server_of(&plan.submit)) {
        Some(turns) => turns.acquire().await.ok(),
        None => None,
    };
    let run = Run {
        net,
        context,
        trust,
        plan,
        key,
        own: (own, &plan.mailbox),
        sender: sender.and_then(|place| Some((shared(place)?, place))),
        token: Token {
            canary: mark(client.as_str(), name),
            sent: to_the_millisecond(net.now()),
            nonce: nonce(),
        },
    };
    run.whole(turn).await
}

/// A moment as a token keeps it: what comes back must be equal to what was sent.
fn to_the_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Tells two canaries of the same moment apart.
fn nonce() -> String {
    let mut bytes = [0; 4];
    // Without randomness the moment alone tells them apart.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    hex(&bytes)
}

/// A mailbox that others look into too, and how to get in.
type Shelf<'a> = (&'a Mutex<Shared>, &'a Place);

struct Run<'a, N: Net> {
    net: &'a N,
    context: &'a Context,
    trust: &'a Trust,
    plan: &'a Plan,
    key: &'a TokenKey,
    /// The mailbox that it should arrive in.
    own: Shelf<'a>,
    /// The one that it would come back to.
    sender: Option<Shelf<'a>>,
    token: Token,
}

impl<N: Net> Run<'_, N> {
    async fn whole(&self, turn: Option<SemaphorePermit<'_>>) -> Seen {
        let domain = self.plan.from.rsplit('@').next().unwrap_or_default();
        let (from, to) = (&*self.plan.from, &*self.plan.to);
        let text = compose(&self.token, self.key, from, to, domain);
        let mut handing = Handing {
            net: self.net,
            context: self.context,
            trust: self.trust,
            letter: Letter {
                place: &self.plan.submit,
                from,
                to,
                text: &text,
            },
            timeout: STAGE,
            peer: None,
            source: None,
            transcript: Vec::new(),
        };
        let handed = handing.run().await;
        drop(turn);
        let mut mailbox = None;
        let (outcome, late) = match handed {
            Ok(reply) => self.look_for(&reply.to_string(), &mut mailbox).await,
            Err(trouble) => (Err(trouble), Vec::new()),
        };
        match outcome {
            Err(Trouble::Ours(reason)) => Seen::unrunnable(reason),
            Ok(outcome) | Err(Trouble::Theirs(outcome)) => Seen {
                source: handing.source,
                evidence: Evidence::Canary(Box::new(CanaryEvidence {
                    id: self.token.id().into(),
                    peer: handing.peer,
                    mailbox,
                    outcome,
                    late,
                    transcript: handing.transcript,
                })),
            },
        }
    }

    /// Looks until it is there or its time is over. A mailbox that cannot be looked into is tried until then.
    async fn look_for(
        &self,
        accepted: &str,
        mailbox: &mut Option<SocketAddr>,
    ) -> (Result<CanaryOutcome, Trouble>, Vec<LateCanary>) {
        for (shared, _) in self.boxes() {
            shared.lock().await.waiting += 1;
        }
        let deadline = SignedDuration::try_from(self.plan.deadline).unwrap_or(SignedDuration::MAX);
        let mut late = Vec::new();
        let outcome = loop {
            let looked = self.look_everywhere(mailbox, &mut late).await;
            let waited = self.net.now().duration_since(self.token.sent);
            match looked {
                Ok(Some(outcome)) => break Ok(outcome),
                Ok(None) if waited >= deadline => {
                    break Ok(CanaryOutcome::Lost {
                        accepted: accepted.to_owned(),
                        waited: Duration::try_from(waited).unwrap_or_default(),
                    });
                }
                Err(trouble) if waited >= deadline || is_final(&trouble) => break Err(trouble),
                Ok(None) | Err(_) => self.wait_for_news(unsigned(deadline - waited)).await,
            }
        };
        for (shared, _) in self.boxes() {
            let mut shared = shared.lock().await;
            shared.waiting -= 1;
            if shared.waiting == 0
                && let Some(session) = shared.session.take()
            {
                session.close(STAGE).await;
            }
        }
        (outcome, late)
    }

    /// Waits until there may be something new. Of those who share a mailbox one listens for all.
    async fn wait_for_news(&self, left: Duration) {
        let heard = async {
            let mut shared = self.own.0.try_lock().ok()?;
            let most = LISTEN.min(left / 4);
            let may_listen = most >= LOOK_EVERY && !shared.is_mute;
            let session = shared.session.take_if(|session| may_listen && session.idles)?;
            // A session that has ended is opened anew.
            shared.session = session.wait_for_mail(most, AGREE).await.ok();
            shared.is_mute = shared.session.is_none();
            shared.looked = None;
            (!shared.is_mute).then_some(())
        };
        if heard.await.is_none() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn boxes(&self) -> impl Iterator<Item = Shelf<'_>> {
        std::iter::once(self.own).chain(self.sender)
    }

    /// One look where it should arrive, and one where it would come back to. That the latter cannot be looked into says
    /// nothing of this canary.
    async fn look_everywhere(
        &self,
        mailbox: &mut Option<SocketAddr>,
        late: &mut Vec<LateCanary>,
    ) -> Result<Option<CanaryOutcome>, Trouble> {
        let here = self.look(self.own, mailbox, late).await;
        match (self.sender, here) {
            (Some(sender), Ok(None)) => {
                let there = self.look(sender, &mut None, late).await;
                Ok(there.ok().flatten())
            }
            (Some(sender), Err(trouble)) if !is_final(&trouble) => {
                match self.look(sender, &mut None, late).await {
                    Ok(Some(outcome)) => Ok(Some(outcome)),
                    _ => Err(trouble),
                }
            }
            (_, here) => here,
        }
    }

    /// One look: our own, or what somebody else's look has found meanwhile.
    async fn look(
        &self,
        (shared, place): Shelf<'_>,
        mailbox: &mut Option<SocketAddr>,
        late: &mut Vec<LateCanary>,
    ) -> Result<Option<CanaryOutcome>, Trouble> {
        let mut shared = shared.lock().await;
        let now = self.net.now();
        let lately = shared
            .looked
            .is_some_and(|looked| now.duration_since(looked).unsigned_abs() < LOOK_EVERY / 2);
        if !lately {
            let looked = self.look_anew(&mut shared, place).await;
            if looked.is_err() {
                shared.session = None;
            }
            *mailbox = shared.peer;
            looked?;
        }
        *mailbox = shared.peer;
        let mut own = None;
        self.arrivals().retain(|(arrival, at)| {
            let token = &arrival.found.token;
            if *token == self.token {
                own = own.take().or_else(|| self.arrived(arrival, *at));
            } else if token.canary == self.token.canary && token.sent < self.token.sent {
                // What came back after it was given up never arrived.
                if arrival.returned.is_none() {
                    late.push(belated(arrival, *at));
                }
            } else {
                return true;
            }
            false
        });
        Ok(own)
    }

    /// What was found and nobody has asked for yet. Nobody panics while holding it.
    fn arrivals(&self) -> sync::MutexGuard<'_, Vec<(Arrival, Timestamp)>> {
        let arrived = self.context.canaries.arrived.lock();
        arrived.unwrap_or_else(sync::PoisonError::into_inner)
    }

    async fn look_anew(&self, shared: &mut Shared, place: &Place) -> Result<(), Trouble> {
        if shared.session.is_none() {
            let peer = (&mut shared.peer, LOOKS);
            let opened = Mailbox::open(self.net, self.context, self.trust, place, STAGE, peer);
            shared.session = Some(opened.await?);
        }
        let Some(session) = shared.session.as_mut() else {
            return Ok(());
        };
        let found = session.take(self.key, self.net.now(), STAGE).await?;
        let now = self.net.now();
        shared.looked = Some(now);
        let mut arrived = self.arrivals();
        arrived.extend(found.into_iter().map(|arrival| (arrival, now)));
        let too_many = arrived.len().saturating_sub(MOST_LATE);
        arrived.drain(..too_many);
        Ok(())
    }

    /// What an arrival means for this canary; `None`: nothing yet, it is late.
    fn arrived(&self, arrival: &Arrival, seen: Timestamp) -> Option<CanaryOutcome> {
        let at = arrived_at(arrival, seen);
        let after = unsigned(at.duration_since(self.token.sent));
        if let Some(returned) = &arrival.returned {
            return returned.failed.then(|| CanaryOutcome::Returned {
                after,
                code: returned.code,
                by: returned.by.clone(),
                said: returned.said.clone(),
            });
        }
        let journey = journey(self.token.sent, &arrival.found.stamps, at);
        Some(CanaryOutcome::Arrived {
            after,
            junk: arrival.junk.clone(),
            hops: journey
                .hops
                .into_iter()
                .map(|(name, took)| (name, unsigned(took)))
                .collect(),
            skewed: journey.skewed,
            results: arrival.found.results.clone(),
        })
    }
}

/// When it came into the mailbox: by the mailbox's clock, unless that cannot be right.
fn arrived_at(arrival: &Arrival, seen: Timestamp) -> Timestamp {
    let sent = arrival.found.token.sent;
    arrival.at.filter(|at| *at >= sent && *at <= seen).unwrap_or(seen)
}

fn belated(arrival: &Arrival, seen: Timestamp) -> LateCanary {
    let (sent, at) = (arrival.found.token.sent, arrived_at(arrival, seen));
    let journey = journey(sent, &arrival.found.stamps, at);
    LateCanary {
        id: arrival.found.token.id().into(),
        sent,
        after: unsigned(at.duration_since(sent)),
        slowest: journey
            .slowest()
            .map(|(name, took)| (name.to_owned(), unsigned(took))),
        junk: arrival.junk.clone(),
    }
}

/// Whether trying again would only be a nuisance: a login that is wrong stays wrong, and too many tries lock us out.
fn is_final(trouble: &Trouble) -> bool {
    matches!(
        trouble,
        Trouble::Ours(_)
            | Trouble::Theirs(
                CanaryOutcome::LoginRefused { .. }
                    | CanaryOutcome::NoToken { refused: true, .. }
                    | CanaryOutcome::NotTrusted { .. }
            )
    )
}

fn unsigned(span: SignedDuration) -> Duration {
    Duration::try_from(span).unwrap_or_default()
}

/// What stands in the way of a mailbox, in words.
fn in_words(stage: CanaryStage, kind: &SmtpFailureKind) -> String {
    match kind {
        SmtpFailureKind::Dial(error) => error.to_string(),
        SmtpFailureKind::Timeout => format!("nothing came at stage {stage}"),
        SmtpFailureKind::Closed { .. } => format!("it broke off at stage {stage}"),
        SmtpFailureKind::Tls(failure) => failure.reason.clone(),
        SmtpFailureKind::Reply(reply) => reply.to_string(),
        SmtpFailureKind::Protocol(error) => error.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
