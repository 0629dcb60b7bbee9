//! A server's words: where its reply begins, its codes, who said it and at which step.

use serde::Serialize;

use crate::model::EnhancedCode;

/// Where in the journey the message was when it died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// While the way was looked up.
    Dns,
    /// While connecting.
    Connect,
    /// At the greeting.
    Greeting,
    /// At EHLO or HELO.
    Ehlo,
    /// While turning TLS on.
    StartTls,
    /// At the login.
    Auth,
    /// At MAIL FROM.
    Mail,
    /// At RCPT TO.
    Rcpt,
    /// With the message itself.
    Data,
}

impl Stage {
    /// In words: "in reply to ...".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Dns => "while its address was looked up",
            Self::Connect => "while connecting",
            Self::Greeting => "at the greeting",
            Self::Ehlo => "when our name was given (EHLO)",
            Self::StartTls => "while encryption was switched on",
            Self::Auth => "at the login",
            Self::Mail => "when the sender was named (MAIL FROM)",
            Self::Rcpt => "when the recipient was named (RCPT TO)",
            Self::Data => "after the message was sent (DATA)",
        }
    }
}

/// The first enhanced status code of class 2, 4 or 5 in a text (RFC 3463 2), and where it stands: never a part of an
/// address, a version or a longer number.
pub(super) fn enhanced(text: &str) -> Option<(usize, EnhancedCode)> {
    all_enhanced(text).next()
}

/// All of them.
pub(super) fn all_enhanced(text: &str) -> impl Iterator<Item = (usize, EnhancedCode)> + '_ {
    let bytes = text.as_bytes();
    (0..bytes.len()).filter_map(move |at| {
        let class = bytes[at];
        if !matches!(class, b'2' | b'4' | b'5') || bytes.get(at + 1) != Some(&b'.') {
            return None;
        }
        let after_code = at >= 4 && bytes[at - 4..at - 1].iter().all(u8::is_ascii_digit);
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let free = match before {
            None => true,
            Some(b'-') => after_code || (at >= 2 && bytes[at - 2] == b' '),
            Some(byte) => {
                byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'.' | b'@' | b'/' | b'=')
            }
        };
        if !free {
            return None;
        }
        let (subject, next) = number(bytes, at + 2)?;
        if bytes.get(next) != Some(&b'.') || subject > 9 {
            return None;
        }
        let (detail, end) = number(bytes, next + 1)?;
        let more = bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        let glued = bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        (!more && !glued).then_some((at, EnhancedCode(class - b'0', subject, detail)))
    })
}

/// One to three digits at `at`, and where they end.
fn number(bytes: &[u8], at: usize) -> Option<(u16, usize)> {
    let digits = bytes
        .iter()
        .skip(at)
        .take(4)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if !(1..=3).contains(&digits) {
        return None;
    }
    let value = bytes[at..at + digits]
        .iter()
        .fold(0, |sum, byte| sum * 10 + u16::from(byte - b'0'));
    Some((value, at + digits))
}

/// The first SMTP reply code 4xx or 5xx in a text (RFC 5321 4.2), and where it stands.
pub(super) fn code(text: &str) -> Option<(usize, u16)> {
    codes(text).next()
}

/// All of them.
pub(super) fn codes(text: &str) -> impl Iterator<Item = (usize, u16)> + '_ {
    let bytes = text.as_bytes();
    (0..bytes.len()).filter_map(move |at| {
        if !matches!(bytes[at], b'4' | b'5') {
            return None;
        }
        let (value, end) = number(bytes, at)?;
        let plausible = end == at + 3 && value % 100 < 80 && (400..580).contains(&value);
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let starts = before.is_none_or(|byte| {
            matches!(
                byte,
                b' ' | b'\n' | b'\t' | b':' | b';' | b'\'' | b'"' | b'(' | b'<' | b'#' | b'>' | b'['
            )
        });
        // "500 messages", "450 kB", "port 465", "in 420 seconds" are no replies.
        let line = tail(text[..at].trim_end_matches(['\'', '"', ' ']), 12);
        let counted = [
            "port",
            "after",
            "than",
            "of",
            "in",
            "about",
            "within",
            "id",
            "over",
            "error code",
        ]
        .iter()
        .any(|word| {
            line.strip_suffix(word)
                .is_some_and(|left| !left.ends_with(|c: char| c.is_ascii_alphanumeric()))
        });
        let counts = [
            "messages",
            "bytes",
            "kb",
            "mb",
            "gb",
            "seconds",
            "minutes",
            "hours",
            "days",
            "recipients",
            "users",
            "mails",
        ];
        let next = text[end..]
            .trim_start()
            .split(|c: char| !c.is_ascii_alphabetic())
            .next()
            .unwrap_or_default();
        let counted = counted
            || (bytes.get(end) == Some(&b' ') && counts.iter().any(|word| word.eq_ignore_ascii_case(next)));
        let ends = match bytes.get(end) {
            None
            | Some(
                b' ' | b'-' | b'\'' | b'"' | b')' | b'\n' | b'\r' | b'#' | b'>' | b']' | b',' | b':' | b';',
            ) => true,
            Some(b'.') => !bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
            Some(_) => false,
        };
        let quoted = text[..at].ends_with(['"', '\'']);
        (plausible && starts && ends && (!counted || quoted)).then_some((at, value))
    })
}

/// The last characters of a text, in lower case.
fn tail(text: &str, most: usize) -> String {
    let mut start = text.len().saturating_sub(most);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_ascii_lowercase()
}

/// Words before a reply, in lower case: what follows them is what the server said.
const BEFORE: &[&str] = &[
    " said: ",
    "<<< ",
    "remote host said:",
    "server was:",
    "servers was:",
    "returned '",
    "returned \"",
    "returned ",
    "responded with:",
    "gave this error:",
    "response was:",
    "error was:",
    "reason:",
    "smtp; ",
    "smtp;",
    "replied:",
    "answered:",
    "rejected with:",
    "error message:",
    "from the remote server:",
    "lautete:",
    "antwort:",
    "respuesta:",
    "risposta:",
    "réponse",
];

/// The reply within a text on one line: from its code to its end, as the server said it; `None` where no code stands
/// there.
pub(super) fn within(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let marked = BEFORE.iter().filter_map(|word| {
        let at = lower.find(word)? + word.len();
        let rest = &text[at..];
        let lead = rest.len()
            - rest
                .trim_start_matches([' ', '\'', '"', '\n', '(', '#', '['])
                .len();
        let begins = |found: Option<usize>| found.is_some_and(|found| found <= lead);
        let starts = begins(code(rest).map(|(at, _)| at)) || begins(enhanced(rest).map(|(at, _)| at));
        starts.then_some(at + lead)
    });
    let start = marked
        .min()
        .or_else(|| code(text).map(|(at, _)| at))
        .or_else(|| {
            let (at, _) = enhanced(text)?;
            // "#5.1.1 smtp;550 ...", or a code at the end of the words that it belongs to.
            (at < text.len() / 3).then_some(at)
        })?;
    Some(closed(&text[start..], text[..start].chars().next_back()))
}

/// Cuts what the reporter, not the server, wrote after a reply.
fn closed(reply: &str, before: Option<char>) -> &str {
    let mut end = reply.len();
    for tail in [" (in reply to ", " (in response to ", "\n\n"] {
        end = end.min(reply.find(tail).unwrap_or(end));
    }
    let closing = match before {
        Some('\'') => Some('\''),
        Some('"') => Some('"'),
        Some('(') => Some(')'),
        Some('<') => Some('>'),
        _ => None,
    };
    if let Some(closing) = closing {
        end = end.min(reply[..end].rfind(closing).filter(|at| *at > 3).unwrap_or(end));
    }
    let end = balanced(&reply[..end]);
    reply[..end].trim().trim_end_matches("##").trim_end()
}

/// Where a bracket closes that was opened before the reply; else the end.
fn balanced(reply: &str) -> usize {
    let mut open = 0_usize;
    for (at, c) in reply.char_indices() {
        match c {
            '(' => open += 1,
            ')' if open == 0 && at > 3 => return at,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    reply.len()
}

/// At which step it happened, as reporters say it; in lower case, the more precise first.
const STAGES: &[(&str, Stage)] = &[
    // Sendmail sends DATA along with the recipients, and shows it as what was answered.
    ("valid rcpt command must precede data", Stage::Rcpt),
    ("no valid recipients", Stage::Rcpt),
    ("need rcpt", Stage::Rcpt),
    ("... user unknown <<<", Stage::Rcpt),
    (">>> (initial greeting)", Stage::Greeting),
    ("in reply to rcpt to", Stage::Rcpt),
    ("in reply to mail from", Stage::Mail),
    ("in reply to end of data", Stage::Data),
    ("in reply to data", Stage::Data),
    ("in reply to starttls", Stage::StartTls),
    ("in reply to ehlo", Stage::Ehlo),
    ("in reply to helo", Stage::Ehlo),
    ("in reply to auth", Stage::Auth),
    ("after rcpt to", Stage::Rcpt),
    ("after mail from", Stage::Mail),
    ("after pipelined mail from", Stage::Mail),
    ("after pipelined rcpt to", Stage::Rcpt),
    ("after pipelined end of data", Stage::Data),
    ("after end of data", Stage::Data),
    ("after sending data", Stage::Data),
    ("after data", Stage::Data),
    ("after ehlo", Stage::Ehlo),
    ("after helo", Stage::Ehlo),
    ("after starttls", Stage::StartTls),
    ("after initial connection", Stage::Greeting),
    ("while performing the ehlo", Stage::Ehlo),
    ("while performing the helo", Stage::Ehlo),
    ("while receiving the initial server greeting", Stage::Greeting),
    ("while sending rcpt to", Stage::Rcpt),
    ("while sending mail from", Stage::Mail),
    ("while sending end of data", Stage::Data),
    ("while sending message body", Stage::Data),
    (">>> rcpt to", Stage::Rcpt),
    (">>> mail from", Stage::Mail),
    (">>> data", Stage::Data),
    ("did not like our connect", Stage::Greeting),
    ("did not like our ehlo", Stage::Ehlo),
    ("did not like our helo", Stage::Ehlo),
    ("did not like our mail from", Stage::Mail),
    ("did not like our rcpt to", Stage::Rcpt),
    ("did not like our data", Stage::Data),
    ("did not like our final data", Stage::Data),
    ("does not like recipient", Stage::Rcpt),
    ("does not like sender", Stage::Mail),
    ("failed after i sent the message", Stage::Data),
    ("failed on data command", Stage::Data),
    ("connected to", Stage::Greeting),
    ("name service error", Stage::Dns),
    ("couldn't find any host", Stage::Dns),
    ("host not found", Stage::Dns),
    ("dns error", Stage::Dns),
    ("domain not found", Stage::Dns),
    ("unable to connect", Stage::Connect),
    ("wasn't able to establish an smtp connection", Stage::Connect),
    ("connect to ", Stage::Connect),
    ("connection refused", Stage::Connect),
    ("connection timed out", Stage::Connect),
    ("no route to host", Stage::Connect),
];

/// The step that a report names.
pub(super) fn stage(text: &str) -> Option<Stage> {
    let lower = text.to_lowercase();
    STAGES
        .iter()
        .find(|(words, _)| lower.contains(words))
        .map(|(_, stage)| *stage)
}

/// Words before the name of the server that answered (or did not), in lower case.
const HOSTS: &[&str] = &[
    "while talking to ",
    "remote server at ",
    "connect to ",
    "connected to ",
    "host: ",
    "host ",
    "by mx ",
    "remote host: ",
    "remote mta ",
    "remote-mta: dns;",
    "remote-mta: dns; ",
    "by ",
    "server ",
    "mta ",
];

/// The remote server that a report names.
pub(super) fn host(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    for words in HOSTS {
        for (at, _) in lower.match_indices(words).take(20) {
            let free = lower[..at]
                .chars()
                .next_back()
                .is_none_or(|c| !c.is_alphanumeric());
            let rest = lower[at + words.len()..].trim_start();
            if free && let Some(found) = host_at_start(rest) {
                return Some(found);
            }
        }
    }
    if let Some(found) = heading(&lower) {
        return Some(found);
    }
    // "192.0.2.1 does not like recipient.", "mx.partner.test gave this error:", "mx.partner.test #550 5.1.1"
    let follows = [
        "does not like recipient",
        "does not like sender",
        "failed after i sent",
        "gave this error",
        "did not like our",
        "rejected your message",
    ];
    follows.iter().find_map(|words| {
        let at = lower.find(words)?;
        let mut words = lower[..at].split_whitespace().rev();
        let last = words.next()?;
        // "mx.partner.test [192.0.2.1] did not like our RCPT TO:"
        let named = words.next().filter(|_| last.starts_with('['));
        let word = named.unwrap_or(last);
        host_at_start(word.trim_matches(|c| matches!(c, '(' | ')' | '<' | '>' | '[' | ']')))
    })
}

/// The name in `mx.partner.test [192.0.2.1]:` at the start of a text, which Courier writes over what was answered there.
fn heading(text: &str) -> Option<String> {
    let (name, rest) = text.trim_start().split_once(' ')?;
    let (address, _) = rest.strip_prefix('[')?.split_once("]:")?;
    address.parse::<std::net::IpAddr>().ok()?;
    host_at_start(name)
}

/// A host's name with at least one dot, or an address, at the start of a text in lower case.
fn host_at_start(text: &str) -> Option<String> {
    let text = text.trim_start_matches(['[', '<', '\'', '(', '*']);
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')))
        .unwrap_or(text.len());
    let name = text[..end].trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let is_name = name.contains('.')
        && last.len() >= 2
        && last.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-')
        && !text[end..].starts_with('@');
    (name.len() <= 255 && (is_address || is_name) && !name.starts_with("www.")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("550 5.1.1 nobody", Some((5, 1, 1)))]
    #[case("550-5.7.26 unauthenticated", Some((5, 7, 26)))]
    #[case("Sorry, no mailbox here by that name. (#5.1.1)", Some((5, 1, 1)))]
    #[case("from 5.1.1.7 at 192.5.1.1, version v5.1.1, 15.1.1, 5.1.1234", None)]
    #[case("smtp;5.7.606 banned", Some((5, 7, 606)))]
    fn enhanced_codes(#[case] text: &str, #[case] expected: Option<(u8, u16, u16)>) {
        let expected = expected.map(|(a, b, c)| EnhancedCode(a, b, c));
        assert_eq!(enhanced(text).map(|(_, code)| code), expected);
    }

    #[rstest]
    #[case(
        "host mx.p.test[192.0.2.1] said: 550 5.1.1 <a@p.test>: nobody (in reply to RCPT TO command)",
        Some("550 5.1.1 <a@p.test>: nobody")
    )]
    #[case(
        "Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found'",
        Some("550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found")
    )]
    #[case("(reason: 452 4.2.2 Over quota)", Some("452 4.2.2 Over quota"))]
    #[case("after 450 seconds on port 465 for 512 messages", None)]
    #[case("connect to mx.p.test[192.0.2.1]:25: Connection timed out", None)]
    fn replies(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(within(text), expected);
    }

    #[rstest]
    #[case("host mx.p.test[192.0.2.1] said: 550", Some("mx.p.test"))]
    #[case("... while talking to mx.p.test.:", Some("mx.p.test"))]
    #[case("192.0.2.1 does not like recipient.", Some("192.0.2.1"))]
    #[case("connect to mx.p.test[192.0.2.1]:25: Connection timed out", Some("mx.p.test"))]
    #[case("no host is named", None)]
    fn hosts(#[case] text: &str, #[case] expected: Option<&str>) {
        assert_eq!(host(text).as_deref(), expected);
    }
}
