//! TCP connections, and why there is none.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::notice::{self, Notice};
use crate::model::DialError;
use crate::net::Connection;

/// Opens a TCP connection within `limit`.
pub(super) async fn dial(peer: SocketAddr, limit: Duration) -> Result<Connection<TcpStream>, DialError> {
    let stream = start(peer).map_err(|error| at_once(peer, &error))?;
    timeout(limit, stream.writable())
        .await
        .map_err(|_| DialError::Timeout)?
        .map_err(|error| local(&error))?;
    let source = stream.local_addr().ok().map(|address| address.ip());
    match stream.take_error().map_err(|error| local(&error))? {
        // It was open, and reset before we looked: somebody listens there, and whoever reads finds it closed.
        Some(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Some(error) => return Err(after_a_while(peer.ip(), source, &error, notice::take(&stream))),
        None => {}
    }
    // From here on a late ICMP error is no reason to end what works.
    notice::listen(&stream, peer.is_ipv4(), false).map_err(|error| local(&error))?;
    Ok(Connection { stream, source })
}

/// Sends the first packet. What fails here fails on this machine.
fn start(peer: SocketAddr) -> io::Result<TcpStream> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(peer), kind, Some(Protocol::TCP))?;
    // A dialogue of short lines: waiting to fill a packet would only add to the times that we measure.
    socket.set_tcp_nodelay(true)?;
    notice::listen(&socket, peer.is_ipv4(), true)?;
    match socket.connect(&peer.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => Err(error),
        _ => TcpStream::from_std(socket.into()),
    }
}

/// What an error before any packet was sent means.
fn at_once(peer: SocketAddr, error: &io::Error) -> DialError {
    // To a peer on this very machine a refusal comes at once.
    if error.kind() == ErrorKind::ConnectionRefused {
        return DialError::Refused;
    }
    if no_way(peer.ip(), error) {
        return DialError::Unreachable {
            prohibited: false,
            no_route: true,
        };
    }
    local(error)
}

/// Whether an error that our own kernel gave before it sent anything says that it has no way to `peer`.
pub(super) fn no_way(peer: IpAddr, error: &io::Error) -> bool {
    match error.kind() {
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown => true,
        // Without an IPv6 address; for IPv4 it means that the ports are used up, which is another fault.
        ErrorKind::AddrNotAvailable => peer.is_ipv6(),
        _ => error.raw_os_error() == Some(Errno::EAFNOSUPPORT as i32),
    }
}

/// What an error that came while the connection was under way means, with what the network said of it.
fn after_a_while(
    peer: IpAddr,
    source: Option<IpAddr>,
    error: &io::Error,
    notice: Option<Notice>,
) -> DialError {
    if let Some(notice) = notice {
        // Something on the way that answers in the peer's stead is a firewall, whatever words it chooses.
        let elsewhere = notice.from.is_some_and(|from| from != peer);
        let prohibited = notice.prohibits() || (notice.port_closed() && elsewhere);
        let own = notice.is_own(source, peer);
        return match (prohibited, notice.port_closed()) {
            (true, _) => DialError::Unreachable {
                prohibited: !own,
                no_route: own,
            },
            (false, true) => DialError::Refused,
            (false, false) => DialError::Unreachable {
                prohibited: false,
                no_route: false,
            },
        };
    }
    match error.kind() {
        ErrorKind::ConnectionRefused => DialError::Refused,
        ErrorKind::TimedOut => DialError::Timeout,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => DialError::Unreachable {
            prohibited: false,
            no_route: false,
        },
        _ => local(error),
    }
}

fn local(error: &io::Error) -> DialError {
    DialError::Local {
        reason: local_reason(error),
    }
}

/// What is said where a filter of this machine answers for somebody else.
pub(super) const OWN_FILTER: &str = "a filter on this machine forbids it";

/// The operating system's words, and where they do not say it, that it is this machine's own doing.
pub(super) fn local_reason(error: &io::Error) -> String {
    if error.kind() == ErrorKind::PermissionDenied {
        format!("this machine forbids it, a filter or sandbox of its own perhaps ({error})")
    } else {
        error.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 10));
    const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));
    const SELF: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn said(code: u8, from: IpAddr) -> Notice {
        Notice {
            v6: false,
            kind: 3,
            code,
            from: Some(from),
        }
    }

    fn unreachable(prohibited: bool, no_route: bool) -> DialError {
        DialError::Unreachable { prohibited, no_route }
    }

    #[test]
    fn what_the_network_says_is_told_from_what_we_lack() {
        let errno = |errno: Errno| io::Error::from_raw_os_error(errno as i32);
        let host = errno(Errno::EHOSTUNREACH);
        let refused = errno(Errno::ECONNREFUSED);
        let cases = [
            // No notice: the errno decides.
            (&refused, None, DialError::Refused),
            (&errno(Errno::ETIMEDOUT), None, DialError::Timeout),
            (&host, None, unreachable(false, false)),
            // Host unreachable, said by a router.
            (&host, Some(said(1, ROUTER)), unreachable(false, false)),
            // Prohibited, in each of the three ways, and by the host itself.
            (&host, Some(said(9, ROUTER)), unreachable(true, false)),
            (&host, Some(said(10, ROUTER)), unreachable(true, false)),
            (&host, Some(said(13, PEER)), unreachable(true, false)),
            // "Port closed" by the peer is a refusal; by somebody else it is a firewall.
            (&refused, Some(said(3, PEER)), DialError::Refused),
            (&refused, Some(said(3, ROUTER)), unreachable(true, false)),
            // Our own filter, and our own neighbour table.
            (&host, Some(said(13, SELF)), unreachable(false, true)),
            (&host, Some(said(1, SELF)), unreachable(false, false)),
        ];
        for (error, notice, expected) in cases {
            assert_eq!(
                after_a_while(PEER, Some(SELF), error, notice),
                expected,
                "{error} {notice:?}"
            );
        }
        let v6 = Notice {
            v6: true,
            kind: 1,
            code: 5,
            from: None,
        };
        assert_eq!(
            after_a_while(PEER, None, &host, Some(v6)),
            unreachable(true, false)
        );
    }

    #[test]
    fn what_fails_at_once_is_ours() {
        let peer = SocketAddr::new(PEER, 25);
        let v6 = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 25));
        let errno = |errno: Errno| io::Error::from_raw_os_error(errno as i32);
        assert_eq!(
            at_once(peer, &errno(Errno::ENETUNREACH)),
            unreachable(false, true)
        );
        assert_eq!(
            at_once(v6, &errno(Errno::EADDRNOTAVAIL)),
            unreachable(false, true)
        );
        assert_eq!(at_once(v6, &errno(Errno::EAFNOSUPPORT)), unreachable(false, true));
        for ours in [Errno::EADDRNOTAVAIL, Errno::EMFILE, Errno::EPERM, Errno::EACCES] {
            assert!(
                matches!(at_once(peer, &errno(ours)), DialError::Local { .. }),
                "{ours}"
            );
        }
    }
}
