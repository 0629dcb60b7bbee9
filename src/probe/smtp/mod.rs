//! The SMTP dialogue with one address (RFC 5321), as `etiquette` has it: wait for the 220, EHLO, STARTTLS, a
//! handshake that completes whatever the certificate, EHLO, QUIT and its 221. No mail, no recipient.
//!
//! The order is fixed by the protocol and nothing waits that need not: a session costs a connection and one
//! round trip for each of greeting, EHLO, STARTTLS, handshake (two in TLS 1.2), EHLO and QUIT. Every stage has
//! a limit that trickling bytes do not extend, every reply and the session as a whole a limit in bytes; so
//! whoever answers, a session ends within three times `patience`, four times `timeout`, and a second for leaving.

mod certificate;
pub(super) mod dialogue;
mod recipient;
mod reply;
pub(super) mod tls;
mod verifier;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time;

use super::{Context, Seen};
use crate::model::smtp::{ProtocolError, SmtpEvidence, SmtpFailure, SmtpFailureKind};
use crate::model::{DialError, DomainName, Evidence, Recipient, SmtpStage, StageTiming};
use crate::net::Net;
use crate::net::trust::Trust;
use dialogue::{Bounded, Wire};

pub use recipient::ask_for;

/// How long leaving may take once nothing depends on it any more.
const LEAVING: Duration = Duration::from_secs(1);

/// Holds one session with `peer` and says what it showed.
///
/// `server_name` goes out as SNI. `patience` limits each [opening stage](SmtpStage::is_opening), `timeout` every other;
/// `slow_lane` is only written down. A failure of our own side, before there is a connection, is
/// [`Evidence::Unrunnable`].
#[expect(
    clippy::too_many_arguments,
    reason = "each is one plain fact of the session to hold"
)]
pub async fn run<N: Net>(
    net: &N,
    context: &Context,
    trust: &Trust,
    peer: SocketAddr,
    server_name: Option<&DomainName>,
    patience: Duration,
    slow_lane: bool,
    timeout: Duration,
) -> Seen {
    let session = Session {
        net,
        helo: &context.helo,
        trust,
        timeout,
        errand: None,
        evidence: blank(peer, server_name, patience, slow_lane),
    };
    session.hold(Evidence::Smtp).await
}

/// The evidence of a session that has not begun.
fn blank(
    peer: SocketAddr,
    server_name: Option<&DomainName>,
    patience: Duration,
    slow_lane: bool,
) -> SmtpEvidence {
    SmtpEvidence {
        peer,
        server_name: server_name.cloned(),
        patience,
        slow_lane,
        stages: Vec::new(),
        greeting: None,
        capabilities: None,
        tls: None,
        failure: None,
        transcript: Arc::default(),
    }
}

/// What a session is to ask for besides, and how long each answer to that may take.
struct Errand<'a> {
    recipient: &'a Recipient,
    patience: Duration,
}

/// One session, and its evidence as it grows.
struct Session<'a, N: Net> {
    net: &'a N,
    helo: &'a str,
    trust: &'a Trust,
    timeout: Duration,
    errand: Option<Errand<'a>>,
    evidence: SmtpEvidence,
}

/// Whether STARTTLS was agreed on.
#[derive(PartialEq)]
enum Opened {
    InTheClear,
    ReadyForTls,
}

impl<N: Net> Session<'_, N> {
    /// Holds the session, and gives what it showed as `evidence`.
    async fn hold(mut self, evidence: fn(Box<SmtpEvidence>) -> Evidence) -> Seen {
        match self.connect().await {
            Ok((stream, source)) => {
                self.talk(Bounded::new(stream)).await;
                Seen {
                    evidence: evidence(Box::new(self.evidence)),
                    source,
                }
            }
            Err(SmtpFailure {
                kind: SmtpFailureKind::Dial(DialError::Local { reason }),
                ..
            }) => Seen::unrunnable(reason),
            Err(failure) => {
                self.evidence.failure = Some(failure);
                Seen::of(evidence(Box::new(self.evidence)))
            }
        }
    }

    async fn connect(&mut self) -> Result<(N::Stream, Option<IpAddr>), SmtpFailure> {
        let dial = self.net.dial(self.evidence.peer, self.timeout);
        let dial = async { dial.await.map_err(SmtpFailureKind::Dial) };
        let timed = self.timed(SmtpStage::Connect, self.timeout, dial).await;
        let connection = timed.map_err(|failure| match failure.kind {
            SmtpFailureKind::Timeout => SmtpFailure {
                kind: SmtpFailureKind::Dial(DialError::Timeout),
                ..failure
            },
            _ => failure,
        })?;
        Ok((connection.stream, connection.source))
    }

    /// The dialogue, from greeting to QUIT.
    async fn talk(&mut self, stream: Bounded<N::Stream>) {
        let mut wire = Wire::new(stream, Vec::new());
        match self.open(&mut wire).await {
            Ok(Opened::ReadyForTls) => self.secure(wire).await,
            Ok(Opened::InTheClear) => {
                let failure = self.run_errand(&mut wire).await.err();
                self.leave(wire, failure).await;
            }
            Err(failure) => self.leave(wire, Some(failure)).await,
        }
    }

    /// Greeting, EHLO and, where it is offered, STARTTLS.
    async fn open<S>(&mut self, wire: &mut Wire<S>) -> Result<Opened, SmtpFailure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let greeted = self
            .timed(SmtpStage::Greeting, self.evidence.patience, wire.greeting())
            .await;
        let greeting = greeted.map_err(|failure| explain(failure, wire))?;
        self.evidence.greeting = Some(greeting);

        let helloed = self
            .timed(SmtpStage::Ehlo, self.evidence.patience, wire.hello(self.helo))
            .await;
        let capabilities = helloed.map_err(|failure| explain(failure, wire))?;
        let offered = capabilities.as_ref().is_some_and(|offers| offers.starttls);
        self.evidence.capabilities = capabilities;
        if !offered {
            return Ok(Opened::InTheClear);
        }

        let agreed = self
            .timed(SmtpStage::StartTls, self.timeout, wire.start_tls())
            .await;
        agreed.map_err(|failure| explain(failure, wire))?;
        Ok(Opened::ReadyForTls)
    }

    /// The handshake, and EHLO and QUIT under TLS.
    async fn secure(&mut self, wire: Wire<Bounded<N::Stream>>) {
        let (stream, transcript) = wire.into_parts();
        self.evidence.transcript = Arc::new(transcript);
        let server_name = self.evidence.server_name.clone();
        let handshake = tls::handshake(stream, self.evidence.peer.ip(), server_name.as_ref());
        let handshake = async { handshake.await.map_err(|error| dialogue::fault(&error)) };
        match self.timed(SmtpStage::Handshake, self.timeout, handshake).await {
            Ok(stream) => {
                let (_, session) = stream.get_ref();
                let shown = tls::evidence(session, self.trust, self.net.now());
                let sent = session.peer_certificates().map_or(0, <[_]>::len);
                let mut wire = Wire::new(
                    stream,
                    Arc::unwrap_or_clone(std::mem::take(&mut self.evidence.transcript)),
                );
                wire.note(&tls::summary(&shown, sent));
                self.evidence.tls = Some(shown);
                let helloed = self
                    .timed(SmtpStage::EhloTls, self.evidence.patience, wire.hello(self.helo))
                    .await;
                let failure = match helloed {
                    Ok(_) => self.run_errand(&mut wire).await.err(),
                    Err(failure) => Some(explain(failure, &mut wire)),
                };
                self.leave(wire, failure).await;
            }
            Err(failure) => {
                let remark = format!("*: {}", describe(&failure.kind));
                Arc::make_mut(&mut self.evidence.transcript).push(remark);
                self.evidence.failure = Some(failure);
            }
        }
    }

    /// Leaves as politely as the connection allows, and keeps what was said. How a QUIT goes is no failure of
    /// the session.
    async fn leave<S>(&mut self, mut wire: Wire<S>, failure: Option<SmtpFailure>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match failure.as_ref().map_or(Farewell::Whole, farewell) {
            Farewell::Whole => {
                let quit = self.timed(SmtpStage::Quit, self.timeout, wire.quit()).await;
                if matches!(
                    quit,
                    Err(SmtpFailure {
                        kind: SmtpFailureKind::Timeout,
                        ..
                    })
                ) {
                    wire.timed_out();
                }
                let _ = time::timeout(LEAVING, wire.close()).await;
            }
            Farewell::Short => {
                let _ = time::timeout(LEAVING, wire.quit_and_go()).await;
            }
            Farewell::None => {
                let _ = time::timeout(LEAVING, wire.close()).await;
            }
        }
        self.evidence.failure = failure;
        self.evidence.transcript = Arc::new(wire.into_parts().1);
    }

    /// Runs one stage within `limit` and writes down how long it took, whether it came to its end or not.
    async fn timed<T>(
        &mut self,
        stage: SmtpStage,
        limit: Duration,
        work: impl Future<Output = Result<T, SmtpFailureKind>>,
    ) -> Result<T, SmtpFailure> {
        let began = self.net.now();
        let result = time::timeout(limit, work)
            .await
            .unwrap_or(Err(SmtpFailureKind::Timeout));
        let elapsed = between(began, self.net.now());
        self.evidence.stages.push(StageTiming { stage, elapsed });
        result.map_err(|kind| SmtpFailure {
            stage,
            after: elapsed,
            kind,
        })
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// Adds what half a reply says to a stage that ran out of time.
fn explain<S>(failure: SmtpFailure, wire: &mut Wire<S>) -> SmtpFailure
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match failure.kind {
        SmtpFailureKind::Timeout => SmtpFailure {
            kind: wire.timed_out(),
            ..failure
        },
        _ => failure,
    }
}

/// How to leave.
enum Farewell {
    /// QUIT, and wait for the 221.
    Whole,
    /// QUIT, without waiting: replies no longer belong to our commands, or do not come.
    Short,
    /// Without a word: nobody listens, or it is not our turn to speak.
    None,
}

fn farewell(failure: &SmtpFailure) -> Farewell {
    match (&failure.kind, failure.stage) {
        (SmtpFailureKind::Dial(_) | SmtpFailureKind::Closed { .. } | SmtpFailureKind::Tls(_), _)
        // Whoever speaks before the 220 is taken for a spammer.
        | (SmtpFailureKind::Timeout, SmtpStage::Greeting)
        // The server may wait for a TLS hello already.
        | (
            SmtpFailureKind::Timeout | SmtpFailureKind::Protocol(ProtocolError::Unsolicited),
            SmtpStage::StartTls,
        ) => Farewell::None,
        (
            SmtpFailureKind::Reply(_)
            | SmtpFailureKind::Protocol(ProtocolError::UnexpectedCode { .. } | ProtocolError::MixedCodes),
            _,
        ) => Farewell::Whole,
        (SmtpFailureKind::Timeout | SmtpFailureKind::Protocol(_), _) => Farewell::Short,
    }
}

/// A handshake's failure, for the transcript.
fn describe(kind: &SmtpFailureKind) -> String {
    match kind {
        SmtpFailureKind::Tls(failure) => failure.reason.clone(),
        SmtpFailureKind::Closed { reset: false } => "the server closed the connection".to_owned(),
        SmtpFailureKind::Closed { reset: true } => "the server reset the connection".to_owned(),
        SmtpFailureKind::Protocol(error) => error.to_string(),
        _ => "the handshake did not end in time".to_owned(),
    }
}

#[cfg(test)]
mod tests;
