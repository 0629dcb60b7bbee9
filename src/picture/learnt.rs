//! Facts that were learnt from the world and outlive a restart (`semantics` 8): after two answers that agree,
//! a domain's MX set, and what a server once offered; the MTA-STS policy that senders remember; and of gateways that
//! they answer, how long that usually takes and for how long they have been up.
//!
//! What changes all the time is written down seldom: only when what the store holds would mislead.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::boot::Boot;
use super::mx_set::MxSet;
use super::offers::{Offered, Offers};
use crate::inventory::{Gateway, Inventory};
use crate::model::policy::HeldPolicy;
use crate::model::{ClientId, DomainName};

/// A policy that was read anew is written down when what the store holds is older than this part of its life ...
const STALE_PART: i32 = 10;
/// ... or than this.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// The usual delay is written down when it differs from what the store holds by this part of it and this much.
const DELAY_PART: u32 = 10;
const DELAY_BY: Duration = Duration::from_millis(1);

/// One fact about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Fact<T> {
    /// What is held to be so.
    held: Option<T>,
    /// What was seen last, waiting for a second answer that agrees.
    seen: Option<T>,
}

impl<T> Default for Fact<T> {
    fn default() -> Self {
        Self {
            held: None,
            seen: None,
        }
    }
}

impl<T: Clone + PartialEq> Fact<T> {
    /// Learns only what nothing is held of yet: a change must be approved. Returns whether it was learnt now.
    fn see(&mut self, value: &T) -> bool {
        if self.held.is_some() {
            return false;
        }
        if self.seen.as_ref() == Some(value) {
            self.held = self.seen.take();
            return true;
        }
        self.seen = Some(value.clone());
        false
    }
}

/// A gateway by its name.
type GatewayKey = (ClientId, Arc<str>);

/// A fact of a gateway, and where that was: another address is another line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct At<T> {
    address: String,
    fact: T,
}

/// A policy that senders remember, as it was read last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeptPolicy {
    held: HeldPolicy,
    /// When the one in the store was read.
    written: Timestamp,
}

/// All learnt facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learnt {
    mx: BTreeMap<DomainName, Fact<MxSet>>,
    starttls: BTreeMap<SocketAddr, Fact<bool>>,
    offers: BTreeMap<SocketAddr, Offers>,
    gateways: BTreeSet<GatewayKey>,
    sts: BTreeMap<DomainName, KeptPolicy>,
    /// As they stand in the store.
    delays: BTreeMap<GatewayKey, At<Duration>>,
    boots: BTreeMap<GatewayKey, At<Boot>>,
}

/// Where a fact stands in the store: what it is about, and what kind it is.
pub type FactKey = (String, &'static str);

/// A fact that was learnt just now, for the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum NewFact {
    /// A domain's MX set.
    Mx {
        /// Whose.
        domain: DomainName,
        /// The set.
        set: MxSet,
    },
    /// An address offers STARTTLS.
    Starttls {
        /// Where.
        address: SocketAddr,
    },
    /// What an address offers besides.
    Offers {
        /// Where.
        address: SocketAddr,
        /// The most that it offered.
        offered: Offered,
    },
    /// A gateway has answered its checks: from now on it can fail them (`semantics` 13).
    Gateway {
        /// Whose.
        client: ClientId,
        /// Which.
        name: Arc<str>,
    },
    /// The MTA-STS policy that senders go by who have read it (RFC 8461 5.1).
    Sts {
        /// Whose.
        domain: DomainName,
        /// The policy, with when it was read.
        held: HeldPolicy,
    },
    /// How long pings to a gateway usually take.
    Delay {
        /// Whose.
        client: ClientId,
        /// Which.
        name: Arc<str>,
        /// Where it was, as configured.
        address: String,
        /// The usual round-trip time.
        usual: Duration,
    },
    /// For how long a gateway has been up.
    Uptime {
        /// Whose.
        client: ClientId,
        /// Which.
        name: Arc<str>,
        /// Where it was, as configured.
        address: String,
        /// What its agent told.
        boot: Boot,
    },
}

impl NewFact {
    /// Its place in the store.
    pub fn key(&self) -> FactKey {
        match self {
            Self::Mx { domain, .. } => (domain.to_string(), "mx"),
            Self::Starttls { address } => (address.to_string(), "starttls"),
            Self::Offers { address, .. } => (address.to_string(), "offers"),
            Self::Gateway { client, name } => (format!("{client}/{name}"), "gateway"),
            Self::Sts { domain, .. } => (domain.to_string(), "sts"),
            Self::Delay { client, name, .. } => (format!("{client}/{name}"), "delay"),
            Self::Uptime { client, name, .. } => (format!("{client}/{name}"), "uptime"),
        }
    }
}

impl Learnt {
    /// Takes back what the store kept.
    pub fn restore(facts: impl IntoIterator<Item = NewFact>) -> Self {
        let mut learnt = Self::default();
        for fact in facts {
            match fact {
                NewFact::Mx { domain, set } => {
                    learnt.mx.insert(
                        domain,
                        Fact {
                            held: Some(set),
                            seen: None,
                        },
                    );
                }
                NewFact::Starttls { address } => {
                    learnt.starttls.insert(
                        address,
                        Fact {
                            held: Some(true),
                            seen: None,
                        },
                    );
                }
                NewFact::Offers { address, offered } => {
                    let held = Some(offered);
                    let known = Offers {
                        held,
                        ..Offers::default()
                    };
                    learnt.offers.insert(address, known);
                }
                NewFact::Gateway { client, name } => {
                    learnt.gateways.insert((client, name));
                }
                NewFact::Sts { domain, held } => {
                    let written = held.fetched;
                    learnt.sts.insert(domain, KeptPolicy { held, written });
                }
                NewFact::Delay {
                    client,
                    name,
                    address,
                    usual: fact,
                } => {
                    learnt.delays.insert((client, name), At { address, fact });
                }
                NewFact::Uptime {
                    client,
                    name,
                    address,
                    boot: fact,
                } => {
                    learnt.boots.insert((client, name), At { address, fact });
                }
            }
        }
        learnt
    }

    /// The MX set that a domain is known to have.
    pub fn mx(&self, domain: &DomainName) -> Option<&MxSet> {
        self.mx.get(domain)?.held.as_ref()
    }

    /// A set was seen.
    pub fn see_mx(&mut self, domain: &DomainName, set: &MxSet) -> Option<NewFact> {
        let learnt = self.mx.entry(domain.clone()).or_default().see(set);
        learnt.then(|| NewFact::Mx {
            domain: domain.clone(),
            set: set.clone(),
        })
    }

    /// A person approved the set that a domain has now.
    pub fn approve_mx(&mut self, domain: &DomainName, set: MxSet) -> NewFact {
        self.mx.insert(
            domain.clone(),
            Fact {
                held: Some(set.clone()),
                seen: None,
            },
        );
        NewFact::Mx {
            domain: domain.clone(),
            set,
        }
    }

    /// Whether an address is known to offer STARTTLS.
    pub fn offers_starttls(&self, address: SocketAddr) -> bool {
        self.starttls
            .get(&address)
            .is_some_and(|fact| fact.held == Some(true))
    }

    /// STARTTLS was offered.
    pub fn see_starttls(&mut self, address: SocketAddr) -> Option<NewFact> {
        let learnt = self.starttls.entry(address).or_default().see(&true);
        learnt.then_some(NewFact::Starttls { address })
    }

    /// The most that an address has offered, and what it offers lately.
    pub fn offers(&self, address: SocketAddr) -> Option<(Offered, Offered)> {
        let known = self.offers.get(&address)?;
        known.held.zip(known.agreed)
    }

    /// An answer to EHLO offered this.
    pub fn see_offers(&mut self, address: SocketAddr, offered: Offered) -> Option<NewFact> {
        let offered = self.offers.entry(address).or_default().see(offered)?;
        Some(NewFact::Offers { address, offered })
    }

    /// A person approved what an address offers lately, where that is less than it did.
    pub fn approve_offers(&mut self, address: SocketAddr) -> Option<NewFact> {
        let known = self.offers.get_mut(&address)?;
        let offered = known.agreed?;
        let less = known.held.replace(offered) != Some(offered);
        less.then_some(NewFact::Offers { address, offered })
    }

    /// Whether a gateway has ever answered its checks.
    pub fn gateway_answered(&self, client: &ClientId, name: &Arc<str>) -> bool {
        self.gateways.contains(&(client.clone(), Arc::clone(name)))
    }

    /// A gateway answered its checks.
    pub fn see_gateway(&mut self, client: &ClientId, name: &Arc<str>) -> Option<NewFact> {
        let new = self.gateways.insert((client.clone(), Arc::clone(name)));
        new.then(|| NewFact::Gateway {
            client: client.clone(),
            name: Arc::clone(name),
        })
    }

    /// The MTA-STS policy of a domain that was read last, if senders may still remember one.
    pub fn sts(&self, domain: &DomainName) -> Option<&HeldPolicy> {
        self.sts.get(domain).map(|kept| &kept.held)
    }

    /// A policy was read, or is still remembered.
    pub fn see_sts(&mut self, domain: &DomainName, held: &HeldPolicy) -> Option<NewFact> {
        let in_store = self
            .sts
            .get(domain)
            .filter(|kept| kept.held.id == held.id && kept.held.policy == held.policy)
            .map(|kept| kept.written)
            .filter(|written| !is_stale(*written, held));
        let kept = KeptPolicy {
            held: held.clone(),
            written: in_store.unwrap_or(held.fetched),
        };
        self.sts.insert(domain.clone(), kept);
        in_store.is_none().then(|| NewFact::Sts {
            domain: domain.clone(),
            held: held.clone(),
        })
    }

    /// Nobody remembers a policy of that domain any more. Gives what the store is to forget.
    pub fn forget_sts(&mut self, domain: &DomainName) -> Option<FactKey> {
        self.sts.remove(domain).map(|_| (domain.to_string(), "sts"))
    }

    /// How long pings to a gateway usually take, as far as that was learnt at its present address.
    pub fn usual_delay(&self, gateway: &Gateway) -> Option<Duration> {
        here(&self.delays, gateway).copied()
    }

    /// What is usual of a gateway now.
    pub fn see_delay(&mut self, gateway: &Gateway, usual: Duration) -> Option<NewFact> {
        let near = |before: &Duration| usual.abs_diff(*before) <= *before / DELAY_PART + DELAY_BY;
        if here(&self.delays, gateway).is_some_and(near) {
            return None;
        }
        let (key, at) = place(gateway, usual);
        self.delays.insert(key.clone(), at.clone());
        Some(NewFact::Delay {
            client: key.0,
            name: key.1,
            address: at.address,
            usual,
        })
    }

    /// When a gateway started, as far as that was learnt at its present address.
    pub(super) fn boot(&self, gateway: &Gateway) -> Option<Boot> {
        here(&self.boots, gateway).copied()
    }

    /// What a gateway's agent has told of its uptime.
    pub fn see_boot(&mut self, gateway: &Gateway, boot: Boot) -> Option<NewFact> {
        if here(&self.boots, gateway).is_some_and(|before| before.tells_as_much_as(&boot)) {
            return None;
        }
        let (key, at) = place(gateway, boot);
        self.boots.insert(key.clone(), at.clone());
        Some(NewFact::Uptime {
            client: key.0,
            name: key.1,
            address: at.address,
            boot,
        })
    }

    /// Forgets domains and gateways that are not in the configuration. Gives what the store is to forget.
    pub fn forget_strangers(&mut self, inventory: &Inventory) -> Vec<FactKey> {
        let mut gone = Vec::new();
        let strange = |name: &DomainName| !inventory.domains.contains_key(name);
        let mx = self.mx.extract_if(.., |name, _| strange(name));
        gone.extend(mx.map(|(name, _)| (name.to_string(), "mx")));
        let sts = self.sts.extract_if(.., |name, _| strange(name));
        gone.extend(sts.map(|(name, _)| (name.to_string(), "sts")));
        let strange = |(client, name): &GatewayKey| inventory.gateway(client, name).is_none();
        let called = |(client, name): GatewayKey| format!("{client}/{name}");
        let gateways = self.gateways.extract_if(.., |key| strange(key));
        gone.extend(gateways.map(|key| (called(key), "gateway")));
        let delays = self.delays.extract_if(.., |key, _| strange(key));
        gone.extend(delays.map(|(key, _)| (called(key), "delay")));
        let boots = self.boots.extract_if(.., |key, _| strange(key));
        gone.extend(boots.map(|(key, _)| (called(key), "uptime")));
        gone
    }
}

/// Whether what the store holds of a policy is so old that a daemon that starts from it would forget it too early.
fn is_stale(written: Timestamp, held: &HeldPolicy) -> bool {
    let life = SignedDuration::try_from(held.policy.max_age).unwrap_or(SignedDuration::MAX);
    held.fetched.duration_since(written) > (life / STALE_PART).min(STALE_AFTER)
}

/// A fact of a gateway where it is now.
fn here<'a, T>(facts: &'a BTreeMap<GatewayKey, At<T>>, gateway: &Gateway) -> Option<&'a T> {
    let at = facts.get(&(gateway.client.clone(), Arc::clone(&gateway.name)))?;
    (at.address == gateway.address.to_string()).then_some(&at.fact)
}

fn place<T>(gateway: &Gateway, fact: T) -> (GatewayKey, At<T>) {
    let at = At {
        address: gateway.address.to_string(),
        fact,
    };
    ((gateway.client.clone(), Arc::clone(&gateway.name)), at)
}

#[cfg(test)]
mod tests;
