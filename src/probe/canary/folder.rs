//! A folder that people forward bounces to, read by the same kind of session as canaries' mailboxes. Nothing in it is
//! deleted unless that is asked for; what was read is marked as read.

use std::time::Duration;

use futures_util::TryStreamExt;
use jiff::{SignedDuration, Timestamp};

use super::STAGE;
use super::imap::{Mailbox, limited, set, unreachable};
use super::login::Place;
use super::reach::Trouble;
use super::submit::{Handing, Letter};
use crate::model::CanaryOutcome;
use crate::net::Net;
use crate::net::trust::Trust;
use crate::probe::Context;

/// How much of a message is read, in bytes: a report comes before the message that it returns.
pub const LONGEST: usize = 256 * 1024;
/// Messages that are read at one look; what is more waits for the next.
pub const MOST_MESSAGES: usize = 20;
/// What a server may send in one session: a few looks' worth.
const SESSION: usize = 4 * MOST_MESSAGES * LONGEST;
/// How far back the first look goes: nobody wants last year's bounces explained.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);

/// Why a mailbox cannot be read, or an answer not be handed in. In words, of the server's own cleaned ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// Trying again changes nothing: our login is refused, or the server does not prove who it is.
    #[error("{0}")]
    ForGood(String),
    /// It may pass.
    #[error("{0}")]
    Passing(String),
}

/// How far a folder was read (RFC 3501 2.3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    /// The folder's UIDVALIDITY: with another one all numbers are new.
    pub validity: u32,
    /// The last message that was read.
    pub uid: u32,
}

/// What is new in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The folder's UIDVALIDITY.
    pub validity: u32,
    /// Messages, the oldest first, no more than are read at one look.
    pub uids: Vec<u32>,
    /// Whether there are more.
    pub more: bool,
}

/// A message as it lies in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The beginning of its text, at most [`LONGEST`] bytes.
    pub text: Vec<u8>,
    /// When it came in, by the mailbox's clock.
    pub at: Option<Timestamp>,
}

/// A session with the mailbox.
pub struct Folder {
    mailbox: Mailbox,
    name: String,
}

impl Folder {
    /// Logs in.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn open<N: Net>(
        net: &N,
        context: &Context,
        trust: &Trust,
        place: &Place,
        name: &str,
    ) -> Result<Self, Failed> {
        let mut peer = None;
        let opened = Mailbox::open(net, context, trust, place, STAGE, (&mut peer, SESSION));
        let mailbox = opened.await.map_err(failed)?;
        let name = name.to_owned();
        Ok(Self { mailbox, name })
    }

    /// What came in since `mark`. Without one, or where the folder was made anew: what nobody has read, of the last day.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn news(&mut self, mark: Option<Mark>, now: Timestamp) -> Result<News, Failed> {
        let session = &mut self.mailbox.session;
        let looked = limited(STAGE, async {
            let looked = async {
                let folder = session.select(&self.name).await?;
                // RFC 3501 6.3.1: without one the numbers hold for this session only.
                let validity = folder.uid_validity.unwrap_or(0);
                let known = mark.filter(|mark| mark.validity == validity && validity > 0);
                let query = match known {
                    Some(mark) => format!("UNDELETED UID {}:*", mark.uid.saturating_add(1)),
                    None => format!(
                        "UNDELETED UNSEEN SINCE {}",
                        (now - LOOK_BACK).strftime("%d-%b-%Y")
                    ),
                };
                let found = session.uid_search(query).await?;
                // `N:*` names the last message too where all have lower numbers.
                let least = known.map_or(0, |mark| mark.uid);
                let mut uids: Vec<u32> = found.into_iter().filter(|uid| *uid > least).collect();
                uids.sort_unstable();
                let more = uids.len() > MOST_MESSAGES;
                uids.truncate(MOST_MESSAGES);
                Ok(News { validity, uids, more })
            };
            looked.await.map_err(|error| unreachable(&error))
        });
        looked.await.map_err(failed)
    }

    /// Reads one message; `None`: it is gone.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn read(&mut self, uid: u32) -> Result<Option<Mail>, Failed> {
        let session = &mut self.mailbox.session;
        let read = limited(STAGE, async {
            let query = format!("(UID INTERNALDATE BODY.PEEK[]<0.{LONGEST}>)");
            let fetched = async {
                session
                    .uid_fetch(set(&[uid]), query)
                    .await?
                    .try_collect::<Vec<_>>()
                    .await
            };
            fetched.await.map_err(|error| unreachable(&error))
        });
        let fetched = read.await.map_err(failed)?;
        let own = fetched.iter().find(|one| one.uid == Some(uid));
        Ok(own.map(|one| {
            let text = one.body().unwrap_or_default();
            let at = one.internal_date();
            Mail {
                text: text[..text.len().min(LONGEST)].to_vec(),
                at: at.and_then(|at| Timestamp::from_second(at.timestamp()).ok()),
            }
        }))
    }

    /// Marks a message as read, or deletes it.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn put_away(&mut self, uid: u32, delete: bool) -> Result<(), Failed> {
        let mailbox = &mut self.mailbox;
        let done = limited(STAGE, async {
            let done = async {
                if delete {
                    return mailbox.delete(&[uid]).await;
                }
                let marked = mailbox
                    .session
                    .uid_store(set(&[uid]), "+FLAGS.SILENT (\\Seen)")
                    .await?;
                marked.try_collect::<Vec<_>>().await.map(drop)
            };
            done.await.map_err(|error| unreachable(&error))
        });
        done.await.map_err(failed)
    }

    /// Whether the server tells of new mail by itself.
    pub fn idles(&self) -> bool {
        self.mailbox.idles
    }

    /// Waits until the server tells of something new, no longer than `most` (RFC 2177).
    ///
    /// # Errors
    /// [`Failed`]: the session is over.
    pub async fn wait(self, most: Duration) -> Result<Self, Failed> {
        let Self { mailbox, name } = self;
        let mailbox = mailbox.wait(most, STAGE).await.map_err(failed)?;
        Ok(Self { mailbox, name })
    }

    /// Takes leave.
    pub async fn close(self) {
        self.mailbox.close(STAGE).await;
    }
}

/// Hands a message in, its lines ended by CRLF, as a mail program does.
///
/// # Errors
/// [`Failed`].
pub async fn hand_in<N: Net>(
    net: &N,
    (context, trust): (&Context, &Trust),
    place: &Place,
    (from, to): (&str, &str),
    text: &str,
) -> Result<(), Failed> {
    let letter = Letter {
        place,
        from,
        to,
        text,
    };
    let mut handing = Handing {
        net,
        context,
        trust,
        letter,
        timeout: STAGE,
        peer: None,
        source: None,
        transcript: Vec::new(),
    };
    handing.run().await.map(drop).map_err(failed)
}

fn failed(trouble: Trouble) -> Failed {
    match trouble {
        // Ours is a file, a command, our resolver: it may be back next time.
        Trouble::Ours(reason)
        | Trouble::Theirs(
            CanaryOutcome::MailboxUnreachable { reason }
            | CanaryOutcome::NoToken {
                refused: false,
                reason,
            },
        ) => Failed::Passing(reason),
        Trouble::Theirs(CanaryOutcome::LoginRefused { said, token, .. }) => {
            let besides = token.map(|besides| format!(". {besides}")).unwrap_or_default();
            Failed::ForGood(format!("our login is refused: \"{said}\"{besides}"))
        }
        Trouble::Theirs(
            CanaryOutcome::NotTrusted { reason }
            | CanaryOutcome::NoToken {
                refused: true,
                reason,
            },
        ) => Failed::ForGood(reason),
        Trouble::Theirs(CanaryOutcome::NoServer { said, .. }) => Failed::Passing(said),
        Trouble::Theirs(CanaryOutcome::NotSubmitted { stage, kind, .. }) => {
            Failed::Passing(super::in_words(stage, &kind))
        }
        Trouble::Theirs(_) => Failed::Passing("it does not do what it should".to_owned()),
    }
}
