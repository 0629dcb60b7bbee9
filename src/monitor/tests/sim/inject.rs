//! What each fault does to the simulated world.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::fault::Fault;
use super::published;
use super::world::{List, Server, World};
use crate::model::SmtpStage;
use crate::model::policy::PolicyPart;
use crate::model::snmp::SnmpFailure;

/// The world borrows its words for as long as the tests run.
fn kept(text: &str) -> &'static str {
    text.to_owned().leak()
}

fn all_kept(texts: &[String]) -> Vec<&'static str> {
    texts.iter().map(|text| kept(text)).collect()
}

impl Fault {
    /// Makes it so, at this moment.
    pub fn inject(&self, world: &mut World, now: Timestamp) {
        match self {
            Self::UplinkDead {} => world.uplink = false,
            Self::CableOut {} => world.cut = true,
            Self::Port25Closed {} => world.port25 = false,
            Self::ResolverDead {} => world.resolver = false,
            Self::ResolverFails {} => world.resolver_fails = true,
            Self::ResolverFailsAt { name } => {
                world.remembered.insert(kept(name));
            }
            Self::OwnLine { lost, milliseconds } => {
                world.own_line = (*lost, Duration::from_millis(*milliseconds));
            }
            Self::HasIpv6 {} => world.ipv6 = true,
            Self::WeSpeakFrom { address } => world.source = address.parse().ok(),
            Self::Service { port, is } => {
                world.services.insert(*port, is.server());
            }
            Self::ServiceSays { port, line } => {
                world.services.insert(*port, Server::Greets(kept(line)));
            }
            Self::ServiceCertificate { chain, name, days } => {
                world.service_certificate = (chain.verdict(), name.as_deref().map(kept), *days);
            }
            Self::Listed { addresses } => world.list = List::Of(all_kept(addresses)),
            Self::Blocklist { is } => world.list = is.list(),
            Self::Canary { is } => world.canary = Some(*is),
            Self::Asked { address, at, line } => {
                world.asked.insert(kept(address), (*at, kept(line)));
            }
            Self::Sender { address, is } => {
                world.senders.insert(kept(address), *is);
            }
            _ => self.inject_elsewhere(world, now),
        }
    }

    fn inject_elsewhere(&self, world: &mut World, now: Timestamp) {
        self.inject_at_a_router(world, now);
        self.inject_at_a_server(world);
        self.inject_in_dns(world);
        self.inject_a_policy(world);
    }

    fn inject_at_a_router(&self, world: &mut World, now: Timestamp) {
        match self {
            Self::RouterDead { router } => {
                world.routers.insert(kept(router), false);
            }
            Self::RoutersSilent {} => world.router_pings = false,
            Self::RouterLoses { router, of_five } => {
                world.lossy.insert(kept(router), *of_five);
            }
            Self::RouterSlow { router, milliseconds } => {
                world
                    .slow
                    .insert(kept(router), Duration::from_millis(*milliseconds));
            }
            Self::Agent { router, days } => {
                let started = now.checked_sub(SignedDuration::from_hours(24 * days)).unwrap();
                world.agents.insert(kept(router), Ok(started));
            }
            Self::Restarts { router } => {
                world.agents.insert(kept(router), Ok(now));
            }
            Self::AgentSilent { router } => {
                world.agents.insert(kept(router), Err(SnmpFailure::Silent));
            }
            _ => {}
        }
    }

    fn inject_at_a_server(&self, world: &mut World) {
        let (address, how) = match self {
            Self::Server { address, is } => (address, is.server()),
            Self::Says {
                address,
                at: SmtpStage::Greeting,
                line,
            } => (address, Server::Greets(kept(line))),
            Self::Says { address, at, line } => (address, Server::Says(*at, kept(line))),
            Self::Closes { address, at } => (address, Server::Closes(*at)),
            Self::FallsSilent { address, at } => (address, Server::FallsSilent(*at)),
            Self::Drags { address, at, seconds } => {
                (address, Server::Drags(*at, Duration::from_secs(*seconds)))
            }
            Self::GreetsLate { address, seconds } => (
                address,
                Server::Drags(SmtpStage::Greeting, Duration::from_secs(*seconds)),
            ),
            Self::NoHandshake { address, alert } => {
                (address, Server::NoHandshake(alert.as_deref().map(kept)))
            }
            Self::Certificate {
                address,
                chain,
                name,
                days,
            } => {
                let shown = (chain.verdict(), kept(name), *days);
                world.certificates.insert(kept(address), shown);
                return;
            }
            Self::Key { address, mark } => {
                world.keys.insert(kept(address), published::hashes(*mark));
                return;
            }
            _ => return,
        };
        world.servers.insert(kept(address), how);
    }

    fn inject_in_dns(&self, world: &mut World) {
        match self {
            Self::NameServers { domain, are } => {
                world.name_servers.insert(kept(domain), are.state());
            }
            Self::Missing { name } => {
                world.missing.insert(kept(name));
            }
            Self::Mx { domain, hosts } if hosts.is_empty() => {
                world.mx.remove(domain.as_str());
            }
            Self::Mx { domain, hosts } => {
                world.mx.insert(kept(domain), all_kept(hosts));
            }
            Self::Addresses { host, are } if are.is_empty() => {
                world.hosts.remove(host.as_str());
            }
            Self::Addresses { host, are } => {
                world.hosts.insert(kept(host), all_kept(are));
            }
            Self::Alias { host, of } => {
                world.aliases.insert(kept(host), kept(of));
            }
            _ => {}
        }
    }

    fn inject_a_policy(&self, world: &mut World) {
        let (domain, part, evidence) = match self {
            Self::Spf { domain, record: None } => (domain, PolicyPart::Spf, published::no_spf()),
            Self::Spf {
                domain,
                record: Some(record),
            } => {
                let invalid = published::invalid_spf(domain, record, "there is no such mechanism");
                (domain, PolicyPart::Spf, invalid)
            }
            Self::Dmarc { domain, record } => (domain, PolicyPart::Dmarc, published::dmarc(record)),
            Self::Dkim {
                domain,
                selector,
                record,
            } => (
                domain,
                PolicyPart::Dkim,
                published::dkim(selector, record.as_deref()),
            ),
            Self::Sts {
                domain,
                mode,
                mx,
                fetch,
            } => {
                let served = published::sts(domain, *mode, mx, fetch.outcome());
                (domain, PolicyPart::Sts, served)
            }
            Self::Tlsa { host, mark, usage } => {
                let mut record = published::tlsa(*mark);
                record.usage = usage.unwrap_or(record.usage);
                world.tlsa.insert(kept(host), record);
                return;
            }
            _ => return,
        };
        world.policies.insert((kept(domain), part), evidence);
    }
}
