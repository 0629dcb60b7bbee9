//! Handing a canary in at the client's own server, as a mail program does (RFC 6409): TLS at once on port 465 (RFC 8314),
//! else STARTTLS, and a login only under TLS.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time;

use super::login::{Credential, Identity, Place};
use super::oauth::sasl::{Mechanism, wrong_with};
use super::reach::{Trouble, connect, failed, secure};
use crate::model::smtp::{Capabilities, SmtpFailureKind};
use crate::model::{CanaryOutcome, CanaryStage as Stage, Endpoint, Reply};
use crate::net::Net;
use crate::net::trust::Trust;
use crate::probe::smtp::dialogue::{Bounded, Wire};
use crate::probe::{Context, ask};

/// Where TLS begins at once.
const SUBMISSIONS: u16 = 465;
/// How long the server may think over the message itself (RFC 5321 4.5.3.2.6).
const AFTER_DATA: Duration = Duration::from_mins(10);
/// How long leaving may take once nothing depends on it any more.
const LEAVING: Duration = Duration::from_secs(1);

/// What is handed in, and where.
pub(super) struct Letter<'a> {
    pub(super) place: &'a Place,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) text: &'a str,
}

/// Handing in, and what was seen of it.
pub(super) struct Handing<'a, N: Net> {
    pub(super) net: &'a N,
    pub(super) context: &'a Context,
    pub(super) trust: &'a Trust,
    pub(super) letter: Letter<'a>,
    pub(super) timeout: Duration,
    pub(super) peer: Option<SocketAddr>,
    pub(super) source: Option<IpAddr>,
    pub(super) transcript: Vec<String>,
}

impl<N: Net> Handing<'_, N> {
    /// Hands it in, with a new token where an older one is refused; gives what the server said when it took it.
    pub(super) async fn run(&mut self) -> Result<Reply, Trouble> {
        let began = self.net.now();
        let done = self.run_once().await;
        if let (Err(Trouble::Theirs(CanaryOutcome::LoginRefused { .. })), Some(who)) =
            (&done, &self.letter.place.identity)
            && who.renews(began).await
        {
            return self.run_once().await;
        }
        done
    }

    async fn run_once(&mut self) -> Result<Reply, Trouble> {
        let (net, trust, timeout) = (self.net, self.trust, self.timeout);
        let (host, port): (&Endpoint, u16) = (&self.letter.place.host, self.letter.place.port);
        let must_prove = self.letter.place.identity.is_some();
        let connection = connect(net, self.context, host, port, timeout, &mut self.peer).await?;
        self.source = connection.source;
        let peer = self.peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
        let stream = Bounded::new(connection.stream);
        if port == SUBMISSIONS {
            let stream = secure(net, trust, stream, host, peer, timeout, must_prove).await?;
            let mut wire = Wire::new(stream, Vec::new());
            let done = self.greeted(&mut wire).await;
            return self.leave(wire, done).await;
        }
        let mut wire = Wire::new(stream, Vec::new());
        let opened = self.opened(&mut wire).await;
        let offers = match opened {
            Ok(offers) => offers,
            Err(trouble) => return self.leave(wire, Err(trouble)).await,
        };
        if !offers.starttls {
            let done = if must_prove {
                let reason = "it offers no encryption".to_owned();
                Err(Trouble::Theirs(CanaryOutcome::NotTrusted { reason }))
            } else {
                self.hand_over(&mut wire, &offers).await
            };
            return self.leave(wire, done).await;
        }
        if let Err(trouble) = self.timed(Stage::Tls, timeout, wire.start_tls()).await {
            return self.leave(wire, Err(trouble)).await;
        }
        let (stream, transcript) = wire.into_parts();
        self.transcript = transcript;
        let stream = secure(net, trust, stream, host, peer, timeout, must_prove).await?;
        let mut wire = Wire::new(stream, std::mem::take(&mut self.transcript));
        wire.note("TLS");
        let done = self.helloed(&mut wire).await;
        let done = match done {
            Ok(offers) => self.hand_over(&mut wire, &offers).await,
            Err(trouble) => Err(trouble),
        };
        self.leave(wire, done).await
    }

    async fn greeted<S>(&self, wire: &mut Wire<S>) -> Result<Reply, Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let offers = self.opened(wire).await?;
        self.hand_over(wire, &offers).await
    }

    /// Greeting and EHLO.
    async fn opened<S>(&self, wire: &mut Wire<S>) -> Result<Capabilities, Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.timed(Stage::Greeting, self.timeout, wire.greeting()).await?;
        self.helloed(wire).await
    }

    async fn helloed<S>(&self, wire: &mut Wire<S>) -> Result<Capabilities, Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let hello = wire.hello(&self.context.helo);
        let offers = self.timed(Stage::Ehlo, self.timeout, hello).await?;
        Ok(offers.unwrap_or_default())
    }

    /// The login, the envelope and the message.
    async fn hand_over<S>(&self, wire: &mut Wire<S>, offers: &Capabilities) -> Result<Reply, Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (letter, timeout) = (&self.letter, self.timeout);
        if let Some(identity) = &letter.place.identity {
            self.log_in(wire, offers, identity).await?;
        }
        self.timed(Stage::Mail, timeout, wire.mail(letter.from)).await?;
        self.timed(Stage::Rcpt, timeout, wire.recipient(letter.to))
            .await?;
        self.timed(Stage::Data, timeout, wire.data()).await?;
        self.timed(Stage::Data, AFTER_DATA, wire.message(letter.text))
            .await
    }

    async fn log_in<S>(
        &self,
        wire: &mut Wire<S>,
        offers: &Capabilities,
        who: &Identity,
    ) -> Result<(), Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match who.credential(self.net, self.context, self.trust).await? {
            Credential::Password(password) => self.say_password(wire, offers, who, &password).await,
            Credential::Token(token) => self.show_token(wire, offers, who, &token).await,
        }
    }

    async fn say_password<S>(
        &self,
        wire: &mut Wire<S>,
        offers: &Capabilities,
        who: &Identity,
        password: &SecretString,
    ) -> Result<(), Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let password = password.expose_secret();
        let login = async {
            if offers_plain(offers) {
                wire.auth_plain(&who.user, password).await
            } else {
                wire.auth_login(&who.user, password).await
            }
        };
        match self.timed(Stage::Login, self.timeout, login).await {
            Ok(_) => Ok(()),
            Err(Trouble::Theirs(CanaryOutcome::NotSubmitted {
                kind: SmtpFailureKind::Reply(reply),
                ..
            })) if is_refusal(&reply) => Err(login_refused(who, reply.to_string())),
            Err(trouble) => Err(trouble),
        }
    }

    async fn show_token<S>(
        &self,
        wire: &mut Wire<S>,
        offers: &Capabilities,
        who: &Identity,
        token: &SecretString,
    ) -> Result<(), Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let place = self.letter.place;
        let Some(mechanism) = Mechanism::of(&methods(offers)) else {
            let said = "it offers neither OAUTHBEARER nor XOAUTH2".to_owned();
            return Err(login_refused(who, said));
        };
        let first = mechanism.first(&who.user, (&place.host, place.port), token);
        let mut wrong = None;
        let login = wire.auth_token(mechanism.as_str(), &first, mechanism.last(), &mut wrong);
        let done = self.timed(Stage::Login, self.timeout, login).await;
        match done {
            Ok(_) => Ok(()),
            Err(Trouble::Theirs(CanaryOutcome::NotSubmitted {
                kind: SmtpFailureKind::Reply(reply),
                ..
            })) if is_refusal(&reply) || (wrong.is_some() && reply.code >= 500) => {
                let wrong = wrong.and_then(|challenge| wrong_with(&challenge));
                let wrong = wrong.map(|wrong| format!(" ({wrong})")).unwrap_or_default();
                Err(login_refused(who, format!("{reply}{wrong}")))
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Takes leave and keeps what was said. Once the message is taken, how that goes changes nothing.
    async fn leave<S>(&mut self, mut wire: Wire<S>, done: Result<Reply, Trouble>) -> Result<Reply, Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let silent = matches!(
            &done,
            Err(Trouble::Theirs(CanaryOutcome::NotSubmitted {
                kind: SmtpFailureKind::Timeout | SmtpFailureKind::Closed { .. } | SmtpFailureKind::Tls(_),
                ..
            }))
        );
        if silent {
            wire.timed_out();
        } else {
            let _ = time::timeout(self.timeout, wire.quit()).await;
        }
        let _ = time::timeout(LEAVING, wire.close()).await;
        (_, self.transcript) = wire.into_parts();
        done
    }

    async fn timed<T>(
        &self,
        stage: Stage,
        limit: Duration,
        work: impl Future<Output = Result<T, SmtpFailureKind>>,
    ) -> Result<T, Trouble> {
        let began = self.net.now();
        let result = time::timeout(limit, work).await;
        let result = result.unwrap_or(Err(SmtpFailureKind::Timeout));
        result.map_err(|kind| failed(stage, ask::since(self.net, began), kind))
    }
}

fn login_refused(who: &Identity, said: String) -> Trouble {
    Trouble::Theirs(CanaryOutcome::LoginRefused {
        at_mailbox: false,
        said,
        token: who.besides(),
    })
}

/// Whether AUTH PLAIN may be used: it is offered, or nothing is said of how (RFC 4954 4.1).
fn offers_plain(offers: &Capabilities) -> bool {
    let offered = methods(offers);
    offered.is_empty() || offered.iter().any(|method| method == "PLAIN")
}

/// The ways to log in that are offered, in upper case.
fn methods(offers: &Capabilities) -> Vec<String> {
    let lines = offers.lines.iter().map(|line| line.to_ascii_uppercase());
    let auth = lines.filter_map(|line| line.strip_prefix("AUTH").map(str::to_owned));
    let words = auth.flat_map(|line| line.split([' ', '=']).map(str::to_owned).collect::<Vec<_>>());
    words.filter(|word| !word.is_empty()).collect()
}

/// Whether a reply to AUTH is about our name, password or token (RFC 4954 6), rather than about the server.
fn is_refusal(reply: &Reply) -> bool {
    matches!(reply.code, 432 | 534 | 535 | 538)
}
