//! What DNS answered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
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

impl Lookup<Vec<MxRecord>> {
    pub(super) fn each_host(&mut self, each: &mut impl FnMut(&mut DomainName)) {
        if let Self::Found { records, .. } = self {
            for record in records {
                if let Exchange::Host(name) = &mut record.exchange {
                    each(name);
                }
            }
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
    /// The last closer look at the zone, this one's own or an earlier one's; `None` before there was any.
    #[serde(default)]
    pub closer: Option<Arc<ZoneLook>>,
}

/// What a zone's parent and its own servers say of who serves it, and which version of it they have. Taken seldom, and
/// carried along in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneLook {
    /// When it was taken.
    pub at: Timestamp,
    /// What the parent zone's servers say; `None` where none of them told, or where they serve the zone themselves.
    pub delegation: Option<Delegated>,
    /// What each of the zone's servers that answered has.
    pub copies: Vec<ZoneCopy>,
}

impl ZoneLook {
    pub(super) fn each_name(&mut self, mut each: impl FnMut(&mut DomainName)) {
        let delegated = self.delegation.iter_mut();
        for (name, _) in delegated.flat_map(|delegated| &mut delegated.servers) {
            each(name);
        }
        for copy in &mut self.copies {
            each(&mut copy.server);
            copy.version.origin.iter_mut().for_each(&mut each);
            copy.servers.iter_mut().for_each(&mut each);
        }
    }

    /// The copies that do not name the servers which the parent names.
    pub fn unlike_parent(&self) -> impl Iterator<Item = &ZoneCopy> {
        let delegated = self.delegation.as_ref();
        let of_parent = move |copy: &&ZoneCopy| {
            let parent = delegated.map(|delegated| delegated.servers.iter().map(|(name, _)| name));
            parent.is_some_and(|parent| !copy.servers.is_empty() && !parent.eq(&copy.servers))
        };
        self.copies.iter().filter(of_parent)
    }

    /// The newest version that a copy is behind of; `None` where it is behind none.
    pub fn ahead_of(&self, copy: &ZoneCopy) -> Option<&ZoneCopy> {
        let ahead = self
            .copies
            .iter()
            .filter(|other| copy.version.is_behind(&other.version));
        ahead.max_by_key(|other| other.version.serial.wrapping_sub(copy.version.serial))
    }

    /// Whether all of it agrees.
    pub fn is_even(&self) -> bool {
        self.unlike_parent().next().is_none() && self.copies.iter().all(|copy| self.ahead_of(copy).is_none())
    }
}

/// A delegation, as a server of the parent zone told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegated {
    /// The server that told it.
    pub by: IpAddr,
    /// The name servers, sorted, each with the addresses that came along (glue); at most sixteen.
    pub servers: Vec<(DomainName, Vec<IpAddr>)>,
}

impl Delegated {
    /// Whether it names that server.
    pub fn names(&self, server: &DomainName) -> bool {
        self.servers.iter().any(|(name, _)| name == server)
    }
}

/// A zone as one of its servers has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneCopy {
    /// The server.
    pub server: DomainName,
    /// Where it was asked.
    pub address: IpAddr,
    /// Its version.
    pub version: ZoneVersion,
    /// The name servers that it names, sorted; empty where it did not say.
    pub servers: Vec<DomainName>,
}

/// The version of a zone, by its SOA record (RFC 1035 3.3.13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneVersion {
    /// The server that the zone comes from: versions of different origins cannot be compared.
    pub origin: Option<DomainName>,
    /// The serial number.
    pub serial: u32,
    /// How often the other servers look for a newer version.
    pub refresh: Duration,
    /// How soon they look again where that failed.
    pub retry: Duration,
}

impl ZoneVersion {
    /// Whether it is older than the other, of the same origin, in the arithmetic of serials (RFC 1982 3.2).
    pub fn is_behind(&self, other: &Self) -> bool {
        let ahead = other.serial.wrapping_sub(self.serial);
        self.origin == other.origin && ahead != 0 && ahead < 1 << 31
    }
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
    /// Who names it, or this address of it.
    #[serde(default)]
    pub named_by: NamedBy,
    /// The MX records as it has them.
    pub answer: Lookup<Vec<MxRecord>>,
    /// Whether it claims authority (the AA bit); a server without is lame.
    pub authoritative: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// Who names a name server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamedBy {
    /// The zone itself, as far as our resolver or the delegation tells.
    #[default]
    Zone,
    /// Only the parent zone: those who begin there are led to it all the same.
    ParentOnly,
}

impl NameServerAnswer {
    /// Whether the server does its work for the domain: a definite answer, with authority.
    pub fn serves(&self) -> bool {
        self.authoritative && self.answer.is_definite()
    }

    /// Whether nothing is known of the server: where it is was asked, and nobody answered. That is our resolver's silence.
    pub fn is_untold(&self) -> bool {
        self.address.is_none() && matches!(self.answer, Lookup::Timeout | Lookup::Unreachable { .. })
    }
}

/// Whether one of our own resolvers works: it was asked for the root's name servers, which all know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolverEvidence {
    /// How many name servers of the root it named.
    pub answer: Lookup<usize>,
}
