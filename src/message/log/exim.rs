//! Exim: `2026-11-26 08:00:00 1vO7zK-000000002Ab-1cDe ** who@partner.test R=away T=away H=mx.partner.test [192.0.2.25]: SMTP
//! error from remote mail server after RCPT TO:<who@partner.test>: 550 5.1.1 User unknown` (its specification, "Log files").

use super::{Delivery, Parts, is_here, put};
use crate::model::Fate;

pub(super) fn delivery(line: &str) -> Option<Delivery> {
    let (fate, rest) = flagged(line)?;
    let (recipient, rest) = rest.split_once([' ', ':']).unwrap_or((rest, ""));
    let server = server(rest);
    if server.is_some_and(|(_, address)| is_here(address)) || (fate == Fate::Sent && server.is_none()) {
        return None;
    }
    let words = match fate {
        Fate::Sent => confirmation(rest),
        _ => error(rest),
    };
    Some(put(&Parts {
        recipient: recipient.trim_matches(['<', '>']),
        fate,
        host: server.map(|(name, _)| name),
        status: None,
        words,
        said: own_words(words),
    }))
}

/// What follows the message's id and the flag of a delivery.
fn flagged(line: &str) -> Option<(Fate, &str)> {
    let mut rest = line;
    // Date, time, a zone, a process, and what syslog writes before these.
    for _ in 0..12 {
        let (word, after) = rest.split_once(' ')?;
        rest = after;
        if !is_id(word) {
            continue;
        }
        let (flag, after) = rest.split_once(' ')?;
        let fate = match flag {
            "=>" | "->" | ">>" => Fate::Sent,
            "==" => Fate::Deferred,
            "**" => Fate::Bounced,
            _ => return None,
        };
        return Some((fate, after));
    }
    None
}

/// A message's id: three parts in base 62, of 6, 6 or 11, and 2 or 4 characters.
fn is_id(word: &str) -> bool {
    let mut parts = word.split('-').map(|part| {
        let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if plain { part.len() } else { 0 }
    });
    matches!(
        (parts.next(), parts.next(), parts.next(), parts.next()),
        (Some(6), Some(6 | 11), Some(2 | 4), None)
    )
}

/// `H=mx.partner.test [192.0.2.25]`
fn server(rest: &str) -> Option<(&str, &str)> {
    let (_, host) = rest.split_once(" H=")?;
    let (name, after) = host.split_once(' ')?;
    let address = after.strip_prefix('[')?.split(']').next()?;
    Some((name, address))
}

/// `C="250 OK id=..."`
fn confirmation(rest: &str) -> &str {
    let quoted = rest.split_once(" C=\"").map(|(_, quoted)| quoted);
    let quoted = quoted.and_then(|quoted| quoted.rsplit_once('"'));
    quoted.map_or("", |(words, _)| words)
}

/// What follows the fields: after the host's address, the number of an error, or the address itself.
fn error(rest: &str) -> &str {
    let after = |mark: &str| Some(rest.split_once(mark)?.1);
    after("]: ")
        .or_else(|| after("): "))
        .or_else(|| after(": "))
        .unwrap_or(rest)
        .trim()
}

/// What the server itself said, where it said something.
fn own_words(words: &str) -> &str {
    let Some((_, after)) = words.split_once("SMTP error from remote mail server after ") else {
        return words;
    };
    after.split_once(": ").map_or(after, |(_, said)| said)
}
