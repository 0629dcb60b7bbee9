//! Routes: when somebody at a destination is asked for, and the verdicts on mail that clients send there.

use std::sync::Arc;

use jiff::Timestamp;

use super::Monitor;
use super::publish::Draft;
use crate::diagnosis::{self, Doubt, Others};
use crate::inventory::Route;
use crate::model::{ClientId, DomainName, Recipient, State, Subject, Target};
use crate::probe::Detail;

impl Monitor {
    pub(super) fn judge_route(&mut self, client: &ClientId, to: &DomainName, now: Timestamp) {
        let Some(route) = self.picture.inventory.route(client, to).cloned() else {
            return;
        };
        if let Some(recipient) = &route.recipient {
            self.follow_recipient(recipient, now);
        }
        let mut doubt = Doubt::default();
        let provider = self.picture.provider_of(to);
        let provider = provider.map(|provider| Arc::clone(&provider.name));
        let outage = provider.as_ref().and_then(|provider| self.outages.get(provider));
        let others = self.others(&route);
        let judged = diagnosis::route(&self.picture, &self.own, outage, &route, others, now, &mut doubt);
        self.wait_for_provider(to, provider, &judged, &mut doubt);
        let target = route.target();
        if self.is_first_sight(&target, &judged) {
            self.held.insert(target);
            return;
        }
        let said_until = self.picture.reports_end(client, to, now);
        let soonest = judged.accepted_until.into_iter().chain(said_until).min();
        self.settle(target.clone(), Draft::from(judged), &doubt, now);
        self.follow_way(&target, to, now);
        let of_recipient = route
            .recipient
            .iter()
            .cloned()
            .map(Box::new)
            .map(Subject::Recipient);
        let subjects = std::iter::once(Subject::Mx(to.clone())).chain(of_recipient);
        self.recheck_when_stale(&target, subjects, soonest, now);
    }

    /// What the other clients' routes to the same destination show.
    fn others(&self, route: &Route) -> Others {
        let to = &route.destination.name;
        let others = self.picture.inventory.routes_to(to);
        let others: Vec<Target> = others
            .filter(|other| other.client != route.client)
            .map(|other| other.target())
            .collect();
        let flows = |target: &&Target| {
            let verdict = self.verdicts.get(*target);
            verdict.is_some_and(|verdict| verdict.state == State::Flowing)
        };
        Others {
            clients: others.len(),
            flowing: others.iter().filter(flows).count(),
        }
    }

    /// Asks for somebody once a server is known that takes mail, under that server's budget.
    pub(super) fn follow_recipient(&mut self, recipient: &Recipient, now: Timestamp) {
        let peers = self.picture.recipient_peers(recipient);
        let Some((first, _)) = peers.first() else {
            return;
        };
        let subject = Subject::Recipient(Box::new(recipient.clone()));
        if self.asked_at.get(recipient) != Some(first) || !self.agenda.watches(&subject) {
            self.asked_at.insert(recipient.clone(), *first);
            self.watch(&subject, now);
        }
    }

    /// What the probe of a recipient needs to know.
    pub(super) fn recipient_detail(&self, recipient: &Recipient) -> Detail {
        let settings = self.settings(&Subject::Recipient(Box::new(recipient.clone())));
        Detail::Recipient {
            peers: self.picture.recipient_peers(recipient),
            patience: settings.greeting_timeout.max(settings.timeout),
        }
    }

    /// What the probe of a sending address needs to know.
    pub(super) fn sender_detail(&self, client: &ClientId, address: std::net::IpAddr) -> Detail {
        let inventory = &self.picture.inventory;
        let of = inventory.clients.get(client);
        let domains = inventory.sending_domains(client);
        Detail::Sender {
            greets_as: of.and_then(|of| of.greets_as.get(&address).cloned()),
            domains: domains.map(|domain| domain.name.clone()).collect(),
        }
    }

    /// The sending addresses that matter: those of clients that have a route.
    pub(super) fn sending_addresses(&self) -> Vec<Subject> {
        let inventory = &self.picture.inventory;
        let clients = inventory.clients.values();
        let routed = clients.filter(|client| inventory.routes_of(&client.id).next().is_some());
        let all = routed.flat_map(|client| {
            let addresses = client.senders.iter();
            addresses.map(|address| Subject::Sender(client.id.clone(), *address))
        });
        all.collect()
    }

    /// The routes that stand on a client's own side.
    pub(super) fn routes_from(&self, client: &ClientId) -> impl Iterator<Item = Target> + use<> {
        let routes = self.picture.inventory.routes_of(client);
        let targets: Vec<Target> = routes.map(|route| route.target()).collect();
        targets.into_iter()
    }

    /// Forgets routes and recipients that are no longer configured. `before` are the routes of before.
    pub(super) fn drop_routes(&mut self, before: &crate::inventory::Inventory) {
        let inventory = Arc::clone(&self.picture.inventory);
        let gone = before
            .routes
            .keys()
            .filter(|key| !inventory.routes.contains_key(*key));
        for (client, to) in gone {
            self.drop_target(&Target::Route(client.clone(), to.clone()));
        }
        let gone = before.recipients.keys();
        let gone = gone.filter(|one| !inventory.recipients.contains_key(*one));
        for recipient in gone {
            self.asked_at.remove(recipient);
            self.unwatch(&Subject::Recipient(Box::new(recipient.clone())));
        }
        for (client, of) in &before.clients {
            for address in &of.senders {
                let subject = Subject::Sender(client.clone(), *address);
                if !self.sending_addresses().contains(&subject) {
                    self.unwatch(&subject);
                }
            }
        }
        // Settings may have changed, or the server that is asked.
        let kept: Vec<Recipient> = self.asked_at.keys().cloned().collect();
        for recipient in kept {
            self.asked_at.remove(&recipient);
        }
    }

    pub(super) fn unwatch(&mut self, subject: &Subject) {
        self.agenda.unwatch(subject);
        self.picture.forget(subject);
        self.refusals.remove(subject);
    }
}
