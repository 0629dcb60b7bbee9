//! A service that people's mail programs use, without a login: its name, its port, its first words, TLS, and a
//! polite end. Nothing is said that only a user may say.
//!
//! Every stage has a limit that trickling bytes do not extend, and the session as a whole one in bytes: so whoever
//! answers, a look ends within seven times `timeout` and a second for leaving.

mod lines;
mod talk;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time;

use super::ask::{self, NoAddress};
use super::smtp::dialogue::{self, Bounded};
use super::smtp::tls;
use super::{Context, Seen};
use crate::model::service::{
    ServiceEvidence, ServiceFailure, ServiceFailureKind as Kind, ServiceStage as Stage, ServiceTiming,
};
use crate::model::{DialError, Evidence, Service};
use crate::net::trust::Trust;
use crate::net::{Connection, Net};
use talk::Talk;

/// How long leaving may take once nothing depends on it any more.
const LEAVING: Duration = Duration::from_secs(1);
/// Addresses beyond this many are not tried: no mail program goes through more.
const MOST_ADDRESSES: usize = 4;

/// Looks at a service once. `timeout` limits each stage; connecting is one stage, however many addresses are tried.
pub async fn run<N: Net>(
    net: &N,
    context: &Context,
    trust: &Trust,
    service: &Service,
    timeout: Duration,
) -> Seen {
    let mut look = Look {
        net,
        context,
        trust,
        service,
        timeout,
        evidence: ServiceEvidence::default(),
        source: None,
    };
    match look.at_it().await {
        Err(Failed::Ours(reason)) => return Seen::unrunnable(reason),
        Err(Failed::Theirs(failure)) => look.evidence.failure = Some(failure),
        Ok(()) => {}
    }
    Seen {
        evidence: Evidence::Service(Box::new(look.evidence)),
        source: look.source,
    }
}

/// Why a look came to nothing.
enum Failed {
    /// Our own side, in words.
    Ours(String),
    Theirs(ServiceFailure),
}

impl From<ServiceFailure> for Failed {
    fn from(failure: ServiceFailure) -> Self {
        match failure.kind {
            Kind::Dial(DialError::Local { reason }) => Self::Ours(reason),
            _ => Self::Theirs(failure),
        }
    }
}

/// One look, and its evidence as it grows.
struct Look<'a, N: Net> {
    net: &'a N,
    context: &'a Context,
    trust: &'a Trust,
    service: &'a Service,
    timeout: Duration,
    evidence: ServiceEvidence,
    source: Option<IpAddr>,
}

impl<N: Net> Look<'_, N> {
    async fn at_it(&mut self) -> Result<(), Failed> {
        self.locate().await?;
        let connection = self.connect().await?;
        self.source = connection.source;
        let stream = Bounded::new(connection.stream);
        if self.service.kind.is_implicit() {
            let talk = self.secure(stream, Vec::new()).await?;
            self.converse(talk, false).await?;
            return Ok(());
        }
        let talk = Talk::new(self.service.kind, stream, Vec::new());
        if let Some(talk) = self.converse(talk, true).await? {
            let (stream, transcript) = talk.into_parts();
            let mut talk = self.secure(stream, transcript).await?;
            let helo = &self.context.helo;
            let again = self
                .timed(Stage::Hello, self.timeout, talk.hello_again(helo))
                .await;
            self.leave(talk).await;
            again?;
        }
        Ok(())
    }

    /// Its addresses. A name without any is the service's fault; one that nobody could tell us of is not.
    async fn locate(&mut self) -> Result<(), Failed> {
        let (net, context, host, limit) = (self.net, self.context, &self.service.host, self.timeout);
        let mut ours = None;
        let found = async {
            ask::locate_all(net, context, host, limit)
                .await
                .map_err(|why| match why {
                    NoAddress::None(said) => Kind::NoAddress { said },
                    NoAddress::Untold(said) => Kind::Untold { said },
                    NoAddress::Local(reason) => {
                        ours = Some(reason.clone());
                        Kind::Untold { said: reason }
                    }
                })
        };
        let found = self.timed(Stage::Lookup, limit, found).await;
        match (ours, found) {
            (Some(reason), _) => Err(Failed::Ours(reason)),
            (None, Err(failure)) => Err(Failed::Theirs(match failure.kind {
                Kind::Timeout => ServiceFailure {
                    kind: Kind::Untold {
                        said: "no answer".to_owned(),
                    },
                    ..failure
                },
                _ => failure,
            })),
            (None, Ok(mut addresses)) => {
                addresses.truncate(MOST_ADDRESSES);
                self.evidence.addresses = addresses;
                Ok(())
            }
        }
    }

    /// The first of its addresses that takes a connection, as a mail program would go through them.
    async fn connect(&mut self) -> Result<Connection<N::Stream>, ServiceFailure> {
        let (net, port) = (self.net, self.service.port);
        let addresses = self.evidence.addresses.clone();
        let share = self.timeout / u32::try_from(addresses.len().max(1)).unwrap_or(1);
        self.evidence.peer = addresses.first().map(|address| SocketAddr::new(*address, port));
        let mut reached = None;
        let dial = async {
            let mut first = None;
            for address in addresses {
                let peer = SocketAddr::new(address, port);
                match net.dial(peer, share).await {
                    Ok(connection) => {
                        reached = Some(peer);
                        return Ok(connection);
                    }
                    Err(error) => first = first.or(Some(error)),
                }
            }
            Err(Kind::Dial(first.unwrap_or(DialError::Timeout)))
        };
        // Each attempt keeps to its share; the whole gets a moment more, so that it is theirs to say how it went.
        let connected = self.timed(Stage::Connect, self.timeout + LEAVING, dial).await;
        self.evidence.peer = reached.or(self.evidence.peer);
        connected.map_err(|failure| match failure.kind {
            Kind::Timeout => ServiceFailure {
                kind: Kind::Dial(DialError::Timeout),
                ..failure
            },
            _ => failure,
        })
    }

    /// Shakes hands and writes down what TLS showed, however bad the certificate.
    async fn secure<S>(
        &mut self,
        stream: S,
        transcript: Vec<String>,
    ) -> Result<Talk<tokio_rustls::client::TlsStream<S>>, ServiceFailure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.evidence.transcript = Arc::new(transcript);
        let peer = self
            .evidence
            .peer
            .map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
        let name = self.service.name();
        let handshake = tls::handshake(stream, peer, name);
        let handshake = async { handshake.await.map_err(|error| dialogue::fault(&error).into()) };
        let stream = self.timed(Stage::Handshake, self.timeout, handshake).await?;
        let (_, session) = stream.get_ref();
        let shown = tls::evidence(session, self.trust, self.net.now());
        let sent = session.peer_certificates().map_or(0, <[_]>::len);
        let remark = format!("*: {}", tls::summary(&shown, sent));
        Arc::make_mut(&mut self.evidence.transcript).push(remark);
        self.evidence.tls = Some(shown);
        let transcript = Arc::unwrap_or_clone(std::mem::take(&mut self.evidence.transcript));
        Ok(Talk::new(self.service.kind, stream, transcript))
    }

    /// From the first word on. Gives the connection back once both sides are ready for TLS; else it has been left.
    async fn converse<S>(
        &mut self,
        mut talk: Talk<S>,
        upgrade: bool,
    ) -> Result<Option<Talk<S>>, ServiceFailure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.speak(&mut talk, upgrade).await {
            Ok(true) => Ok(Some(talk)),
            Ok(false) => {
                self.leave(talk).await;
                Ok(None)
            }
            Err(failure) => {
                if failure.kind == Kind::Timeout {
                    talk.timed_out();
                }
                // Whoever says no still hears a farewell; to others it is not our turn to speak.
                if matches!(failure.kind, Kind::Refused { .. }) {
                    self.leave(talk).await;
                } else {
                    let _ = time::timeout(LEAVING, talk.close()).await;
                    self.evidence.transcript = Arc::new(talk.into_parts().1);
                }
                Err(failure)
            }
        }
    }

    /// Whether both sides are ready for TLS.
    async fn speak<S>(&mut self, talk: &mut Talk<S>, upgrade: bool) -> Result<bool, ServiceFailure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let limit = self.timeout;
        if talk.greets() {
            let greeting = self.timed(Stage::Greeting, limit, talk.greeting()).await?;
            self.evidence.greeting = Some(greeting);
        }
        if !upgrade {
            return Ok(false);
        }
        let helo = &self.context.helo;
        let offered = self.timed(Stage::Hello, limit, talk.offers_tls(helo)).await?;
        if offered {
            self.timed(Stage::StartTls, limit, talk.start_tls()).await?;
        }
        Ok(offered)
    }

    /// Takes leave, and keeps what was said. How that goes is no failure of the service.
    async fn leave<S>(&mut self, mut talk: Talk<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if talk.greets() {
            let _ = self.timed(Stage::Leave, self.timeout, talk.leave()).await;
        }
        let _ = time::timeout(LEAVING, talk.close()).await;
        self.evidence.transcript = Arc::new(talk.into_parts().1);
    }

    /// Runs one stage within `limit` and writes down how long it took, whether it came to its end or not.
    async fn timed<T>(
        &mut self,
        stage: Stage,
        limit: Duration,
        work: impl Future<Output = Result<T, Kind>>,
    ) -> Result<T, ServiceFailure> {
        let began = self.net.now();
        let result = time::timeout(limit, work).await.unwrap_or(Err(Kind::Timeout));
        let elapsed = ask::since(self.net, began);
        self.evidence.stages.push(ServiceTiming { stage, elapsed });
        result.map_err(|kind| ServiceFailure {
            stage,
            after: elapsed,
            kind,
        })
    }
}
