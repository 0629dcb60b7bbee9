//! The way to a server that we log in at: its address, a connection, and TLS with a certificate that proves who it is. No
//! password goes to anybody else.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time;

use crate::model::smtp::SmtpFailureKind;
use crate::model::tls::ChainVerdict;
use crate::model::{CanaryOutcome, CanaryStage, DialError, DomainName, Endpoint};
use crate::net::trust::Trust;
use crate::net::{Connection, Net};
use crate::probe::Context;
use crate::probe::ask::{self, NoAddress};
use crate::probe::smtp::dialogue::{self, Bounded};
use crate::probe::smtp::tls;

/// Addresses beyond this many are not tried.
const MOST_ADDRESSES: usize = 4;

/// Why a canary comes to an end before it has begun, or cannot be run at all.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Trouble {
    /// Our own side, in words.
    Ours(String),
    /// What became of it.
    Theirs(CanaryOutcome),
}

/// A connection of any kind, of which only bytes matter.
pub(super) struct Link(Pin<Box<dyn Duplex>>);

trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Duplex for S {}

impl Link {
    pub(super) fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        Self(Box::pin(stream))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(task, into)
    }
}

impl AsyncWrite for Link {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(task)
    }
}

/// What a step failed by, with how long it had lasted.
pub(super) fn failed(stage: CanaryStage, after: Duration, kind: SmtpFailureKind) -> Trouble {
    match kind {
        SmtpFailureKind::Dial(DialError::Local { reason }) => Trouble::Ours(reason),
        kind => Trouble::Theirs(CanaryOutcome::NotSubmitted { stage, after, kind }),
    }
}

/// Connects to the first address of a server that takes it. `tried` is told who that is, or was to be.
pub(super) async fn connect<N: Net>(
    net: &N,
    context: &Context,
    host: &Endpoint,
    port: u16,
    timeout: Duration,
    tried: &mut Option<SocketAddr>,
) -> Result<Connection<N::Stream>, Trouble> {
    let began = net.now();
    let located = ask::locate_all(net, context, host, timeout).await;
    let addresses = located.map_err(|why| match why {
        NoAddress::None(said) => Trouble::Theirs(CanaryOutcome::NoServer { definite: true, said }),
        NoAddress::Untold(said) => Trouble::Theirs(CanaryOutcome::NoServer {
            definite: false,
            said,
        }),
        NoAddress::Local(reason) => Trouble::Ours(reason),
    })?;
    let places = addresses.into_iter().take(MOST_ADDRESSES);
    let places: Vec<SocketAddr> = places.map(|address| SocketAddr::new(address, port)).collect();
    *tried = places.first().copied();
    let share = timeout / u32::try_from(places.len().max(1)).unwrap_or(1);
    let mut first = None;
    for place in places {
        match net.dial(place, share).await {
            Ok(connection) => {
                *tried = Some(place);
                return Ok(connection);
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    let kind = SmtpFailureKind::Dial(first.unwrap_or(DialError::Timeout));
    Err(failed(CanaryStage::Connect, ask::since(net, began), kind))
}

/// Shakes hands. Where `must_prove` who it is, a certificate that does not ends it.
pub(super) async fn secure<N: Net, S>(
    net: &N,
    trust: &Trust,
    stream: S,
    host: &Endpoint,
    peer: IpAddr,
    timeout: Duration,
    must_prove: bool,
) -> Result<Bounded<tokio_rustls::client::TlsStream<S>>, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let began = net.now();
    let name = match host {
        Endpoint::Name(name) => Some(name),
        Endpoint::Address(_) => None,
    };
    let shaken = time::timeout(timeout, tls::handshake(stream, peer, name)).await;
    let kind = match shaken {
        Ok(Ok(stream)) => {
            let (_, session) = stream.get_ref();
            let shown = tls::evidence(session, trust, net.now());
            let covers = |name: &DomainName| shown.certificate.as_ref().is_some_and(|own| own.covers(name));
            let reason = match (&shown.chain, name) {
                (ChainVerdict::Trusted, Some(name)) if !covers(name) => {
                    Some(format!("its certificate is not for {name}"))
                }
                (ChainVerdict::Trusted, _) => None,
                (other, _) => Some(format!("its certificate {}", wrong_with(other))),
            };
            return match reason.filter(|_| must_prove) {
                Some(reason) => Err(Trouble::Theirs(CanaryOutcome::NotTrusted { reason })),
                None => Ok(Bounded::new(stream)),
            };
        }
        Ok(Err(error)) => dialogue::fault(&error),
        Err(_) => SmtpFailureKind::Timeout,
    };
    Err(failed(CanaryStage::Tls, ask::since(net, began), kind))
}

/// What is wrong with a chain of certificates.
fn wrong_with(chain: &ChainVerdict) -> String {
    match chain {
        ChainVerdict::Trusted => "is good".to_owned(),
        ChainVerdict::Expired => "is out of date".to_owned(),
        ChainVerdict::NotYetValid => "is not valid yet".to_owned(),
        ChainVerdict::UnknownIssuer => "comes from an issuer that we do not know".to_owned(),
        ChainVerdict::SelfSigned => "vouches only for itself".to_owned(),
        ChainVerdict::Revoked => "was revoked".to_owned(),
        ChainVerdict::Invalid { reason } => format!("is invalid: {reason}"),
    }
}
