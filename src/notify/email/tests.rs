use std::sync::Arc;

use secrecy::SecretString;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::incident::sample::{at, incident};
use crate::model::Notice;
use crate::notify::text;
use crate::notify::{Pipeline, Wording};

/// What a small SMTP server answers: to the greeting, to a command by its beginning, to everything else with 250.
#[derive(Clone, Default)]
struct Script {
    answers: Vec<(&'static str, &'static str)>,
}

impl Script {
    fn answer(&self, line: &str) -> &'static str {
        let scripted = self.answers.iter().find(|(start, _)| line.starts_with(start));
        match (scripted, line) {
            (Some((_, answer)), _) => answer,
            (None, "") => "220 mail.msp.example",
            (None, "DATA") => "354 go on",
            (None, "QUIT") => "221 bye",
            (None, _) => "250 fine",
        }
    }
}

/// A small SMTP server, and what was said to it, by connection.
struct Server {
    port: u16,
    said: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Server {
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let said: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
        let shared = said.clone();
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                shared.lock().unwrap().push(Vec::new());
                let (script, shared) = (script.clone(), shared.clone());
                tokio::spawn(async move {
                    let _ = talk(stream, &script, |line| {
                        shared.lock().unwrap()[connection].push(line);
                    })
                    .await;
                });
            }
        });
        Self { port, said }
    }

    /// Everything that was said, one connection after the other.
    fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().concat()
    }
}

async fn talk(stream: TcpStream, script: &Script, mut said: impl FnMut(String)) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut in_mail = false;
    let mut line = String::new();
    loop {
        if !in_mail {
            let answer = script.answer(&line);
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
            in_mail = answer.starts_with("354");
        }
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        line.truncate(line.trim_end().len());
        said(line.clone());
        if in_mail && line == "." {
            in_mail = false;
        }
    }
}

fn settings(port: u16) -> EmailSettings {
    EmailSettings {
        server: "127.0.0.1".into(),
        port,
        tls: EmailTls::None,
        login: None,
        helo: Some("probe.msp.example".into()),
        from: "mailflow <mailflow@msp.example>".into(),
        to: vec!["oncall@msp.example".into()],
    }
}

fn message(event: Event, client: &str) -> Message {
    let incident = incident(482);
    let wording = Wording {
        clients: [(crate::incident::sample::acme(), client.to_owned())].into(),
        ..Wording::default()
    };
    let text = text::message(&incident, event, at(1200), &wording);
    Message {
        id: MessageId(17),
        notifier: "mail".into(),
        notice: Arc::new(Notice {
            event,
            dedup_key: incident.dedup_key.clone(),
            at: at(1200),
            affected: 2,
            incident: Some(Arc::new(incident)),
            subject: text.subject,
            text: text.short,
            body: text.long,
            url: Some("https://mail.msp.example/incidents/482?a=1&b=2".into()),
            take_url: None,
        }),
    }
}

/// The header of a mail as it went over the wire, without what changes with every run.
fn header(said: &[String]) -> String {
    let start = said.iter().position(|line| line == "DATA").unwrap() + 1;
    let lines: Vec<&str> = said[start..]
        .iter()
        .map(String::as_str)
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.contains("boundary="))
        .collect();
    lines.join("\n")
}

#[tokio::test]
async fn an_incident_is_one_thread() {
    let server = Server::start(Script::default()).await;
    let email = Email::new(settings(server.port)).unwrap();
    email.deliver(&message(Event::Opened, "ACME")).await.unwrap();
    email.deliver(&message(Event::Resolved, "ACME")).await.unwrap();
    let said = server.said();
    let second = said.iter().rposition(|line| line.starts_with("EHLO")).unwrap();
    insta::assert_snapshot!(header(&said[..second]), @"
    From: mailflow <mailflow@msp.example>
    Subject: ACME: The router in front of the mail server does not answer (#482)
    Date: Sun, 22 Nov 2026 02:20:00 +0000
    Auto-Submitted: auto-generated
    To: oncall@msp.example
    Message-ID: <mailflow-482-1795414440@msp.example>
    MIME-Version: 1.0
    Content-Type: multipart/alternative;
    ");
    insta::assert_snapshot!(header(&said[second..]), @"
    From: mailflow <mailflow@msp.example>
    Subject: Resolved: ACME: The router in front of the mail server does not
     answer (#482)
    Date: Sun, 22 Nov 2026 02:20:00 +0000
    Auto-Submitted: auto-generated
    To: oncall@msp.example
    Message-ID: <mailflow-482-1795414440.17@msp.example>
    In-Reply-To: <mailflow-482-1795414440@msp.example>
    References: <mailflow-482-1795414440@msp.example>
    MIME-Version: 1.0
    Content-Type: multipart/alternative;
    ");
}

#[tokio::test]
async fn a_mail_has_a_plain_and_an_html_part() {
    let mail = compose::mail(
        &message(Event::Opened, "ACME <b>&"),
        &"mailflow@msp.example".parse().unwrap(),
        &["oncall@msp.example".parse().unwrap()],
    );
    let mail = String::from_utf8(mail.unwrap()).unwrap().replace("=\r\n", "");
    assert!(mail.contains("Content-Type: text/plain; charset=utf-8"));
    assert!(mail.contains("ACME &lt;b&gt;&amp;: no mail in since 02:14 UTC (6 min)."));
    assert!(mail.contains("incidents/482?a=3D1&amp;b=3D2"));
    let (_, html) = mail.split_once("text/html").unwrap();
    assert!(!html.contains("<b>"), "{html}");
}

#[tokio::test]
async fn nobody_else_writes_our_headers() {
    let server = Server::start(Script::default()).await;
    let email = Email::new(settings(server.port)).unwrap();
    let mut evil = message(Event::Opened, "ACME");
    let notice = Arc::make_mut(&mut evil.notice);
    notice.subject = "x\r\nBcc: everybody@victim.test\r\n\r\nbody".into();
    notice.body = "first\r\n.\r\nRCPT TO:<everybody@victim.test>\r\n".into();
    email.deliver(&evil).await.unwrap();
    let said = server.said();
    let header = header(&said);
    assert!(header.contains(r"Subject: x\x0d\x0aBcc: everybody"), "{header}");
    assert!(!header.lines().any(|line| line.starts_with("Bcc")), "{header}");
    let envelope = said.iter().take_while(|line| *line != "DATA");
    assert_eq!(envelope.filter(|line| line.starts_with("RCPT")).count(), 1);
    assert_eq!(said.iter().filter(|line| *line == ".").count(), 1);
}

#[tokio::test]
async fn we_log_in_when_told_to() {
    let script = Script {
        answers: vec![
            ("EHLO", "250-mail.msp.example\r\n250 AUTH PLAIN"),
            ("AUTH", "235 welcome"),
        ],
    };
    let server = Server::start(script).await;
    let password = Secret::new(|| Ok(SecretString::from("hush")));
    let email = Email::new(EmailSettings {
        login: Some(("user".into(), password)),
        ..settings(server.port)
    });
    let email = email.unwrap();
    email.deliver(&message(Event::Opened, "ACME")).await.unwrap();
    let said = server.said();
    assert!(
        said.contains(&"AUTH PLAIN AHVzZXIAaHVzaA==".to_owned()),
        "{said:?}"
    );
    assert!(!format!("{email:?}").contains("hush"));
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let server = Server::start(Script::default()).await;
    let email = Email::new(EmailSettings {
        tls: EmailTls::Starttls,
        ..settings(server.port)
    });
    let failure = email
        .unwrap()
        .deliver(&message(Event::Opened, "ACME"))
        .await
        .unwrap_err();
    assert!(matches!(failure, Failure::Passing { .. }), "{failure}");
    let said = server.said();
    assert!(!said.iter().any(|line| line.starts_with("MAIL")), "{said:?}");
}

#[tokio::test]
async fn refusals_are_told_from_trouble() {
    for (answer, permanent) in [("550 5.1.1 no such user", true), ("451 4.3.0 later", false)] {
        let script = Script {
            answers: vec![("RCPT", answer)],
        };
        let server = Server::start(script).await;
        let email = Email::new(settings(server.port)).unwrap();
        let failure = email.deliver(&message(Event::Opened, "ACME")).await.unwrap_err();
        assert_eq!(
            matches!(failure, Failure::Permanent { .. }),
            permanent,
            "{failure}"
        );
        assert!(failure.to_string().contains("oncall@msp.example"), "{failure}");
    }
}

#[tokio::test]
async fn one_refused_recipient_keeps_nobody_else_from_it() {
    let script = Script {
        answers: vec![("RCPT TO:<gone@", "550 no such user")],
    };
    let server = Server::start(script).await;
    let email = Email::new(EmailSettings {
        to: vec!["gone@msp.example".into(), "oncall@msp.example".into()],
        ..settings(server.port)
    });
    email
        .unwrap()
        .deliver(&message(Event::Opened, "ACME"))
        .await
        .unwrap();
}

#[tokio::test]
async fn who_has_it_is_left_out_the_next_time() {
    let script = Script {
        answers: vec![("RCPT TO:<greylisted@", "450 later")],
    };
    let server = Server::start(script).await;
    let email = Email::new(EmailSettings {
        to: vec!["oncall@msp.example".into(), "greylisted@msp.example".into()],
        ..settings(server.port)
    });
    let email = email.unwrap();
    for _ in 0..2 {
        let failure = email.deliver(&message(Event::Opened, "ACME")).await.unwrap_err();
        assert!(matches!(failure, Failure::Passing { .. }));
    }
    let said = server.said();
    let sent_to = |start: &str| said.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(
        (sent_to("RCPT TO:<oncall@"), sent_to("RCPT TO:<greylisted@")),
        (1, 2)
    );
}

#[test]
fn addresses_that_are_none_are_refused() {
    let bad = EmailSettings {
        to: vec!["nobody".into()],
        ..settings(25)
    };
    assert!(Email::new(bad).unwrap_err().to_string().contains("\"nobody\""));
    let none = EmailSettings {
        to: Vec::new(),
        ..settings(25)
    };
    assert!(Email::new(none).is_err());
}

#[test]
fn a_test_message_can_be_composed() {
    let mail = compose::mail(
        &Pipeline::test_message("mail", at(0)),
        &"mailflow@msp.example".parse().unwrap(),
        &["oncall@msp.example".parse().unwrap()],
    );
    assert!(
        String::from_utf8(mail.unwrap())
            .unwrap()
            .contains("Nothing is wrong")
    );
}
