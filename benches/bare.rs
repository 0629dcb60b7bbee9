//! The floor: the dialogue of an SMTP probe and nothing else, on the same crates.
//!
//! It connects, reads the greeting, says EHLO, where TLS is wanted STARTTLS with a handshake whose chain is verified, EHLO again, and QUIT; every reply is read to
//! its last line. Nothing is kept, timed, judged or scheduled.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, bail};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::cpu;

/// Dialogues at the same time.
pub const AT_ONCE: usize = 8;

/// Holds `COUNT` dialogues with the addresses of the mail hosts, by TLS where a root is named, and prints the processor
/// seconds that they took.
pub fn run(words: &[String]) -> Result<()> {
    let [count, addresses, rest @ ..] = words else {
        bail!("bare COUNT ADDRESSES [ROOT NAME]");
    };
    let (count, addresses): (usize, usize) = (count.parse()?, addresses.parse()?);
    let tls = match rest {
        [root, name] => Some((Arc::new(config(Path::new(root))?), name.clone())),
        _ => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let me = std::process::id();
    let before = cpu::used(me)?;
    runtime.block_on(async {
        let next = Arc::new(AtomicUsize::new(0));
        let loops: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (next, tls) = (Arc::clone(&next), tls.clone());
                tokio::spawn(async move {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return anyhow::Ok(());
                        }
                        dialogue(address(number % addresses), tls.as_ref()).await?;
                    }
                })
            })
            .collect();
        for one in loops {
            one.await.context("a dialogue panicked")??;
        }
        anyhow::Ok(())
    })?;
    println!("{}", (cpu::used(me)? - before).as_secs_f64());
    Ok(())
}

/// The address of a mail host by its number: of [`crate::HOSTS`], as loopback addresses are nobody's mail host.
pub fn address(number: usize) -> SocketAddr {
    let [.., high, low] = u32::try_from(number + 1).unwrap_or(1).to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(198, 18, high, low), 25))
}

fn config(root: &Path) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(root)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

async fn dialogue(peer: SocketAddr, tls: Option<&(Arc<ClientConfig>, String)>) -> Result<()> {
    let stream = TcpStream::connect(peer).await?;
    stream.set_nodelay(true)?;
    let mut wire = BufReader::new(stream);
    reply(&mut wire).await?;
    say(&mut wire, b"EHLO probe.fleet.test\r\n").await?;
    let Some((config, name)) = tls else {
        return say(&mut wire, b"QUIT\r\n").await;
    };
    say(&mut wire, b"STARTTLS\r\n").await?;
    let name = ServerName::try_from(name.clone())?;
    let stream = TlsConnector::from(Arc::clone(config))
        .connect(name, wire.into_inner())
        .await?;
    let mut wire = BufReader::new(stream);
    say(&mut wire, b"EHLO probe.fleet.test\r\n").await?;
    say(&mut wire, b"QUIT\r\n").await
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(wire: &mut BufReader<S>, command: &[u8]) -> Result<()> {
    wire.write_all(command).await?;
    wire.flush().await?;
    reply(wire).await
}

/// Reads a reply to its last line (RFC 5321 4.2.1).
async fn reply<S: AsyncRead + Unpin>(wire: &mut BufReader<S>) -> Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        wire.read_until(b'\n', &mut line).await?;
        match line.as_slice() {
            [b'2', _, _, b'-', ..] => {}
            [b'2', ..] => return Ok(()),
            other => bail!(
                "an answer that was not expected: {}",
                String::from_utf8_lossy(other)
            ),
        }
    }
}
