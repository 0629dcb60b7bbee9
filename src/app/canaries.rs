//! What canaries are made of, from the configuration; secrets are fetched anew at each use.

use std::sync::Arc;

use crate::config::{self, Config, Credential, HostPort, OAuth2};
use crate::model::Endpoint;
use crate::probe::canary::{Canaries, Grant, Identity, Issuer, Place, Plan, Secret, Tokens};

/// All canaries of a configuration.
pub(super) fn plans(config: &Config) -> Canaries {
    let mut issuers = Issuers::default();
    let each = config
        .clients
        .iter()
        .flat_map(|client| client.canaries.iter().map(move |canary| (client, canary)));
    let plans = each.map(|(client, canary)| {
        let key = (client.id.clone(), Arc::from(canary.name.as_str()));
        (key, issuers.plan(canary, sender_of(config, canary)))
    });
    Canaries::new(plans.collect())
}

/// Whoever gives tokens out, once for all who log in by the same grant: they share what they are given.
#[derive(Default)]
pub(super) struct Issuers(Vec<(OAuth2, Option<String>, Arc<Tokens>)>);

impl Issuers {
    fn plan(&mut self, canary: &config::Canary, sender: Option<&config::Login>) -> Plan {
        Plan {
            submit: self.place(&canary.submit),
            from: canary.from.to_string().into(),
            to: canary.to.to_string().into(),
            mailbox: self.mailbox(&canary.mailbox),
            sender: sender.map(|mailbox| self.mailbox(mailbox)),
            deadline: canary.deadline,
        }
    }

    pub(super) fn mailbox(&mut self, mailbox: &config::Login) -> Place {
        let identity = self.identity(&mailbox.username, &mailbox.credential);
        at(&mailbox.server, Some(identity))
    }

    pub(super) fn place(&mut self, submit: &config::Submission) -> Place {
        let login = submit.login.as_ref();
        let identity = login.map(|(user, credential)| self.identity(user, credential));
        at(&submit.server, identity)
    }

    fn identity(&mut self, user: &str, credential: &Credential) -> Identity {
        match credential {
            Credential::Password(password) => Identity::with_password(user, secret(password)),
            Credential::OAuth2(oauth) => Identity::with_tokens(user, &self.tokens(user, oauth)),
        }
    }

    /// A service account asks for each user; an application's tokens are good for all of them.
    fn tokens(&mut self, user: &str, oauth: &OAuth2) -> Arc<Tokens> {
        let whose = matches!(oauth.grant, config::Grant::ServiceAccount(_)).then(|| user.to_owned());
        let mut known = self.0.iter();
        if let Some((.., tokens)) = known.find(|(one, of, _)| one == oauth && *of == whose) {
            return Arc::clone(tokens);
        }
        let tokens = Arc::new(Tokens::new(issuer(user, oauth)));
        self.0.push((oauth.clone(), whose, Arc::clone(&tokens)));
        tokens
    }
}

fn at(server: &HostPort, identity: Option<Identity>) -> Place {
    Place {
        host: server.host.clone(),
        port: server.port,
        identity,
    }
}

fn issuer(user: &str, oauth: &OAuth2) -> Issuer {
    let url = oauth.token_url.as_url();
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let grant = match &oauth.grant {
        config::Grant::Application {
            id,
            tenant,
            secret: own,
        } => Grant::Application {
            id: id.as_str().into(),
            tenant: tenant.as_deref().map(Arc::from),
            secret: secret(own),
        },
        config::Grant::ServiceAccount(key) => Grant::ServiceAccount {
            user: user.into(),
            key: secret(key),
        },
    };
    Issuer {
        // That it has one was seen when it was read.
        host: oauth
            .token_url
            .host()
            .unwrap_or(Endpoint::Address([0, 0, 0, 0].into())),
        port: url.port_or_known_default().unwrap_or(443),
        path: format!("{}{query}", url.path()).into(),
        scope: oauth.scope.as_deref().map(Arc::from),
        grant,
    }
}

fn secret(from: &config::Secret) -> Secret {
    let from = from.clone();
    Arc::new(move || from.reveal().map_err(|error| error.to_string()))
}

/// The mailbox that a canary comes back to if it cannot be delivered: that of another canary which is sent there.
fn sender_of<'a>(config: &'a Config, canary: &config::Canary) -> Option<&'a config::Login> {
    let mut all = config.clients.iter().flat_map(|client| &client.canaries);
    all.find(|other| other.to == canary.from)
        .map(|other| &other.mailbox)
        .filter(|mailbox| **mailbox != canary.mailbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_looked_for_where_another_canary_is_sent() {
        let canary = |name: &str, to: &str, user: &str| {
            format!(
                "[[clients.canaries]]\nname = \"{name}\"\nsubmit = {{ server = \"mx.acme.test:587\" }}\n\
                 from = \"canary@acme.test\"\nto = \"{to}\"\n\
                 mailbox = {{ server = \"mx.acme.test:993\", username = \"{user}\", password = \"x\" }}\n"
            )
        };
        let text = format!(
            "[[clients]]\nname = \"ACME\"\n{}{}",
            canary("round-trip", "canary@acme.test", "here"),
            canary("away", "canary@partner.test", "there")
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailflow.toml");
        std::fs::write(&path, text).unwrap();
        let config = config::load(Some(&path), std::iter::empty()).unwrap().config;
        let sender = |name: &str| {
            let mut all = config.clients.iter().flat_map(|client| &client.canaries);
            let canary = all.find(|canary| canary.name == name).unwrap();
            sender_of(&config, canary).map(|login| login.username.as_str())
        };
        assert_eq!(sender("away"), Some("here"));
        assert_eq!(sender("round-trip"), None, "it is looked for there anyway");
    }
}
