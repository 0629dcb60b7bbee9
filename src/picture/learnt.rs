//! Facts that were learnt from the world and outlive a restart (`semantics` 8): after two answers that agree,
//! a domain's MX set, and what a server once offered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::dns::{Exchange, MxRecord};
use crate::model::{ClientId, DomainName};

/// The hosts of an MX set, without preferences. `["."]` is a null MX.
pub type MxSet = BTreeSet<String>;

/// The names of a set of records.
pub fn mx_set(records: &[MxRecord]) -> MxSet {
    records
        .iter()
        .map(|record| match &record.exchange {
            Exchange::Host(name) => name.to_string(),
            other => other.to_string(),
        })
        .collect()
}

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

/// All learnt facts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learnt {
    mx: BTreeMap<DomainName, Fact<MxSet>>,
    starttls: BTreeMap<SocketAddr, Fact<bool>>,
    #[serde(default)]
    offers: BTreeMap<SocketAddr, Offers>,
    gateways: BTreeSet<(ClientId, Arc<str>)>,
}

/// What a server offers besides encryption.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// SIZE (RFC 1870): with which limit in bytes; 0 where it states none.
    pub size: Option<u64>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
}

impl Offered {
    /// The most of both.
    fn merged(self, other: Self) -> Self {
        Self {
            size: self.size.max(other.size),
            eight_bit_mime: self.eight_bit_mime || other.eight_bit_mime,
        }
    }
}

/// What an address has offered. One address may lead to several machines that do not offer the same, so only what two
/// answers in a row agree on counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Offers {
    /// The most that it ever offered.
    held: Option<Offered>,
    /// What was seen last.
    seen: Option<Offered>,
    /// What two answers in a row last agreed on.
    agreed: Option<Offered>,
}

impl Offers {
    /// What is held now, where that is more than before.
    fn see(&mut self, offered: Offered) -> Option<Offered> {
        if self.seen.replace(offered) != Some(offered) {
            return None;
        }
        self.agreed = Some(offered);
        let most = self.held.map_or(offered, |held| held.merged(offered));
        (self.held.replace(most) != Some(most)).then_some(most)
    }
}

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
}

impl NewFact {
    /// What the fact is about, and what kind it is: its place in the store.
    pub fn key(&self) -> (String, &'static str) {
        match self {
            Self::Mx { domain, .. } => (domain.to_string(), "mx"),
            Self::Starttls { address } => (address.to_string(), "starttls"),
            Self::Offers { address, .. } => (address.to_string(), "offers"),
            Self::Gateway { client, name } => (format!("{client}/{name}"), "gateway"),
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

    /// Forgets a domain that left the configuration.
    pub fn forget_domain(&mut self, domain: &DomainName) {
        self.mx.remove(domain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;

    fn offered(size: Option<u64>, eight_bit_mime: bool) -> Offered {
        Offered { size, eight_bit_mime }
    }

    #[test]
    fn what_is_offered_counts_once_two_answers_agree_and_only_grows() {
        let address: SocketAddr = "192.0.2.1:25".parse().unwrap();
        let (small, large) = (offered(Some(10 * MB), false), offered(Some(50 * MB), true));
        let mut learnt = Learnt::default();
        assert_eq!(learnt.see_offers(address, small), None);
        assert_eq!(learnt.see_offers(address, large), None);
        assert_eq!(learnt.offers(address), None);
        let fact = learnt.see_offers(address, large).unwrap();
        assert_eq!(learnt.offers(address), Some((large, large)));
        // One answer of another machine at the same address changes nothing.
        assert_eq!(learnt.see_offers(address, small), None);
        assert_eq!(learnt.offers(address), Some((large, large)));
        assert_eq!(learnt.see_offers(address, small), None);
        assert_eq!(learnt.offers(address), Some((large, small)));
        // A restart remembers the most, and waits for two answers again.
        let mut again = Learnt::restore([fact]);
        assert_eq!(again.offers(address), None);
        again.see_offers(address, small);
        again.see_offers(address, small);
        assert_eq!(again.offers(address), Some((large, small)));
        assert!(again.approve_offers(address).is_some());
        assert_eq!(again.offers(address), Some((small, small)));
        assert_eq!(again.approve_offers(address), None);
    }
}
