//! The dialogue itself: commands out, replies in, every line of it in the transcript.
//!
//! Nothing here keeps time: whoever calls bounds each stage, and dropping a future half-way loses nothing but
//! the wait.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::reply::{Outcome, ReplyParser, capabilities};
use super::tls;
use crate::model::smtp::{Capabilities, ProtocolError, SmtpFailureKind};
use crate::model::{Reply, base64};

/// Bytes that a whole session may bring, TLS included: several times what seven replies and a chain of
/// certificates need.
pub(super) const SESSION_MOST: usize = 1024 * 1024;

/// One connection, before or after STARTTLS, and what was said on it.
pub(in crate::probe) struct Wire<S> {
    stream: S,
    parser: ReplyParser,
    buffer: Box<[u8; 4096]>,
    unread: std::ops::Range<usize>,
    transcript: Vec<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// A connection on which `transcript` was said so far.
    pub(in crate::probe) fn new(stream: S, transcript: Vec<String>) -> Self {
        Self {
            stream,
            parser: ReplyParser::default(),
            buffer: Box::new([0; 4096]),
            unread: 0..0,
            transcript,
        }
    }

    /// The connection itself, and what was said on it.
    pub(in crate::probe) fn into_parts(self) -> (S, Vec<String>) {
        (self.stream, self.transcript)
    }

    /// Adds a remark of our own to the transcript.
    pub(in crate::probe) fn note(&mut self, remark: &str) {
        self.transcript.push(format!("*: {remark}"));
    }

    /// Waits for the 220 (RFC 5321 3.1).
    pub(in crate::probe) async fn greeting(&mut self) -> Result<Reply, SmtpFailureKind> {
        wanted(self.reply().await?, 220)
    }

    /// EHLO, or HELO for a server that does not know EHLO (RFC 5321 3.2); the latter offers nothing.
    pub(in crate::probe) async fn hello(
        &mut self,
        name: &str,
    ) -> Result<Option<Capabilities>, SmtpFailureKind> {
        let reply = self.ask(&format!("EHLO {name}")).await?;
        if matches!(reply.code, 500 | 502) {
            let reply = self.ask(&format!("HELO {name}")).await?;
            return wanted(reply, 250).map(|_| None);
        }
        wanted(reply, 250).map(|reply| Some(capabilities(&reply)))
    }

    /// STARTTLS and its 220. Whatever comes with the 220 in the clear was not meant for us, or by somebody who
    /// wants us to take it for the protected dialogue (CVE-2011-0411).
    pub(in crate::probe) async fn start_tls(&mut self) -> Result<(), SmtpFailureKind> {
        wanted(self.ask("STARTTLS").await?, 220)?;
        if self.unread.is_empty() {
            Ok(())
        } else {
            Err(SmtpFailureKind::Protocol(ProtocolError::Unsolicited))
        }
    }

    /// MAIL (RFC 5321 4.1.1.2); `from` is empty for the null sender.
    pub(in crate::probe) async fn mail(&mut self, from: &str) -> Result<Reply, SmtpFailureKind> {
        wanted(self.ask(&format!("MAIL FROM:<{from}>")).await?, 250)
    }

    /// RCPT (RFC 5321 4.1.1.3). 251 and 252 take the mail as well.
    pub(in crate::probe) async fn recipient(&mut self, to: &str) -> Result<Reply, SmtpFailureKind> {
        let reply = self.ask(&format!("RCPT TO:<{to}>")).await?;
        let code = if matches!(reply.code, 251 | 252) {
            reply.code
        } else {
            250
        };
        wanted(reply, code)
    }

    /// RSET, so that nothing is left of the envelope (RFC 5321 4.1.1.5).
    pub(in crate::probe) async fn reset(&mut self) -> Result<Reply, SmtpFailureKind> {
        wanted(self.ask("RSET").await?, 250)
    }

    /// AUTH PLAIN (RFC 4616, RFC 4954). The transcript does not show what proves who we are.
    pub(in crate::probe) async fn auth_plain(
        &mut self,
        user: &str,
        password: &str,
    ) -> Result<Reply, SmtpFailureKind> {
        let token = base64::encode(format!("\0{user}\0{password}").as_bytes());
        wanted(
            self.ask_hidden(&format!("AUTH PLAIN {token}"), "AUTH PLAIN ...")
                .await?,
            235,
        )
    }

    /// AUTH LOGIN, which servers offer that have no PLAIN.
    pub(in crate::probe) async fn auth_login(
        &mut self,
        user: &str,
        password: &str,
    ) -> Result<Reply, SmtpFailureKind> {
        wanted(self.ask("AUTH LOGIN").await?, 334)?;
        wanted(
            self.ask_hidden(&base64::encode(user.as_bytes()), "...").await?,
            334,
        )?;
        wanted(
            self.ask_hidden(&base64::encode(password.as_bytes()), "...")
                .await?,
            235,
        )
    }

    /// AUTH with a token, shown by `first` (RFC 7628, RFC 4954). What is wrong with it a server says in a challenge, which
    /// goes into `wrong` and is answered by `last`.
    pub(in crate::probe) async fn auth_token(
        &mut self,
        mechanism: &str,
        first: &SecretString,
        last: &str,
        wrong: &mut Option<Vec<u8>>,
    ) -> Result<Reply, SmtpFailureKind> {
        let shown = base64::encode(first.expose_secret().as_bytes());
        let (command, hidden) = (
            format!("AUTH {mechanism} {shown}"),
            format!("AUTH {mechanism} ..."),
        );
        let mut reply = self.ask_hidden(&command, &hidden).await?;
        if reply.code == 334 {
            *wrong = Some(base64::decode(reply.text().trim()).unwrap_or_default());
            reply = self.ask(&base64::encode(last.as_bytes())).await?;
        }
        wanted(reply, 235)
    }

    /// DATA and its 354 (RFC 5321 4.1.1.4).
    pub(in crate::probe) async fn data(&mut self) -> Result<Reply, SmtpFailureKind> {
        wanted(self.ask("DATA").await?, 354)
    }

    /// The message itself, its lines ended by CRLF, and what the server says to it.
    pub(in crate::probe) async fn message(&mut self, text: &str) -> Result<Reply, SmtpFailureKind> {
        // A line that begins with a dot would end the message (RFC 5321 4.5.2).
        let text = text.replace("\r\n.", "\r\n..");
        let whole = format!("{text}.");
        wanted(self.ask_hidden(&whole, "(the message)").await?, 250)
    }

    /// QUIT and its 221.
    pub(in crate::probe) async fn quit(&mut self) -> Result<Reply, SmtpFailureKind> {
        wanted(self.ask("QUIT").await?, 221)
    }

    /// QUIT, without waiting: for a peer that does not answer any more.
    pub(super) async fn quit_and_go(&mut self) {
        if self.send("QUIT").await.is_ok() {
            self.close().await;
        }
    }

    /// Closes our side. The peer's is its own business.
    pub(in crate::probe) async fn close(&mut self) {
        // It was going to be closed anyway: a failure changes nothing.
        let _ = self.stream.shutdown().await;
    }

    /// One command and its reply.
    async fn ask(&mut self, command: &str) -> Result<Reply, SmtpFailureKind> {
        self.ask_hidden(command, command).await
    }

    /// Likewise, with something else in the transcript.
    async fn ask_hidden(&mut self, command: &str, shown: &str) -> Result<Reply, SmtpFailureKind> {
        if !self.unread.is_empty() {
            return self.out_of_turn().await;
        }
        self.transcript.push(format!("C: {shown}"));
        let sent = self.transmit(command).await;
        // A server that refuses and closes may reset our command while its reason still waits to be read.
        match (self.reply().await, sent) {
            (Err(SmtpFailureKind::Closed { .. }), Err(error)) => Err(fault(&error)),
            (reply, _) => reply,
        }
    }

    /// A second reply came with the one before. A refusal (a 421 behind the greeting) is as good as one that
    /// waited for its turn; after anything else, replies would no longer belong to our commands.
    async fn out_of_turn(&mut self) -> Result<Reply, SmtpFailureKind> {
        let reply = self.reply().await?;
        if reply.code >= 400 {
            Ok(reply)
        } else {
            Err(SmtpFailureKind::Protocol(ProtocolError::Unsolicited))
        }
    }

    async fn send(&mut self, command: &str) -> io::Result<()> {
        self.transcript.push(format!("C: {command}"));
        self.transmit(command).await
    }

    async fn transmit(&mut self, command: &str) -> io::Result<()> {
        self.stream.write_all(format!("{command}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn reply(&mut self) -> Result<Reply, SmtpFailureKind> {
        loop {
            let (used, outcome) = self.parser.feed(&self.buffer[self.unread.clone()]);
            self.unread.start += used;
            if let Some(outcome) = outcome {
                return self.conclude(outcome);
            }
            match self.stream.read(&mut self.buffer[..]).await {
                Ok(0) => return self.closed(SmtpFailureKind::Closed { reset: false }),
                Ok(count) => self.unread = 0..count,
                Err(error) => return self.closed(fault(&error)),
            }
        }
    }

    fn conclude(&mut self, outcome: Outcome) -> Result<Reply, SmtpFailureKind> {
        self.write_down();
        outcome.map_err(SmtpFailureKind::Protocol)
    }

    fn closed(&mut self, how: SmtpFailureKind) -> Result<Reply, SmtpFailureKind> {
        let SmtpFailureKind::Closed { reset } = how else {
            self.write_down();
            return Err(how);
        };
        let last_words = self.parser.closed();
        self.write_down();
        self.note(if reset {
            "the server reset the connection"
        } else {
            "the server closed the connection"
        });
        last_words.map_or(Err(how), |outcome| outcome.map_err(SmtpFailureKind::Protocol))
    }

    /// The stage's time is over. Bytes that cannot be the start of a reply are no SMTP, however slow.
    pub(in crate::probe) fn timed_out(&mut self) -> SmtpFailureKind {
        let odd = self.parser.unfinished();
        self.write_down();
        self.note("no whole reply came in time");
        odd.map_or(SmtpFailureKind::Timeout, SmtpFailureKind::Protocol)
    }

    /// Moves what the server said into the transcript.
    fn write_down(&mut self) {
        let (mut lines, note) = self.parser.take_heard();
        self.transcript.append(&mut lines);
        if let Some(note) = note {
            self.note(&note);
        }
    }
}

/// The reply that a stage wants, or why it is another one.
fn wanted(reply: Reply, code: u16) -> Result<Reply, SmtpFailureKind> {
    if reply.code == code {
        Ok(reply)
    } else if reply.code >= 400 {
        Err(SmtpFailureKind::Reply(reply))
    } else {
        Err(SmtpFailureKind::Protocol(ProtocolError::UnexpectedCode { reply }))
    }
}

/// What a failing read or write says of the peer.
pub(in crate::probe) fn fault(error: &io::Error) -> SmtpFailureKind {
    if let Some(inner) = error.get_ref() {
        if inner.is::<Flood>() {
            return SmtpFailureKind::Protocol(ProtocolError::TooLong);
        }
        if let Some(error) = inner.downcast_ref::<rustls::Error>() {
            return SmtpFailureKind::Tls(tls::failure(error));
        }
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => SmtpFailureKind::Closed { reset: false },
        // What the kernel says once it gave up sending again: nobody closed anything.
        io::ErrorKind::TimedOut
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown => SmtpFailureKind::Timeout,
        _ => SmtpFailureKind::Closed { reset: true },
    }
}

/// A session brought more bytes than [`SESSION_MOST`].
#[derive(Debug, thiserror::Error)]
#[error("the server sent more than any session needs")]
struct Flood;

/// A stream that brings [`SESSION_MOST`] bytes and not one more: what bounds a flood of TLS records, which are
/// never seen as replies.
pub(in crate::probe) struct Bounded<S> {
    inner: S,
    left: usize,
}

impl<S> Bounded<S> {
    /// Bounds `inner`.
    pub(in crate::probe) fn new(inner: S) -> Self {
        Self {
            inner,
            left: SESSION_MOST,
        }
    }

    /// Lets so many bytes pass instead, where more is meant to come.
    pub(in crate::probe) fn up_to(mut self, most: usize) -> Self {
        self.left = most;
        self
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other(Flood)));
        }
        let most = into.remaining().min(self.left);
        let mut part = ReadBuf::new(into.initialize_unfilled_to(most));
        let outcome = Pin::new(&mut self.inner).poll_read(context, &mut part);
        let count = part.filled().len();
        into.advance(count);
        self.left -= count;
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    /// Whoever says goodbye drops the stream next, which closes it: shutting it down before that would be one more call
    /// into the kernel for each session. (TLS says its own goodbye before it comes here.)
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
