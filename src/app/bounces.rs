//! Reads the mailboxes that people forward bounces to: explains each once, answers whoever may be answered, and hands on
//! what it says of a route.
//!
//! How far a mailbox was read is written down before anybody is answered, so that a crash costs an answer and never gives
//! a second one. Only those are listened to whom the configuration allows; a machine is never answered (RFC 3834).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Allowed, Config};
use crate::message::{self, Explanation, Letter};
use crate::model::template::{Encoding, Template};
use crate::model::{ClientId, DomainName};
use crate::monitor::Bounces;
use crate::net::Net;
use crate::net::trust::Trust;
use crate::notify::{Webhook, WebhookSettings};
use crate::probe::Context;
use crate::probe::canary::Place;
use crate::probe::canary::folder::{Failed, Folder, Mail, Mark, News};

use super::canaries::Issuers;
use super::settings;
use super::sources::{Health, Heard, Wires};

mod answers;
mod reading;

use answers::{Answers, Way};
use reading::{Reading, read};

/// After so many tries a message that cannot be fetched is passed over.
const TRIES: u32 = 3;
/// How much longer than usual is waited where trying again changes nothing, and at the most: too many tries lock us out.
const PATIENCE: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_mins(15);
/// How often what could not be sent is looked at.
const AGAIN: Duration = Duration::from_secs(30);

/// A mailbox that people forward bounces to.
#[derive(Debug)]
pub(super) struct Mailbox {
    /// What it is called in alerts.
    pub(super) name: Arc<str>,
    place: Place,
    folder: String,
    interval: Duration,
    delete: bool,
    way: Way,
    senders: Senders,
    /// What is counted from the start.
    counted: Bounces,
}

/// Who is listened to, and whose mail it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Senders {
    addresses: BTreeSet<String>,
    domains: BTreeSet<DomainName>,
    /// The domains of clients.
    owners: BTreeMap<DomainName, ClientId>,
    /// The server whose word is needed that a message comes from whom it names.
    witness: Witness,
}

/// A server that checks where messages come from.
#[derive(Debug, Clone, Default)]
enum Witness {
    /// Nobody is asked.
    #[default]
    Nobody,
    /// The mailbox's own: where it says nothing, From is believed.
    Own(String),
    /// The one that is named: where it says nothing, nothing is believed.
    Named(String),
}

impl Witness {
    fn of(one: &config::BounceMailbox) -> Self {
        let own = || one.mailbox.server.host.to_string().to_ascii_lowercase();
        let named = one.authserv_id.clone();
        named.map_or_else(|| Self::Own(own()), Self::Named)
    }

    /// Whether a message may be held for one of whom it names. Of several words of that server the uppermost counts: those
    /// below it may have come with the message. One that does not say whose it is (Microsoft's) is the own server's if it
    /// stands on top.
    fn believes(&self, letter: &Letter) -> bool {
        let of = |name: &String| letter.checks.iter().find(|one| one.server == *name);
        match self {
            Self::Nobody => true,
            Self::Named(name) => of(name).is_some_and(|one| one.vouches),
            Self::Own(name) => {
                let top = letter.checks.first().filter(|one| one.server.is_empty());
                top.or_else(|| of(name)).is_none_or(|one| one.vouches)
            }
        }
    }
}

impl Senders {
    fn new(config: &Config, one: &config::BounceMailbox) -> Self {
        let owners = config
            .domains()
            .map(|(client, domain)| (domain.name.clone(), client.id.clone()));
        let mut senders = Self {
            owners: owners.collect(),
            witness: Witness::of(one),
            ..Self::default()
        };
        for one in &one.senders {
            match one {
                Allowed::Address(address) => {
                    senders.addresses.insert(address.to_string().to_lowercase());
                }
                Allowed::Domain(domain) => {
                    senders.domains.insert(domain.clone());
                }
            }
        }
        senders
    }

    /// The client that a sender belongs to.
    fn owner(&self, address: &str) -> Option<&ClientId> {
        let domain = DomainName::parse(address.rsplit_once('@')?.1).ok()?;
        let mut above = std::iter::successors(Some(domain), DomainName::parent);
        above.find_map(|domain| self.owners.get(&domain))
    }

    /// Whether a sender is listened to.
    fn allows(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain);
        let named = domain.and_then(|domain| DomainName::parse(domain).ok());
        self.addresses.contains(&address.to_lowercase())
            || named.is_some_and(|domain| self.domains.contains(&domain))
            || self.owner(address).is_some()
    }
}

/// All mailboxes of a configuration.
///
/// # Errors
/// A webhook that cannot be set up.
pub(super) fn configured(config: &Config) -> Result<Vec<Arc<Mailbox>>, String> {
    let mut issuers = Issuers::default();
    let all = config.bounce_mailboxes.iter();
    all.map(|one| mailbox(config, one, &mut issuers)).collect()
}

fn mailbox(
    config: &Config,
    one: &config::BounceMailbox,
    issuers: &mut Issuers,
) -> Result<Arc<Mailbox>, String> {
    let login = &one.mailbox;
    let place = issuers.mailbox(login);
    let folder = match one.folder.as_str() {
        "INBOX" => String::new(),
        folder => format!(", folder {folder}"),
    };
    let name = format!("mailbox {} at {}{folder}", login.username, login.server);
    let mail = one
        .reply
        .as_ref()
        .map(|reply| (issuers.place(&reply.submit), reply.from.to_string()));
    let hook = one.webhook.as_ref().map(webhook).transpose();
    let hook = hook.map_err(|error| format!("the webhook of the {name}: {error}"))?;
    Ok(Arc::new(Mailbox {
        name: name.into(),
        place,
        folder: one.folder.clone(),
        interval: one.interval,
        delete: one.delete,
        way: Way { mail, hook },
        senders: Senders::new(config, one),
        counted: counted(config),
    }))
}

/// Every client's routes, and what else it sends, with nothing counted yet.
fn counted(config: &Config) -> Bounces {
    let each = config.clients.iter().flat_map(|client| {
        let routes = client.routes.iter().map(|route| Some(route.to.clone()));
        routes.chain([None]).map(|to| ((client.id.clone(), to), 0))
    });
    each.collect()
}

fn webhook(hook: &config::Hook) -> Result<Webhook, String> {
    let url = Template::parse(hook.url.as_str(), Encoding::Percent).map_err(|error| error.to_string())?;
    let headers = hook.headers.iter();
    Webhook::new(WebhookSettings {
        url,
        headers: headers
            .map(|(name, value)| (name.clone(), settings::secret(value)))
            .collect(),
        secret: hook.secret.as_ref().map(settings::secret),
        template: None,
        capture: None,
    })
    .map_err(|error| error.to_string())
}

/// Whoever reads one mailbox.
pub(super) struct Reader<N: Net> {
    net: Arc<N>,
    context: Context,
    trust: Arc<Trust>,
    mailbox: Arc<Mailbox>,
    wires: Wires,
    folder: Option<Folder>,
    answers: Answers,
    health: Health,
    /// A message that could not be fetched, and how often.
    stuck: (u32, u32),
}

impl<N: Net> Reader<N> {
    pub(super) fn new(
        net: &Arc<N>,
        (context, trust): (Context, Arc<Trust>),
        mailbox: Arc<Mailbox>,
        wires: Wires,
    ) -> Self {
        Self {
            net: Arc::clone(net),
            context,
            trust,
            health: Health::new(&mailbox.name),
            mailbox,
            wires,
            folder: None,
            answers: Answers::default(),
            stuck: (0, 0),
        }
    }

    /// Reads until told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let bounces = self.mailbox.counted.clone();
        self.wires
            .tell(Heard {
                bounces,
                ..Heard::default()
            })
            .await;
        while !stop.is_cancelled() {
            let read = self.round(&stop).await;
            let now = self.net.now();
            let pause = match &read {
                Ok(true) => Duration::ZERO,
                Ok(false) | Err(Failed::Passing(_)) => self.mailbox.interval,
                Err(Failed::ForGood(_)) => self.mailbox.interval.saturating_mul(PATIENCE).min(LONGEST_PAUSE),
            };
            let heard = match &read {
                Ok(_) => self.health.succeeded(),
                Err(why) => {
                    let for_good = matches!(why, Failed::ForGood(_));
                    tracing::warn!(source = %self.mailbox.name, "{why}");
                    self.health.failed(&why.to_string(), for_good, now)
                }
            };
            self.wires.tell(heard).await;
            self.answers
                .send(&*self.net, (&self.context, &self.trust), &self.mailbox.way)
                .await;
            let pause = if self.answers.is_empty() {
                pause
            } else {
                pause.min(AGAIN)
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wait(pause) => {}
            }
        }
    }

    /// Waits until there may be something new.
    async fn wait(&mut self, pause: Duration) {
        match self.folder.take() {
            Some(folder) if folder.idles() && !pause.is_zero() => {
                // A session that has ended is opened anew.
                self.folder = folder.wait(pause).await.ok();
                if self.folder.is_none() {
                    tokio::time::sleep(pause.min(AGAIN)).await;
                }
            }
            folder => {
                self.folder = folder;
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// One look: whether there is more.
    async fn round(&mut self, stop: &CancellationToken) -> Result<bool, Failed> {
        let mark: Option<Mark> = self.wires.marks.of(&self.mailbox.name);
        let now = self.net.now();
        let (mut folder, news) = match self.folder.take() {
            Some(mut folder) => match folder.news(mark, now).await {
                Ok(news) => (folder, news),
                // The server may have ended an old session.
                Err(_) => self.look_anew(mark, now).await?,
            },
            None => self.look_anew(mark, now).await?,
        };
        for uid in &news.uids {
            if stop.is_cancelled() {
                break;
            }
            let mark = Mark {
                validity: news.validity,
                uid: *uid,
            };
            match folder.read(*uid).await {
                Ok(Some(mail)) => self.take(mail, mark).await,
                Ok(None) => drop(self.wires.marks.keep(&self.mailbox.name, &mark).await),
                Err(why) => {
                    self.pass_over(mark).await;
                    return Err(why);
                }
            }
            folder.put_away(*uid, self.mailbox.delete).await?;
        }
        self.folder = Some(folder);
        Ok(news.more)
    }

    async fn look_anew(&mut self, mark: Option<Mark>, now: Timestamp) -> Result<(Folder, News), Failed> {
        let mailbox = &self.mailbox;
        let opened = Folder::open(
            &*self.net,
            &self.context,
            &self.trust,
            &mailbox.place,
            &mailbox.folder,
        );
        let mut folder = opened.await?;
        let news = folder.news(mark, now).await?;
        Ok((folder, news))
    }

    /// A message that cannot be fetched must not keep us from all that come after it.
    async fn pass_over(&mut self, mark: Mark) {
        let tries = match self.stuck {
            (uid, tries) if uid == mark.uid => tries + 1,
            _ => 1,
        };
        self.stuck = (mark.uid, tries);
        if tries >= TRIES {
            tracing::warn!(source = %self.mailbox.name, uid = mark.uid, "a message cannot be fetched and is passed over");
            drop(self.wires.marks.keep(&self.mailbox.name, &mark).await);
        }
    }

    /// Explains one message, writes down that it is read, and only then lets anybody know.
    async fn take(&mut self, mail: Mail, mark: Mark) {
        let now = self.net.now();
        let explained = explain(mail.text).await;
        if !self
            .wires
            .marks
            .keep(&self.mailbox.name, &mark)
            .await
            .unwrap_or(false)
        {
            tracing::warn!(source = %self.mailbox.name, "that a message was read is not written down: it may be explained again after a restart");
        }
        let Some((letter, explanation)) = explained else {
            tracing::error!(source = %self.mailbox.name, uid = mark.uid, "a message could not be read by a fault of our own");
            return;
        };
        let arrived = mail.at.unwrap_or(now).min(now);
        let reading = read(&self.mailbox.senders, &letter, &explanation, arrived, now);
        tracing::info!(source = %self.mailbox.name, uid = mark.uid, kind = explanation.kind.as_str(), "{}", reading.remark());
        let Reading::Heard {
            client,
            reports,
            bounces,
            ..
        } = &reading
        else {
            return;
        };
        let view = answers::View {
            snapshot: Arc::clone(&self.wires.snapshots.borrow()),
            client: client.clone(),
        };
        self.answers
            .queue(&self.mailbox, &letter, &explanation, &view, now);
        self.wires
            .tell(Heard {
                reports: reports.clone(),
                bounces: bounces.clone(),
                ..Heard::default()
            })
            .await;
    }
}

/// Reads a message on a thread that may take its time; `None`: by a fault of our own it cannot be read.
async fn explain(text: Vec<u8>) -> Option<(Letter, Explanation)> {
    let explained = tokio::task::spawn_blocking(move || (message::letter(&text), message::explain(&text)));
    explained.await.ok()
}

#[cfg(test)]
mod tests;
