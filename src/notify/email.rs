//! `email`: sends mail by SMTP, an incident being one thread.

mod compose;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::ExposeSecret as _;
use tokio::time::timeout;

use super::{Failure, Secret, SetupError};
use crate::model::{Event, Message, MessageId};

/// How long one mail to one recipient may take. lettre's own limit covers the connecting only.
const EXCHANGE: Duration = Duration::from_secs(25);
/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// How many messages at most are remembered as delivered to some of their recipients.
const REMEMBERED: usize = 1000;

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailTls {
    /// STARTTLS, required (RFC 3207).
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// Not at all.
    None,
}

/// What an e-mail notifier needs.
#[derive(Debug, Clone)]
pub struct EmailSettings {
    /// The server's name or address.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: EmailTls,
    /// User name and password.
    pub login: Option<(String, Secret)>,
    /// The name that we give in EHLO (RFC 5321 4.1.1.1); `None`: this machine's.
    pub helo: Option<String>,
    /// The sender: an address, or a name and an address in angle brackets.
    pub from: String,
    /// The recipients, likewise.
    pub to: Vec<String>,
}

/// Sends mail.
#[derive(Debug)]
pub struct Email {
    settings: EmailSettings,
    from: Mailbox,
    to: Vec<Mailbox>,
    /// Who has a message already whose other recipients are still to be tried again.
    partly: Mutex<BTreeMap<MessageId, BTreeSet<Address>>>,
}

impl Email {
    /// An e-mail notifier.
    ///
    /// # Errors
    /// [`SetupError`] when an address is none, or there is no recipient.
    pub fn new(settings: EmailSettings) -> Result<Self, SetupError> {
        let mailbox = |text: &String| {
            text.parse::<Mailbox>()
                .map_err(|error| SetupError(format!("\"{text}\": {error}")))
        };
        let to: Vec<Mailbox> = settings.to.iter().map(mailbox).collect::<Result<_, _>>()?;
        if to.is_empty() {
            return Err(SetupError("an e-mail notifier needs a recipient".into()));
        }
        Ok(Self {
            from: mailbox(&settings.from)?,
            to,
            settings,
            partly: Mutex::default(),
        })
    }

    /// Sends one message, to each recipient in a transaction of its own: an address that is refused must not keep
    /// the others from being told. Whoever has it is left out when it is tried again.
    ///
    /// # Errors
    /// [`Failure`]: passing when anybody may still get it, permanent when nobody ever will.
    pub(super) async fn deliver(&self, message: &Message) -> Result<(), Failure> {
        let mail = compose::mail(message, &self.from, &self.to).map_err(Failure::permanent)?;
        let transport = self.transport().await?;
        // Tests have no number of their own.
        let mut reached = match message.notice.event {
            Event::Test => BTreeSet::new(),
            _ => self.reached(message.id),
        };
        let (mut passing, mut refused) = (None, None);
        for mailbox in &self.to {
            if reached.contains(&mailbox.email) {
                continue;
            }
            match self.send(&transport, &mailbox.email, &mail).await {
                Ok(()) => {
                    reached.insert(mailbox.email.clone());
                    // At once, as this future may be dropped at any moment.
                    self.remember(message.id, reached.clone());
                }
                Err(failure @ Failure::Passing { .. }) => passing = passing.or(Some(failure)),
                Err(failure) => {
                    tracing::warn!(recipient = %mailbox.email, "{failure}");
                    refused = refused.or(Some(failure));
                }
            }
        }
        let _ = timeout(GOODBYE, transport.shutdown()).await;
        if let Some(failure) = passing {
            return Err(failure);
        }
        self.forget(message.id);
        match refused {
            Some(failure) if reached.is_empty() => Err(failure),
            _ => Ok(()),
        }
    }

    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, Failure> {
        let settings = &self.settings;
        let parameters = || {
            TlsParameters::new(settings.server.clone())
                .map_err(|error| Failure::passing(format!("TLS cannot be set up: {error}")))
        };
        let tls = match settings.tls {
            EmailTls::Starttls => Tls::Required(parameters()?),
            EmailTls::Implicit => Tls::Wrapper(parameters()?),
            EmailTls::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.server)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(EXCHANGE))
            .pool_config(PoolConfig::new().max_size(1));
        if let Some(helo) = &settings.helo {
            builder = builder.hello_name(ClientId::Domain(helo.clone()));
        }
        if let Some((user, password)) = &settings.login {
            let password = password.reveal().await?;
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            builder = builder.credentials(credentials);
        }
        Ok(builder.build())
    }

    async fn send(
        &self,
        transport: &AsyncSmtpTransport<Tokio1Executor>,
        to: &Address,
        mail: &[u8],
    ) -> Result<(), Failure> {
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.clone()])
            .map_err(|error| Failure::permanent(error.to_string()))?;
        match timeout(EXCHANGE, transport.send_raw(&envelope, mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_permanent() => Err(Failure::permanent(format!("{to}: {error}"))),
            Ok(Err(error)) => Err(Failure::passing(format!("{to}: {error}"))),
            Err(_) => Err(Failure::passing(format!("{to}: no end within 25 s"))),
        }
    }

    fn reached(&self, id: MessageId) -> BTreeSet<Address> {
        let partly = self.partly.lock().unwrap_or_else(PoisonError::into_inner);
        partly.get(&id).cloned().unwrap_or_default()
    }

    fn remember(&self, id: MessageId, reached: BTreeSet<Address>) {
        let mut partly = self.partly.lock().unwrap_or_else(PoisonError::into_inner);
        partly.insert(id, reached);
        while partly.len() > REMEMBERED {
            partly.pop_first();
        }
    }

    fn forget(&self, id: MessageId) {
        let mut partly = self.partly.lock().unwrap_or_else(PoisonError::into_inner);
        partly.remove(&id);
    }
}
