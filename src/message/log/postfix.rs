//! Postfix: `... postfix/smtp[123]: 4ABC: to=<who@partner.test>, relay=mx.partner.test[192.0.2.25]:25, ..., dsn=5.1.1,
//! status=bounced (host ... said: 550 5.1.1 ... (in reply to RCPT TO command))`.

use super::super::reply;
use super::{Delivery, Parts, is_here, put};
use crate::model::Fate;

/// Those of its programs that carry mail to elsewhere, or say why nobody tried: by the last part of their names.
const PROGRAMS: [&str; 3] = ["smtp", "relay", "error"];

pub(super) fn delivery(line: &str) -> Option<Delivery> {
    let (head, rest) = line.split_once("]: ")?;
    let program = head.rsplit_once('[')?.0.rsplit(' ').next()?;
    let (_, program) = program.rsplit_once('/')?;
    if !PROGRAMS.contains(&program) {
        return None;
    }
    let (_, rest) = rest.split_once(": to=<")?;
    let (recipient, rest) = rest.split_once(">, ")?;
    // What follows the status is somebody else's text.
    let (fields, rest) = rest.split_once("status=")?;
    let field = |name: &str| {
        let mut fields = fields.split(", ");
        fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
    };
    let (status, words) = rest.split_once(" (").unwrap_or((rest, ""));
    let words = words.strip_suffix(')').unwrap_or(words);
    let fate = match status.trim() {
        "sent" => Fate::Sent,
        "deferred" | "SOFTBOUNCE" => Fate::Deferred,
        "bounced" | "expired" => Fate::Bounced,
        _ => return None,
    };
    let relay = field("relay").filter(|relay| *relay != "none");
    let place = relay.and_then(|relay| relay.split_once('['));
    if fate == Fate::Sent && place.is_none() {
        return None;
    }
    if place.is_some_and(|(_, address)| is_here(address.split(']').next().unwrap_or_default())) {
        return None;
    }
    Some(put(&Parts {
        recipient,
        fate,
        host: place.map(|(name, _)| name).or_else(|| named(words)),
        status: field("dsn").and_then(|code| Some(reply::enhanced(code)?.1)),
        words,
        said: own_words(words),
    }))
}

/// `host mx.partner.test[192.0.2.25] said: ...`, `connect to mx.partner.test[192.0.2.25]:25: ...`
fn named(words: &str) -> Option<&str> {
    let begins = [
        "host ",
        "connect to ",
        "lost connection with ",
        "conversation with ",
    ];
    let at = begins
        .iter()
        .find_map(|begin| Some(words.find(begin)? + begin.len()))?;
    let name = words[at..].split('[').next()?;
    (!name.is_empty() && !name.contains(' ')).then_some(name)
}

/// What the server itself said, where it said something.
fn own_words(words: &str) -> &str {
    // What Postfix remembers of an earlier try.
    let words = words
        .strip_prefix("delivery temporarily suspended: ")
        .unwrap_or(words);
    let said = words.split_once(" said: ").map_or(words, |(_, said)| said);
    said.rsplit_once(" (in reply to ").map_or(said, |(said, _)| said)
}
