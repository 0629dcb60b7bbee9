//! Pings: ICMP echo, by a datagram socket where the kernel lets us (`net.ipv4.ping_group_range`), else by a raw
//! one where we have the right (`CAP_NET_RAW`).
//!
//! Each round has a socket of its own, so an identifier of its own (one that never changes has wedged firewalls),
//! and the socket is connected and keeps ICMP errors, so that "unreachable" is told from silence.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

use super::clock::tick;
use super::notice;
use super::tcp::{OWN_FILTER, local_reason, no_way};
use crate::model::reach::PingReport;
use crate::net::{PingError, PingPlan};

/// Header and payload of an echo request, in bytes.
const LENGTH: usize = 8 + TOKEN;
/// The random payload that tells our answers from anything else.
const TOKEN: usize = 16;
/// No more than this many in a round.
const MOST: u32 = 1000;

/// Sends a round of pings and collects the answers.
pub(super) async fn ping(peer: IpAddr, plan: PingPlan) -> Result<PingReport, PingError> {
    let mut round = Round::open(peer, plan.count.min(MOST))?;
    let start = Instant::from_std(tick());
    let mut next = start;
    let mut end = start + plan.wait;
    let mut buffer = [0; 2048];
    while !round.complete() {
        let sending = round.sent_all();
        tokio::select! {
            () = sleep_until(next), if !sending => {
                round.send().await?;
                end = next + plan.wait;
                next += plan.spacing;
            }
            () = sleep_until(end), if sending => break,
            received = round.socket.recv(&mut buffer) => match received {
                Ok(length) => round.note(buffer.get(..length).unwrap_or_default()),
                Err(error) => round.fail(&error)?,
            },
        }
    }
    Ok(round.report())
}

/// One round of pings.
struct Round {
    socket: UdpSocket,
    peer: IpAddr,
    raw: bool,
    identifier: u16,
    token: [u8; TOKEN],
    count: u32,
    sent: Vec<Instant>,
    answered: Vec<Option<Duration>>,
    unreachable: bool,
}

impl Round {
    fn open(peer: IpAddr, count: u32) -> Result<Self, PingError> {
        let (socket, raw) = open_socket(peer)?;
        let local = |error: io::Error| PingError::Local(local_reason(&error));
        socket.set_nonblocking(true).map_err(local)?;
        notice::listen(&socket, peer.is_ipv4(), true).map_err(local)?;
        socket
            .connect(&SocketAddr::new(peer, 0).into())
            .map_err(|error| at_once(peer, &error))?;
        let (identifier, token) = random()?;
        Ok(Self {
            socket: UdpSocket::from_std(socket.into()).map_err(local)?,
            peer,
            raw,
            identifier,
            token,
            count,
            sent: Vec::new(),
            answered: Vec::new(),
            unreachable: false,
        })
    }

    fn sent_all(&self) -> bool {
        self.sent.len() >= self.count as usize
    }

    fn complete(&self) -> bool {
        self.sent_all() && self.answered.iter().all(Option::is_some)
    }

    async fn send(&mut self) -> Result<(), PingError> {
        let sequence = u16::try_from(self.sent.len()).unwrap_or(u16::MAX);
        let packet = echo_request(self.peer.is_ipv4(), self.identifier, sequence, self.token);
        self.sent.push(Instant::from_std(tick()));
        self.answered.push(None);
        match self.socket.send(&packet).await {
            Ok(_) => Ok(()),
            Err(error) => self.fail(&error),
        }
    }

    /// Takes note of an error of the socket: the network's answer to an earlier packet, or our own fault.
    fn fail(&mut self, error: &io::Error) -> Result<(), PingError> {
        if let Some(said) = notice::take(&self.socket) {
            let own = self.socket.local_addr().ok().map(|address| address.ip());
            if said.prohibits() && said.is_own(own, self.peer) {
                return Err(PingError::Local(OWN_FILTER.into()));
            }
            self.unreachable = true;
            return Ok(());
        }
        // Full buffers on our side lose a packet as the network might.
        if error.raw_os_error() == Some(Errno::ENOBUFS as i32) {
            return Ok(());
        }
        Err(at_once(self.peer, error))
    }

    fn note(&mut self, packet: &[u8]) {
        let message = if self.raw && self.peer.is_ipv4() {
            without_ip_header(packet)
        } else {
            Some(packet)
        };
        let identifier = self.raw.then_some(self.identifier);
        let Some(sequence) =
            message.and_then(|message| echo_reply(message, self.peer.is_ipv4(), identifier, self.token))
        else {
            return;
        };
        let index = usize::from(sequence);
        if let (Some(sent), Some(slot @ None)) = (self.sent.get(index), self.answered.get_mut(index)) {
            *slot = Some(Instant::from_std(tick()).duration_since(*sent));
        }
    }

    fn report(self) -> PingReport {
        PingReport {
            sent: self.count,
            round_trips: self.answered.into_iter().flatten().collect(),
            unreachable: self.unreachable,
        }
    }
}

/// A single echo request that is told from all others.
pub(super) struct Request {
    v4: bool,
    raw: bool,
    identifier: u16,
    token: [u8; TOKEN],
}

impl Request {
    /// A request to `peer`, over a raw socket or a datagram one.
    pub(super) fn new(peer: IpAddr, raw: bool) -> Result<Self, PingError> {
        let (identifier, token) = random()?;
        Ok(Self {
            v4: peer.is_ipv4(),
            raw,
            identifier,
            token,
        })
    }

    /// What is sent.
    pub(super) fn packet(&self) -> [u8; LENGTH] {
        echo_request(self.v4, self.identifier, 0, self.token)
    }

    /// Whether what came is the answer.
    pub(super) fn is_answered_by(&self, packet: &[u8]) -> bool {
        let message = if self.raw && self.v4 {
            without_ip_header(packet)
        } else {
            Some(packet)
        };
        let identifier = self.raw.then_some(self.identifier);
        message.is_some_and(|message| echo_reply(message, self.v4, identifier, self.token).is_some())
    }
}

/// An identifier and a payload that nobody else uses.
fn random() -> Result<(u16, [u8; TOKEN]), PingError> {
    let mut random = [0; TOKEN + 2];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| PingError::Local("no random numbers".into()))?;
    let [high, low, token @ ..] = random;
    Ok((u16::from_be_bytes([high, low]), token))
}

/// Opens a datagram socket, else a raw one; gives which.
pub(super) fn open_socket(peer: IpAddr) -> Result<(Socket, bool), PingError> {
    let (domain, protocol) = match peer {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let refused = |error: &io::Error| error.kind() == ErrorKind::PermissionDenied;
    match Socket::new(domain, Type::DGRAM, Some(protocol)) {
        Ok(socket) => Ok((socket, false)),
        // Not only a lack of rights: some kernels and sandboxes know no such sockets.
        Err(first) => match Socket::new(domain, Type::RAW, Some(protocol)) {
            Ok(socket) => Ok((socket, true)),
            Err(second) if refused(&second) => Err(PingError::NotPermitted),
            Err(_) => Err(at_once(peer, &first)),
        },
    }
}

fn at_once(peer: IpAddr, error: &io::Error) -> PingError {
    if no_way(peer, error) {
        PingError::NoRoute
    } else {
        PingError::Local(local_reason(error))
    }
}

/// An echo request (RFC 792; RFC 4443 4.1). The kernel sets the identifier on datagram sockets, and the checksum
/// of ICMPv6.
fn echo_request(v4: bool, identifier: u16, sequence: u16, token: [u8; TOKEN]) -> [u8; LENGTH] {
    let [id_high, id_low] = identifier.to_be_bytes();
    let [sequence_high, sequence_low] = sequence.to_be_bytes();
    let mut packet = [0; LENGTH];
    let (header, payload) = packet.split_at_mut(LENGTH - TOKEN);
    let kind = if v4 { 8 } else { 128 };
    header.copy_from_slice(&[kind, 0, 0, 0, id_high, id_low, sequence_high, sequence_low]);
    payload.copy_from_slice(&token);
    if v4 {
        let [high, low] = checksum(&packet).to_be_bytes();
        packet[2] = high;
        packet[3] = low;
    }
    packet
}

/// The sequence number, if `message` answers a request of this round.
fn echo_reply(message: &[u8], v4: bool, identifier: Option<u16>, token: [u8; TOKEN]) -> Option<u16> {
    let [
        kind,
        0,
        _,
        _,
        id_high,
        id_low,
        sequence_high,
        sequence_low,
        payload @ ..,
    ] = message
    else {
        return None;
    };
    let ours = identifier.is_none_or(|identifier| identifier == u16::from_be_bytes([*id_high, *id_low]));
    let reply = *kind == if v4 { 0 } else { 129 };
    (reply && ours && *payload == token).then(|| u16::from_be_bytes([*sequence_high, *sequence_low]))
}

/// What follows the IPv4 header, whose length stands in its first byte (RFC 791 3.1).
fn without_ip_header(packet: &[u8]) -> Option<&[u8]> {
    let words = usize::from(packet.first()? & 0x0f);
    packet.get(words * 4..)
}

/// The internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
            [last] => u32::from(*last) << 8,
            _ => 0,
        })
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [u8; TOKEN] = *b"0123456789abcdef";

    #[test]
    fn a_request_sums_to_nothing() {
        let packet = echo_request(true, 0x1234, 7, OURS);
        assert_eq!(checksum(&packet), 0);
        assert_eq!(packet[..2], [8, 0]);
        assert_eq!(echo_request(false, 0x1234, 7, OURS)[..4], [128, 0, 0, 0]);
    }

    #[test]
    fn only_our_own_answers_count() {
        let mut answer = echo_request(true, 0x1234, 7, OURS);
        assert_eq!(
            echo_reply(&answer, true, None, OURS),
            None,
            "a request is no answer"
        );
        answer[0] = 0;
        assert_eq!(echo_reply(&answer, true, None, OURS), Some(7));
        assert_eq!(echo_reply(&answer, true, Some(0x1234), OURS), Some(7));
        assert_eq!(echo_reply(&answer, true, Some(0x1235), OURS), None);
        assert_eq!(echo_reply(&answer, false, None, OURS), None);
        assert_eq!(echo_reply(&answer, true, None, [0; TOKEN]), None);
        assert_eq!(echo_reply(&answer[..7], true, None, OURS), None);
    }

    #[test]
    fn the_ip_header_is_skipped_whatever_its_length() {
        assert_eq!(without_ip_header(&[0x45; 24]).map(<[u8]>::len), Some(4));
        assert_eq!(without_ip_header(&[0x4f; 24]), None);
        assert_eq!(without_ip_header(&[]), None);
    }
}
