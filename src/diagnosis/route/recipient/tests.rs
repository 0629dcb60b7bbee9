use rstest::rstest;

use super::*;
use crate::picture::fixtures::picture;

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

fn at_rcpt(line: &str) -> Health {
    let picture = picture("[[clients]]\nname = \"BETA\"\ndomains = [\"beta.test\"]\n");
    read(&reply(line), SmtpStage::Rcpt, None, &picture)
}

#[rstest]
#[case("550 5.1.1 <a@b.test>: User unknown", Health::Failed(Code::RecipientUnknown))]
#[case(
    "550 5.1.10 RESOLVER.ADR.RecipientNotFound",
    Health::Failed(Code::RecipientUnknown)
)]
#[case("550 No such user here", Health::Failed(Code::RecipientUnknown))]
#[case(
    "550 5.4.1 Recipient address rejected: Access denied. [AM0EUR02]",
    Health::Failed(Code::RecipientUnknown)
)]
#[case(
    "452 4.2.2 The email account is over quota",
    Health::Failed(Code::RecipientMailboxFull)
)]
#[case("552 mailbox full", Health::Failed(Code::RecipientMailboxFull))]
#[case("550 5.2.1 The mailbox is disabled", Health::Failed(Code::RecipientRefused))]
#[case("551 5.1.6 Recipient has moved", Health::Failed(Code::RecipientRefused))]
#[case(
    "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup",
    Health::Failed(Code::RecipientPolicy)
)]
#[case(
    "452 4.3.1 Insufficient system storage",
    Health::Failed(Code::SmtpStorageFull)
)]
#[case(
    "450 4.2.0 Greylisted, see http://postgrey.test/",
    Health::Failed(Code::SmtpGreylisted)
)]
#[case("451 4.7.1 Please try again later", Health::Failed(Code::SmtpGreylisted))]
#[case("451 Temporary local problem", Health::Failed(Code::SmtpGreylisted))]
#[case("421 closing", Health::Failed(Code::SmtpTempfail))]
#[case("550 Requested action not taken", Health::Failed(Code::RecipientRefused))]
#[case(
    "554 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using bl.test",
    Health::Refused
)]
#[case("550 5.7.1 You may not ask", Health::Refused)]
#[case("554 5.7.1 <a@b.test>: Relay access denied", Health::Refused)]
#[case(
    "550 5.7.23 The message was rejected because of Sender Policy Framework",
    Health::Refused
)]
#[case(
    "450 4.1.8 <x@y.test>: Sender address rejected: Domain not found",
    Health::Refused
)]
#[case(
    "550 Your IP is not welcome: no such user",
    Health::Failed(Code::RecipientUnknown)
)]
fn answers_to_rcpt(#[case] line: &str, #[case] expected: Health) {
    assert_eq!(at_rcpt(line), expected);
}

#[test]
fn what_is_refused_before_anybody_is_named_is_about_us() {
    let picture = picture("[[clients]]\nname = \"BETA\"\ndomains = [\"beta.test\"]\n");
    let at_mail = |line| read(&reply(line), SmtpStage::Mail, None, &picture);
    assert_eq!(at_mail("550 No such user here"), Health::Refused);
    assert_eq!(
        at_mail("452 4.3.1 Insufficient system storage"),
        Health::Failed(Code::SmtpStorageFull)
    );
}

#[test]
fn every_pattern_reads_the_reply_that_it_comes_from() {
    let tables = [
        (GREYLISTING, Health::Failed(Code::SmtpGreylisted)),
        (FULL, Health::Failed(Code::RecipientMailboxFull)),
        (INSIDERS, Health::Failed(Code::RecipientPolicy)),
        (UNKNOWN, Health::Failed(Code::RecipientUnknown)),
        (ABOUT_SENDER, Health::Refused),
    ];
    for (table, expected) in tables {
        for (words, line) in table {
            assert!(line.to_lowercase().contains(words), "{line}");
            assert_eq!(at_rcpt(line), expected, "{line}");
        }
    }
}
