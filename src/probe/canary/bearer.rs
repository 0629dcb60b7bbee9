//! A login at a mailbox by a token (RFC 7628; XOAUTH2 as Microsoft and Google describe it).

use async_imap::imap_proto::{Capability, Response};
use async_imap::{Authenticator, Client, Session};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncWriteExt as _;

use super::imap::{not_let_in, unreachable};
use super::login::{Identity, Place};
use super::oauth::sasl::{Mechanism, wrong_with};
use super::reach::{Link, Trouble};
use crate::model::CanaryOutcome;

/// Ways to log in that are listened to.
const MOST_WAYS: usize = 50;
/// The library numbers its own commands otherwise.
const TAG: &str = "C0";

/// Logs in.
pub(super) async fn log_in(
    mut client: Client<Link>,
    place: &Place,
    who: &Identity,
    token: &SecretString,
) -> Result<Session<Link>, Trouble> {
    let offered = offered(&mut client).await?;
    let Some(mechanism) = Mechanism::of(&offered) else {
        return Err(Trouble::Theirs(CanaryOutcome::LoginRefused {
            at_mailbox: true,
            said: "it offers neither OAUTHBEARER nor XOAUTH2".to_owned(),
            token: who.besides(),
        }));
    };
    let mut shown = Shown {
        mechanism,
        first: Some(mechanism.first(&who.user, (&place.host, place.port), token)),
        wrong: None,
    };
    let logged_in = client.authenticate(mechanism.as_str(), &mut shown).await;
    logged_in.map_err(|(error, _)| not_let_in(&error, who, shown.wrong.as_deref()))
}

/// The ways to log in that a server offers (RFC 3501 6.1.1): what stands in its greeting may be less than it says now.
async fn offered(client: &mut Client<Link>) -> Result<Vec<String>, Trouble> {
    let asked = async {
        let stream = client.get_mut();
        stream
            .write_all(format!("{TAG} CAPABILITY\r\n").as_bytes())
            .await?;
        stream.flush().await
    };
    asked.await.map_err(|error| unreachable(&error.into()))?;
    let mut ways = Vec::new();
    loop {
        let response = client.read_response().await;
        let response = response
            .map_err(|error| unreachable(&error.into()))?
            .ok_or_else(|| unreachable(&async_imap::error::Error::ConnectionLost))?;
        match response.parsed() {
            Response::Capabilities(all) => {
                let named = all.iter().filter_map(|one| match one {
                    Capability::Auth(name) => Some(name.to_string()),
                    _ => None,
                });
                ways.extend(named.take(MOST_WAYS - ways.len()));
            }
            Response::Done { .. } => return Ok(ways),
            _ => {}
        }
    }
}

/// What is shown to a server, and what it says to it.
struct Shown {
    mechanism: Mechanism,
    first: Option<SecretString>,
    wrong: Option<String>,
}

impl Authenticator for &mut Shown {
    type Response = Vec<u8>;

    fn process(&mut self, challenge: &[u8]) -> Vec<u8> {
        if let Some(first) = self.first.take() {
            return first.expose_secret().as_bytes().to_vec();
        }
        self.wrong = wrong_with(challenge);
        self.mechanism.last().as_bytes().to_vec()
    }
}
