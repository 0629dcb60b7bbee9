//! Who uses which addresses of a provider. A provider's may be thousands, with tens of thousands of domains: this is
//! reckoned once for all of them, and again when something leads elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use foldhash::HashMap;

use super::Picture;
use crate::inventory::Provider;
use crate::model::ClientId;

/// A provider's addresses that somebody's mail goes to, with the clients whom it matters to.
pub type Users = BTreeMap<SocketAddr, BTreeSet<ClientId>>;

/// The users of every provider, by its name.
#[derive(Debug, Clone, Default)]
pub(super) struct AllUsers(OnceLock<HashMap<Arc<str>, Users>>);

static NOBODY: Users = Users::new();

impl AllUsers {
    /// Something leads elsewhere.
    pub(super) fn forget(&mut self) {
        self.0.take();
    }
}

impl Picture {
    /// Who uses which addresses of a provider.
    pub fn users_of(&self, provider: &Provider) -> &Users {
        let all = self.users.0.get_or_init(|| self.reckon_users());
        all.get(&provider.name).unwrap_or(&NOBODY)
    }

    fn reckon_users(&self) -> HashMap<Arc<str>, Users> {
        let mut all: HashMap<Arc<str>, Users> = HashMap::default();
        for host in self.leads.hosts() {
            let Some(provider) = self.inventory.providers.of_host(host) else {
                continue;
            };
            let users = all.entry(Arc::clone(&provider.name)).or_default();
            let domains = self.leads.domains(host);
            let clients: BTreeSet<&ClientId> =
                domains.flat_map(|name| self.inventory.clients_of(name)).collect();
            for address in self.leads.host_addresses(host) {
                let at = users.entry(*address).or_default();
                at.extend(clients.iter().copied().cloned());
            }
        }
        all
    }
}
