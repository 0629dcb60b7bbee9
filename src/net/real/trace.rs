//! The way to an address: packets that may travel so far and no further, and who says that they ended there.
//!
//! First by the opening packet of TCP connections to the port that matters, since firewalls treat other packets
//! otherwise; where nobody answers those, by pings. Both are sockets that need no privilege: the kernel keeps the
//! ICMP "time exceeded" for us (`IP_RECVERR`).

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use super::clock::tick;
use super::notice::{self, Notice};
use super::ping;
use super::tcp::{OWN_FILTER, local_reason, no_way};
use crate::model::trace::{Trace, TraceHop, TraceMethod};
use crate::net::{PingError, TracePlan};

/// What came of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Echo {
    /// It ended at this hop.
    Hop(IpAddr),
    /// Somebody on the way says that it goes no further.
    Barred(IpAddr),
    /// The host itself answered.
    Arrived,
    /// Nothing came back.
    Silent,
}

/// Follows the way to `peer`.
pub(super) async fn trace(peer: SocketAddr, plan: TracePlan) -> Result<Trace, PingError> {
    let start = Instant::from_std(tick());
    let probe = |ttl| over_tcp(peer, ttl, plan.wait);
    let tcp = follow(TraceMethod::Tcp, peer.ip(), plan, start + plan.whole / 2, probe).await?;
    if !tcp.hops.is_empty() {
        return Ok(tcp);
    }
    let probe = |ttl| over_icmp(peer.ip(), ttl, plan.wait);
    match follow(TraceMethod::Icmp, peer.ip(), plan, start + plan.whole, probe).await {
        Ok(icmp) if !icmp.hops.is_empty() => Ok(icmp),
        // That we may not ping is no reason to say nothing.
        Ok(_) | Err(_) => Ok(tcp),
    }
}

/// Follows the way in one manner, some packets at once, until somebody ends it or nobody answers any more.
async fn follow<F: Future<Output = Result<Echo, PingError>>>(
    method: TraceMethod,
    peer: IpAddr,
    plan: TracePlan,
    end: Instant,
    probe: impl Fn(u8) -> F,
) -> Result<Trace, PingError> {
    let mut found = Trace {
        method,
        hops: Vec::new(),
        arrived: false,
    };
    let timed = |distance| {
        let probing = probe(distance);
        async move {
            let start = tick();
            let echo = probing.await;
            (distance, echo, tick().duration_since(start))
        }
    };
    let mut echoes = std::pin::pin!(stream::iter(1..=plan.hops).map(timed).buffered(plan.at_once));
    let mut silent = 0;
    while silent < plan.silent {
        let Ok(Some((distance, echo, after))) = timeout_at(end, echoes.next()).await else {
            break;
        };
        let (address, last) = match echo? {
            Echo::Silent => {
                silent += 1;
                continue;
            }
            Echo::Hop(address) => (address, false),
            Echo::Barred(address) => (address, true),
            Echo::Arrived => (peer, true),
        };
        let at_most = last && silent > 0;
        silent = 0;
        found.arrived = address == peer;
        found.hops.push(TraceHop {
            distance,
            at_most,
            address,
            after,
        });
        if last {
            break;
        }
    }
    Ok(found)
}

/// The opening packet of a connection that may travel `ttl` hops.
async fn over_tcp(peer: SocketAddr, ttl: u8, wait: Duration) -> Result<Echo, PingError> {
    let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))
        .map_err(|error| local(&error))?;
    prepare(&socket, peer.ip(), ttl).map_err(|error| local(&error))?;
    let stream = match socket.connect(&peer.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => {
            // To a peer on this very machine a refusal comes at once.
            return if error.kind() == io::ErrorKind::ConnectionRefused {
                Ok(Echo::Arrived)
            } else {
                Err(at_once(peer.ip(), &error))
            };
        }
        _ => TcpStream::from_std(socket.into()).map_err(|error| local(&error))?,
    };
    if timeout(wait, stream.writable()).await.is_err() {
        return Ok(Echo::Silent);
    }
    let own = stream.local_addr().ok().map(|address| address.ip());
    match stream.take_error() {
        Ok(None) => Ok(Echo::Arrived),
        Ok(Some(error)) => said(notice::take(&stream), own, peer.ip(), &error),
        Err(error) => Err(local(&error)),
    }
}

/// A ping that may travel `ttl` hops.
async fn over_icmp(peer: IpAddr, ttl: u8, wait: Duration) -> Result<Echo, PingError> {
    let (socket, raw) = ping::open_socket(peer)?;
    prepare(&socket, peer, ttl).map_err(|error| local(&error))?;
    socket
        .connect(&SocketAddr::new(peer, 0).into())
        .map_err(|error| at_once(peer, &error))?;
    let socket = UdpSocket::from_std(socket.into()).map_err(|error| local(&error))?;
    let own = socket.local_addr().ok().map(|address| address.ip());
    let request = ping::Request::new(peer, raw)?;
    let heard = async {
        socket.send(&request.packet()).await?;
        let mut buffer = [0; 2048];
        loop {
            let length = socket.recv(&mut buffer).await?;
            if request.is_answered_by(buffer.get(..length).unwrap_or_default()) {
                return Ok(Echo::Arrived);
            }
        }
    };
    match timeout(wait, heard).await {
        Err(_) => Ok(Echo::Silent),
        Ok(Ok(echo)) => Ok(echo),
        Ok(Err(error)) => said(notice::take(&socket), own, peer, &error),
    }
}

fn prepare(socket: &Socket, peer: IpAddr, ttl: u8) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    match peer {
        IpAddr::V4(_) => socket.set_ttl_v4(u32::from(ttl))?,
        IpAddr::V6(_) => socket.set_unicast_hops_v6(u32::from(ttl))?,
    }
    notice::listen(socket, peer.is_ipv4(), true)
}

/// What an error of the socket means, with what the network said.
fn said(
    notice: Option<Notice>,
    own: Option<IpAddr>,
    peer: IpAddr,
    error: &io::Error,
) -> Result<Echo, PingError> {
    match notice {
        Some(notice) if notice.prohibits() && notice.is_own(own, peer) => {
            Err(PingError::Local(OWN_FILTER.into()))
        }
        // What this machine itself says of a neighbour that does not answer is no hop.
        Some(notice) if notice.is_own(own, peer) => Ok(Echo::Silent),
        Some(Notice { from: Some(from), .. }) if from == peer => Ok(Echo::Arrived),
        Some(notice) => Ok(match notice.from {
            Some(from) if notice.travelled_too_far() => Echo::Hop(from),
            Some(from) => Echo::Barred(from),
            None => Echo::Silent,
        }),
        None => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Ok(Echo::Arrived),
            io::ErrorKind::TimedOut => Ok(Echo::Silent),
            _ => Err(at_once(peer, error)),
        },
    }
}

fn at_once(peer: IpAddr, error: &io::Error) -> PingError {
    if no_way(peer, error) {
        PingError::NoRoute
    } else {
        local(error)
    }
}

fn local(error: &io::Error) -> PingError {
    PingError::Local(local_reason(error))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 10));
    const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));
    const SELF: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    #[test]
    fn who_says_what_is_told_apart() {
        let error = io::Error::from_raw_os_error(Errno::EHOSTUNREACH as i32);
        let read = |kind, code, from| {
            let notice = Notice {
                v6: false,
                kind,
                code,
                from: Some(from),
            };
            said(Some(notice), Some(SELF), PEER, &error)
        };
        assert_eq!(read(11, 0, ROUTER), Ok(Echo::Hop(ROUTER)));
        assert_eq!(read(3, 13, ROUTER), Ok(Echo::Barred(ROUTER)));
        assert_eq!(read(3, 1, ROUTER), Ok(Echo::Barred(ROUTER)));
        assert_eq!(read(3, 3, PEER), Ok(Echo::Arrived));
        assert_eq!(read(3, 1, SELF), Ok(Echo::Silent));
        assert!(read(3, 13, SELF).is_err());
        let refused = io::Error::from_raw_os_error(Errno::ECONNREFUSED as i32);
        assert_eq!(said(None, Some(SELF), PEER, &refused), Ok(Echo::Arrived));
    }

    #[tokio::test]
    async fn this_machine_is_one_hop_away() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let open = trace(at, TracePlan::USUAL).await.unwrap();
        drop(listener);
        for found in [open, trace(at, TracePlan::USUAL).await.unwrap()] {
            assert!(found.arrived);
            let last = found.last().unwrap();
            assert_eq!((last.distance, last.address), (1, at.ip()));
        }
    }

    #[tokio::test]
    async fn silence_ends_early_and_gaps_are_passed_over() {
        let plan = TracePlan::USUAL;
        let end = Instant::from_std(tick()) + plan.whole;
        let way = |ttl| async move {
            Ok(match ttl {
                1 | 4 => Echo::Hop(ROUTER),
                2..=8 => Echo::Silent,
                _ => Echo::Arrived,
            })
        };
        let found = follow(TraceMethod::Tcp, PEER, plan, end, way).await.unwrap();
        assert!(found.arrived, "a gap of four is no end");
        let seen: Vec<(u8, bool)> = found.hops.iter().map(|hop| (hop.distance, hop.at_most)).collect();
        assert_eq!(
            seen,
            [(1, false), (4, false), (9, true)],
            "the host may be nearer"
        );
        let nobody = |_| async { Ok(Echo::Silent) };
        let found = follow(TraceMethod::Tcp, PEER, plan, end, nobody).await.unwrap();
        assert_eq!((found.hops.len(), found.arrived), (0, false));
        let past = Instant::from_std(tick());
        let hung = |_| std::future::pending();
        let found = follow(TraceMethod::Tcp, PEER, plan, past, hung).await.unwrap();
        assert_eq!(found.hops, []);
    }
}
