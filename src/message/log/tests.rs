use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn read(line: &str, writer: Writer) -> Option<Delivery> {
    delivery(line.as_bytes(), writer)
}

/// As `RECIPIENT FATE CODE by HOST: WORDS`.
fn told(line: &str, writer: Writer) -> String {
    let Some(found) = read(line, writer) else {
        return "nothing".into();
    };
    let code = found.code.map_or("-", Code::as_str);
    let by = found.by.as_deref().unwrap_or("-");
    format!(
        "{} {} {code} by {by}: {}",
        found.recipient, found.fate, found.said
    )
}

#[rstest]
#[case::sent(
    "Nov 26 08:00:00 mx postfix/smtp[4711]: 4ABC12: to=<who@partner.test>, relay=mx.partner.test[192.0.2.81]:25, delay=0.4, delays=0.1/0/0.2/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4DEF)",
    "who@partner.test sent - by mx.partner.test: 250 2.0.0 Ok: queued as 4DEF"
)]
#[case::bounced(
    "2026-11-26T08:00:00.123456+01:00 mx postfix/smtp[4711]: 4ABC12: to=<who@Partner.test>, orig_to=<all@acme.test>, relay=mx.partner.test[192.0.2.81]:25, delay=0.4, delays=0.1/0/0.2/0.1, dsn=5.1.1, status=bounced (host mx.partner.test[192.0.2.81] said: 550 5.1.1 <who@partner.test>: Recipient address rejected: User unknown in virtual mailbox table (in reply to RCPT TO command))",
    "who@Partner.test bounced recipient.unknown by mx.partner.test: 550 5.1.1 <who@partner.test>: Recipient address rejected: User unknown in virtual mailbox table"
)]
#[case::blocked(
    "Nov 26 08:00:00 mx postfix-out/smtp[4711]: 4ABC12: to=<who@partner.test>, relay=mx.partner.test[192.0.2.81]:25, delay=0.4, delays=0.1/0/0.2/0.1, dsn=5.7.1, status=bounced (host mx.partner.test[192.0.2.81] said: 554 5.7.1 Service unavailable; Client host [198.51.100.10] blocked using bl.test (in reply to RCPT TO command))",
    "who@partner.test bounced reputation.sender-blocked by mx.partner.test: 554 5.7.1 Service unavailable; Client host [198.51.100.10] blocked using bl.test"
)]
#[case::put_off(
    "Nov 26 08:00:00 mx postfix/smtp[4711]: 4ABC12: to=<who@partner.test>, relay=none, delay=30, delays=0.1/0/30/0, dsn=4.4.1, status=deferred (connect to mx.partner.test[192.0.2.81]:25: Connection timed out)",
    "who@partner.test deferred host.unreachable by mx.partner.test: connect to mx.partner.test[192.0.2.81]:25: Connection timed out"
)]
#[case::not_even_tried(
    "Nov 26 08:00:00 mx postfix/error[4711]: 4ABC12: to=<who@partner.test>, relay=none, delay=90, delays=90/0/0/0, dsn=4.4.1, status=deferred (delivery temporarily suspended: connect to mx.partner.test[192.0.2.81]:25: Connection refused)",
    "who@partner.test deferred host.refused by mx.partner.test: connect to mx.partner.test[192.0.2.81]:25: Connection refused"
)]
#[case::into_a_mailbox(
    "Nov 26 08:00:00 mx postfix/virtual[4711]: 4ABC12: to=<desk@acme.test>, relay=virtual, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (delivered to maildir)",
    "nothing"
)]
#[case::to_a_filter(
    "Nov 26 08:00:00 mx postfix/smtp[4711]: 4ABC12: to=<who@partner.test>, relay=127.0.0.1[127.0.0.1]:10024, delay=0.4, delays=0/0/0/0.4, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4DEF)",
    "nothing"
)]
#[case::coming_in(
    "Nov 26 08:00:00 mx postfix/smtpd[4711]: connect from mx.partner.test[192.0.2.81]",
    "nothing"
)]
#[case::removed("Nov 26 08:00:00 mx postfix/qmgr[4711]: 4ABC12: removed", "nothing")]
fn lines_of_postfix(#[case] line: &str, #[case] expected: &str) {
    assert_eq!(told(line, Writer::Postfix), expected);
}

#[rstest]
#[case::sent(
    "2026-11-26 08:00:00 1vO7zK-000000002Ab-1cDe => who@partner.test R=away T=away H=mx.partner.test [192.0.2.81] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes C=\"250 2.0.0 Ok: queued as 4DEF\"",
    "who@partner.test sent - by mx.partner.test: 250 2.0.0 Ok: queued as 4DEF"
)]
#[case::sent_besides(
    "2026-11-26 08:00:00 +0100 1vO7zK-0002Ab-1c -> who@partner.test <all@acme.test> R=away T=away H=mx.partner.test [192.0.2.81] C=\"250 OK\"",
    "who@partner.test sent - by mx.partner.test: 250 OK"
)]
#[case::bounced(
    "2026-11-26 08:00:00 1vO7zK-000000002Ab-1cDe ** who@partner.test R=away T=away H=mx.partner.test [192.0.2.81]: SMTP error from remote mail server after RCPT TO:<who@partner.test>: 550 5.1.1 <who@partner.test>: Recipient address rejected: User unknown",
    "who@partner.test bounced recipient.unknown by mx.partner.test: 550 5.1.1 <who@partner.test>: Recipient address rejected: User unknown"
)]
#[case::blocked(
    "Nov 26 08:00:00 mx exim[4711]: 2026-11-26 08:00:00 1vO7zK-000000002Ab-1cDe ** who@partner.test R=away T=away H=mx.partner.test [192.0.2.81] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes: SMTP error from remote mail server after RCPT TO:<who@partner.test>: 554 5.7.1 Service unavailable; Client host [198.51.100.10] blocked using bl.test",
    "who@partner.test bounced reputation.sender-blocked by mx.partner.test: 554 5.7.1 Service unavailable; Client host [198.51.100.10] blocked using bl.test"
)]
#[case::put_off(
    "2026-11-26 08:00:00 1vO7zK-000000002Ab-1cDe == who@partner.test R=away T=away defer (110) H=mx.partner.test [192.0.2.81]: Connection timed out",
    "who@partner.test deferred host.unreachable by mx.partner.test: Connection timed out"
)]
#[case::put_off_by_words(
    "2026-11-26 08:00:00 1vO7zK-000000002Ab-1cDe == who@partner.test R=away T=away defer (-44) H=mx.partner.test [192.0.2.81]: SMTP error from remote mail server after RCPT TO:<who@partner.test>: 450 4.2.0 <who@partner.test>: Recipient address rejected: Greylisted",
    "who@partner.test deferred smtp.greylisted by mx.partner.test: 450 4.2.0 <who@partner.test>: Recipient address rejected: Greylisted"
)]
#[case::nowhere_to_go(
    "2026-11-26 08:00:00 1vO7zK-000000002Ab-1cDe ** who@gone.test: Unrouteable address",
    "who@gone.test bounced recipient.unknown by -: Unrouteable address"
)]
#[case::into_a_mailbox(
    "2026-11-26 08:00:00 1vO7zK-000000002Ab-1cDe => desk <desk@beta.test> R=here T=here",
    "nothing"
)]
#[case::coming_in(
    "2026-11-26 08:00:00 1vO7zK-000000002Ab-1cDe <= a@acme.test H=mx.acme.test [198.51.100.10] P=esmtps S=1234",
    "nothing"
)]
#[case::done("2026-11-26 08:00:00 1vO7zK-000000002Ab-1cDe Completed", "nothing")]
fn lines_of_exim(#[case] line: &str, #[case] expected: &str) {
    assert_eq!(told(line, Writer::Exim), expected);
}

#[test]
fn the_domain_is_the_recipients() {
    let line = "Nov 26 08:00:00 mx postfix/smtp[1]: 4A: to=<who@Partner.Test>, relay=none, delay=0, delays=0/0/0/0, \
                dsn=5.4.4, status=bounced (Host or domain name not found)";
    let found = read(line, Writer::Postfix).unwrap();
    assert_eq!(found.to.unwrap().as_str(), "partner.test");
}

proptest! {
    #[test]
    fn any_line_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (delivery(&bytes, Writer::Postfix), delivery(&bytes, Writer::Exim));
    }

    #[test]
    fn any_words_can_be_read(words in "[ -~]{0,80}", status in "sent|deferred|bounced|expired|other") {
        let postfix = format!("x postfix/smtp[1]: 4A: to=<a@b.test>, relay=m[192.0.2.1]:25, dsn=4.0.0, status={status} ({words})");
        let exim = format!("2026-11-26 08:00:00 1vO7zK-000000002Ab-1cDe == a@b.test R=r T=t defer (1){words}");
        if let Some(found) = read(&postfix, Writer::Postfix) {
            prop_assert_eq!(found.recipient, "a@b.test");
        }
        prop_assert_eq!(read(&exim, Writer::Exim).map(|found| found.recipient), Some("a@b.test".to_owned()));
    }
}
