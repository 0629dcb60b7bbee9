//! Refused or down? A reply that turns *us* away says nothing about anybody's mail (`semantics` 12).

use std::net::IpAddr;

use crate::model::{Code, EnhancedCode, Reply, SmtpStage};

/// How a negative reply is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is about us: our address, our rate, a list that we are on.
    OfUs,
    /// It is about the server: this is wrong with it.
    Down(Code),
}

/// Words that tell that a reply is about whoever connects. Lower case; the last resort after the codes.
const ABOUT_US: &[&str] = &[
    "too many connections",
    "too many concurrent",
    "too many sessions",
    "connection rate",
    "rate limit",
    "ratelimit",
    "throttl",
    "blocklist",
    "block list",
    "blacklist",
    "black list",
    "blocked using",
    "listed at",
    "listed by",
    "dnsbl",
    "spamhaus",
    "reputation",
    "your ip",
    "your address",
    "your host",
    "your network",
    "client host",
    "reverse dns",
    "ptr record",
];

/// Likewise, where they stand as words of their own: "rbl" is in "marble" as well.
const WORDS_ABOUT_US: &[&str] = &["rbl", "sbl", "xbl", "pbl", "bl"];

/// Reads a negative reply at the greeting or at EHLO. `provider` says that a recognised provider sent it, of
/// which any 4xx this early is about us; `us` are the addresses that we speak from.
pub fn read(reply: &Reply, stage: SmtpStage, provider: bool, us: &[IpAddr]) -> Refusal {
    let temporary = (400..500).contains(&reply.code);
    if provider && temporary && stage <= SmtpStage::Ehlo {
        return Refusal::OfUs;
    }
    if is_of_us(&reply.text(), reply.enhanced, us) {
        return Refusal::OfUs;
    }
    match reply.code {
        452 => Refusal::Down(Code::SmtpStorageFull),
        400..500 if stage <= SmtpStage::Ehlo => Refusal::Down(Code::SmtpUnavailable),
        400..500 => Refusal::Down(Code::SmtpTempfail),
        500..600 => Refusal::Down(Code::SmtpRejectsConnections),
        _ => Refusal::Down(Code::SmtpProtocolError),
    }
}

/// Whether words of refusal are about us: by their enhanced code, or by what they say. `us` as for [`read`].
pub fn is_of_us(text: &str, enhanced: Option<EnhancedCode>, us: &[IpAddr]) -> bool {
    if matches!(enhanced, Some(EnhancedCode(4 | 5, 7, _))) {
        return true;
    }
    let text = text.to_lowercase();
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    ABOUT_US.iter().any(|about| text.contains(about))
        || words.any(|word| WORDS_ABOUT_US.contains(&word))
        || us
            .iter()
            .any(|address| holds_address(&text, &address.to_string()))
}

/// Whether `text` holds `address` as a whole: 192.0.2.1 does not stand in 192.0.2.10.
fn holds_address(text: &str, address: &str) -> bool {
    text.match_indices(address).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + address.len()..].chars().next();
        let part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_hexdigit());
        !part(before) && !part(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "421 4.3.2 Service shutting down",
        false,
        Refusal::Down(Code::SmtpUnavailable)
    )]
    #[case("421 4.3.2 Service shutting down", true, Refusal::OfUs)]
    #[case("421 4.7.0 Try again later", false, Refusal::OfUs)]
    #[case("421 too many connections from 192.0.2.10", false, Refusal::OfUs)]
    #[case("421 mx.acme.test closing", false, Refusal::Down(Code::SmtpUnavailable))]
    #[case(
        "421 not 192.0.2.100 but somebody else",
        false,
        Refusal::Down(Code::SmtpUnavailable)
    )]
    #[case("421 go away, 192.0.2.10!", false, Refusal::OfUs)]
    #[case("421 see rbl.example", false, Refusal::OfUs)]
    #[case("421 marble.example is closing", false, Refusal::Down(Code::SmtpUnavailable))]
    #[case("450 please wait", false, Refusal::Down(Code::SmtpUnavailable))]
    #[case(
        "554 No SMTP service here",
        false,
        Refusal::Down(Code::SmtpRejectsConnections)
    )]
    #[case("554 5.7.1 Access denied", false, Refusal::OfUs)]
    #[case("554 Blocked using zen.example", false, Refusal::OfUs)]
    #[case(
        "521 mx does not accept mail",
        true,
        Refusal::Down(Code::SmtpRejectsConnections)
    )]
    #[case(
        "452 4.3.1 Insufficient system storage",
        false,
        Refusal::Down(Code::SmtpStorageFull)
    )]
    fn replies_at_the_greeting(#[case] line: &str, #[case] provider: bool, #[case] expected: Refusal) {
        let (code, text) = line.split_once(' ').unwrap();
        let enhanced = text.split(' ').next().and_then(|word| {
            let mut parts = word.split('.').map(|part| part.parse::<u16>().ok());
            Some(EnhancedCode(
                u8::try_from(parts.next()??).ok()?,
                parts.next()??,
                parts.next()??,
            ))
        });
        let reply = Reply {
            code: code.parse().unwrap(),
            enhanced,
            lines: vec![text.to_owned()],
        };
        let us = ["192.0.2.10".parse().unwrap()];
        assert_eq!(read(&reply, SmtpStage::Greeting, provider, &us), expected);
    }
}
