//! Lines of text out of bytes that anybody may have sent, and commands to them: what IMAP and POP3 have in common.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::model::service::ServiceFailureKind as Kind;
use crate::model::text::clean;
use crate::probe::smtp::dialogue::fault;

/// Bytes of one line; IMAP greetings with capabilities are the longest that honest servers send.
const LONGEST_LINE: usize = 8 * 1024;
/// Lines of a whole look.
const MOST_LINES: usize = 100;
/// Characters of a line that are kept.
const SHOWN: usize = 512;

/// One connection, line by line, and what was said on it.
pub(super) struct Lines<S> {
    stream: S,
    unread: Vec<u8>,
    heard: usize,
    transcript: Vec<String>,
}

impl<S> Lines<S> {
    /// A connection on which `transcript` was said so far.
    pub(super) fn new(stream: S, transcript: Vec<String>) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            heard: 0,
            transcript,
        }
    }

    /// The connection itself, and what was said on it.
    pub(super) fn into_parts(self) -> (S, Vec<String>) {
        (self.stream, self.transcript)
    }

    /// The stage's time is over: what came of a line is kept.
    pub(super) fn timed_out(&mut self) {
        if !self.unread.is_empty() {
            let part = clean(&self.unread, SHOWN);
            self.transcript.push(format!("S: {part}"));
        }
        self.note("no whole line came in time");
    }

    fn note(&mut self, remark: &str) {
        self.transcript.push(format!("*: {remark}"));
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lines<S> {
    /// The next line, cleaned, without its end.
    pub(super) async fn line(&mut self) -> Result<String, Kind> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let line = line.strip_suffix(b"\n").unwrap_or(&line);
                return self.take(line.strip_suffix(b"\r").unwrap_or(line));
            }
            if self.unread.len() > LONGEST_LINE {
                self.note(&format!("a line begins with {}", clean(&self.unread, 80)));
                return Err(endless());
            }
            let mut chunk = [0; 2048];
            match self.stream.read(&mut chunk).await {
                Ok(0) => {
                    self.note("the server closed the connection");
                    return Err(Kind::Closed { reset: false });
                }
                Ok(count) => self
                    .unread
                    .extend_from_slice(chunk.get(..count).unwrap_or_default()),
                Err(error) => {
                    let kind = Kind::from(fault(&error));
                    if let Kind::Closed { reset: true } = kind {
                        self.note("the server reset the connection");
                    }
                    return Err(kind);
                }
            }
        }
    }

    fn take(&mut self, line: &[u8]) -> Result<String, Kind> {
        self.heard += 1;
        if self.heard > MOST_LINES {
            self.note("more lines than any answer has");
            return Err(endless());
        }
        let line = clean(line, SHOWN);
        self.transcript.push(format!("S: {line}"));
        Ok(line)
    }

    /// Sends one command.
    pub(super) async fn send(&mut self, command: &str) -> Result<(), Kind> {
        self.transcript.push(format!("C: {command}"));
        let sent = async {
            self.stream.write_all(format!("{command}\r\n").as_bytes()).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| Kind::from(fault(&error)))
    }

    /// That nothing has come beyond the answer to STARTTLS: what comes with it in the clear was not meant for us, or
    /// by somebody who wants us to take it for the protected dialogue (CVE-2011-0411's kind).
    pub(super) fn nothing_more(&self) -> Result<(), Kind> {
        if self.unread.is_empty() {
            Ok(())
        } else {
            Err(Kind::Protocol {
                reason: "data before its turn".to_owned(),
            })
        }
    }

    /// Closes our side. The peer's is its own business.
    pub(super) async fn close(&mut self) {
        // It was going to be closed anyway: a failure changes nothing.
        let _ = self.stream.shutdown().await;
    }
}

fn endless() -> Kind {
    Kind::Protocol {
        reason: "an answer without end".to_owned(),
    }
}
