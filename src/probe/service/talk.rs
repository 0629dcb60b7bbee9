//! What is said to a service before and after TLS, by its kind: SMTP, IMAP (RFC 9051), POP3 (RFC 1939), or nothing.

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::lines::Lines;
use crate::model::ServiceKind;
use crate::model::service::ServiceFailureKind as Kind;
use crate::probe::smtp::dialogue::Wire;

/// One connection in the language of the service.
pub(super) enum Talk<S> {
    Smtp(Wire<S>),
    Imap(Lines<S>),
    Pop3(Lines<S>),
    /// No word is exchanged.
    Mute(S, Vec<String>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    /// A connection on which `transcript` was said so far.
    pub(super) fn new(kind: ServiceKind, stream: S, transcript: Vec<String>) -> Self {
        use ServiceKind as Is;
        match kind {
            Is::Smtp | Is::Smtps | Is::Submission | Is::Submissions => {
                Self::Smtp(Wire::new(stream, transcript))
            }
            Is::Imap | Is::Imaps => Self::Imap(Lines::new(stream, transcript)),
            Is::Pop3 | Is::Pop3s => Self::Pop3(Lines::new(stream, transcript)),
            Is::Https => Self::Mute(stream, transcript),
        }
    }

    /// The connection itself, and what was said on it.
    pub(super) fn into_parts(self) -> (S, Vec<String>) {
        match self {
            Self::Smtp(wire) => wire.into_parts(),
            Self::Imap(lines) | Self::Pop3(lines) => lines.into_parts(),
            Self::Mute(stream, transcript) => (stream, transcript),
        }
    }

    /// Whether such a service speaks first, and is taken leave of.
    pub(super) fn greets(&self) -> bool {
        !matches!(self, Self::Mute(..))
    }

    /// Its first words: `220`, `* OK` or `* PREAUTH`, `+OK`.
    pub(super) async fn greeting(&mut self) -> Result<String, Kind> {
        match self {
            Self::Smtp(wire) => Ok(wire.greeting().await?.to_string()),
            Self::Imap(lines) => {
                let line = lines.line().await?;
                match untagged(&line).as_deref() {
                    Some("OK" | "PREAUTH") => Ok(line),
                    Some("BYE") => Err(refused(line)),
                    _ => Err(odd(&line, "an IMAP greeting")),
                }
            }
            Self::Pop3(lines) => positive(lines.line().await?),
            Self::Mute(..) => Ok(String::new()),
        }
    }

    /// Whether it offers to go on under TLS.
    pub(super) async fn offers_tls(&mut self, helo: &str) -> Result<bool, Kind> {
        match self {
            Self::Smtp(wire) => Ok(wire.hello(helo).await?.is_some_and(|offers| offers.starttls)),
            Self::Imap(lines) => {
                let answer = tagged(lines, "a1", "CAPABILITY").await?;
                Ok(answer.is_ok && answer.untagged.iter().any(|line| has_word(line, "STARTTLS")))
            }
            Self::Pop3(lines) => {
                lines.send("CAPA").await?;
                // Servers older than RFC 2449 do not know the question.
                if positive(lines.line().await?).is_err() {
                    return Ok(false);
                }
                let mut offered = false;
                loop {
                    let line = lines.line().await?;
                    if line == "." {
                        return Ok(offered);
                    }
                    offered |= has_word(&line, "STLS");
                }
            }
            Self::Mute(..) => Ok(false),
        }
    }

    /// Agrees on TLS.
    pub(super) async fn start_tls(&mut self) -> Result<(), Kind> {
        match self {
            Self::Smtp(wire) => Ok(wire.start_tls().await?),
            Self::Imap(lines) => {
                let answer = tagged(lines, "a2", "STARTTLS").await?;
                if !answer.is_ok {
                    return Err(refused(answer.last));
                }
                lines.nothing_more()
            }
            Self::Pop3(lines) => {
                lines.send("STLS").await?;
                positive(lines.line().await?)?;
                lines.nothing_more()
            }
            Self::Mute(..) => Ok(()),
        }
    }

    /// EHLO once more: what was said before TLS does not count any more (RFC 3207 4.2).
    pub(super) async fn hello_again(&mut self, helo: &str) -> Result<(), Kind> {
        if let Self::Smtp(wire) = self {
            wire.hello(helo).await?;
        }
        Ok(())
    }

    /// QUIT or LOGOUT, and its answer.
    pub(super) async fn leave(&mut self) -> Result<(), Kind> {
        match self {
            Self::Smtp(wire) => {
                wire.quit().await?;
            }
            Self::Imap(lines) => {
                tagged(lines, "a3", "LOGOUT").await?;
            }
            Self::Pop3(lines) => {
                lines.send("QUIT").await?;
                lines.line().await?;
            }
            Self::Mute(..) => {}
        }
        Ok(())
    }

    /// The stage's time is over.
    pub(super) fn timed_out(&mut self) {
        match self {
            Self::Smtp(wire) => {
                wire.timed_out();
            }
            Self::Imap(lines) | Self::Pop3(lines) => lines.timed_out(),
            Self::Mute(..) => {}
        }
    }

    /// Closes our side.
    pub(super) async fn close(&mut self) {
        match self {
            Self::Smtp(wire) => wire.close().await,
            Self::Imap(lines) | Self::Pop3(lines) => lines.close().await,
            Self::Mute(stream, _) => {
                // It was going to be closed anyway: a failure changes nothing.
                let _ = stream.shutdown().await;
            }
        }
    }
}

/// The answer to one IMAP command.
struct Tagged {
    is_ok: bool,
    last: String,
    untagged: Vec<String>,
}

/// Sends an IMAP command and reads up to its own answer (RFC 9051 2.2.2). A BYE on the way is an answer as well,
/// unless it was asked for.
async fn tagged<S>(lines: &mut Lines<S>, tag: &str, command: &str) -> Result<Tagged, Kind>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    lines.send(&format!("{tag} {command}")).await?;
    let mut others = Vec::new();
    loop {
        let line = lines.line().await?;
        let mut words = line.split(' ');
        if words.next() == Some(tag) {
            let is_ok = words.next().is_some_and(|word| word.eq_ignore_ascii_case("OK"));
            return Ok(Tagged {
                is_ok,
                last: line,
                untagged: others,
            });
        }
        if untagged(&line).as_deref() == Some("BYE") && command != "LOGOUT" {
            return Err(refused(line));
        }
        others.push(line);
    }
}

/// The first word behind `* `, in upper case.
fn untagged(line: &str) -> Option<String> {
    let word = line.strip_prefix("* ")?.split(' ').next()?;
    Some(word.to_ascii_uppercase())
}

fn has_word(line: &str, wanted: &str) -> bool {
    line.split(' ').any(|word| word.eq_ignore_ascii_case(wanted))
}

/// A POP3 answer, where it says yes (RFC 1939 3).
fn positive(line: String) -> Result<String, Kind> {
    if line.starts_with("+OK") {
        Ok(line)
    } else if line.starts_with("-ERR") {
        Err(refused(line))
    } else {
        Err(odd(&line, "a POP3 answer"))
    }
}

fn refused(line: String) -> Kind {
    Kind::Refused { line, enhanced: None }
}

fn odd(line: &str, wanted: &str) -> Kind {
    let start: String = line.chars().take(80).collect();
    Kind::Protocol {
        reason: format!("not {wanted}: \"{start}\""),
    }
}
