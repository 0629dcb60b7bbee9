//! Refused or down? A reply that turns *us* away says nothing about anybody's mail (`semantics` 12).

use std::net::IpAddr;

use crate::inventory::Provider;
use crate::model::{Code, EnhancedCode, Reply, SmtpStage};

/// How a negative reply is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is about us: our address, our rate, a list that we are on.
    OfUs,
    /// It is about the server: this is wrong with it.
    Down(Code),
}

/// Words that tell that a reply is about whoever connects, in lower case, each with a reply that shows it. The last
/// resort, after enhanced codes and what is known of a provider.
const ABOUT_US: &[(&str, &str)] = &[
    (
        "too many connections",
        "421 mx.acme.test Error: too many connections from 198.51.100.7",
    ),
    (
        "too many concurrent",
        "421 Too many concurrent SMTP connections; please try again later.",
    ),
    ("too many sessions", "421 mx.acme.test: Too many sessions open"),
    (
        "number of concurrent connections has exceeded",
        "421 4.3.2 The maximum number of concurrent connections has exceeded a limit, closing transmission channel",
    ),
    ("connection rate", "421 4.3.2 Connection rate limit exceeded."),
    ("rate limit", "450 Rate limit for this client exceeded, slow down"),
    ("ratelimit", "450 acme ratelimit reached, retry in 5 minutes"),
    ("throttl", "421 Connections are being throttled"),
    ("blocklist", "554 198.51.100.7 is on our blocklist"),
    ("block list", "554 IP address is on a block list"),
    ("blacklist", "550 Your server is blacklisted here"),
    ("black list", "550 Rejected: sending host is on our black list"),
    (
        "blocked using",
        "554 Service unavailable; Client 198.51.100.7 blocked using zen.example",
    ),
    ("listed at", "550 198.51.100.7 listed at dnsbl.example"),
    ("listed by", "550 198.51.100.7 listed by bl.example"),
    ("dnsbl", "554 Rejected, see https://dnsbl.example/lookup"),
    ("spamhaus", "550 https://www.spamhaus.org/query/ip/198.51.100.7"),
    ("reputation", "554 The sending machine has a poor reputation"),
    ("your ip", "550 Your IP 198.51.100.7 is not welcome"),
    ("your address", "550 Your address has been refused"),
    ("your host", "550 Your host may not connect here"),
    ("your network", "550 We take no mail from your network"),
    ("client host", "554 Client host rejected: Access denied"),
    ("reverse dns", "554 No reverse DNS for 198.51.100.7"),
    ("ptr record", "550 The PTR record of 198.51.100.7 is missing"),
];

/// Likewise, where they stand as words of their own: "rbl" is in "marble" as well.
const WORDS_ABOUT_US: &[&str] = &["rbl", "sbl", "xbl", "pbl", "bl"];

/// Reads a negative reply at the greeting or at EHLO: its enhanced code first, then what is known of the recognised
/// `provider` that sent it, of which any 4xx this early is about us, its text last. `us` are the addresses that we speak
/// from.
pub fn read(reply: &Reply, stage: SmtpStage, provider: Option<&Provider>, us: &[IpAddr]) -> Refusal {
    let early = (400..500).contains(&reply.code) && stage <= SmtpStage::Ehlo;
    let known = |provider: &Provider| early || provider.turns_us_away(&reply.text().to_lowercase());
    if is_security(reply.enhanced)
        || provider.is_some_and(known)
        || is_of_us(&reply.text(), reply.enhanced, us)
    {
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
    if is_security(enhanced) {
        return true;
    }
    let text = text.to_lowercase();
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    ABOUT_US.iter().any(|(about, _)| text.contains(about))
        || words.any(|word| WORDS_ABOUT_US.contains(&word))
        || us
            .iter()
            .any(|address| holds_address(&text, &address.to_string()))
}

/// X.7.Z: security or policy (RFC 3463 3.8).
fn is_security(enhanced: Option<EnhancedCode>) -> bool {
    matches!(enhanced, Some(EnhancedCode(4 | 5, 7, _)))
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
    use crate::inventory::Providers;
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
        let providers = Providers::new(&[]);
        let provider = provider.then(|| providers.named("Google").unwrap().as_ref());
        let us = ["192.0.2.10".parse().unwrap()];
        assert_eq!(read(&reply(line), SmtpStage::Greeting, provider, &us), expected);
    }

    fn reply(line: &str) -> Reply {
        let (code, text) = line.split_once(' ').unwrap();
        let enhanced = text.split(' ').next().and_then(|word| {
            let mut parts = word.split('.').map(|part| part.parse::<u16>().ok());
            Some(EnhancedCode(
                u8::try_from(parts.next()??).ok()?,
                parts.next()??,
                parts.next()??,
            ))
        });
        Reply {
            code: code.parse().unwrap(),
            enhanced,
            lines: vec![text.to_owned()],
        }
    }

    #[test]
    fn every_pattern_reads_the_reply_that_it_comes_from() {
        for (about, line) in ABOUT_US {
            let seen = reply(line);
            assert!(seen.text().to_lowercase().contains(about), "{line}");
            assert_eq!(
                read(&seen, SmtpStage::Greeting, None, &[]),
                Refusal::OfUs,
                "{line}"
            );
        }
    }

    #[test]
    fn what_a_provider_says_to_turn_us_away_is_known_without_any_other_sign() {
        let providers = Providers::new(&[]);
        let known: Vec<_> = providers
            .all()
            .flat_map(|provider| provider.about_us.iter().map(move |known| (provider, known)))
            .collect();
        assert!(known.len() >= 8);
        for (provider, known) in known {
            let seen = reply(&known.reply);
            assert!(
                provider.turns_us_away(&seen.text().to_lowercase()),
                "{}",
                known.reply
            );
            let read = read(&seen, SmtpStage::Mail, Some(provider), &[]);
            assert_eq!(read, Refusal::OfUs, "{}", known.reply);
        }
    }

    #[test]
    fn a_providers_words_count_from_that_provider_alone() {
        let providers = Providers::new(&[]);
        let line = "554 IP=192.0.2.77 - A problem occurred. (Ask your postmaster for help or to contact \
                    tosa@rx.t-online.de to clarify.)";
        let by = |name: &str| {
            let provider = providers.named(name).map(AsRef::as_ref);
            read(&reply(line), SmtpStage::Greeting, provider, &[])
        };
        assert_eq!(by("Telekom"), Refusal::OfUs);
        assert_eq!(by("Google"), Refusal::Down(Code::SmtpRejectsConnections));
        assert_eq!(by("nobody"), Refusal::Down(Code::SmtpRejectsConnections));
    }
}
