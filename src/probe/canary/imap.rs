//! One IMAP session with a mailbox (RFC 3501): looks for canaries in the inbox and the junk folder, and deletes them.
//! A message without our signed token is never touched, nor marked as read.

use std::collections::BTreeSet;
use std::time::Duration;

use async_imap::error::Error;
use async_imap::types::NameAttribute;
use async_imap::{Client, Session};
use futures_util::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use tokio::time;

use super::bearer;
use super::login::{Credential, Identity, Place};
use super::reach::{Link, Trouble, connect, secure};
use crate::message::canary::{Found, Returned, SUBJECT, TokenKey, read, returned};
use crate::model::CanaryOutcome;
use crate::model::text::clean;
use crate::net::Net;
use crate::net::trust::Trust;
use crate::probe::Context;
use crate::probe::smtp::dialogue::Bounded;

/// Where TLS does not begin at once.
const IMAP: u16 = 143;
/// Messages that are read at one look; what is more waits for the next.
const MOST_MESSAGES: usize = 100;
/// Likewise of bounces, which are read whole.
const MOST_BOUNCES: usize = 20;
/// How much of a bounce is read, in bytes: that of a canary is small.
const LONGEST_BOUNCE: usize = 128 * 1024;
/// How far back bounces are looked for.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);
/// Characters of a server's words that are kept.
const WORDS: usize = 200;
/// What junk folders are called where servers do not say which one it is (RFC 6154).
const JUNK: [&str; 6] = [
    "junk",
    "spam",
    "junk e-mail",
    "junk email",
    "bulk mail",
    "[gmail]/spam",
];

/// A canary that was found, and is gone from the mailbox.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arrival {
    pub(super) found: Found,
    /// When it came into the mailbox, by the mailbox's clock.
    pub(super) at: Option<Timestamp>,
    /// The junk folder that it lay in.
    pub(super) junk: Option<String>,
    /// It did not arrive here, but came back here.
    pub(super) returned: Option<Returned>,
}

/// A session with one mailbox.
pub(super) struct Mailbox {
    pub(super) session: Session<Link>,
    junk: Option<String>,
    uid_expunge: bool,
    /// Whether the server tells of new mail by itself (RFC 2177).
    pub(super) idles: bool,
    /// Bounces that are about somebody else's mail: each is read once a session.
    not_ours: BTreeSet<u32>,
}

impl Mailbox {
    /// Logs in, with a new token where an older one is refused. The server may send `most` bytes in all.
    pub(super) async fn open<N: Net>(
        net: &N,
        context: &Context,
        trust: &Trust,
        place: &Place,
        timeout: Duration,
        (tried, most): (&mut Option<std::net::SocketAddr>, usize),
    ) -> Result<Self, Trouble> {
        let began = net.now();
        let opened = Self::open_once(net, context, trust, place, timeout, (tried, most)).await;
        if let (Err(Trouble::Theirs(CanaryOutcome::LoginRefused { .. })), Some(who)) =
            (&opened, &place.identity)
            && who.renews(began).await
        {
            return Self::open_once(net, context, trust, place, timeout, (tried, most)).await;
        }
        opened
    }

    async fn open_once<N: Net>(
        net: &N,
        context: &Context,
        trust: &Trust,
        place: &Place,
        timeout: Duration,
        (tried, most): (&mut Option<std::net::SocketAddr>, usize),
    ) -> Result<Self, Trouble> {
        let connection = connect(net, context, &place.host, place.port, timeout, tried)
            .await
            .map_err(at_mailbox)?;
        let peer = tried.map_or(std::net::IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
        let mut stream = Bounded::new(connection.stream).up_to(most);
        if place.port == IMAP {
            stream = start_tls(stream, timeout).await?;
        }
        let stream = secure(net, trust, stream, &place.host, peer, timeout, true)
            .await
            .map_err(at_mailbox)?
            .up_to(most);
        let client = Client::new(Link::new(stream));
        let Some(identity) = &place.identity else {
            return Err(Trouble::Ours("the mailbox has no user".into()));
        };
        let credential = identity.credential(net, context, trust).await?;
        let opened = async {
            let mut client = client;
            if place.port != IMAP {
                greeting(&mut client).await?;
            }
            match &credential {
                Credential::Password(password) => {
                    let logged_in = client.login(&*identity.user, password.expose_secret()).await;
                    logged_in.map_err(|(error, _)| not_let_in(&error, identity, None))
                }
                Credential::Token(token) => bearer::log_in(client, place, identity, token).await,
            }
        };
        let session = limited(timeout, opened).await?;
        let mut mailbox = Self {
            session,
            junk: None,
            uid_expunge: false,
            idles: false,
            not_ours: BTreeSet::new(),
        };
        limited(timeout, async {
            mailbox.look_around().await.map_err(|error| unreachable(&error))
        })
        .await?;
        Ok(mailbox)
    }

    /// What the server can do, and which folder is for junk.
    async fn look_around(&mut self) -> Result<(), Error> {
        let capabilities = self.session.capabilities().await?;
        self.uid_expunge = capabilities.has_str("UIDPLUS");
        self.idles = capabilities.has_str("IDLE");
        let names: Vec<_> = self
            .session
            .list(Some(""), Some("*"))
            .await?
            .try_collect()
            .await?;
        let says_so = names
            .iter()
            .find(|name| name.attributes().contains(&NameAttribute::Junk));
        let called_so = names.iter().find(|name| {
            let name = name.name().to_ascii_lowercase();
            let name = name
                .strip_prefix("inbox")
                .map_or(name.as_str(), |rest| rest.trim_start_matches(['.', '/']));
            JUNK.contains(&name)
        });
        self.junk = says_so.or(called_so).map(|name| name.name().to_owned());
        Ok(())
    }

    /// Takes every canary of ours out of the mailbox, and what came back of others.
    pub(super) async fn take(
        &mut self,
        key: &TokenKey,
        now: Timestamp,
        timeout: Duration,
    ) -> Result<Vec<Arrival>, Trouble> {
        let taken = async {
            let mut arrivals = self.take_from("INBOX", None, key).await?;
            arrivals.extend(self.take_returned(key, now).await?);
            if let Some(junk) = self.junk.clone() {
                arrivals.extend(self.take_from(&junk, Some(&junk), key).await?);
            }
            Ok::<_, Error>(arrivals)
        };
        limited(timeout, async {
            taken.await.map_err(|error| unreachable(&error))
        })
        .await
    }

    async fn take_from(
        &mut self,
        folder: &str,
        junk: Option<&str>,
        key: &TokenKey,
    ) -> Result<Vec<Arrival>, Error> {
        self.session.select(folder).await?;
        let query = format!("UNDELETED SUBJECT \"{SUBJECT}\"");
        let all: BTreeSet<u32> = self.session.uid_search(query).await?.into_iter().collect();
        let newest: Vec<u32> = all.into_iter().rev().take(MOST_MESSAGES).collect();
        if newest.is_empty() {
            return Ok(Vec::new());
        }
        let fetched = self
            .session
            .uid_fetch(set(&newest), "(UID INTERNALDATE BODY.PEEK[HEADER])");
        let fetched: Vec<_> = fetched.await?.try_collect().await?;
        let mut ours = Vec::new();
        let mut arrivals = Vec::new();
        for message in &fetched {
            let header = message.header().unwrap_or_default();
            let (Some(uid), Some(found)) = (message.uid, read(header, key)) else {
                continue;
            };
            ours.push(uid);
            let at = message.internal_date();
            arrivals.push(Arrival {
                found,
                at: at.and_then(|at| Timestamp::from_second(at.timestamp()).ok()),
                junk: junk.map(|name| clean(name.as_bytes(), WORDS)),
                returned: None,
            });
        }
        self.delete(&ours).await?;
        Ok(arrivals)
    }

    /// Takes bounces of our own canaries out of the selected folder: those of the last day that hold a signed token.
    async fn take_returned(&mut self, key: &TokenKey, now: Timestamp) -> Result<Vec<Arrival>, Error> {
        let since = (now - LOOK_BACK).strftime("%d-%b-%Y");
        let query = format!(
            "UNDELETED SINCE {since} OR HEADER \"Content-Type\" \"multipart/report\" FROM \"mailer-daemon\""
        );
        let all: BTreeSet<u32> = self.session.uid_search(query).await?.into_iter().collect();
        let new = all.into_iter().rev().filter(|uid| !self.not_ours.contains(uid));
        let new: Vec<u32> = new.take(MOST_BOUNCES).collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let query = format!("(UID INTERNALDATE BODY.PEEK[]<0.{LONGEST_BOUNCE}>)");
        let fetched = self.session.uid_fetch(set(&new), query).await?;
        let fetched: Vec<_> = fetched.try_collect().await?;
        let mut ours = Vec::new();
        let mut arrivals = Vec::new();
        for message in &fetched {
            let Some(uid) = message.uid else { continue };
            let Some(returned) = returned(message.body().unwrap_or_default(), key) else {
                self.not_ours.insert(uid);
                continue;
            };
            ours.push(uid);
            let at = message.internal_date();
            arrivals.push(Arrival {
                found: Found {
                    token: returned.token.clone(),
                    stamps: Vec::new(),
                    results: Vec::new(),
                },
                at: at.and_then(|at| Timestamp::from_second(at.timestamp()).ok()),
                junk: None,
                returned: Some(returned),
            });
        }
        self.delete(&ours).await?;
        Ok(arrivals)
    }

    /// Deletes messages of ours, and no other: without UIDPLUS (RFC 4315) a deletion takes with it whatever somebody else
    /// has marked, so it waits until nobody has.
    pub(super) async fn delete(&mut self, ours: &[u32]) -> Result<(), Error> {
        if ours.is_empty() {
            return Ok(());
        }
        let marked = self
            .session
            .uid_store(set(ours), "+FLAGS.SILENT (\\Deleted)")
            .await?;
        let _: Vec<_> = marked.try_collect().await?;
        if self.uid_expunge {
            let gone = self.session.uid_expunge(set(ours)).await?;
            let _: Vec<_> = gone.try_collect().await?;
            return Ok(());
        }
        let marked = self.session.uid_search("DELETED").await?;
        if marked.iter().all(|uid| ours.contains(uid)) {
            let gone = self.session.expunge().await?;
            let _: Vec<_> = gone.try_collect().await?;
        }
        Ok(())
    }

    /// Waits until the server tells of something new in the selected folder, no longer than `most` (RFC 2177).
    pub(super) async fn wait(mut self, most: Duration, timeout: Duration) -> Result<Self, Trouble> {
        let mut idle = self.session.idle();
        limited(timeout, async {
            idle.init().await.map_err(|error| unreachable(&error))
        })
        .await?;
        let (news, _interrupt) = idle.wait_with_timeout(most);
        if let Ok(Err(error)) = time::timeout(most, news).await {
            return Err(unreachable(&error));
        }
        let ended = limited(timeout, async {
            idle.done().await.map_err(|error| unreachable(&error))
        });
        self.session = ended.await?;
        Ok(self)
    }

    /// Likewise, in the inbox.
    pub(super) async fn wait_for_mail(mut self, most: Duration, timeout: Duration) -> Result<Self, Trouble> {
        limited(timeout, async {
            self.session
                .select("INBOX")
                .await
                .map_err(|error| unreachable(&error))
        })
        .await?;
        self.wait(most, timeout).await
    }

    /// Takes leave.
    pub(super) async fn close(mut self, timeout: Duration) {
        let _ = time::timeout(timeout, self.session.logout()).await;
    }
}

/// A set of messages, as IMAP writes it.
pub(super) fn set(uids: &[u32]) -> String {
    let uids: Vec<String> = uids.iter().map(u32::to_string).collect();
    uids.join(",")
}

async fn greeting(client: &mut Client<Link>) -> Result<(), Trouble> {
    match client.read_response().await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(unreachable(&Error::ConnectionLost)),
        Err(error) => Err(unreachable(&Error::Io(error))),
    }
}

/// Why a login failed; `wrong`: what is said to be wrong with our token.
pub(super) fn not_let_in(error: &Error, who: &Identity, wrong: Option<&str>) -> Trouble {
    let (Error::No(said) | Error::Bad(said)) = error else {
        return unreachable(error);
    };
    let said = words_of(said);
    // RFC 5530 3: it cannot tell now, and says nothing of us.
    if said.starts_with("[UNAVAILABLE]") {
        return unreachable(error);
    }
    let wrong = wrong.map(|wrong| format!(" ({wrong})")).unwrap_or_default();
    Trouble::Theirs(CanaryOutcome::LoginRefused {
        at_mailbox: true,
        said: format!("{said}{wrong}"),
        token: who.besides(),
    })
}

/// STARTTLS on port 143 (RFC 3501 6.2.1).
async fn start_tls<S>(stream: Bounded<S>, timeout: Duration) -> Result<Bounded<S>, Trouble>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    let started = async {
        let mut client = Client::new(Plain(stream));
        match client.read_response().await {
            Ok(Some(_)) => {}
            Ok(None) => return Err(unreachable(&Error::ConnectionLost)),
            Err(error) => return Err(unreachable(&Error::Io(error))),
        }
        let agreed = client.run_command_and_check_ok("STARTTLS", None).await;
        agreed.map_err(|error| match error {
            Error::No(_) | Error::Bad(_) => Trouble::Theirs(CanaryOutcome::NotTrusted {
                reason: "the mailbox offers no encryption".to_owned(),
            }),
            error => unreachable(&error),
        })?;
        Ok(client.into_inner().0)
    };
    limited(timeout, started).await
}

/// A stream that async-imap may print, of which there is nothing to be printed.
struct Plain<S>(Bounded<S>);

impl<S> std::fmt::Debug for Plain<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Plain")
    }
}

impl<S: tokio::io::AsyncRead + Unpin> tokio::io::AsyncRead for Plain<S> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
        into: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(task, into)
    }
}

impl<S: tokio::io::AsyncWrite + Unpin> tokio::io::AsyncWrite for Plain<S> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(task, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(task)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(task)
    }
}

pub(super) async fn limited<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    time::timeout(timeout, work).await.unwrap_or_else(|_| {
        Err(Trouble::Theirs(CanaryOutcome::MailboxUnreachable {
            reason: "it does not answer in time".to_owned(),
        }))
    })
}

/// What a server says in a refusal, of which the library makes `code: None, info: Some("...")`.
fn words_of(said: &str) -> String {
    let info = said.split_once("info: Some(\"").map(|(_, rest)| rest);
    let words = info.and_then(|rest| Some(rest.rsplit_once("\")")?.0));
    clean(words.unwrap_or(said).as_bytes(), WORDS)
}

pub(super) fn unreachable(error: &Error) -> Trouble {
    Trouble::Theirs(CanaryOutcome::MailboxUnreachable {
        reason: match error {
            Error::No(said) | Error::Bad(said) => format!("it says \"{}\"", words_of(said)),
            error => clean(error.to_string().as_bytes(), WORDS),
        },
    })
}

/// What keeps us from the mailbox is told of the mailbox, and of no other server.
fn at_mailbox(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Theirs(CanaryOutcome::NotSubmitted { kind, stage, .. }) => {
            Trouble::Theirs(CanaryOutcome::MailboxUnreachable {
                reason: super::in_words(stage, &kind),
            })
        }
        Trouble::Theirs(CanaryOutcome::NoServer { said, definite: true }) => {
            Trouble::Theirs(CanaryOutcome::MailboxUnreachable { reason: said })
        }
        Trouble::Theirs(CanaryOutcome::NoServer {
            said,
            definite: false,
        }) => Trouble::Ours(said),
        Trouble::Theirs(CanaryOutcome::NotTrusted { reason }) => Trouble::Theirs(CanaryOutcome::NotTrusted {
            reason: format!("of the mailbox's server, {reason}"),
        }),
        other => other,
    }
}
