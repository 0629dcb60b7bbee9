use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::snapshot::Snapshot;
use crate::surface::http::{self, tests::surface};
use crate::surface::sample;

/// A daemon that shows one snapshot, on a port that the system gives.
async fn served(snapshot: Snapshot) -> (Daemon, tokio_util::sync::DropGuard) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (surface, _) = surface(snapshot);
    let stop = CancellationToken::new();
    tokio::spawn(http::serve(listener, surface, stop.clone()));
    (Daemon::at(&url.parse().unwrap()).unwrap(), stop.drop_guard())
}

fn read<T: DeserializeOwned>(whole: &Value) -> T {
    T::deserialize(whole).unwrap()
}

fn plain(columns: usize) -> Sheet {
    Sheet {
        width: columns.min(100),
        columns,
        coloured: false,
        most: ON_TERMINAL,
    }
}

async fn overview_of(snapshot: Snapshot, sheet: Sheet) -> String {
    let (daemon, _guard) = served(snapshot).await;
    let whole = all(&daemon).await.unwrap();
    let somewhere = "http://127.0.0.1:9525".parse().unwrap();
    let text = overview::render(&read(&whole), &somewhere, sheet);
    for line in text.lines() {
        let width = line.chars().count();
        assert!(
            sheet.coloured || width <= sheet.columns,
            "{width} of {} columns: {line}",
            sheet.columns
        );
    }
    text
}

async fn incident_of(snapshot: Snapshot, id: u64, sheet: Sheet) -> String {
    let (daemon, _guard) = served(snapshot).await;
    let whole = one(&daemon, id).await.unwrap();
    incident::render(&read(&whole), daemon.url(), sheet)
}

#[tokio::test]
async fn a_bad_day_at_80_columns() {
    insta::assert_snapshot!(overview_of(sample::fleet(), plain(80)).await, @r#"
     ✗ 6 of 12 domains have a problem: 1 router and 2 mail servers.
       as of 02:20 UTC, from mailflow 0.1.0 at http://127.0.0.1:9525/

    Incidents  3 open
     #482 critical  since 02:14 UTC (6 min)
     Cause  hq-router (198.51.100.1): The router in front of the mail server does
            not answer
     Whose  ACME Ltd; Telekom business line, 0800 330 1000, circuit 4711
     Hits   ACME Ltd: acme.test, acme-shop.test
     Do     Call the line's provider or the contact given here and ask whether the
            line is up. Then have somebody on site check the power and switch the
            router off and on. Do not restart the mail server.

     #481 warning  since 01:33 UTC (47 min)
     Cause  mx1.bigmail.test (203.0.113.25): The mail server says that it is not
            available right now
     Whose  the mail provider; support@bigmail.test, contract 815
     Hits   Globex GmbH: globex.test, globex-labs.test; Umbrella Care: umbrella.test
     Do     Ask whoever runs the server whether maintenance is going on. If not,
            have its log and load checked, and the service restarted.

     #477 warning  since 21 Nov 00:20 UTC (1 d 2 h)
     Cause  mail.initech.test (198.51.100.77): The mail server's certificate has
            expired
     Whose  Initech
     Hits   Initech: initech.test
     Do     Have the certificate renewed today, and the mail service reloaded so
            that it uses the new one. Then find out why the automatic renewal did
            not run.

    Domains  2 broken, 4 degraded, 6 flowing
     state       domain                client        cause or provider     for
     ✗ broken    acme-shop.test        ACME Ltd      #482 gateway.down     6 min
     ✗ broken    acme.test             ACME Ltd      #482 gateway.down     6 min
     ! degraded  globex-labs.test      Globex GmbH   #481 smtp.unavailab…  47 min
     ! degraded  globex.test           Globex GmbH   #481 smtp.unavailab…  47 min
     ! degraded  initech.test          Initech       #477 tls.certificat…  1 d 2 h
     ! degraded  umbrella.test         Umbrella Ca…  #481 smtp.unavailab…  47 min
     ✓ flowing   hooli-mail.test       Hooli                               2 d 18 h
     ✓ flowing   hooli.test            Hooli         ! tls.certificate-e…  2 d 18 h
     ✓ flowing   initech-support.test  Initech                             2 d 18 h
     ✓ flowing   stark.test            Stark & Söh…  Google                2 d 18 h
     ✓ flowing   wayne.test            Wayne Logis…  Microsoft 365         2 d 18 h
     ✓ flowing   bücher.test           Stark & Söh…                        2 d 18 h

    Gateways  1 broken, 1 flowing
     state      gateway    client    address        cause              for
     ✗ broken   hq-router  ACME Ltd  198.51.100.1   #482 gateway.down  6 min
     ✓ flowing  office-fw  Initech   198.51.100.65                     2 d 18 h
    "#);
}

#[tokio::test]
async fn a_bad_day_at_120_columns() {
    insta::assert_snapshot!(overview_of(sample::fleet(), plain(120)).await, @r#"
     ✗ 6 of 12 domains have a problem: 1 router and 2 mail servers.
       as of 02:20 UTC, from mailflow 0.1.0 at http://127.0.0.1:9525/

    Incidents  3 open
     #482 critical  since 02:14 UTC (6 min)
     Cause  hq-router (198.51.100.1): The router in front of the mail server does not answer
     Whose  ACME Ltd; Telekom business line, 0800 330 1000, circuit 4711
     Hits   ACME Ltd: acme.test, acme-shop.test
     Do     Call the line's provider or the contact given here and ask whether the line is up. Then have
            somebody on site check the power and switch the router off and on. Do not restart the mail
            server.

     #481 warning  since 01:33 UTC (47 min)
     Cause  mx1.bigmail.test (203.0.113.25): The mail server says that it is not available right now
     Whose  the mail provider; support@bigmail.test, contract 815
     Hits   Globex GmbH: globex.test, globex-labs.test; Umbrella Care: umbrella.test
     Do     Ask whoever runs the server whether maintenance is going on. If not, have its log and load
            checked, and the service restarted.

     #477 warning  since 21 Nov 00:20 UTC (1 d 2 h)
     Cause  mail.initech.test (198.51.100.77): The mail server's certificate has expired
     Whose  Initech
     Hits   Initech: initech.test
     Do     Have the certificate renewed today, and the mail service reloaded so that it uses the new
            one. Then find out why the automatic renewal did not run.

    Domains  2 broken, 4 degraded, 6 flowing
     state       domain                client           cause or provider                         for
     ✗ broken    acme-shop.test        ACME Ltd         #482 gateway.down                         6 min
     ✗ broken    acme.test             ACME Ltd         #482 gateway.down                         6 min
     ! degraded  globex-labs.test      Globex GmbH      #481 smtp.unavailable                     47 min
     ! degraded  globex.test           Globex GmbH      #481 smtp.unavailable                     47 min
     ! degraded  initech.test          Initech          #477 tls.certificate-expired              1 d 2 h
     ! degraded  umbrella.test         Umbrella Care    #481 smtp.unavailable                     47 min
     ✓ flowing   hooli-mail.test       Hooli                                                      2 d 18 h
     ✓ flowing   hooli.test            Hooli            ! tls.certificate-expiring (9 days left)  2 d 18 h
     ✓ flowing   initech-support.test  Initech                                                    2 d 18 h
     ✓ flowing   stark.test            Stark & Söhne    Google                                    2 d 18 h
     ✓ flowing   wayne.test            Wayne Logistics  Microsoft 365                             2 d 18 h
     ✓ flowing   bücher.test           Stark & Söhne                                              2 d 18 h

    Gateways  1 broken, 1 flowing
     state      gateway    client    address        cause              for
     ✗ broken   hq-router  ACME Ltd  198.51.100.1   #482 gateway.down  6 min
     ✓ flowing  office-fw  Initech   198.51.100.65                     2 d 18 h
    "#);
}

#[tokio::test]
async fn a_good_day() {
    insta::assert_snapshot!(overview_of(sample::calm(), plain(80)).await, @r#"
     ✓ Mail flows for all 6 domains.
       as of 02:20 UTC, from mailflow 0.1.0 at http://127.0.0.1:9525/

    Incidents  none open

    Domains  6 flowing
     state      domain                client        cause or provider      for
     ✓ flowing  hooli-mail.test       Hooli                                2 d 18 h
     ✓ flowing  hooli.test            Hooli         ! tls.certificate-ex…  2 d 18 h
     ✓ flowing  initech-support.test  Initech                              2 d 18 h
     ✓ flowing  stark.test            Stark & Söh…  Google                 2 d 18 h
     ✓ flowing  wayne.test            Wayne Logis…  Microsoft 365          2 d 18 h
     ✓ flowing  bücher.test           Stark & Söh…                         2 d 18 h

    Gateways  1 flowing
     state      gateway    client   address        for
     ✓ flowing  office-fw  Initech  198.51.100.65  2 d 18 h
    "#);
}

#[tokio::test]
async fn we_are_blind() {
    insta::assert_snapshot!(overview_of(sample::blind(), plain(80)).await, @r#"
     ? Our own line blocks port 25, so we cannot test mail servers.
       6 domains cannot be judged at the moment.
       as of 02:20 UTC, from mailflow 0.1.0 at http://127.0.0.1:9525/
     Seen   None of 3 independent mail hosts could be reached on port 25, while DNS
            and pings work.
     Do     Run mailflow where outgoing port 25 is open, or ask the line's provider
            or the cloud's support to open TCP port 25 outwards for this machine.
            Look at your own firewall first. Do not call clients.

    Incidents  1 open
     #483 critical  since 02:17 UTC (3 min)
     Cause  this machine (192.0.2.10): Our own line blocks port 25, so we cannot
            test mail servers

    Domains  6 unknown
     state      domain                client        cause or provider         for
     ? unknown  hooli-mail.test       Hooli         #483 vantage.port25-blo…  3 min
     ? unknown  hooli.test            Hooli         #483 vantage.port25-blo…  3 min
     ? unknown  initech-support.test  Initech       #483 vantage.port25-blo…  3 min
     ? unknown  stark.test            Stark & Söh…  #483 vantage.port25-blo…  3 min
     ? unknown  wayne.test            Wayne Logis…  #483 vantage.port25-blo…  3 min
     ? unknown  bücher.test           Stark & Söh…  #483 vantage.port25-blo…  3 min

    Gateways  1 flowing
     state      gateway    client   address        for
     ✓ flowing  office-fw  Initech  198.51.100.65  2 d 18 h
    "#);
}

#[tokio::test]
async fn just_started() {
    insta::assert_snapshot!(overview_of(sample::warming(), plain(80)).await, @r#"
     ? Still checking 4 of 6 domains.
       as of 02:20 UTC, from mailflow 0.1.0 at http://127.0.0.1:9525/

    Incidents  none open

    Domains  4 unknown, 2 flowing
     state      domain                client        cause or provider      for
     ? unknown  hooli-mail.test       Hooli         vantage.no-evidence    0 s
     ? unknown  hooli.test            Hooli         vantage.no-evidence,…  0 s
     ? unknown  initech-support.test  Initech       vantage.no-evidence    0 s
     ? unknown  stark.test            Stark & Söh…  vantage.no-evidence    0 s
     ✓ flowing  wayne.test            Wayne Logis…  Microsoft 365          2 d 18 h
     ✓ flowing  bücher.test           Stark & Söh…                         2 d 18 h

    Gateways  1 flowing
     state      gateway    client   address        for
     ✓ flowing  office-fw  Initech  198.51.100.65  2 d 18 h
    "#);
}

#[tokio::test]
async fn one_incident() {
    insta::assert_snapshot!(incident_of(sample::fleet(), 482, plain(80)).await, @r#"
    #482 critical, open since 02:14 UTC (6 min)

     Cause  hq-router (198.51.100.1): The router in front of the mail server does
            not answer
     Seen   Router hq-router (198.51.100.1) answers neither ping nor port 443;
            mx.acme.test behind it is silent too.
     Sure   probable: seen from hq only
     Whose  ACME Ltd; Telekom business line, 0800 330 1000, circuit 4711
     Do     Call the line's provider or the contact given here and ask whether the
            line is up. Then have somebody on site check the power and switch the
            router off and on. Do not restart the mail server.
     Code   gateway.down (more: mailflow explain gateway.down)
     Page   https://mail.msp.example/incidents/482

    2 domains
     state     domain          client    since
     ✗ broken  acme.test       ACME Ltd  02:14 UTC
     ✗ broken  acme-shop.test  ACME Ltd  02:14 UTC

    Evidence
     02:20 UTC  gateway 198.51.100.1: 5 of 5 pings lost
                seen from hq (192.0.2.10)
                at the same time: 12 other domains answered in the same minute
     02:20 UTC  smtp 198.51.100.10:25: no answer after 4.0 s
                seen from hq (192.0.2.10)
                at the same time: 12 other domains answered in the same minute
                | C: connect 198.51.100.10:25
                | no answer

    Log
     02:14 UTC  opened
     02:15 UTC  oncall was told
    "#);
    insta::assert_snapshot!(incident_of(sample::fleet(), 470, plain(80)).await, @r#"
    #470 over, recovered: from 21 Nov 20:40 UTC to 21 Nov 21:20 UTC (40 min)

     Cause  mail.initech.test (198.51.100.77): The mail server's certificate has
            expired
     Seen   The certificate of mail.initech.test ended on 2026-11-20.
     Sure   probable: seen from hq only
     Whose  the client
     Code   tls.certificate-expired (more: mailflow explain tls.certificate-expired)
     Page   https://mail.msp.example/incidents/470

    Log
     21 Nov 20:40 UTC  opened
     21 Nov 20:41 UTC  oncall was told
    "#);
}

#[tokio::test]
async fn colours_are_only_there_when_wanted() {
    let coloured = Sheet {
        coloured: true,
        ..plain(80)
    };
    let text = overview_of(sample::fleet(), coloured).await;
    let shown: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("acme.test") || line.contains("problem"))
        .collect();
    insta::assert_snapshot!(shown.join("\n").replace('\u{1b}', "^"), @r#"
    ^[1m^[31m✗ 6 of 12 domains have a problem: 1 router and 2 mail servers.^[0m
    ^[2mHits  ^[0m ACME Ltd: acme.test, acme-shop.test
    ^[1m^[31m✗ broken^[0m    acme.test             ACME Ltd      #482 gateway.down     6 min
    "#);
    let plain_text = overview_of(sample::fleet(), plain(80)).await;
    assert_eq!(uncoloured(&text), plain_text);
    let incident = incident_of(sample::fleet(), 482, coloured).await;
    assert_eq!(
        uncoloured(&incident),
        incident_of(sample::fleet(), 482, plain(80)).await
    );
}

/// A text without its styles, and without the blanks that were behind them.
fn uncoloured(text: &str) -> String {
    let mut pieces = text.split('\u{1b}');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str(piece.split_once('m').unwrap().1);
    }
    let lines = out.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

#[tokio::test]
async fn a_terminal_gets_the_worst_and_a_count() {
    let few = Sheet { most: 2, ..plain(80) };
    let text = overview_of(sample::fleet(), few).await;
    let names = |name: &str| text.lines().any(|line| line.contains(name) && line.contains("✗"));
    assert!(names("acme.test") && names("acme-shop.test"), "{text}");
    assert!(!text.contains("hooli.test"), "{text}");
    assert!(
        text.contains(" … and 1 more\n") && text.contains(" … and 10 more\n"),
        "{text}"
    );
}

#[tokio::test]
async fn narrow_terminals_lose_words_not_lines() {
    let narrow = overview_of(sample::fleet(), plain(60)).await;
    assert!(narrow.contains("bücher.test"), "{narrow}");
}

#[tokio::test]
async fn what_mail_servers_say_does_nothing_to_a_terminal() {
    for text in [
        overview_of(sample::hostile(), plain(80)).await,
        incident_of(sample::hostile(), 482, plain(80)).await,
    ] {
        let odd = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(odd, None, "{text}");
        assert!(text.contains("\\x1b[31m"), "{text}");
    }
}

#[tokio::test]
async fn json_is_what_the_api_says() {
    let (daemon, _guard) = served(sample::fleet()).await;
    let whole = all(&daemon).await.unwrap();
    assert_eq!(whole["domains"].as_array().unwrap().len(), 12);
    assert_eq!(whole["domains"][0]["domain"], "acme-shop.test");
    assert_eq!(whole["vantages"][0]["state"], "flowing");
    let one = one(&daemon, 482).await.unwrap();
    assert_eq!(one["incident"]["log"][0]["text"], "opened");
}

#[tokio::test]
async fn an_incident_that_is_not_there() {
    let (daemon, _guard) = served(sample::fleet()).await;
    let error = one(&daemon, 99).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no incident #99");
}

#[tokio::test]
async fn somebody_elses_json_is_no_status() {
    let (daemon, _guard) = served(sample::fleet()).await;
    let error = understood::<document::Overview>(&daemon, &json!({ "status": "green" })).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("is not mailflow's API: missing field"), "{text}");
}

/// What comes and goes is said to, of the incident and of what it touches.
#[tokio::test]
async fn flapping_is_said() {
    let text = overview_of(sample::flapping(), plain(100)).await;
    assert_eq!(
        text.matches("Flaps  7 turns since 02:00 UTC").count(),
        1,
        "{text}"
    );
    assert_eq!(text.matches("flapping (7 turns)").count(), 3, "{text}");
    let text = incident_of(sample::flapping(), 482, plain(100)).await;
    assert_eq!(
        text.matches("Flaps  7 turns since 02:00 UTC").count(),
        1,
        "{text}"
    );
    let text = overview_of(sample::fleet(), plain(100)).await;
    assert!(!text.contains("flap") && !text.contains("Flap"), "{text}");
}
