//! Lines of mail servers' logs, as far as they tell what became of a message to somebody elsewhere. Pure; what a line
//! does not say is not made up, and mail that stays on the machine (a filter, a mailbox) is none of ours.

use std::net::IpAddr;

use super::judge::{self, Words};
use super::reply;
use crate::model::text::clean;
use crate::model::{Code, DomainName, EnhancedCode, Fate};

mod exim;
mod postfix;

/// How much of a line is read, in bytes.
pub const LONGEST_LINE: usize = 16 * 1024;
/// Characters of a server's words that are kept.
const WORDS: usize = 300;

/// Who writes a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Postfix, by syslog or `postlogd`.
    Postfix,
    /// Exim: its main log, by itself or by syslog.
    Exim,
}

/// What a line says became of one message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The recipient's address.
    pub recipient: String,
    /// Its domain, where it is one.
    pub to: Option<DomainName>,
    /// What became of it.
    pub fate: Fate,
    /// The server that took it, refused it, or could not be reached.
    pub by: Option<String>,
    /// What it said, or what the writer says instead.
    pub said: String,
    /// Why it was not taken, where that is said.
    pub code: Option<Code>,
}

/// Reads a line; `None`: it tells of no delivery to elsewhere.
pub fn delivery(line: &[u8], writer: Writer) -> Option<Delivery> {
    let line = String::from_utf8_lossy(&line[..line.len().min(LONGEST_LINE)]);
    let line = line.trim_end();
    match writer {
        Writer::Postfix => postfix::delivery(line),
        Writer::Exim => exim::delivery(line),
    }
}

/// The parts of a line, put together.
struct Parts<'a> {
    recipient: &'a str,
    fate: Fate,
    host: Option<&'a str>,
    /// The enhanced status that the writer states.
    status: Option<EnhancedCode>,
    /// The words, with whatever stands around the server's own.
    words: &'a str,
    /// The server's own words.
    said: &'a str,
}

fn put(parts: &Parts<'_>) -> Delivery {
    let words = Words {
        text: parts.said,
        status: parts.status,
        host: parts.host,
        stage: reply::stage(parts.words),
    };
    let judged = match parts.fate {
        Fate::Sent => None,
        Fate::Deferred | Fate::Bounced => judge::judge(&words).map(|(reason, _)| reason.code()),
    };
    let domain = parts.recipient.rsplit_once('@').map(|(_, domain)| domain);
    Delivery {
        recipient: clean(parts.recipient.as_bytes(), 320),
        to: domain.and_then(|domain| DomainName::parse(domain).ok()),
        fate: parts.fate,
        by: parts.host.map(|host| clean(host.as_bytes(), 255)),
        said: clean(parts.said.as_bytes(), WORDS),
        code: judged,
    }
}

/// Whether mail that is handed there stays on the machine: a filter, most often.
fn is_here(address: &str) -> bool {
    address
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
