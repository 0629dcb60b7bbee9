//! What DNS answered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::DomainName;

/// The outcome of one question. NXDOMAIN, NODATA, SERVFAIL, REFUSED and a timeout are five different things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Lookup<T> {
    /// Records were found.
    Found {
        /// The records.
        records: T,
        /// The shortest time to live among them.
        ttl: Duration,
        /// Whether the server says that DNSSEC vouches for it (the AD bit, RFC 4035 3.2.3).
        authentic: bool,
    },
    /// The name exists, but has no record of this type (RFC 2308 2.2).
    NoData {
        /// How long the absence may be remembered.
        ttl: Duration,
    },
    /// The name does not exist (RFC 2308 2.1).
    NxDomain {
        /// How long the absence may be remembered.
        ttl: Duration,
        /// Whether DNSSEC proves it.
        authentic: bool,
    },
    /// The server failed (RFC 1035 4.1.1, RCODE 2).
    ServFail {
        /// Extended errors (RFC 8914), code and text, at most a handful.
        extended: Vec<ExtendedError>,
        /// Whether the same question with checking disabled (CD) was answered: then signatures are at fault.
        answers_unchecked: bool,
    },
    /// The server would not answer (RCODE 5), or answered with another error code.
    Refused {
        /// The RCODE.
        rcode: u16,
    },
    /// Nothing came back in time.
    Timeout,
    /// The server could not be reached: the network said so.
    Unreachable {
        /// What the network said.
        reason: String,
    },
    /// What came back was no DNS answer to our question.
    Malformed {
        /// Why not.
        reason: String,
    },
}

impl<T> Lookup<T> {
    /// The records, where some were found.
    pub fn records(&self) -> Option<&T> {
        match self {
            Self::Found { records, .. } => Some(records),
            _ => None,
        }
    }

    /// The same outcome with the records made into something else.
    pub fn map<U>(self, records_to: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Found {
                records,
                ttl,
                authentic,
            } => Lookup::Found {
                records: records_to(records),
                ttl,
                authentic,
            },
            Self::NoData { ttl } => Lookup::NoData { ttl },
            Self::NxDomain { ttl, authentic } => Lookup::NxDomain { ttl, authentic },
            Self::ServFail {
                extended,
                answers_unchecked,
            } => Lookup::ServFail {
                extended,
                answers_unchecked,
            },
            Self::Refused { rcode } => Lookup::Refused { rcode },
            Self::Timeout => Lookup::Timeout,
            Self::Unreachable { reason } => Lookup::Unreachable { reason },
            Self::Malformed { reason } => Lookup::Malformed { reason },
        }
    }

    /// Whether the server told us something definite about the name: records, no data, or no such name.
    pub fn is_definite(&self) -> bool {
        matches!(
            self,
            Self::Found { .. } | Self::NoData { .. } | Self::NxDomain { .. }
        )
    }

    /// The outcome in a word or two, as people read it.
    pub fn outcome(&self) -> String {
        match self {
            Self::Found { .. } => "found".into(),
            Self::NoData { .. } => "no such record".into(),
            Self::NxDomain { .. } => "NXDOMAIN: the name does not exist".into(),
            Self::ServFail { extended, .. } => match extended.first() {
                Some(error) => format!("SERVFAIL ({error})"),
                None => "SERVFAIL".into(),
            },
            Self::Refused { rcode: 5 } => "REFUSED".into(),
            Self::Refused { rcode } => format!("error code {rcode}"),
            Self::Timeout => "no answer".into(),
            Self::Unreachable { reason } => format!("not reachable: {reason}"),
            Self::Malformed { reason } => format!("malformed answer: {reason}"),
        }
    }
}

/// An extended DNS error (RFC 8914).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtendedError {
    /// INFO-CODE.
    pub code: u16,
    /// EXTRA-TEXT, bounded and cleaned.
    pub text: String,
}

impl ExtendedError {
    /// Whether it says that signatures or keys are wrong (codes 6 to 10; 1, 2, 5, 11 and 12 are lesser kin).
    pub fn is_bogus(&self) -> bool {
        (6..=10).contains(&self.code)
    }

    /// Whether it says that the authoritative servers could not be reached (22, 23).
    pub fn is_unreachable(&self) -> bool {
        matches!(self.code, 22 | 23)
    }
}

impl std::fmt::Display for ExtendedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.code {
            6 => "DNSSEC bogus",
            7 => "signature expired",
            8 => "signature not yet valid",
            9 => "DNSKEY missing",
            10 => "RRSIGs missing",
            22 => "no reachable authority",
            23 => "network error",
            _ => return write!(f, "extended error {} {}", self.code, self.text),
        };
        if self.text.is_empty() {
            f.write_str(name)
        } else {
            write!(f, "{name}: {}", self.text)
        }
    }
}

/// One MX record (RFC 5321 5.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MxRecord {
    /// The lower, the earlier it is tried.
    pub preference: u16,
    /// What stands in the record.
    pub exchange: Exchange,
}

/// The right-hand side of an MX record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exchange {
    /// A host name.
    Host(DomainName),
    /// `.`: this domain takes no mail (RFC 7505).
    Null,
    /// What can never be a mail host: an IP address, `localhost`, a name of odd characters.
    Invalid(String),
}

impl std::fmt::Display for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(name) => name.fmt(f),
            Self::Null => f.write_str("."),
            Self::Invalid(text) => f.write_str(text),
        }
    }
}

/// What the resolver said of a domain's MX.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MxEvidence {
    /// The resolver that answered, or the last one that was asked.
    pub server: SocketAddr,
    /// The records, sorted by preference and name.
    pub answer: Lookup<Vec<MxRecord>>,
}

/// What the resolver said of a host's addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressEvidence {
    /// The resolver that answered, or the last one that was asked.
    pub server: SocketAddr,
    /// A records.
    pub v4: Lookup<Vec<Ipv4Addr>>,
    /// AAAA records.
    pub v6: Lookup<Vec<Ipv6Addr>>,
    /// Where a CNAME led, when the name is an alias (RFC 2181 10.3 forbids that for MX hosts).
    pub alias_of: Option<DomainName>,
}

impl AddressEvidence {
    /// All addresses that can be somebody's mail server, IPv4 first. Hostile or careless DNS also says
    /// `127.0.0.1`, `0.0.0.0` or a multicast group: whoever believed it would talk to himself.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let v4 = self.v4.records().into_iter().flatten().map(|a| IpAddr::V4(*a));
        let v6 = self.v6.records().into_iter().flatten().map(|a| IpAddr::V6(*a));
        v4.chain(v6).filter(|address| is_somebody_elses(*address))
    }
}

fn is_somebody_elses(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let own = address.is_loopback();
    let nobody = match address {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unspecified(),
    };
    !own && !nobody && !address.is_multicast()
}

/// What the name servers of a domain said when asked directly for its MX.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameServerEvidence {
    /// The zone that holds the domain, where it could be found out.
    pub zone: Option<DomainName>,
    /// How the servers were found.
    pub found_by: FoundBy,
    /// One entry an address of a name server; a server without address has one without.
    pub servers: Vec<NameServerAnswer>,
}

/// How the name servers of a domain were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// Our resolver knew.
    Resolver,
    /// The parent zone's servers said so.
    Delegation,
    /// Nobody said so now; they are the ones that were known before.
    Memory,
    /// They could not be found.
    Nothing,
}

/// What one name server said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameServerAnswer {
    /// Its name.
    pub name: DomainName,
    /// The address that was asked; `None` when the name has none.
    pub address: Option<IpAddr>,
    /// The MX records as it has them.
    pub answer: Lookup<Vec<MxRecord>>,
    /// Whether it claims authority (the AA bit); a server without is lame.
    pub authoritative: bool,
    /// How long it took.
    pub elapsed: Duration,
}

impl NameServerAnswer {
    /// Whether the server does its work for the domain: a definite answer, with authority.
    pub fn serves(&self) -> bool {
        self.authoritative && self.answer.is_definite()
    }
}

/// Whether one of our own resolvers works: it was asked for the root's name servers, which all know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolverEvidence {
    /// How many name servers of the root it named.
    pub answer: Lookup<usize>,
}
