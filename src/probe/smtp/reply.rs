//! Reading replies (RFC 5321 4.2) out of bytes that anybody may have sent: no I/O, bounded, never panics, and
//! the same result however the bytes are split.

use crate::model::smtp::{Capabilities, ProtocolError};
use crate::model::text::{clean, clean_after};
use crate::model::{EnhancedCode, Reply};

/// Bytes of one line that are kept; RFC 5321 4.5.3.1.5 has 512.
pub(super) const LINE_KEPT: usize = 2048;
/// Bytes that one reply may have, kept or not.
pub(super) const REPLY_MOST: usize = 64 * 1024;
/// Lines that one reply may have.
pub(super) const LINES_MOST: usize = 128;
/// Lines of one reply that the transcript shows, and characters of each.
const SHOWN_LINES: usize = 40;
const SHOWN_CHARACTERS: usize = 512;
/// Characters of a line that is no reply: enough to recognise what speaks there.
const ODD_LINE: usize = 200;
/// Keywords that are kept of one EHLO.
const KEYWORDS_MOST: usize = 100;

/// A whole reply, or why what came is none. After an error nothing more can be made of the connection, but for
/// [`ProtocolError::MixedCodes`], which is told at the reply's end.
pub(super) type Outcome = Result<Reply, ProtocolError>;

/// Collects one reply after the other.
#[derive(Debug, Default)]
pub(super) struct ReplyParser {
    /// The start of the line at hand.
    line: Vec<u8>,
    /// The whole length of the line at hand.
    length: usize,
    /// Whether the last byte was a CR.
    after_cr: bool,
    /// What the lines before it gave.
    partial: Partial,
    /// What the transcript has not taken yet.
    heard: Heard,
}

/// A reply of which more lines are to come.
#[derive(Debug, Default)]
struct Partial {
    bytes: usize,
    code: Option<u16>,
    mixed: bool,
    enhanced: Option<EnhancedCode>,
    lines: Vec<String>,
}

/// Lines for the transcript, as they came, each marked as the server's.
#[derive(Debug, Default)]
struct Heard {
    lines: Vec<String>,
    left_out: usize,
    bare_lf: bool,
}

impl ReplyParser {
    /// Takes bytes up to the end of a reply. Returns how many were used, and the outcome where
    /// there is one: `None` needs more bytes, all of these having been used.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> (usize, Option<Outcome>) {
        for (index, &byte) in bytes.iter().enumerate() {
            let outcome = self.push(byte);
            if outcome.is_some() {
                return (index + 1, outcome);
            }
        }
        (bytes.len(), None)
    }

    fn push(&mut self, byte: u8) -> Option<Outcome> {
        self.partial.bytes += 1;
        if self.partial.bytes > REPLY_MOST {
            return Some(Err(ProtocolError::TooLong));
        }
        if byte == b'\n' {
            return self.end_line();
        }
        self.after_cr = byte == b'\r';
        self.length += 1;
        if self.line.len() < LINE_KEPT {
            self.line.push(byte);
            if self.line.len() == LINE_KEPT && !may_become_reply(&self.line) {
                return Some(self.not_a_reply());
            }
        }
        None
    }

    fn end_line(&mut self) -> Option<Outcome> {
        if self.after_cr && self.length <= LINE_KEPT {
            self.line.pop();
        }
        self.heard.bare_lf |= !self.after_cr;
        self.take_line()
    }

    fn take_line(&mut self) -> Option<Outcome> {
        let Some(line) = Line::split(&self.line) else {
            return Some(self.not_a_reply());
        };
        let (code, last) = (line.code, line.last);
        let reply = &mut self.partial;
        // RFC 2034 4 wants it on every line; many have it only on the last, behind a line with their name.
        reply.enhanced = reply.enhanced.or_else(|| enhanced_code(line.text));
        reply.mixed |= reply.code.is_some_and(|first| first != code);
        reply.code = reply.code.or(Some(code));
        reply.lines.push(clean(line.text, LINE_KEPT));
        self.hear_line();
        if last {
            Some(self.finish(code))
        } else if self.partial.lines.len() >= LINES_MOST {
            Some(Err(ProtocolError::TooLong))
        } else {
            None
        }
    }

    fn finish(&mut self, code: u16) -> Outcome {
        let reply = std::mem::take(&mut self.partial);
        if reply.mixed {
            return Err(ProtocolError::MixedCodes);
        }
        Ok(Reply {
            code,
            enhanced: reply.enhanced,
            lines: reply.lines,
        })
    }

    fn not_a_reply(&mut self) -> Outcome {
        let line = clean(&self.line, ODD_LINE);
        self.hear_line();
        Err(ProtocolError::NotAReply { line })
    }

    fn hear_line(&mut self) {
        if self.heard.lines.len() < SHOWN_LINES {
            let shown = clean_after("S: ", &self.line, SHOWN_CHARACTERS);
            self.heard.lines.push(shown);
        } else {
            self.heard.left_out += 1;
        }
        self.line.clear();
        self.length = 0;
        self.after_cr = false;
    }

    /// What to make of an unfinished line once nothing more will come in time: what cannot even be the start
    /// of a reply is no SMTP, rather than slow SMTP.
    pub(super) fn unfinished(&self) -> Option<ProtocolError> {
        (!may_become_reply(&self.line)).then(|| ProtocolError::NotAReply {
            line: clean(&self.line, ODD_LINE),
        })
    }

    /// What to make of an unfinished line once the peer has closed: a refusal whose line end was forgotten is
    /// still a refusal, and says more than the closing.
    pub(super) fn closed(&mut self) -> Option<Outcome> {
        if let Some(error) = self.unfinished() {
            return Some(Err(error));
        }
        let refusal = Line::split(&self.line).is_some_and(|line| line.last && line.code >= 400);
        if refusal { self.take_line() } else { None }
    }

    /// Takes the lines that came since the last time, as they came, for the transcript: cleaned, bounded, the
    /// unfinished one included.
    pub(super) fn take_heard(&mut self) -> (Vec<String>, Option<String>) {
        if !self.line.is_empty() {
            self.hear_line();
        }
        let Heard {
            lines,
            left_out,
            bare_lf,
        } = std::mem::take(&mut self.heard);
        let note = match (left_out, bare_lf) {
            (0, false) => None,
            (0, true) => Some("lines end in a bare LF".to_owned()),
            (more, _) => Some(format!("{more} more lines")),
        };
        (lines, note)
    }
}

/// One line of a reply.
struct Line<'a> {
    code: u16,
    last: bool,
    text: &'a [u8],
}

impl<'a> Line<'a> {
    /// `CODE`, `CODE text` or `CODE-text`; the first digit is 2 to 5 (RFC 5321 4.2.1).
    fn split(line: &'a [u8]) -> Option<Self> {
        let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = line else {
            return None;
        };
        let digit = |byte: &u8| u16::from(byte - b'0');
        let code = 100 * digit(a) + 10 * digit(b) + digit(c);
        match rest {
            [] => Some(Self {
                code,
                last: true,
                text: rest,
            }),
            [b' ', text @ ..] => Some(Self {
                code,
                last: true,
                text,
            }),
            [b'-', text @ ..] => Some(Self {
                code,
                last: false,
                text,
            }),
            _ => None,
        }
    }
}

/// Whether these bytes could be the start of a line of a reply. None at all could.
fn may_become_reply(line: &[u8]) -> bool {
    line.iter().take(4).enumerate().all(|(index, byte)| match index {
        0 => matches!(byte, b'2'..=b'5'),
        1 | 2 => byte.is_ascii_digit(),
        _ => matches!(byte, b' ' | b'-' | b'\r'),
    })
}

/// The enhanced code at the start of a text (RFC 2034 4, RFC 3463 2): a class of 2, 4 or 5, and two numbers of
/// at most three digits.
fn enhanced_code(text: &[u8]) -> Option<EnhancedCode> {
    let word = text.split(|byte| *byte == b' ').next()?;
    let word = std::str::from_utf8(word).ok()?;
    let mut parts = word.split('.');
    let class = parts.next().filter(|class| matches!(*class, "2" | "4" | "5"))?;
    let subject = short_number(parts.next()?)?;
    let detail = short_number(parts.next()?)?;
    parts.next().is_none().then_some(())?;
    Some(EnhancedCode(class.parse().ok()?, subject, detail))
}

fn short_number(text: &str) -> Option<u16> {
    let plain = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// What an EHLO reply offers: every line after the first (RFC 5321 4.1.1.1), keywords in any case.
pub(super) fn capabilities(reply: &Reply) -> Capabilities {
    let mut found = Capabilities::default();
    let mut masked = false;
    for line in reply.lines.iter().skip(1).take(KEYWORDS_MOST) {
        let line = line.trim();
        let (keyword, parameters) = line.split_once(' ').unwrap_or((line, ""));
        let keyword = keyword.to_ascii_uppercase();
        match keyword.as_str() {
            "" => continue,
            "STARTTLS" => found.starttls = true,
            "SIZE" => found.size = Some(size_limit(parameters)),
            "8BITMIME" => found.eight_bit_mime = true,
            other => masked |= is_mask(other),
        }
        found.lines.push(if parameters.is_empty() {
            keyword
        } else {
            format!("{keyword} {parameters}")
        });
    }
    found.masked = masked && !found.starttls;
    found
}

/// The limit that SIZE states (RFC 1870 4): 0 when there is none, or none that can be read.
fn size_limit(parameters: &str) -> u64 {
    let word = parameters.split_whitespace().next().unwrap_or_default();
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than a u64 holds is a limit that nobody reaches.
    if digits {
        word.parse().unwrap_or(u64::MAX)
    } else {
        0
    }
}

/// `XXXXXXXX` or `XXXXXXXA`: what firewalls that inspect SMTP write over a keyword. Real ones that start with X
/// (XCLIENT, X-EXPS) hold other letters.
fn is_mask(keyword: &str) -> bool {
    let body = keyword.strip_suffix('A').unwrap_or(keyword);
    body.len() >= 4 && body.bytes().all(|byte| byte == b'X')
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
