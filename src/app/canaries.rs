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
        (key, plan(canary))
    });
    Canaries::new(plans.collect())
}

fn plan(canary: &config::Canary) -> Plan {
    let mailbox = &canary.mailbox;
    Plan {
        submit: place(&canary.submit.server, canary.submit.login.as_ref()),
        from: canary.from.to_string().into(),
        to: canary.to.to_string().into(),
        mailbox: place(
            &mailbox.server,
            Some(&(mailbox.username.clone(), mailbox.password.clone())),
        ),
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
