//! SPF as a receiver checks it: whether one address may send for a domain (RFC 7208 4).

use std::net::IpAddr;

use super::Looker;
use super::sender::{confirms, names_of};
use crate::model::DomainName;
use crate::model::dns::Lookup;
use crate::model::policy::expand::{self, expand};
use crate::model::policy::spf::{Lengths, SpfKind, SpfRecord, SpfTarget, SpfTerm, agree, is_spf};
use crate::model::policy::tags::short;
use crate::model::sender::{SpfCheck, SpfResult};
use crate::net::Net;
use crate::net::dns::{RecordData, RecordType};
use crate::probe::ask::LocalFault;

/// Terms that may cost a lookup, lookups that may find nothing, hosts that `mx` and names that `ptr` may lead to
/// (RFC 7208 4.6.4).
const MOST_LOOKUPS: u32 = 10;
const MOST_VOID: u32 = 2;
const MOST_MX: usize = 10;
const MOST_PTR: usize = 10;

/// The local part that stands in where none is known (RFC 7208 4.3).
const LOCAL_PART: &str = "postmaster";

/// Checks whether `address` may send for `domain`.
pub(super) async fn check<N: Net>(
    looker: &Looker<'_, N>,
    domain: &DomainName,
    address: IpAddr,
) -> Result<SpfCheck, LocalFault> {
    let mut checking = Checking {
        looker,
        address,
        sender: domain,
        lookups: 0,
        void: 0,
    };
    let (result, because) = match checking.domain(domain).await {
        Ok(said) => (said.result, said.term),
        Err(Stop::Temp(reason)) => (SpfResult::TempError, Some(reason)),
        Err(Stop::Perm(reason)) => (SpfResult::PermError, Some(reason)),
        Err(Stop::Local(fault)) => return Err(fault),
    };
    Ok(SpfCheck {
        domain: domain.clone(),
        result,
        because,
    })
}

/// Why a check ends early.
enum Stop {
    Temp(String),
    Perm(String),
    Local(LocalFault),
}

impl From<LocalFault> for Stop {
    fn from(fault: LocalFault) -> Self {
        Self::Local(fault)
    }
}

/// What one record says.
struct Said {
    result: SpfResult,
    term: Option<String>,
}

struct Checking<'a, N> {
    looker: &'a Looker<'a, N>,
    address: IpAddr,
    sender: &'a DomainName,
    lookups: u32,
    void: u32,
}

impl<N: Net> Checking<'_, N> {
    /// Follows the record of a domain. It ends: every further record costs a lookup, and those are numbered.
    async fn domain(&mut self, domain: &DomainName) -> Result<Said, Stop> {
        let Some(record) = self.record(domain).await? else {
            return Ok(Said {
                result: SpfResult::None,
                term: None,
            });
        };
        for term in &record.mechanisms {
            if self.matches(domain, term).await? {
                return Ok(Said {
                    result: meaning(term.qualifier),
                    term: Some(short(&term.text)),
                });
            }
        }
        let Some(redirect) = &record.redirect else {
            return Ok(Said {
                result: SpfResult::Neutral,
                term: None,
            });
        };
        self.count(redirect)?;
        let SpfKind::Redirect(target) = &redirect.kind else {
            return Err(Stop::Perm(short(&redirect.text)));
        };
        let target = self.name(domain, target, redirect)?;
        let said = Box::pin(self.domain(&target)).await?;
        if said.result == SpfResult::None {
            return Err(Stop::Perm(format!("{target} has no SPF record")));
        }
        Ok(said)
    }

    async fn record(&self, domain: &DomainName) -> Result<Option<SpfRecord>, Stop> {
        let texts = self.looker.texts(domain, is_spf).await?;
        let records = match texts.records() {
            Some(records) => records.as_slice(),
            None if texts.is_definite() => &[],
            None => return Err(Stop::Temp(format!("{domain}: {}", texts.outcome()))),
        };
        match records {
            [] => Ok(None),
            [one] => SpfRecord::parse(one)
                .map(Some)
                .map_err(|(term, reason)| Stop::Perm(format!("\"{term}\" of {domain}: {reason}"))),
            several => Err(Stop::Perm(format!(
                "{domain} has {} SPF records, and only one may be",
                several.len()
            ))),
        }
    }

    async fn matches(&mut self, domain: &DomainName, term: &SpfTerm) -> Result<bool, Stop> {
        if term.kind.costs_a_lookup() {
            self.count(term)?;
        }
        match &term.kind {
            SpfKind::All => Ok(true),
            SpfKind::Ip(network, length) => Ok(agree(*network, self.address, *length)),
            SpfKind::A(target, lengths) => {
                let name = self.name(domain, target, term)?;
                let found = self.addresses(&name).await?;
                self.note_void(found.is_empty())?;
                Ok(self.is_near(&found, *lengths))
            }
            SpfKind::Mx(target, lengths) => {
                let name = self.name(domain, target, term)?;
                self.is_near_mx(&name, *lengths).await
            }
            SpfKind::Exists(target) => {
                let name = self.name(domain, target, term)?;
                let found = self.told(&name, RecordType::A, |data| match data {
                    RecordData::A(address) => Some(IpAddr::V4(*address)),
                    _ => None,
                });
                let found = found.await?;
                self.note_void(found.is_empty())?;
                Ok(!found.is_empty())
            }
            SpfKind::Include(target) => {
                let name = self.name(domain, target, term)?;
                let said = Box::pin(self.domain(&name)).await?;
                match said.result {
                    SpfResult::Pass => Ok(true),
                    SpfResult::None => Err(Stop::Perm(format!("{name} has no SPF record"))),
                    _ => Ok(false),
                }
            }
            SpfKind::Ptr => self.is_named_within(domain).await,
            SpfKind::Redirect(_) => Ok(false),
        }
    }

    /// `mx`: whether the address is one of the domain's mail hosts.
    async fn is_near_mx(&mut self, name: &DomainName, lengths: Lengths) -> Result<bool, Stop> {
        let hosts = self.told(name, RecordType::Mx, |data| match data {
            RecordData::Mx(_, exchange) => DomainName::from_dns(exchange).ok(),
            _ => None,
        });
        let hosts = hosts.await?;
        self.note_void(hosts.is_empty())?;
        if hosts.len() > MOST_MX {
            return Err(Stop::Perm(format!("{name} has more than {MOST_MX} MX hosts")));
        }
        for host in hosts {
            let found = self.addresses(&host).await?;
            if self.is_near(&found, lengths) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `ptr`: whether a name of the address that leads back to it lies within the domain (RFC 7208 5.5).
    async fn is_named_within(&mut self, domain: &DomainName) -> Result<bool, Stop> {
        let names = names_of(self.looker, self.address).await?;
        let within = |name: &&DomainName| {
            let above = std::iter::successors(Some((*name).clone()), DomainName::parent);
            above.into_iter().any(|above| above == *domain)
        };
        let named = names.records().into_iter().flatten().take(MOST_PTR);
        for name in named.filter(within) {
            // Whoever does not answer is passed over here.
            if let Ok(true) = confirms(self.looker, name, self.address).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_near(&self, found: &[IpAddr], lengths: Lengths) -> bool {
        let length = if self.address.is_ipv4() {
            lengths.four
        } else {
            lengths.six
        };
        found.iter().any(|one| agree(*one, self.address, length))
    }

    /// The addresses of a name, of the family that is looked for.
    async fn addresses(&self, name: &DomainName) -> Result<Vec<IpAddr>, Stop> {
        let kind = match self.address {
            IpAddr::V4(_) => RecordType::A,
            IpAddr::V6(_) => RecordType::Aaaa,
        };
        self.told(name, kind, |data| match data {
            RecordData::A(address) => Some(IpAddr::V4(*address)),
            RecordData::Aaaa(address) => Some(IpAddr::V6(*address)),
            _ => None,
        })
        .await
    }

    /// What DNS has at a name; nothing where it has nothing.
    async fn told<T>(
        &self,
        name: &DomainName,
        kind: RecordType,
        pick: impl Fn(&RecordData) -> Option<T>,
    ) -> Result<Vec<T>, Stop> {
        match self.looker.ask(name, kind, pick).await? {
            Lookup::Found { records, .. } => Ok(records),
            Lookup::NoData { .. } | Lookup::NxDomain { .. } => Ok(Vec::new()),
            other => Err(Stop::Temp(format!("{name}: {}", other.outcome()))),
        }
    }

    fn name(&self, current: &DomainName, target: &SpfTarget, term: &SpfTerm) -> Result<DomainName, Stop> {
        let sender = expand::Sender {
            address: self.address,
            local: LOCAL_PART,
            domain: self.sender,
            current,
        };
        match target {
            SpfTarget::Own => Ok(current.clone()),
            SpfTarget::Name(name) => Ok(name.clone()),
            SpfTarget::Macro(text) => expand(text, &sender)
                .ok_or_else(|| Stop::Perm(format!("\"{}\" gives no name", short(&term.text)))),
        }
    }

    fn count(&mut self, term: &SpfTerm) -> Result<(), Stop> {
        self.lookups += 1;
        if self.lookups > MOST_LOOKUPS {
            let problem = format!("\"{}\" is one lookup beyond {MOST_LOOKUPS}", short(&term.text));
            return Err(Stop::Perm(problem));
        }
        Ok(())
    }

    fn note_void(&mut self, nothing: bool) -> Result<(), Stop> {
        self.void += u32::from(nothing);
        if self.void > MOST_VOID {
            return Err(Stop::Perm(format!(
                "more than {MOST_VOID} of its lookups find nothing"
            )));
        }
        Ok(())
    }
}

/// What a match means.
fn meaning(qualifier: char) -> SpfResult {
    match qualifier {
        '-' => SpfResult::Fail,
        '~' => SpfResult::SoftFail,
        '?' => SpfResult::Neutral,
        _ => SpfResult::Pass,
    }
}
