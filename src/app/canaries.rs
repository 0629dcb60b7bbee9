//! What canaries are made of, from the configuration; secrets are fetched anew at each use. And the key that their tokens
//! are signed with, which the store keeps, so that what was sent before a restart is known again after it.

use std::sync::Arc;

use anyhow::anyhow;
use aws_lc_rs::rand;

use crate::config::{self, Config, HostPort, Secret};
use crate::model::text::{from_hex, hex};
use crate::probe::canary::{Canaries, Credential, Identity, Place, Plan};
use crate::store::{Batch, Fact, Loaded};

use super::keeper::Keeper;

/// Under what the store keeps the key.
const SUBJECT: &str = "canaries";
const NAME: &str = "token key";
/// Its bytes.
const KEY: usize = 32;

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

fn place(server: &HostPort, login: Option<&(String, Secret)>) -> Place {
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

/// Takes the key out of what a store remembers, or makes one and has it kept.
///
/// # Errors
/// When the operating system gives no randomness.
pub(super) fn key(memory: &mut Loaded, keeper: &Keeper) -> anyhow::Result<Arc<[u8]>> {
    let is_key = |fact: &mut Fact| fact.subject == SUBJECT && fact.name == NAME;
    let kept: Vec<Fact> = memory.facts.extract_if(.., is_key).collect();
    if let Some(key) = kept.first().and_then(|fact| read(fact.value.as_str()?)) {
        return Ok(key.into());
    }
    let mut key = [0; KEY];
    rand::fill(&mut key).map_err(|_| anyhow!("this machine gives no randomness"))?;
    let fact = Fact {
        subject: SUBJECT.into(),
        name: NAME.into(),
        value: hex(&key).into(),
    };
    drop(keeper.commit(Batch {
        facts: vec![fact],
        ..Batch::default()
    }));
    Ok(key.to_vec().into())
}

fn read(digits: &str) -> Option<Vec<u8>> {
    from_hex(digits).filter(|bytes| bytes.len() == KEY)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::store::SqliteStore;

    #[test]
    fn the_key_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("mailflow.db")).unwrap();
        let (keeper, _thread) = Keeper::start(Box::new(store)).unwrap();
        let load = || keeper.ask(|store| store.load(Timestamp::MAX)).unwrap().unwrap();
        let first = key(&mut load(), &keeper).unwrap();
        let mut memory = load();
        assert_eq!(memory.facts.len(), 1);
        assert_eq!(key(&mut memory, &keeper).unwrap(), first);
        assert_eq!(memory.facts, [], "nobody else takes it for a learnt fact");
        assert_eq!(first.len(), KEY);
    }

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

    #[test]
    fn what_is_no_key_is_none() {
        assert_eq!(read("00"), None);
        assert_eq!(read(&"zz".repeat(KEY)), None);
        assert_eq!(read(&"0f".repeat(KEY)), Some(vec![15; KEY]));
    }
}
