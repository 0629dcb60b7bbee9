//! Routes: mail that a client sends to somebody. Their destinations are watched like domains, and those of many
//! clients' routes to one destination share its probes (`semantics` 1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Domain, Inventory, settle_domain, strictest};
use crate::config::{self, MailAddress, ResolvedProbe};
use crate::model::{ClientId, DomainName, ProbeKind, Recipient, Target};

/// Mail that a client sends to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Who sends.
    pub client: ClientId,
    /// The destination, as far as it matters to senders.
    pub destination: Arc<Domain>,
    /// Somebody there who agreed to be asked for.
    pub recipient: Option<Recipient>,
}

impl Route {
    /// What its verdict is about.
    pub fn target(&self) -> Target {
        Target::Route(self.client.clone(), self.destination.name.clone())
    }

    /// As people name it: `from ACME Ltd to partner.test`.
    pub fn label(&self, inventory: &Inventory) -> String {
        let from = inventory.client_name(&self.client);
        format!("from {from} to {}", self.destination.name)
    }
}

impl Inventory {
    /// Adds a route that no configuration names, or another recipient to one that it does.
    pub fn add_route(
        &mut self,
        config: &config::Config,
        client: &ClientId,
        to: &DomainName,
        recipient: Option<&MailAddress>,
    ) {
        let Some(of) = config.clients.iter().find(|one| one.id == *client) else {
            return;
        };
        let known = of.routes.iter().find(|route| route.to == *to);
        let mut route = known.cloned().unwrap_or_else(|| config::Route::new(to.clone()));
        if let Some(recipient) = recipient {
            route.recipient = Some(recipient.clone());
        }
        self.take_route(config, of, &route);
    }

    /// Adds somebody at a domain who agreed to be asked for.
    pub fn add_recipient(&mut self, config: &config::Config, recipient: &MailAddress) {
        let asked = ask_for(recipient, None);
        self.recipients
            .insert(asked.clone(), config.probes.resolve(ProbeKind::Recipient, &[]));
        if let Some(domain) = self.domains.get_mut(&asked.domain) {
            Arc::make_mut(domain).recipient = Some(Box::new(asked));
        }
    }

    /// Keeps only some routes, and the recipients that are asked for on these or at a domain.
    pub fn only_routes(&mut self, wanted: impl Fn(&Route) -> bool) {
        self.routes.retain(|_, route| wanted(route));
        let routes = &self.routes;
        self.senders_to.retain(|to, clients| {
            clients.retain(|client| routes.contains_key(&(client.clone(), to.clone())));
            !clients.is_empty()
        });
        let of_routes = self.routes.values().filter_map(|route| route.recipient.clone());
        let of_domains = self
            .domains
            .values()
            .filter_map(|domain| domain.recipient.as_deref().cloned());
        let asked: BTreeSet<Recipient> = of_routes.chain(of_domains).collect();
        self.recipients.retain(|recipient, _| asked.contains(recipient));
    }

    /// The routes to a destination.
    pub fn routes_to<'a>(&'a self, destination: &'a DomainName) -> impl Iterator<Item = &'a Arc<Route>> {
        let names = self.senders_to.get(destination).into_iter().flatten();
        names.filter_map(move |client| self.route(client, destination))
    }

    /// The routes of a client.
    pub fn routes_of<'a>(&'a self, client: &'a ClientId) -> impl Iterator<Item = &'a Arc<Route>> {
        self.routes.values().filter(move |route| route.client == *client)
    }

    /// The route that is meant.
    pub fn route(&self, client: &ClientId, destination: &DomainName) -> Option<&Arc<Route>> {
        self.routes.get(&(client.clone(), destination.clone()))
    }

    /// Every client that mail to a domain matters to: whose it is, and who sends there.
    pub fn clients_of<'a>(&'a self, name: &'a DomainName) -> impl Iterator<Item = &'a ClientId> {
        let owner = self.domains.get(name).and_then(|domain| domain.client.as_ref());
        owner
            .into_iter()
            .chain(self.senders_to.get(name).into_iter().flatten())
    }

    /// The domains that a client sends mail for.
    pub fn sending_domains<'a>(&'a self, client: &'a ClientId) -> impl Iterator<Item = &'a Arc<Domain>> {
        let own = move |domain: &&Arc<Domain>| domain.sends && domain.client.as_ref() == Some(client);
        self.domains.values().filter(own)
    }

    /// Takes in every route of a configuration.
    pub(super) fn take_routes(&mut self, config: &config::Config) {
        for client in &config.clients {
            for route in &client.routes {
                self.take_route(config, client, route);
            }
        }
    }

    fn take_route(&mut self, config: &config::Config, client: &config::Client, route: &config::Route) {
        let mut named = config::Domain::new(route.to.clone());
        named.probes = route.probes.clone();
        let asked = Domain {
            client: None,
            is_destination: true,
            ..settle_domain(config, Some(client), &named)
        };
        let watched = if let Some(known) = self.domains.get_mut(&route.to) {
            Arc::make_mut(known).quicken(&asked);
            Arc::clone(known)
        } else {
            let new = Arc::new(asked);
            self.domains.insert(route.to.clone(), Arc::clone(&new));
            new
        };
        let recipient = route
            .recipient
            .as_ref()
            .map(|to| ask_for(to, route.mail_from.as_ref()));
        if let Some(recipient) = &recipient {
            let levels = [&client.probes, &route.probes];
            let settings = config.probes.resolve(ProbeKind::Recipient, &levels);
            let known = self.recipients.get(recipient).cloned();
            let joined = known.map_or_else(|| settings.clone(), |known| strictest(known, &settings));
            self.recipients.insert(recipient.clone(), joined);
        }
        let settled = Route {
            client: client.id.clone(),
            destination: Arc::new(watched.as_destination()),
            recipient,
        };
        self.senders_to
            .entry(route.to.clone())
            .or_default()
            .insert(client.id.clone());
        self.routes
            .insert((client.id.clone(), route.to.clone()), Arc::new(settled));
    }
}

impl Domain {
    /// The same, as far as it matters to those who send there.
    fn as_destination(&self) -> Self {
        Self {
            is_destination: true,
            receives: true,
            services: Vec::new(),
            dkim_selectors: Vec::new(),
            recipient: None,
            ..self.clone()
        }
    }

    /// Lets one more have its say in how it is probed.
    fn quicken(&mut self, other: &Self) {
        let join = |one: &mut ResolvedProbe, other: &ResolvedProbe| *one = strictest(one.clone(), other);
        let probes = Arc::make_mut(&mut self.probes);
        join(&mut probes.dns, &other.probes.dns);
        join(&mut probes.nameserver, &other.probes.nameserver);
        join(&mut probes.smtp, &other.probes.smtp);
        join(&mut probes.host, &other.probes.host);
        join(&mut probes.policy, &other.probes.policy);
    }
}

fn ask_for(to: &MailAddress, from: Option<&MailAddress>) -> Recipient {
    Recipient {
        domain: to.domain().clone(),
        address: to.to_string().into(),
        from: from.map(ToString::to_string).unwrap_or_default().into(),
    }
}

/// The maps that [`Inventory`] keeps of routes.
pub(super) type Routes = BTreeMap<(ClientId, DomainName), Arc<Route>>;
