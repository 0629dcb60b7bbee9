//! One DNS question to one server: over UDP, and over TCP when the answer was cut off.
//!
//! Each question has a socket of its own, so a fresh random source port beside its random id, and the socket is
//! connected: the kernel then hands us nothing from other senders, and tells us at once when the port is closed.

use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, Query};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout, timeout_at};

use super::clock::tick;
use super::message::{self, Asked, Manner, Reply};
use super::notice::{self, Notice};
use super::tcp::{OWN_FILTER, dial, local_reason, no_way};
use crate::model::DialError;
use crate::net::dns::{Answer, AskError, Question};

/// How long each copy of the question waits, as parts of the limit from its start: copies go out at its start,
/// at a quarter and at half. Three losses in a row are rare, the last copy still has half of the time, and an
/// answer to any copy counts, so a resolver that needs long is not hurried.
const REPEATS: [u32; 3] = [4, 2, 1];

/// Packets that are no answer to our question, after which we stop listening: somebody is guessing.
const MOST_STRANGERS: usize = 100;

/// What came over UDP.
enum Heard {
    Answer(Box<Message>),
    CutOff,
    WithoutEdns,
}

/// Asks `server` within `limit`.
pub(super) async fn ask(
    server: SocketAddr,
    question: &Question,
    limit: Duration,
) -> Result<Answer, AskError> {
    let query = message::query(question)?;
    let message = exchange(server, &query, Manner::of(question), limit).await?;
    Ok(message::answer(*message))
}

/// Likewise, with the answer as it came.
pub(super) async fn exchange(
    server: SocketAddr,
    query: &Query,
    manner: Manner,
    limit: Duration,
) -> Result<Box<Message>, AskError> {
    let start = Instant::from_std(tick());
    let deadline = start + limit;
    let mut asked = Asked::new(query, manner, true)?;
    let mut heard = over_udp(server, &asked, start, limit).await?;
    if matches!(heard, Heard::WithoutEdns) {
        asked = Asked::new(query, manner, false)?;
        let again = Instant::from_std(tick());
        heard = over_udp(server, &asked, again, deadline.duration_since(again)).await?;
    }
    match heard {
        Heard::Answer(message) => Ok(message),
        Heard::CutOff => over_tcp(server, &asked, deadline).await,
        Heard::WithoutEdns => Err(AskError::Malformed("an answer to a question with EDNS".into())),
    }
}

async fn over_udp(
    server: SocketAddr,
    asked: &Asked,
    start: Instant,
    limit: Duration,
) -> Result<Heard, AskError> {
    let socket = connected(server)
        .await
        .map_err(|error| verdict(server, &error, None))?;
    let own = socket.local_addr().ok().map(|address| address.ip());
    let failed = |error: io::Error| match notice::take(&socket) {
        Some(said) if said.prohibits() && said.is_own(own, server.ip()) => AskError::Local(OWN_FILTER.into()),
        said => verdict(server, &error, said),
    };
    let mut strangers = Strangers::default();
    for part in REPEATS {
        socket.send(&asked.bytes).await.map_err(failed)?;
        if let Ok(outcome) = timeout_at(start + limit / part, listen(&socket, asked, &mut strangers)).await {
            return outcome.map_err(failed)?;
        }
    }
    Err(strangers.verdict())
}

/// Waits for the answer.
async fn listen(
    socket: &UdpSocket,
    asked: &Asked,
    strangers: &mut Strangers,
) -> io::Result<Result<Heard, AskError>> {
    loop {
        // Hundreds wait at the same time: there is room for a datagram only once there is one.
        let received = socket.async_io(Interest::READABLE | Interest::ERROR, || datagram(socket));
        match asked.read(&received.await?) {
            Reply::Answer(message) => return Ok(Ok(Heard::Answer(message))),
            Reply::CutOff => return Ok(Ok(Heard::CutOff)),
            Reply::WithoutEdns => return Ok(Ok(Heard::WithoutEdns)),
            Reply::Other(reason) => {
                if strangers.note(reason) {
                    return Ok(Err(std::mem::take(strangers).verdict()));
                }
            }
        }
    }
}

/// What has come in. The room for it is as large as a datagram can be, for a server may ignore the size that we asked for.
fn datagram(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 65_535];
    let length = (&*SockRef::from(socket)).read(&mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

/// The packets that were no answer to our question. One of them does not end the waiting, since anybody can send
/// it; when nothing better comes it is what we report.
#[derive(Debug, Default)]
struct Strangers {
    count: usize,
    last: Option<String>,
}

impl Strangers {
    /// Takes note of one; gives whether they are too many.
    fn note(&mut self, reason: String) -> bool {
        self.count += 1;
        self.last = Some(reason);
        self.count >= MOST_STRANGERS
    }

    fn verdict(self) -> AskError {
        self.last.map_or(AskError::Timeout, AskError::Malformed)
    }
}

async fn connected(server: SocketAddr) -> io::Result<UdpSocket> {
    let any = match server {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).await?;
    notice::listen(&socket, server.is_ipv4(), true)?;
    socket.connect(server).await?;
    Ok(socket)
}

/// What an error of the UDP socket means, with what the network said.
fn verdict(server: SocketAddr, error: &io::Error, said: Option<Notice>) -> AskError {
    match (error.kind(), said) {
        (_, Some(said)) if said.prohibits() => {
            AskError::Unreachable("a firewall says that it is prohibited".into())
        }
        (ErrorKind::ConnectionRefused, _) => AskError::Unreachable("the port is closed".into()),
        (_, Some(_)) => AskError::Unreachable(error.to_string()),
        _ if no_way(server.ip(), error) => AskError::Unreachable(error.to_string()),
        _ => AskError::Local(local_reason(error)),
    }
}

/// Asks again over TCP (RFC 7766): the message with its length in front.
async fn over_tcp(server: SocketAddr, asked: &Asked, deadline: Instant) -> Result<Box<Message>, AskError> {
    let left = deadline.duration_since(Instant::from_std(tick()));
    let cut =
        |reason: String| AskError::Unreachable(format!("the answer was cut off, and over TCP: {reason}"));
    let mut stream = match dial(server, left).await {
        Ok(connection) => connection.stream,
        Err(DialError::Local { reason }) => return Err(AskError::Local(reason)),
        Err(error) => return Err(cut(error.to_string())),
    };
    let exchange = async {
        let length = u16::try_from(asked.bytes.len()).map_err(io::Error::other)?;
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(&asked.bytes);
        stream.write_all(&framed).await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    let left = deadline.duration_since(Instant::from_std(tick()));
    match timeout(left, exchange).await {
        Err(_) => Err(cut("no answer".into())),
        Ok(Err(error)) => Err(cut(error.to_string())),
        Ok(Ok(bytes)) => match asked.read(&bytes) {
            Reply::Answer(message) => Ok(message),
            Reply::CutOff => Err(AskError::Malformed("cut off over TCP too".into())),
            Reply::WithoutEdns => Err(AskError::Malformed(
                "EDNS is known over UDP and not over TCP".into(),
            )),
            Reply::Other(reason) => Err(AskError::Malformed(reason)),
        },
    }
}
