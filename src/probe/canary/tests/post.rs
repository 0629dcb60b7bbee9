//! A small post office for the tests: a submission server and a mailbox over TLS, on the other end of pipes, under driven
//! time. What it does wrong, a test says.

mod idle;
mod tokens;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream, duplex,
};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::model::DialError;
use crate::model::reach::PingReport;
use crate::model::trace::Trace;
use crate::net::snmp::{Credentials, ObjectId, SnmpValue};
use crate::net::trust::Trust;
use crate::net::trust::tests::pki::{self, Authority};
use crate::net::{
    Answer, AskError, Connection, FetchError, FetchLimits, Fetched, Net, Page, PingError, PingPlan, Question,
    Routes, TracePlan,
};

pub(crate) use idle::Idle;
pub(crate) use tokens::Endpoint;

/// When the tests' time begins: clocks count more finely than tokens do.
const BEGIN: &str = "2026-06-01T00:00:00.000456789Z";
pub(crate) const SERVER: &str = "192.0.2.25";

/// A message in the mailbox.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) uid: u32,
    pub(crate) folder: &'static str,
    pub(crate) text: String,
    pub(crate) there_from: Timestamp,
    pub(crate) seen: bool,
    pub(crate) deleted: bool,
    pub(crate) gone: bool,
}

/// How the post office is.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    /// Where nothing answers.
    pub(crate) down: Vec<u16>,
    /// What is said to each verb instead of what should be.
    pub(crate) says: Vec<(&'static str, &'static str)>,
    /// What AUTH offers.
    pub(crate) auth: &'static str,
    /// Whether STARTTLS is offered on port 587.
    pub(crate) starttls: bool,
    /// How long a message takes to the mailbox; `None`: for ever.
    pub(crate) takes: Option<Duration>,
    pub(crate) folder: &'static str,
    pub(crate) uidplus: bool,
    /// Headers that the receiving server adds on top.
    pub(crate) stamps: String,
    /// What the next server says, so that every message comes back.
    pub(crate) refused: Option<&'static str>,
    /// What the mailbox can do besides.
    pub(crate) imap: &'static str,
    /// How it tells of new mail by itself, if it offers that.
    pub(crate) idle: Option<Idle>,
    /// What the token endpoint answers; `None`: it is away.
    pub(crate) endpoint: Option<Endpoint>,
    /// The token that is taken.
    pub(crate) good: &'static str,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            down: Vec::new(),
            says: Vec::new(),
            auth: "AUTH PLAIN LOGIN",
            starttls: true,
            takes: Some(Duration::from_secs(3)),
            folder: "INBOX",
            uidplus: true,
            stamps: String::new(),
            refused: None,
            imap: "",
            idle: None,
            endpoint: None,
            good: "t1",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) mail: Vec<Mail>,
    /// Every line that any client has said.
    pub(crate) heard: Vec<String>,
    /// Connections by port.
    pub(crate) connections: Vec<u16>,
    pub(crate) open_mailboxes: usize,
    pub(crate) most_open_mailboxes: usize,
    /// Sessions that hand something in.
    pub(crate) open_submissions: usize,
    pub(crate) most_open_submissions: usize,
    /// Every form that was posted to the token endpoint.
    pub(crate) asked: Vec<String>,
}

pub(crate) struct Post {
    begin: Instant,
    pub(crate) manner: Arc<Mutex<Manner>>,
    pub(crate) state: Arc<Mutex<State>>,
    tls: Arc<ServerConfig>,
    pub(crate) trust: Arc<Trust>,
}

impl Post {
    pub(crate) fn new(manner: Manner) -> Self {
        let root = Authority::root("Lab Root");
        let identity = root.issue(&["mx.acme.test"], pki::VALID);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(identity.chain, identity.key)
            .unwrap();
        Self {
            begin: Instant::now(),
            manner: Arc::new(Mutex::new(manner)),
            state: Arc::default(),
            tls: Arc::new(config),
            trust: Arc::new(Trust::only([root.certificate])),
        }
    }

    /// Puts a message of somebody else's into the inbox.
    pub(crate) fn put(&self, text: &str, deleted: bool) {
        let mut state = self.state.lock().unwrap();
        let uid = u32::try_from(state.mail.len()).unwrap() + 1;
        state.mail.push(Mail {
            uid,
            folder: "INBOX",
            text: text.to_owned(),
            there_from: self.now(),
            seen: false,
            deleted,
            gone: false,
        });
    }

    pub(crate) fn left(&self) -> Vec<Mail> {
        let state = self.state.lock().unwrap();
        state.mail.iter().filter(|mail| !mail.gone).cloned().collect()
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.state.lock().unwrap().heard.clone()
    }
}

impl Net for Post {
    type Stream = DuplexStream;

    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.begin.elapsed()).unwrap();
        BEGIN.parse::<Timestamp>().unwrap() + passed
    }

    async fn ask(&self, _: SocketAddr, _: &Question, _: Duration) -> Result<Answer, AskError> {
        Err(AskError::Timeout)
    }

    async fn dial(&self, to: SocketAddr, limit: Duration) -> Result<Connection<DuplexStream>, DialError> {
        self.state.lock().unwrap().connections.push(to.port());
        if self.manner.lock().unwrap().down.contains(&to.port()) {
            tokio::time::sleep(limit).await;
            return Err(DialError::Timeout);
        }
        let (ours, theirs) = duplex(16 * 1024);
        let server = Server {
            manner: Arc::clone(&self.manner),
            state: Arc::clone(&self.state),
            begin: self.begin,
        };
        let tls = TlsAcceptor::from(Arc::clone(&self.tls));
        tokio::spawn(async move {
            let _open = (to.port() != 993).then(|| Open::new(&server.state));
            match to.port() {
                993 => {
                    if let Ok(stream) = tls.accept(theirs).await {
                        server.mailbox(stream).await;
                    }
                }
                465 => {
                    if let Ok(stream) = tls.accept(theirs).await {
                        server.submission(stream, true).await;
                    }
                }
                _ => {
                    if let Some(stream) = server.submission(theirs, false).await
                        && let Ok(stream) = tls.accept(stream).await
                    {
                        server.submission(stream, true).await;
                    }
                }
            }
        });
        Ok(Connection {
            stream: ours,
            source: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        })
    }

    async fn fetch(&self, page: &Page<'_>, _: &Trust, limits: FetchLimits) -> Result<Fetched, FetchError> {
        self.give_token(page, limits).await
    }

    async fn ping(&self, _: IpAddr, _: PingPlan) -> Result<PingReport, PingError> {
        Err(PingError::NotPermitted)
    }

    async fn snmp(
        &self,
        _: SocketAddr,
        _: &Credentials,
        _: &[ObjectId],
        _: Duration,
    ) -> Result<Vec<SnmpValue>, crate::model::snmp::SnmpFailure> {
        Err(crate::model::snmp::SnmpFailure::Silent)
    }

    async fn trace(&self, _: SocketAddr, _: TracePlan) -> Result<Trace, PingError> {
        Err(PingError::NotPermitted)
    }

    fn default_routes(&self) -> Routes {
        Routes { v4: true, v6: false }
    }
}

use tokens::is_token;

/// A session that hands something in, while it lasts.
struct Open(Arc<Mutex<State>>);

impl Open {
    fn new(state: &Arc<Mutex<State>>) -> Self {
        let mut open = state.lock().unwrap();
        open.open_submissions += 1;
        open.most_open_submissions = open.most_open_submissions.max(open.open_submissions);
        Self(Arc::clone(state))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().unwrap().open_submissions -= 1;
    }
}

struct Server {
    manner: Arc<Mutex<Manner>>,
    state: Arc<Mutex<State>>,
    begin: Instant,
}

impl Server {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.begin.elapsed()).unwrap();
        BEGIN.parse::<Timestamp>().unwrap() + passed
    }

    fn manner(&self) -> Manner {
        self.manner.lock().unwrap().clone()
    }

    /// SMTP. Gives the stream back when TLS is to begin.
    async fn submission<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, encrypted: bool) -> Option<S> {
        let mut stream = BufReader::new(stream);
        let resumed = encrypted && self.state.lock().unwrap().connections.last() != Some(&465);
        if !resumed {
            stream.write_all(b"220 mx.acme.test ESMTP\r\n").await.ok()?;
        }
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end().to_owned();
            self.state.lock().unwrap().heard.push(line.clone());
            let manner = self.manner();
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_owned();
            let said = manner
                .says
                .iter()
                .find(|(of, _)| *of == verb)
                .map(|(_, said)| format!("{said}\r\n"));
            if said.is_none() && is_token(&line) {
                let answer = self.take_token(&mut stream, &line, &manner).await.ok()?;
                stream.write_all(answer.as_bytes()).await.ok()?;
                continue;
            }
            let answer = match (verb.as_str(), said) {
                (_, Some(said)) => said,
                ("EHLO", _) if !encrypted && manner.starttls => "250-mx.acme.test\r\n250 STARTTLS\r\n".into(),
                ("EHLO", _) if encrypted => format!("250-mx.acme.test\r\n250 {}\r\n", manner.auth),
                ("EHLO", _) => "250 mx.acme.test\r\n".into(),
                ("STARTTLS", _) => {
                    stream.write_all(b"220 Ready\r\n").await.ok()?;
                    return Some(stream.into_inner());
                }
                ("AUTH", _) if line == "AUTH LOGIN" => "334 VXNlcm5hbWU6\r\n".into(),
                ("AUTH" | "aHVudGVyMg==", _) => "235 2.7.0 Welcome\r\n".into(),
                ("DATA", _) => {
                    stream.write_all(b"354 Go on\r\n").await.ok()?;
                    let mut text = String::new();
                    while !text.ends_with("\r\n.\r\n") {
                        let mut line = String::new();
                        stream.read_line(&mut line).await.ok()?;
                        text.push_str(&line);
                    }
                    self.deliver(text.trim_end_matches(".\r\n"), &manner);
                    "250 2.0.0 Ok: queued as 4711\r\n".into()
                }
                ("QUIT", _) => "221 Bye\r\n".into(),
                ("Y2FuYXJ5", _) => "334 UGFzc3dvcmQ6\r\n".into(),
                _ => "250 Ok\r\n".into(),
            };
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }

    fn deliver(&self, text: &str, manner: &Manner) {
        let Some(takes) = manner.takes else { return };
        let mut state = self.state.lock().unwrap();
        let uid = u32::try_from(state.mail.len()).unwrap() + 1;
        state.mail.push(Mail {
            uid,
            folder: manner.folder,
            text: match manner.refused {
                Some(said) => bounce(said, text),
                None => format!("{}{text}", manner.stamps),
            },
            there_from: self.now() + SignedDuration::try_from(takes).unwrap(),
            seen: false,
            deleted: false,
            gone: false,
        });
    }

    async fn mailbox<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) {
        {
            let mut state = self.state.lock().unwrap();
            state.open_mailboxes += 1;
            state.most_open_mailboxes = state.most_open_mailboxes.max(state.open_mailboxes);
        }
        let _ = self.talk_imap(stream).await;
        self.state.lock().unwrap().open_mailboxes -= 1;
    }

    async fn talk_imap<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"* OK ready\r\n").await?;
        let mut folder = String::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_owned();
            let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
            self.state.lock().unwrap().heard.push(command.to_owned());
            let manner = self.manner();
            let verb = command.split(' ').next().unwrap_or_default();
            if let Some((_, said)) = manner.says.iter().find(|(of, _)| *of == verb) {
                stream.write_all(format!("{tag} {said}\r\n").as_bytes()).await?;
                continue;
            }
            let own = match (verb, &manner.idle) {
                ("AUTHENTICATE", _) => Some(self.authenticate(&mut stream, command, &manner).await?),
                ("IDLE", Some(idle)) => Some(self.idle(&mut stream, idle).await?),
                _ => None,
            };
            if let Some(said) = own {
                stream.write_all(format!("{tag} {said}\r\n").as_bytes()).await?;
                continue;
            }
            let untagged = self.untagged(command, &mut folder, &manner);
            stream.write_all(untagged.as_bytes()).await?;
            stream.write_all(format!("{tag} OK done\r\n").as_bytes()).await?;
            if verb == "LOGOUT" {
                let _ = stream.read_u8().await;
                return Ok(());
            }
        }
    }

    /// What comes before the OK of a command.
    fn untagged(&self, command: &str, folder: &mut String, manner: &Manner) -> String {
        let now = self.now();
        let mut state = self.state.lock().unwrap();
        let uids: Vec<u32> = command
            .split(' ')
            .nth(2)
            .map(|set| set.split(',').filter_map(|uid| uid.parse().ok()).collect())
            .unwrap_or_default();
        let words: Vec<&str> = command.split(' ').collect();
        let here = |mail: &&mut Mail| !mail.gone && mail.there_from <= now;
        match words.as_slice() {
            ["CAPABILITY", ..] => capability(manner),
            ["LIST", ..] => "* LIST () \"/\" INBOX\r\n* LIST (\\Junk) \"/\" \"Bulk\"\r\n".into(),
            ["SELECT", name, ..] => {
                *folder = name.trim_matches('"').to_owned();
                "* 0 EXISTS\r\n* FLAGS (\\Deleted)\r\n* OK [UIDVALIDITY 7] fine\r\n".into()
            }
            ["UID", "SEARCH", "DELETED"] => {
                let found = state
                    .mail
                    .iter_mut()
                    .filter(here)
                    .filter(|mail| mail.deleted && mail.folder == folder);
                search(found.map(|mail| mail.uid))
            }
            ["UID", "SEARCH", "UNDELETED", "SINCE", ..] => {
                let bounce = |mail: &&mut Mail| mail.text.contains("multipart/report");
                let found = state.mail.iter_mut().filter(here).filter(bounce);
                let found = found.filter(|mail| mail.folder == folder && !mail.deleted);
                search(found.map(|mail| mail.uid))
            }
            ["UID", "SEARCH", "UNDELETED", how @ ("UNSEEN" | "UID"), rest @ ..] => {
                let found = state.mail.iter_mut().filter(here);
                let found = found.filter(|mail| mail.folder == folder && is_wanted(mail, how, rest));
                search(found.map(|mail| mail.uid))
            }
            ["UID", "SEARCH", ..] => {
                let canary = |mail: &&mut Mail| mail.text.contains("Subject: mailflow canary");
                let found = state.mail.iter_mut().filter(here).filter(canary);
                let found = found.filter(|mail| mail.folder == folder && !mail.deleted);
                search(found.map(|mail| mail.uid))
            }
            ["UID", "FETCH", ..] => {
                let found = state
                    .mail
                    .iter_mut()
                    .filter(here)
                    .filter(|mail| uids.contains(&mail.uid));
                found.map(|mail| fetched(mail, command)).collect()
            }
            ["UID", "STORE", ..] => {
                state
                    .mail
                    .iter_mut()
                    .filter(|mail| uids.contains(&mail.uid))
                    .for_each(|mail| {
                        mail.seen |= command.contains("Seen");
                        mail.deleted |= command.contains("Deleted");
                    });
                String::new()
            }
            ["UID", "EXPUNGE", ..] => {
                let gone = state
                    .mail
                    .iter_mut()
                    .filter(|mail| uids.contains(&mail.uid) && mail.deleted);
                gone.for_each(|mail| mail.gone = true);
                String::new()
            }
            ["EXPUNGE"] => {
                state
                    .mail
                    .iter_mut()
                    .filter(|mail| mail.deleted)
                    .for_each(|mail| mail.gone = true);
                String::new()
            }
            ["LOGOUT"] => "* BYE\r\n".into(),
            _ => String::new(),
        }
    }
}

/// What the mailbox can do.
fn capability(manner: &Manner) -> String {
    let uidplus = if manner.uidplus { " UIDPLUS" } else { "" };
    let idle = if manner.idle.is_some() { " IDLE" } else { "" };
    format!("* CAPABILITY IMAP4rev1{uidplus}{idle}{}\r\n", manner.imap)
}

/// Whether a search means a message: one that nobody has read, or one from a number on.
fn is_wanted(mail: &Mail, how: &str, rest: &[&str]) -> bool {
    let least = rest.first().and_then(|set| set.split(':').next()?.parse().ok());
    match how {
        _ if mail.deleted => false,
        "UNSEEN" => !mail.seen,
        _ => least.is_some_and(|least: u32| mail.uid >= least),
    }
}

/// A message's header, or all of it, as IMAP gives it.
fn fetched(mail: &Mail, command: &str) -> String {
    let date = mail.there_from.strftime("%d-%b-%Y %H:%M:%S +0000");
    let header = mail.text.split_inclusive("\r\n\r\n").next().unwrap_or_default();
    let (name, part) = if command.contains("BODY.PEEK[]") {
        ("BODY[]<0>", mail.text.as_str())
    } else {
        ("BODY[HEADER]", header)
    };
    let length = part.len();
    format!(
        "* {0} FETCH (UID {0} INTERNALDATE \"{date}\" {name} {{{length}}}\r\n{part})\r\n",
        mail.uid
    )
}

/// What brings a message back to its sender (RFC 3464).
fn bounce(said: &str, text: &str) -> String {
    let header = text.split_inclusive("\r\n\r\n").next().unwrap_or_default();
    format!(
        "From: MAILER-DAEMON@mx.acme.test\r\nSubject: Undelivered Mail Returned to Sender\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\nMIME-Version: 1.0\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nIt did not go.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.acme.test\r\n\r\n\
         Final-Recipient: rfc822; canary@partner.test\r\nAction: failed\r\nStatus: 5.0.0\r\n\
         Remote-MTA: dns; mx.partner.test\r\nDiagnostic-Code: smtp; {said}\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\n{header}--b--\r\n"
    )
}

/// What a search found, as IMAP says it.
fn search(found: impl Iterator<Item = u32>) -> String {
    let found: Vec<String> = std::iter::once("* SEARCH".to_owned())
        .chain(found.map(|uid| uid.to_string()))
        .collect();
    format!("{}\r\n", found.join(" "))
}
