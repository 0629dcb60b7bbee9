//! Telling people: small stages that decide who hears what, a durable outbox, and one file a notifier.
//!
//! [`step`] turns what the incidents' lifecycle finds due into messages, each stage giving its reason, which goes
//! into the incident's log. The messages are written to the store together with the incident; only then the
//! [`Dispatcher`] delivers them: in order for each incident and notifier, again and again until they are taken or
//! refused for good, and what became of them is written down in turn. A crash between the two repeats a message,
//! word for word and with the same key, and loses none.

mod dispatch;
mod email;
mod failure;
mod mute;
mod path;
mod queue;
mod secret;
mod stages;
#[cfg(test)]
mod tests;
pub mod text;
mod webhook;

use jiff::Timestamp;

use crate::model::Message;

pub use dispatch::{Clock, Dispatcher, Notifiers, Order, attempt};
pub use email::{Email, EmailSettings, EmailTls};
pub use failure::{Failure, SetupError};
pub use path::{Reliance, Way};
pub use queue::Queue;
pub use secret::Secret;
pub use stages::{Pipeline, Routing, Step, step};
pub use text::Wording;
pub use webhook::{Webhook, WebhookSettings};

/// A way to tell a person.
#[derive(Debug)]
pub enum Notifier {
    /// Posts JSON.
    Webhook(Webhook),
    /// Sends mail.
    Email(Email),
}

impl Notifier {
    /// Tries once to deliver a message.
    ///
    /// # Errors
    /// [`Failure`] says whether it is worth trying again.
    pub async fn deliver(&self, message: &Message, now: Timestamp) -> Result<(), Failure> {
        match self {
            Self::Webhook(webhook) => webhook.deliver(message, now).await,
            Self::Email(email) => email.deliver(message).await,
        }
    }
}
