//! What stands in the way of packets and of what they say: a firewall that takes part in the SMTP dialogue, as
//! real ones do, and a router that takes its time to answer pings.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::hosts::Host;
use crate::worker::Worker;
use crate::world::World;

/// Where the firewall takes the sessions that it listens to.
pub const PORT: u16 = 2525;

/// What a firewall does to the SMTP sessions that pass it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meddling {
    /// It writes XXXXXXXX over STARTTLS.
    MaskStarttls,
    /// It cuts the connection when it sees EHLO.
    CutAtEhlo,
    /// It lets nothing through any more from EHLO on.
    SwallowFromEhlo,
    /// It lets EHLO wait: longer than the daemon does usually, and less long than senders do.
    DelayEhlo,
    /// It cuts the connection when TLS begins.
    CutAtTls,
    /// It lets every line of the server wait for a third of a second.
    SlowLines,
    /// It leads to another service: one that speaks SSH.
    OtherService,
}

/// Sits on a router and meddles with what goes to port 25 of a host; a packet filter has to lead it here.
pub fn meddle(world: &World, at: Host, to: Host, how: Meddling) -> Result<Worker> {
    let target = SocketAddr::new(to.address().parse()?, 25);
    let open = || {
        let listener = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
        listener.set_nonblocking(true)?;
        Ok(TcpListener::from_std(listener)?)
    };
    Worker::start(&world.namespace(at), open, move |listener| async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(session(client, target, how));
        }
    })
}

async fn session(mut client: TcpStream, target: SocketAddr, how: Meddling) {
    if how == Meddling::OtherService {
        let _ = client.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").await;
        let mut rest = [0; 512];
        while client.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let secret = Arc::new(AtomicBool::new(false));
    tokio::select! {
        () = forth(from_client, to_server, how, Arc::clone(&secret)) => {}
        () = back(from_server, to_client, how, secret) => {}
    }
}

/// From the client to the server. Each command comes in one piece, for each waits for the reply to the one before.
async fn forth(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    how: Meddling,
    secret: Arc<AtomicBool>,
) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = client.read(&mut buffer).await {
        let piece = &buffer[..read];
        match how {
            Meddling::CutAtEhlo if piece.starts_with(b"EHLO") => return,
            Meddling::SwallowFromEhlo if piece.starts_with(b"EHLO") => std::future::pending().await,
            Meddling::DelayEhlo if piece.starts_with(b"EHLO") => {
                tokio::time::sleep(Duration::from_secs(6)).await;
            }
            Meddling::CutAtTls if secret.load(Ordering::Relaxed) => return,
            _ => {}
        }
        if piece.starts_with(b"STARTTLS") {
            secret.store(true, Ordering::Relaxed);
        }
        if server.write_all(piece).await.is_err() {
            return;
        }
    }
}

/// From the server to the client. What is secret nobody can meddle with.
async fn back(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, how: Meddling, secret: Arc<AtomicBool>) {
    let mut buffer = [0; 16384];
    while let Ok(read @ 1..) = server.read(&mut buffer).await {
        let plain = !secret.load(Ordering::Relaxed);
        if plain && how == Meddling::MaskStarttls {
            let text = String::from_utf8_lossy(&buffer[..read]).replace("STARTTLS", "XXXXXXXX");
            if client.write_all(text.as_bytes()).await.is_err() {
                return;
            }
            continue;
        }
        for line in buffer[..read].split_inclusive(|byte| *byte == b'\n') {
            if plain && how == Meddling::SlowLines {
                tokio::time::sleep(Duration::from_millis(333)).await;
            }
            if client.write_all(line).await.is_err() {
                return;
            }
        }
    }
}

/// Answers every ping late; the kernel's own answers have to be off.
pub fn delay_pings(world: &World, host: Host, delay: Duration) -> Result<Worker> {
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
        socket.set_nonblocking(true)?;
        Ok(UdpSocket::from_std(socket.into())?)
    };
    Worker::start(&world.namespace(host), open, move |socket| async move {
        let socket = Arc::new(socket);
        let mut buffer = [0; 2048];
        while let Ok((read, from)) = socket.recv_from(&mut buffer).await {
            if let Some(answer) = echo_reply(&buffer[..read]) {
                let socket = Arc::clone(&socket);
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    let _ = socket.send_to(&answer, from).await;
                });
            }
        }
    })
}

/// The answer to an echo request (RFC 792), which comes with its IP header.
fn echo_reply(packet: &[u8]) -> Option<Vec<u8>> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let mut answer = packet.get(header..)?.to_vec();
    if answer.len() < 8 || answer[0] != 8 {
        return None;
    }
    answer[0] = 0;
    answer[2..4].fill(0);
    let sum: u32 = answer
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    let checksum = !u16::try_from(folded).unwrap_or(u16::MAX);
    answer[2..4].copy_from_slice(&checksum.to_be_bytes());
    Some(answer)
}
