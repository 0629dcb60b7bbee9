//! What listens on a fake TCP port: a small mail server, or a script, hostile ones included.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::wire::PeerEnd;
use crate::model::DialError;
use crate::net::fetch::{FetchError, FetchLimits, Fetched};

/// A line longer than this ends a fake server's patience.
const LONGEST_COMMAND: usize = 8 * 1024;

/// What a TCP port does.
#[derive(Debug, Clone)]
pub enum Peer {
    /// A mail server that does what it should.
    Mail(Box<MailServer>),
    /// A fixed sequence, whoever calls.
    Script(Arc<[Step]>),
    /// A web server, to whoever fetches a page.
    Web(WebPage),
    /// Shakes hands at once, says these bytes, and then listens until the caller hangs up.
    Secured(Arc<ServerConfig>, Vec<u8>),
    /// Connects, and never says anything nor hangs up.
    Silent,
    /// A reset answers the connection attempt.
    Refuse,
    /// Nothing answers the connection attempt.
    Drop,
    /// The attempt fails at once in the given way.
    Fail(DialError),
}

/// One step of a script.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends these bytes.
    Say(Vec<u8>),
    /// Reads up to the end of a line, whatever it says.
    Hear,
    /// Waits.
    Wait(Duration),
    /// Sends these bytes one at a time, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Sends these bytes this many times.
    Repeat(Vec<u8>, u64),
    /// Says nothing more and never hangs up.
    Stall,
    /// Hangs up by a reset.
    Reset,
}

/// What a web server gives, whatever the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebPage {
    /// A page: status, Content-Type, body.
    Text(u16, String, String),
    /// A certificate that is not good for the host, for this reason.
    BadCertificate(String),
}

impl WebPage {
    /// A page in order, as plain text.
    pub fn plain(body: &str) -> Self {
        Self::Text(200, "text/plain".into(), body.into())
    }
}

/// What a fetch of a page comes to at a peer.
pub(super) async fn give(peer: &Peer, limits: FetchLimits) -> Result<Fetched, FetchError> {
    match peer {
        Peer::Web(WebPage::Text(status, content_type, body)) => Ok(Fetched {
            status: *status,
            content_type: Some(content_type.clone()),
            body: body.bytes().take(limits.bytes).collect(),
            cut: body.len() > limits.bytes,
        }),
        Peer::Web(WebPage::BadCertificate(reason)) => Err(FetchError::Tls(reason.clone())),
        Peer::Silent => {
            tokio::time::sleep(limits.time).await;
            Err(FetchError::Timeout)
        }
        _ => Err(FetchError::Tls("what the server sent is no TLS".into())),
    }
}

impl Peer {
    /// A mail server in good order, without TLS.
    pub fn mail(name: &str) -> Self {
        Self::Mail(Box::new(MailServer::new(name)))
    }

    /// A script.
    pub fn script(steps: impl Into<Vec<Step>>) -> Self {
        Self::Script(steps.into().into())
    }

    /// Says one line and hangs up when it has heard another: a refusal at the greeting, say.
    pub fn greets(line: &str) -> Self {
        Self::script([
            Step::Say(format!("{line}\r\n").into_bytes()),
            Step::Hear,
            Step::Say(b"221 2.0.0 Bye\r\n".to_vec()),
        ])
    }

    /// Hangs up without a word.
    pub fn closes_at_once() -> Self {
        Self::script([])
    }

    /// A greeting of ever more lines.
    pub fn endless_greeting() -> Self {
        Self::script([Step::Repeat(b"220-and another thing\r\n".to_vec(), u64::MAX)])
    }

    /// A byte a second.
    pub fn byte_a_second() -> Self {
        Self::script([Step::Drip(vec![b'2'; 100_000], Duration::from_secs(1))])
    }

    /// One line of 64 MiB.
    pub fn huge_line() -> Self {
        Self::script([
            Step::Say(b"220 ".to_vec()),
            Step::Repeat(vec![b'x'; 4096], 16 * 1024),
            Step::Say(b"\r\n".to_vec()),
            Step::Stall,
        ])
    }

    /// Bytes of no text: zeros, escape codes, invalid UTF-8.
    pub fn binary() -> Self {
        Self::script([Step::Say(b"\x00\x1b[2J\xff\xfe\x07\r\n".to_vec()), Step::Stall])
    }
}

/// A mail server that does what it should, or in part something else.
#[derive(Debug, Clone)]
pub struct MailServer {
    /// Its whole greeting, with line ends.
    pub greeting: String,
    /// How long it takes to greet.
    pub greets_after: Duration,
    /// Its name, the first line after EHLO.
    pub name: String,
    /// The further lines after EHLO, without STARTTLS.
    pub extensions: Vec<String>,
    /// STARTTLS: offered with this, where there is one.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whole replies, with line ends, that stand in for its own: by verb in upper case (`EHLO`, `QUIT`, ...).
    pub replies: BTreeMap<String, String>,
}

impl MailServer {
    /// In good order, without TLS.
    pub fn new(name: &str) -> Self {
        Self {
            greeting: format!("220 {name} ESMTP\r\n"),
            greets_after: Duration::ZERO,
            name: name.to_owned(),
            extensions: vec!["PIPELINING".into(), "SIZE 20480000".into(), "8BITMIME".into()],
            tls: None,
            replies: BTreeMap::new(),
        }
    }

    /// The same, offering STARTTLS.
    #[must_use]
    pub fn with_tls(mut self, tls: Arc<ServerConfig>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The same, with another greeting: one line, without its end.
    #[must_use]
    pub fn greeting(mut self, line: &str) -> Self {
        self.greeting = format!("{line}\r\n");
        self
    }

    /// The same, with another reply to `verb`: one line, without its end.
    #[must_use]
    pub fn reply(mut self, verb: &str, line: &str) -> Self {
        self.replies
            .insert(verb.to_ascii_uppercase(), format!("{line}\r\n"));
        self
    }

    fn answer(&self, verb: &str, under_tls: bool) -> String {
        if let Some(reply) = self.replies.get(verb) {
            return reply.clone();
        }
        match verb {
            "EHLO" => {
                let mut lines = vec![self.name.clone()];
                lines.extend(self.extensions.iter().cloned());
                if self.tls.is_some() && !under_tls {
                    lines.push("STARTTLS".into());
                }
                let last = lines.pop().unwrap_or_default();
                let mut reply: String = lines.iter().flat_map(|line| ["250-", line, "\r\n"]).collect();
                reply.extend(["250 ", &last, "\r\n"]);
                reply
            }
            "HELO" | "NOOP" | "RSET" | "MAIL" | "RCPT" => "250 2.0.0 Ok\r\n".into(),
            "STARTTLS" if self.tls.is_some() && !under_tls => "220 2.0.0 Ready\r\n".into(),
            "QUIT" => "221 2.0.0 Bye\r\n".into(),
            _ => "502 5.5.1 Not here\r\n".into(),
        }
    }

    /// Serves until QUIT, the end, or STARTTLS (then the TLS settings to go on with).
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        under_tls: bool,
    ) -> Option<Arc<ServerConfig>> {
        loop {
            let line = hear_line(stream).await?;
            let verb = line
                .split_ascii_whitespace()
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            let reply = self.answer(&verb, under_tls);
            stream.write_all(reply.as_bytes()).await.ok()?;
            stream.flush().await.ok()?;
            match verb.as_str() {
                "QUIT" => return None,
                "STARTTLS" if reply.starts_with('2') => return self.tls.clone(),
                _ => {}
            }
        }
    }

    async fn serve(&self, mut end: PeerEnd) {
        tokio::time::sleep(self.greets_after).await;
        if end.stream.write_all(self.greeting.as_bytes()).await.is_err() {
            return;
        }
        let Some(tls) = self.talk(&mut end.stream, false).await else {
            return;
        };
        if let Ok(mut secure) = TlsAcceptor::from(tls).accept(end.stream).await {
            self.talk(&mut secure, true).await;
            let _ = secure.shutdown().await;
        }
    }
}

/// Reads one line, without its end; `None` at the end of the stream.
async fn hear_line<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut line = Vec::new();
    while line.len() < LONGEST_COMMAND {
        match stream.read_u8().await {
            Ok(b'\n') => return Some(String::from_utf8_lossy(&line).trim_end().to_owned()),
            Ok(byte) => line.push(byte),
            Err(_) => return None,
        }
    }
    None
}

/// Plays the part of `peer` on one connection.
pub(super) async fn play(peer: Peer, end: PeerEnd) {
    match peer {
        Peer::Mail(server) => server.serve(end).await,
        Peer::Script(steps) => {
            let _ = follow(&steps, end).await;
        }
        Peer::Secured(tls, says) => {
            if let Ok(mut stream) = TlsAcceptor::from(tls).accept(end.stream).await {
                let _ = stream.write_all(&says).await;
                let _ = stream.flush().await;
                while hear_line(&mut stream).await.is_some() {}
            }
        }
        Peer::Silent | Peer::Web(_) => stall(end).await,
        Peer::Refuse | Peer::Drop | Peer::Fail(_) => {}
    }
}

async fn follow(steps: &[Step], mut end: PeerEnd) -> std::io::Result<()> {
    for step in steps {
        match step {
            Step::Say(bytes) => end.stream.write_all(bytes).await?,
            Step::Hear => {
                if hear_line(&mut end.stream).await.is_none() {
                    return Ok(());
                }
            }
            Step::Wait(time) => tokio::time::sleep(*time).await,
            Step::Drip(bytes, pause) => {
                for byte in bytes {
                    end.stream.write_all(&[*byte]).await?;
                    tokio::time::sleep(*pause).await;
                }
            }
            Step::Repeat(bytes, times) => {
                for _ in 0..*times {
                    end.stream.write_all(bytes).await?;
                }
            }
            Step::Stall => {
                stall(end).await;
                return Ok(());
            }
            Step::Reset => {
                end.reset.store(true, Ordering::Relaxed);
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Listens without a word until the caller hangs up.
async fn stall(mut end: PeerEnd) {
    while hear_line(&mut end.stream).await.is_some() {}
}
