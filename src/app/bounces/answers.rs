//! Answers to those who forward bounces: written so that no machine answers them (RFC 3834), no more than a person reads,
//! and tried again for a while where they cannot be handed in.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::message::{Explanation, Letter};
use crate::model::ClientId;
use crate::net::Net;
use crate::net::trust::Trust;
use crate::notify::Webhook;
use crate::probe::Context;
use crate::probe::canary::Place;
use crate::probe::canary::folder::{Failed, hand_in};
use crate::snapshot::Snapshot;
use crate::surface::bounce;
use crate::surface::ours::ours_for;

use super::Mailbox;

/// Answers to one address, and in all, within an hour: more is a loop.
const TO_ONE: usize = 20;
const IN_ALL: usize = 100;
const WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// How often each is tried, and how much longer is waited each time.
const TRIES: i32 = 5;
const PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// Those that wait at the most; what comes then is not answered.
const MOST_WAITING: usize = 200;

/// How explanations are told.
#[derive(Debug)]
pub(super) struct Way {
    /// By mail: where it is handed in, and from whom it is.
    pub(super) mail: Option<(Place, String)>,
    /// To a webhook.
    pub(super) hook: Option<Webhook>,
}

/// What we see ourselves.
pub(super) struct View {
    pub(super) snapshot: Arc<Snapshot>,
    /// Whose mail it is about.
    pub(super) client: Option<ClientId>,
}

/// Answers that are on their way.
#[derive(Debug, Default)]
pub(super) struct Answers {
    waiting: VecDeque<Waiting>,
    /// To whom answers went lately, and when.
    given: VecDeque<(Timestamp, String)>,
}

#[derive(Debug)]
struct Waiting {
    what: What,
    tries: i32,
    due: Timestamp,
}

#[derive(Debug)]
enum What {
    Mail { to: String, text: String },
    Post(Value),
}

impl Answers {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Queues what is to be told of a message.
    pub(super) fn queue(
        &mut self,
        mailbox: &Mailbox,
        letter: &Letter,
        explanation: &Explanation,
        view: &View,
        now: Timestamp,
    ) {
        if self.waiting.len() >= MOST_WAITING {
            tracing::warn!(source = %mailbox.name, "too many answers wait to be handed in: this message gets none");
            return;
        }
        let ours = ours_for(&view.snapshot, explanation, view.client.as_ref());
        let text = bounce::letter(explanation, &ours);
        let mut wait = |what| {
            self.waiting.push_back(Waiting {
                what,
                tries: 0,
                due: now,
            });
        };
        if mailbox.way.hook.is_some() {
            wait(What::Post(json!({
                "event": "explained",
                "source": &*mailbox.name,
                "client": view.client,
                "from": letter.from,
                "subject": letter.subject,
                "message_id": letter.id,
                "explanation": explanation,
                "ours": ours,
                "text": text,
            })));
        }
        let Some((_, own)) = &mailbox.way.mail else {
            return;
        };
        let Some(to) = letter.from.as_ref().filter(|_| !letter.by_machine) else {
            return;
        };
        if to.eq_ignore_ascii_case(own) || !self.may_answer(to, now) {
            return;
        }
        let Some(text) = mail(own, to, letter, &text, now) else {
            tracing::warn!(source = %mailbox.name, "the answer cannot be written to that address");
            return;
        };
        self.waiting.push_back(Waiting {
            what: What::Mail { to: to.clone(), text },
            tries: 0,
            due: now,
        });
    }

    /// Whether one more answer within the hour is no loop.
    fn may_answer(&mut self, to: &str, now: Timestamp) -> bool {
        self.given.retain(|(at, _)| now.duration_since(*at) < WITHIN);
        let to = to.to_lowercase();
        let to_one = self.given.iter().filter(|(_, whom)| *whom == to).count();
        if to_one >= TO_ONE || self.given.len() >= IN_ALL {
            tracing::warn!("more answers within an hour than anybody reads: this message gets none");
            return false;
        }
        self.given.push_back((now, to));
        true
    }

    /// Sends what is due. What cannot be sent now is tried again, a few times.
    pub(super) async fn send<N: Net>(&mut self, net: &N, ours: (&Context, &Trust), way: &Way) {
        for _ in 0..self.waiting.len() {
            let Some(mut one) = self.waiting.pop_front() else {
                return;
            };
            let now = net.now();
            if one.due > now {
                self.waiting.push_back(one);
                continue;
            }
            let sent = match &one.what {
                What::Mail { to, text } => by_mail(net, ours, way, to, text).await,
                What::Post(document) => by_hook(way, document, now).await,
            };
            let Err((why, may_pass)) = sent else { continue };
            one.tries += 1;
            if may_pass && one.tries < TRIES {
                one.due = now + PAUSE * one.tries;
                self.waiting.push_back(one);
            } else {
                tracing::warn!("an explained bounce could not be answered: {why}");
            }
        }
    }
}

async fn by_mail<N: Net>(
    net: &N,
    ours: (&Context, &Trust),
    way: &Way,
    to: &str,
    text: &str,
) -> Result<(), (String, bool)> {
    let Some((place, from)) = &way.mail else {
        return Ok(());
    };
    let handed = hand_in(net, ours, place, (from, to), text).await;
    handed.map_err(|why| (why.to_string(), matches!(why, Failed::Passing(_))))
}

async fn by_hook(way: &Way, document: &Value, now: Timestamp) -> Result<(), (String, bool)> {
    match &way.hook {
        Some(hook) => hook.post(document, now).await,
        None => Ok(()),
    }
}

/// Says that a machine wrote this, so that no other answers (RFC 3834 5).
#[derive(Debug, Clone)]
struct AutoReplied;

impl Header for AutoReplied {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-replied".into())
    }
}

/// The answer, ready to be handed in; `None` where an address cannot be written.
fn mail(from: &str, to: &str, letter: &Letter, text: &str, now: Timestamp) -> Option<String> {
    let subject = match letter.subject.trim() {
        "" => "Re: your bounce".to_owned(),
        subject
            if subject
                .get(..3)
                .is_some_and(|start| start.eq_ignore_ascii_case("re:")) =>
        {
            subject.to_owned()
        }
        subject => format!("Re: {subject}"),
    };
    let domain = from.rsplit_once('@')?.1;
    let mut nonce = [0; 8];
    // Without randomness the moment alone tells them apart.
    let _ = aws_lc_rs::rand::fill(&mut nonce);
    let id = format!(
        "<{}.{}@{domain}>",
        now.as_microsecond(),
        crate::model::text::hex(&nonce)
    );
    let mut builder = lettre::Message::builder()
        .from(from.parse().ok()?)
        .to(to.parse().ok()?)
        .subject(subject)
        .date(SystemTime::from(now))
        .message_id(Some(id))
        .header(AutoReplied)
        .header(ContentType::TEXT_PLAIN);
    if let Some(answered) = &letter.id {
        let thread: Vec<&str> = letter
            .references
            .iter()
            .chain([answered])
            .map(String::as_str)
            .collect();
        builder = builder.in_reply_to(answered.clone()).references(thread.join(" "));
    }
    let mail = builder.body(text.to_owned()).ok()?;
    String::from_utf8(mail.formatted()).ok()
}

#[cfg(test)]
mod tests;
