//! A server that a test scripts, on the other end of a pipe, and the one-peer network that leads there.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex, split};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_rustls::TlsAcceptor;

use super::super::{ask_for, run};
use crate::model::reach::PingReport;
use crate::model::smtp::SmtpEvidence;
use crate::model::{DialError, DomainName, Evidence, Recipient};
use crate::net::trust::Trust;
use crate::net::trust::tests::pki::Identity;
use crate::net::{Answer, AskError, Connection, Net, PingError, PingPlan, Question, Routes};
use crate::net::{FetchError, FetchLimits, Fetched, Page};
use crate::probe::{Context, Seen};

/// When the tests' time begins.
pub(super) const BEGIN: &str = "2026-06-01T00:00:00Z";
/// The limits of the sessions that tests hold.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// Just within them.
pub(super) const NEARLY_TIMEOUT: Duration = Duration::from_secs(29);
pub(super) const NEARLY_PATIENCE: Duration = Duration::from_secs(59);
/// What a pipe holds before the writer has to wait.
pub(super) const PIPE: usize = 16 * 1024;

pub(super) fn peer() -> SocketAddr {
    "192.0.2.25:25".parse().unwrap()
}

/// What our end of the pipe did.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Times that we had to wait for an answer to something, or for the first word.
    pub(super) turns: AtomicUsize,
    pub(super) bytes_read: AtomicUsize,
    /// The peer's end is a reset.
    pub(super) resets: AtomicBool,
    spoke_last: AtomicBool,
}

/// Our end of the pipe, counted.
pub(super) struct Tap {
    inner: DuplexStream,
    tally: Arc<Tally>,
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Task<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let outcome = Pin::new(&mut self.inner).poll_read(task, into);
        let count = into.filled().len() - before;
        self.tally.bytes_read.fetch_add(count, Ordering::Relaxed);
        if count > 0 && self.tally.spoke_last.swap(false, Ordering::Relaxed) {
            self.tally.turns.fetch_add(1, Ordering::Relaxed);
        }
        let ended = matches!(outcome, Poll::Ready(Ok(()))) && count == 0;
        if ended && self.tally.resets.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        outcome
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.tally.spoke_last.store(true, Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_write(task, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(task)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(task)
    }
}

/// A network of one peer, under driven time.
struct OnePeer {
    begin: Instant,
    round_trip: Duration,
    dial: Mutex<Option<Result<Tap, DialError>>>,
}

impl Net for OnePeer {
    type Stream = Tap;

    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.begin.elapsed()).unwrap();
        BEGIN.parse::<Timestamp>().unwrap() + passed
    }

    async fn ask(&self, _: SocketAddr, _: &Question, _: Duration) -> Result<Answer, AskError> {
        Err(AskError::Timeout)
    }

    async fn dial(&self, to: SocketAddr, limit: Duration) -> Result<Connection<Tap>, DialError> {
        assert_eq!((to, limit), (peer(), TIMEOUT));
        sleep(self.round_trip).await;
        let dialed = self.dial.lock().unwrap().take().expect("a session dials once");
        dialed.map(|stream| Connection {
            stream,
            source: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        })
    }

    async fn fetch(&self, _: &Page<'_>, _: &Trust, _: FetchLimits) -> Result<Fetched, FetchError> {
        Err(FetchError::Timeout)
    }

    async fn ping(&self, _: IpAddr, _: PingPlan) -> Result<PingReport, PingError> {
        Err(PingError::NotPermitted)
    }

    async fn snmp(
        &self,
        _: SocketAddr,
        _: &crate::net::snmp::Credentials,
        _: &[crate::net::snmp::ObjectId],
        _: Duration,
    ) -> Result<Vec<crate::net::snmp::SnmpValue>, crate::model::snmp::SnmpFailure> {
        Err(crate::model::snmp::SnmpFailure::Silent)
    }

    async fn trace(
        &self,
        _: SocketAddr,
        _: crate::net::TracePlan,
    ) -> Result<crate::model::trace::Trace, PingError> {
        Err(PingError::NotPermitted)
    }

    fn default_routes(&self) -> Routes {
        Routes { v4: true, v6: false }
    }
}

/// The server's end: what it says, and what it hears.
pub(super) struct Peer<S> {
    stream: S,
    heard: Heard,
}

/// What the server heard, line by line, also what came after the script's end.
pub(super) type Heard = Arc<Mutex<Vec<String>>>;

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Says these bytes, as far as anybody still listens.
    pub(super) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
        let _ = self.stream.flush().await;
    }

    /// Waits for a line and says these bytes.
    pub(super) async fn answer(&mut self, bytes: impl AsRef<[u8]>) {
        if self.hear().await.is_some() {
            self.say(bytes).await;
        }
    }

    /// Waits for a line, without its end; `None` once nothing more comes.
    pub(super) async fn hear(&mut self) -> Option<String> {
        let mut line = Vec::new();
        loop {
            match self.stream.read_u8().await {
                Ok(b'\n') => break,
                Ok(byte) => line.push(byte),
                Err(_) if line.is_empty() => return None,
                Err(_) => break,
            }
        }
        let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        self.heard.lock().unwrap().push(line.clone());
        Some(line)
    }

    /// The bytes of the next TLS record, head and all.
    pub(super) async fn record(&mut self) -> Vec<u8> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).await.unwrap();
        let mut record = head.to_vec();
        record.resize(5 + usize::from(u16::from_be_bytes([head[3], head[4]])), 0);
        self.stream.read_exact(&mut record[5..]).await.unwrap();
        record
    }

    /// Listens until the client is gone, saying nothing.
    pub(super) async fn listen(mut self) {
        while self.hear().await.is_some() {}
    }

    /// Shakes hands with this identity.
    pub(super) async fn secure(self, tls: ServerConfig) -> Peer<tokio_rustls::server::TlsStream<S>> {
        let stream = TlsAcceptor::from(Arc::new(tls))
            .accept(self.stream)
            .await
            .unwrap();
        if let Some(name) = stream.get_ref().1.server_name() {
            self.heard.lock().unwrap().push(format!("SNI {name}"));
        }
        Peer {
            stream,
            heard: self.heard,
        }
    }
}

/// A server's side of TLS.
pub(super) fn tls(
    identity: Identity,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = provider.key_provider.load_private_key(identity.key).unwrap();
    let certified = Arc::new(CertifiedKey::new(identity.chain, key));
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(certified)))
}

/// Shows one identity to everybody, without rustls' own look at the certificate.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A session that was held, from both ends.
pub(super) struct Held {
    pub(super) seen: Seen,
    pub(super) heard: Vec<String>,
    pub(super) tally: Arc<Tally>,
    pub(super) elapsed: Duration,
}

impl Held {
    pub(super) fn smtp(&self) -> &SmtpEvidence {
        match &self.seen.evidence {
            Evidence::Smtp(evidence) | Evidence::Recipient(evidence) => evidence,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn bytes_read(&self) -> usize {
        self.tally.bytes_read.load(Ordering::Relaxed)
    }

    pub(super) fn turns(&self) -> usize {
        self.tally.turns.load(Ordering::Relaxed)
    }
}

/// How a session is to be held.
pub(super) struct Plan {
    pub(super) trust: Trust,
    pub(super) server_name: Option<DomainName>,
    /// Somebody to ask for.
    pub(super) recipient: Option<Recipient>,
    /// What the way there and back takes.
    pub(super) round_trip: Duration,
    /// A closed connection is a reset.
    pub(super) resets: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            trust: Trust::only([]),
            server_name: None,
            recipient: None,
            round_trip: Duration::ZERO,
            resets: false,
        }
    }
}

impl Plan {
    /// Holds a session with a server that behaves as `script` says.
    pub(super) async fn hold<F>(self, script: impl FnOnce(Peer<DuplexStream>) -> F) -> Held
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (ours, far) = duplex(PIPE);
        let theirs = if self.round_trip.is_zero() {
            far
        } else {
            far_away(far, self.round_trip / 2)
        };
        let tally = Arc::new(Tally::default());
        tally.resets.store(self.resets, Ordering::Relaxed);
        tally.spoke_last.store(true, Ordering::Relaxed);
        let heard = Heard::default();
        let server = tokio::spawn(script(Peer {
            stream: theirs,
            heard: Arc::clone(&heard),
        }));
        let tap = Tap {
            inner: ours,
            tally: Arc::clone(&tally),
        };
        let (seen, elapsed) = self.run(Ok(tap)).await;
        server.await.unwrap();
        let heard = heard.lock().unwrap().clone();
        Held {
            seen,
            heard,
            tally,
            elapsed,
        }
    }

    /// A session that does not come to a connection.
    pub(super) async fn fail(self, error: DialError) -> Seen {
        self.run(Err(error)).await.0
    }

    async fn run(self, dial: Result<Tap, DialError>) -> (Seen, Duration) {
        let begin = Instant::now();
        let net = OnePeer {
            begin,
            round_trip: self.round_trip,
            dial: Mutex::new(Some(dial)),
        };
        let context = Context {
            resolvers: Arc::new([]),
            root_keys: None,
            helo: Arc::from("probe.msp.example"),
            ipv6: false,
            snmp: Arc::default(),
            canaries: Arc::default(),
        };
        // On a task of its own, as the daemon runs it: the future has to be `Send`.
        let session = tokio::spawn(async move {
            let Self {
                trust,
                server_name,
                recipient,
                ..
            } = &self;
            if let Some(recipient) = recipient {
                let peers = [(peer(), server_name.clone())];
                return ask_for(&net, &context, trust, recipient, &peers, PATIENCE, TIMEOUT).await;
            }
            run(
                &net,
                &context,
                trust,
                peer(),
                server_name.as_ref(),
                PATIENCE,
                false,
                TIMEOUT,
            )
            .await
        });
        let seen = session.await.unwrap();
        (seen, begin.elapsed())
    }
}

/// Puts time between a pipe's end and whoever gets the returned one.
fn far_away(near: DuplexStream, one_way: Duration) -> DuplexStream {
    let (inner, outer) = duplex(PIPE);
    let (near_read, near_write) = split(near);
    let (inner_read, inner_write) = split(inner);
    tokio::spawn(carry(near_read, inner_write, one_way));
    tokio::spawn(carry(inner_read, near_write, one_way));
    outer
}

async fn carry(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    mut to: impl AsyncWrite + Unpin + Send + 'static,
    one_way: Duration,
) {
    let (put, mut take) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let reader = async move {
        let mut buffer = vec![0; PIPE];
        while let Ok(count) = from.read(&mut buffer).await {
            let _ = put.send((Instant::now() + one_way, buffer[..count].to_vec()));
            if count == 0 {
                break;
            }
        }
    };
    let writer = async move {
        while let Some((due, bytes)) = take.recv().await {
            sleep_until(due).await;
            if bytes.is_empty() || to.write_all(&bytes).await.is_err() {
                let _ = to.shutdown().await;
                break;
            }
        }
    };
    tokio::join!(reader, writer);
}
