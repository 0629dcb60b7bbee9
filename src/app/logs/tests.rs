use super::*;

fn log() -> Log {
    Log {
        name: "log mail.log".into(),
        client: ClientId::parse("acme").unwrap(),
        path: PathBuf::from("mail.log"),
        writer: Writer::Postfix,
        watched: BTreeSet::from([DomainName::parse("partner.test").unwrap()]),
    }
}

fn line(to: &str, status: &str, words: &str) -> Vec<u8> {
    format!(
        "Nov 26 08:00:00 mx postfix/smtp[1]: 4A: to=<{to}>, relay=mx.partner.test[192.0.2.81]:25, delay=1, \
         delays=0/0/0/1, dsn=4.0.0, status={status} ({words})"
    )
    .into_bytes()
}

fn told(lines: Vec<Vec<u8>>, is_news: bool) -> Heard {
    let chunk = Chunk { lines, more: false };
    tell(&log(), &chunk, is_news, "2026-11-26T08:00:00Z".parse().unwrap())
}

fn blocked() -> Vec<u8> {
    line(
        "who@partner.test",
        "bounced",
        "host mx.partner.test[192.0.2.81] said: 554 5.7.1 Client host [198.51.100.10] blocked using bl.test (in reply to RCPT TO command)",
    )
}

fn sent() -> Vec<u8> {
    line("who@partner.test", "sent", "250 OK")
}

#[test]
fn everything_is_counted_and_only_watched_destinations_are_named() {
    let heard = told(
        vec![
            blocked(),
            sent(),
            line("a@elsewhere.test", "sent", "250 OK"),
            b"junk".to_vec(),
        ],
        true,
    );
    let counts: Vec<String> = heard
        .deliveries
        .iter()
        .map(|((client, to, fate), count)| {
            let to = to.as_ref().map_or("other", |to| to.as_str());
            format!("{client} {to} {fate} {count}")
        })
        .collect();
    assert_eq!(
        counts,
        [
            "acme other sent 1",
            "acme partner.test sent 1",
            "acme partner.test bounced 1"
        ]
    );
}

#[test]
fn a_success_undoes_what_came_before_it_and_not_what_follows() {
    let fates = |lines| -> Vec<Fate> { told(lines, true).reports.iter().map(|one| one.fate).collect() };
    assert_eq!(fates(vec![blocked(), sent()]), [Fate::Sent]);
    assert_eq!(fates(vec![sent(), blocked()]), [Fate::Sent, Fate::Bounced]);
    let many = fates(
        std::iter::once(sent())
            .chain((0..50).map(|_| blocked()))
            .collect(),
    );
    assert_eq!((many[0], many.len()), (Fate::Sent, MOST_TOLD + 1));
    let heard = told(vec![sent(), blocked()], true);
    assert!(heard.reports[0].at < heard.reports[1].at);
}

#[test]
fn what_is_old_is_counted_and_no_news() {
    let heard = told(vec![blocked()], false);
    assert_eq!((heard.reports.len(), heard.deliveries.len()), (0, 1));
}
