//! What DNS answers in the simulated world: our resolver, and the name servers themselves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use super::answer::PATIENCE;
use super::world::{NameServers, World};
use crate::model::dns::{
    AddressEvidence, Exchange, ExtendedError, FoundBy, Lookup, MxEvidence, MxRecord, NameServerAnswer,
    NameServerEvidence, NamedBy, ResolverEvidence,
};
use crate::model::{DomainName, Evidence};

impl World {
    pub(super) fn lookup<T>(&self, domain: &str, found: Option<T>) -> (Lookup<T>, Duration) {
        let quick = Duration::from_millis(20);
        if !self.up() || !self.resolver {
            return (Lookup::Timeout, PATIENCE);
        }
        let servfail = |extended: &[u16], answers_unchecked| Lookup::ServFail {
            extended: extended
                .iter()
                .map(|code| ExtendedError {
                    code: *code,
                    text: String::new(),
                })
                .collect(),
            answers_unchecked,
        };
        if self.resolver_fails || self.remembered.contains(domain) {
            return (servfail(&[], false), quick);
        }
        match self.name_servers.get(domain) {
            Some(NameServers::Down) => return (Lookup::Timeout, PATIENCE),
            Some(NameServers::Unreachable) => return (servfail(&[22], false), PATIENCE),
            Some(NameServers::Bogus) => return (servfail(&[6], true), quick),
            Some(NameServers::Refusing) => return (servfail(&[], false), quick),
            _ => {}
        }
        let ttl = Duration::from_secs(5);
        let answer = match found {
            _ if self.missing.contains(domain) => Lookup::NxDomain {
                ttl,
                authentic: false,
            },
            Some(records) => Lookup::Found {
                records,
                ttl,
                authentic: false,
            },
            None => Lookup::NoData { ttl },
        };
        (answer, quick)
    }

    fn mx_records(&self, domain: &str) -> Option<Vec<MxRecord>> {
        let list = self.mx.get(domain)?;
        let record = |(index, host): (usize, &&'static str)| MxRecord {
            preference: u16::try_from(index * 10).unwrap(),
            exchange: exchange(host),
        };
        Some(list.iter().enumerate().map(record).collect())
    }

    pub(super) fn mx(&self, domain: &DomainName) -> (Evidence, Duration) {
        let (answer, elapsed) = self.lookup(domain.as_str(), self.mx_records(domain.as_str()));
        let answer = signed(answer, !self.tlsa.is_empty());
        (
            Evidence::Mx(Box::new(MxEvidence {
                server: "192.0.2.52:53".parse().unwrap(),
                answer,
            })),
            elapsed,
        )
    }

    pub(super) fn addresses(&self, host: &DomainName) -> (Evidence, Duration) {
        let zone = host.parent().unwrap_or_else(|| host.clone());
        let list = self.hosts.get(host.as_str());
        let zone = if self.name_servers.contains_key(zone.as_str()) {
            zone
        } else {
            host.clone()
        };
        let parse =
            |list: &Vec<&str>| -> Vec<IpAddr> { list.iter().map(|one| one.parse().unwrap()).collect() };
        let all = list.map(parse).unwrap_or_default();
        let v4_list: Vec<Ipv4Addr> = all.iter().filter_map(|one| v4(*one)).collect();
        let v6_list: Vec<Ipv6Addr> = all.iter().filter_map(|one| v6(*one)).collect();
        let found = (!v4_list.is_empty()).then_some(v4_list);
        let (v4, elapsed) = self.lookup(zone.as_str(), found);
        let v6 = match &v4 {
            Lookup::Found { .. } | Lookup::NoData { .. } if !v6_list.is_empty() => Lookup::Found {
                records: v6_list,
                ttl: Duration::from_secs(5),
                authentic: false,
            },
            Lookup::Found { .. } | Lookup::NoData { .. } => Lookup::NoData {
                ttl: Duration::from_secs(5),
            },
            Lookup::NxDomain { ttl, .. } => Lookup::NxDomain {
                ttl: *ttl,
                authentic: false,
            },
            _ => Lookup::Timeout,
        };
        let server = "192.0.2.52:53".parse().unwrap();
        let alias_of = self.aliases.get(host.as_str());
        let alias_of = alias_of.map(|target| DomainName::parse(target).unwrap());
        (
            Evidence::Addresses(Box::new(AddressEvidence {
                server,
                v4,
                v6,
                alias_of,
            })),
            elapsed,
        )
    }

    pub(super) fn name_servers(&self, domain: &DomainName) -> (Evidence, Duration) {
        let state = self
            .name_servers
            .get(domain.as_str())
            .copied()
            .unwrap_or(NameServers::Up);
        let ask = |(index, address): (usize, &&str)| {
            let first = index == 0;
            let down = !self.up() || state.are_silent() || (state == NameServers::OneDown && first);
            let elapsed = if down { PATIENCE } else { Duration::from_millis(20) };
            let answer = if down {
                Lookup::Timeout
            } else {
                self.told_directly(domain, state, first)
            };
            NameServerAnswer {
                name: DomainName::parse(&format!("ns{}.test", index + 1)).unwrap(),
                address: Some(address.parse().unwrap()),
                named_by: NamedBy::Zone,
                authoritative: answer.is_definite() && !(first && state == NameServers::OneLame),
                answer,
                elapsed,
            }
        };
        let servers = ["192.0.2.53", "192.0.2.54"];
        let servers: Vec<NameServerAnswer> = servers.iter().enumerate().map(ask).collect();
        let longest = servers.iter().map(|server| server.elapsed).max().unwrap();
        let evidence = NameServerEvidence {
            zone: Some(domain.clone()),
            found_by: FoundBy::Resolver,
            servers,
            closer: self.closer.get(domain.as_str()).cloned().map(Arc::new),
        };
        (Evidence::NameServers(Box::new(evidence)), longest)
    }

    /// What a name server says that answers.
    fn told_directly(&self, domain: &DomainName, state: NameServers, first: bool) -> Lookup<Vec<MxRecord>> {
        let ttl = Duration::from_secs(5);
        if state == NameServers::Refusing {
            return Lookup::Refused { rcode: 5 };
        }
        if self.missing.contains(domain.as_str()) {
            return Lookup::NxDomain {
                ttl,
                authentic: false,
            };
        }
        let other = vec![MxRecord {
            preference: 10,
            exchange: exchange("mx.forgotten.test"),
        }];
        let records = match state {
            NameServers::Disagreeing if !first => Some(other),
            _ => self.mx_records(domain.as_str()),
        };
        match records {
            Some(records) => Lookup::Found {
                records,
                ttl,
                authentic: false,
            },
            None => Lookup::NoData { ttl },
        }
    }

    /// Whether our resolver answers: it is asked for the root's name servers.
    pub(super) fn resolver(&self) -> (Evidence, Duration) {
        let up = self.up() && self.resolver;
        let answer = if up && self.resolver_fails {
            Lookup::ServFail {
                extended: vec![],
                answers_unchecked: false,
            }
        } else if up {
            Lookup::Found {
                records: 13,
                ttl: Duration::from_mins(1),
                authentic: false,
            }
        } else {
            Lookup::Timeout
        };
        let elapsed = if up { Duration::from_millis(10) } else { PATIENCE };
        (Evidence::Resolver(Box::new(ResolverEvidence { answer })), elapsed)
    }
}

/// What stands in an MX record, as a resolver's client reads it.
fn exchange(text: &str) -> Exchange {
    match DomainName::parse(text) {
        _ if text == "." => Exchange::Null,
        Ok(name) if text.parse::<IpAddr>().is_err() && text != "localhost" => Exchange::Host(name),
        _ => Exchange::Invalid(text.to_owned()),
    }
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    }
}

fn v6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(v6) => Some(v6),
        IpAddr::V4(_) => None,
    }
}

/// The same answer, vouched for by DNSSEC.
pub(super) fn signed<T>(answer: Lookup<T>, authentic: bool) -> Lookup<T> {
    match answer {
        Lookup::Found { records, ttl, .. } => Lookup::Found {
            records,
            ttl,
            authentic,
        },
        other => other,
    }
}
