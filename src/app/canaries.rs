//! What canaries are made of, from the configuration; secrets are fetched anew at each use.

use std::sync::Arc;

use crate::config::{self, Config, HostPort, Secret};
use crate::probe::canary::{Canaries, Credential, Identity, Place, Plan};

/// All canaries of a configuration.
pub(super) fn plans(config: &Config) -> Canaries {
    let each = config
        .clients
        .iter()
        .flat_map(|client| client.canaries.iter().map(move |canary| (client, canary)));
    let plans = each.map(|(client, canary)| {
        let key = (client.id.clone(), Arc::from(canary.name.as_str()));
        (key, plan(canary, sender_of(config, canary)))
    });
    Canaries::new(plans.collect())
}

/// The mailbox that a canary comes back to if it cannot be delivered: that of another canary which is sent there.
fn sender_of<'a>(config: &'a Config, canary: &config::Canary) -> Option<&'a config::Login> {
    let mut all = config.clients.iter().flat_map(|client| &client.canaries);
    all.find(|other| other.to == canary.from)
        .map(|other| &other.mailbox)
        .filter(|mailbox| **mailbox != canary.mailbox)
}

fn plan(canary: &config::Canary, sender: Option<&config::Login>) -> Plan {
    let login = |mailbox: &config::Login| {
        place(
            &mailbox.server,
            Some(&(mailbox.username.clone(), mailbox.password.clone())),
        )
    };
    Plan {
        submit: place(&canary.submit.server, canary.submit.login.as_ref()),
        from: canary.from.to_string().into(),
        to: canary.to.to_string().into(),
        mailbox: login(&canary.mailbox),
        sender: sender.map(login),
        deadline: canary.deadline,
    }
}

pub(super) fn place(server: &HostPort, login: Option<&(String, Secret)>) -> Place {
    let identity = login.map(|(user, password)| {
        let password = password.clone();
        Identity::new(user, move || {
            let revealed = password.reveal().map_err(|error| error.to_string())?;
            Ok(Credential::Password(revealed))
        })
    });
    Place {
        host: server.host.clone(),
        port: server.port,
        identity,
    }
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
