//! A question to a resolver whose answer we check ourselves, from the root's keys down (RFC 4035 5).
//!
//! What cannot be checked is never called wrong: not where a key could not be looked up, which may be our own line's fault,
//! and not at a resolver that does not even give what the root says of itself with a signature that holds, be it that it
//! strips signatures or that our clock is wrong.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use hickory_net::dnssec::DnssecDnsHandle;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::{DnsHandle, FirstAnswer};
use hickory_net::{DnsError, NetError};
use hickory_proto::dnssec::Proof;
use hickory_proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, Record, RecordType};
use tokio::time::{Instant, timeout_at};

use super::clock::tick;
use super::dns::exchange;
use super::message::{self, Manner};
use crate::model::dns::ExtendedError;
use crate::net::dns::{Answer, AskError, Question, rcode};
use crate::net::dnssec::RootKeys;

/// "DNSSEC Bogus" (RFC 8914 4.7).
const BOGUS: u16 = 6;
/// How long each key and each signature may take; the probe's own time ends it sooner.
const EACH: Duration = Duration::from_secs(10);
/// How many keys and signatures of one answer are remembered while it is checked.
const REMEMBERED: usize = 64;

/// Asks `server` within `limit`, and checks what it says. A signature that is wrong gives what a resolver that checks
/// would have said: SERVFAIL, with the extended error.
pub(super) async fn ask(
    server: SocketAddr,
    question: &Question,
    keys: &RootKeys,
    limit: Duration,
) -> Result<Answer, AskError> {
    let deadline = Instant::from_std(tick()) + limit;
    let query = message::query(question)?;
    let message = exchange(server, &query, Manner::SIGNED, limit).await?;
    let code = message.metadata.response_code;
    let answer = message::answer((*message).clone());
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Ok(answer);
    }
    let checked = timeout_at(deadline, async {
        match check(server, keys, query, Some(*message)).await {
            Proof::Bogus if !knows_the_root(server, keys).await => Proof::Insecure,
            proof => proof,
        }
    });
    match checked.await {
        Ok(Proof::Secure) => Ok(Answer {
            authentic: true,
            ..answer
        }),
        Ok(Proof::Insecure) => Ok(Answer {
            authentic: false,
            ..answer
        }),
        Ok(Proof::Bogus) => Ok(bogus()),
        Ok(Proof::Indeterminate) | Err(_) => Err(AskError::Timeout),
    }
}

/// What a resolver that checks says of a wrong signature.
fn bogus() -> Answer {
    Answer {
        rcode: rcode::SERV_FAIL,
        extended: vec![ExtendedError {
            code: BOGUS,
            text: "we checked the signatures ourselves, and they do not hold".to_owned(),
        }],
        ..Answer::default()
    }
}

/// Whether what the root says of itself comes from there with a signature that holds. Its keys are no test: they are known
/// anyway.
async fn knows_the_root(server: SocketAddr, keys: &RootKeys) -> bool {
    let of_root = Query::query(Name::root(), RecordType::SOA);
    let knows = check(server, keys, of_root, None).await == Proof::Secure;
    if !knows {
        tracing::warn!(
            %server,
            "the resolver does not say who runs the root with a signature that holds: nothing that it says can be checked"
        );
    }
    knows
}

/// What the signatures of an answer prove; without one it is asked for.
async fn check(server: SocketAddr, keys: &RootKeys, query: Query, answer: Option<Message>) -> Proof {
    let wire = Wire {
        server,
        first: Arc::new(Mutex::new(answer)),
        failed: Arc::default(),
    };
    let handle =
        DnssecDnsHandle::with_trust_anchor(wire.clone(), keys.anchors()).validation_cache_size(REMEMBERED);
    let request = DnsRequest::from_query(query, DnsRequestOptions::default());
    let proof = match handle.send(request).first_answer().await {
        Ok(response) => proven(&response),
        Err(NetError::Dns(DnsError::Nsec { proof, .. })) => proof,
        Err(_) => Proof::Indeterminate,
    };
    if proof == Proof::Bogus && wire.failed.load(Ordering::Relaxed) {
        return Proof::Indeterminate;
    }
    proof
}

/// What holds of all that an answer stands on: its records, or what proves that there are none.
fn proven(response: &Message) -> Proof {
    let weight = |record: &&Record| match record.proof {
        Proof::Bogus => 0,
        Proof::Indeterminate => 1,
        Proof::Insecure => 2,
        Proof::Secure => 3,
    };
    let section = if response.answers.is_empty() {
        &response.authorities
    } else {
        &response.answers
    };
    // Of several signatures of one set only the one that was tried has a proof of its own.
    let records = section
        .iter()
        .filter(|record| record.record_type() != RecordType::RRSIG);
    // A zone without signatures may say that there is nothing without proving anything.
    records
        .min_by_key(weight)
        .map_or(Proof::Insecure, |record| record.proof)
}

/// The way by which the library asks for keys and signatures.
#[derive(Clone)]
struct Wire {
    server: SocketAddr,
    /// The answer that is to be checked, until it is asked for.
    first: Arc<Mutex<Option<Message>>>,
    /// Whether something could not be looked up: what seems wrong then is perhaps only missing.
    failed: Arc<AtomicBool>,
}

impl Wire {
    async fn look_up(self, query: Option<Query>) -> Result<DnsResponse, NetError> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let message = match (first, query) {
            (Some(first), _) => first,
            (None, Some(query)) => match exchange(self.server, &query, Manner::SIGNED, EACH).await {
                Ok(message) => *message,
                Err(_) => return Err(self.fails()),
            },
            (None, None) => return Err(self.fails()),
        };
        let code = message.metadata.response_code;
        if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
            return Err(self.fails());
        }
        DnsResponse::from_message(message).map_err(NetError::from)
    }

    fn fails(&self) -> NetError {
        self.failed.store(true, Ordering::Relaxed);
        NetError::from("it could not be looked up")
    }
}

impl DnsHandle for Wire {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let query = request.queries.first().cloned();
        Box::pin(stream::once(self.clone().look_up(query)))
    }
}

#[cfg(test)]
mod tests;
