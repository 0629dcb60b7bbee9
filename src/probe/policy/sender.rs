//! An address that mail leaves from, as receivers look it up: its name (RFC 1912 2.1), the name that it greets with,
//! and whether SPF lets it send for its client's domains.

use std::net::IpAddr;

use super::{Looker, spf_check};
use crate::model::DomainName;
use crate::model::dns::Lookup;
use crate::model::sender::SenderEvidence;
use crate::net::Net;
use crate::net::dns::{RecordData, RecordType};
use crate::probe::ask::LocalFault;
use crate::probe::helo::reverse_name;

/// Names of one address that are followed; honest ones have one.
const MOST_NAMES: usize = 5;
/// Domains whose SPF is followed for one address.
const MOST_DOMAINS: usize = 50;

/// Looks an address up.
pub(super) async fn look<N: Net>(
    looker: &Looker<'_, N>,
    address: IpAddr,
    greets_as: Option<&DomainName>,
    domains: &[DomainName],
) -> Result<SenderEvidence, LocalFault> {
    let names = names_of(looker, address).await?;
    let (mut confirmed, mut untold) = (None, None);
    for name in names.records().into_iter().flatten().take(MOST_NAMES) {
        match confirms(looker, name, address).await? {
            Ok(true) => {
                confirmed = Some(name.clone());
                break;
            }
            Ok(false) => {}
            Err(reason) => untold = Some(reason),
        }
    }
    let greets = match greets_as {
        Some(name) => Some((name.clone(), confirms(looker, name, address).await?.ok())),
        None => None,
    };
    let mut spf = Vec::with_capacity(domains.len());
    for domain in domains.iter().take(MOST_DOMAINS) {
        spf.push(spf_check::check(looker, domain, address).await?);
    }
    Ok(SenderEvidence {
        names,
        confirmed,
        untold,
        greets,
        spf,
    })
}

/// The names that the PTR records of an address give it.
pub(super) async fn names_of<N: Net>(
    looker: &Looker<'_, N>,
    address: IpAddr,
) -> Result<Lookup<Vec<DomainName>>, LocalFault> {
    let Ok(reverse) = DomainName::from_dns(&reverse_name(address)) else {
        return Ok(Lookup::Malformed {
            reason: "its reverse name cannot be asked for".into(),
        });
    };
    looker
        .ask(&reverse, RecordType::Ptr, |data| match data {
            RecordData::Ptr(name) => Some(name.clone()),
            _ => None,
        })
        .await
}

/// Whether a name leads to an address; within: who could not tell.
pub(super) async fn confirms<N: Net>(
    looker: &Looker<'_, N>,
    name: &DomainName,
    address: IpAddr,
) -> Result<Result<bool, String>, LocalFault> {
    let kind = match address {
        IpAddr::V4(_) => RecordType::A,
        IpAddr::V6(_) => RecordType::Aaaa,
    };
    let found = looker.ask(name, kind, |data| match data {
        RecordData::A(found) => Some(IpAddr::V4(*found)),
        RecordData::Aaaa(found) => Some(IpAddr::V6(*found)),
        _ => None,
    });
    Ok(match found.await? {
        Lookup::Found { records, .. } => Ok(records.contains(&address)),
        Lookup::NoData { .. } | Lookup::NxDomain { .. } => Ok(false),
        other => Err(format!("{name}: {}", other.outcome())),
    })
}
