//! Telling people: small stages that decide who hears what, a durable outbox, and one file a notifier.
//!
//! [`step`] turns what the incidents' lifecycle finds due into messages, each stage giving its reason, which goes
//! into the incident's log. The messages are written to the store together with the incident; only then the
//! [`Dispatcher`] delivers them: in order for each incident and notifier, again and again until they are taken or
//! refused for good, and what became of them is written down in turn. A crash between the two repeats a message,
//! word for word and with the same key, and loses none.

mod alertmanager;
mod dispatch;
mod email;
mod failure;
mod health;
mod http;
mod manner;
mod mute;
mod ntfy;
mod pagerduty;
mod path;
mod queue;
#[cfg(test)]
mod sample;
mod secret;
mod slack;
mod stages;
mod teams;
#[cfg(test)]
mod tests;
pub mod text;
mod webhook;

use jiff::Timestamp;

use crate::model::Message;

pub use alertmanager::Alertmanager;
pub use dispatch::{Captured, Clock, Dispatcher, Notifiers, Order, attempt};
pub use email::{Email, EmailSettings, EmailTls};
pub use failure::{Failure, SetupError};
pub use health::{Watch, target};
pub use manner::{Manner, Pace};
pub use ntfy::{Ntfy, NtfySettings};
pub use pagerduty::{Pagerduty, PagerdutySettings};
pub use path::{Reliance, Way};
pub use queue::Queue;
pub use secret::Secret;
pub use slack::Slack;
pub use stages::{Pipeline, Routing, Step, step};
pub use teams::Teams;
pub use text::Wording;
pub use webhook::{Webhook, WebhookSettings};

/// A way to tell a person.
#[derive(Debug)]
pub enum Notifier {
    /// Posts JSON, or whatever a template makes of it.
    Webhook(Webhook),
    /// Sends mail.
    Email(Email),
    /// Keeps an alert firing.
    Alertmanager(Alertmanager),
    /// Triggers, acknowledges and resolves.
    Pagerduty(Pagerduty),
    /// Posts into a channel of Slack.
    Slack(Slack),
    /// Posts a card into a channel of Teams.
    Teams(Teams),
    /// Pushes to a phone.
    Ntfy(Ntfy),
}

impl Notifier {
    /// Tries once to deliver a message. `captured` is what an earlier answer about the same incident gave to be
    /// kept; returns what this one gives.
    ///
    /// # Errors
    /// [`Failure`] says whether it is worth trying again.
    pub async fn deliver(
        &self,
        message: &Message,
        captured: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<String>, Failure> {
        match self {
            Self::Webhook(webhook) => return webhook.deliver(message, captured, now).await,
            Self::Email(email) => email.deliver(message).await,
            Self::Alertmanager(alertmanager) => alertmanager.deliver(message, now).await,
            Self::Pagerduty(pagerduty) => pagerduty.deliver(message, now).await,
            Self::Slack(slack) => slack.deliver(message, now).await,
            Self::Teams(teams) => teams.deliver(message, now).await,
            Self::Ntfy(ntfy) => ntfy.deliver(message, now).await,
        }
        .map(|()| None)
    }

    /// How the receiver wants to be served.
    pub fn manner(&self) -> Manner {
        let paced = |pace| Manner {
            pace: Some(pace),
            resend: None,
        };
        match self {
            Self::Webhook(_) | Self::Email(_) => Manner::default(),
            Self::Alertmanager(_) => Manner {
                pace: None,
                resend: Some(alertmanager::RESEND),
            },
            Self::Pagerduty(_) => paced(pagerduty::PACE),
            Self::Slack(_) => paced(slack::PACE),
            Self::Teams(_) => paced(teams::PACE),
            Self::Ntfy(_) => paced(ntfy::PACE),
        }
    }
}
