//! The TLSA records of a mail host (RFC 7672 2.2), and whether DNSSEC vouches for what they stand on. Those of a host that
//! is an alias stand at what it leads to, or else at its own name (RFC 7672 2.2.3).

use aws_lc_rs::digest;

use super::{Looker, below};
use crate::model::DomainName;
use crate::model::dns::Lookup;
use crate::model::policy::{TlsaEvidence, TlsaRecord};
use crate::net::Net;
use crate::net::dns::{Question, RecordData, RecordType};
use crate::probe::ask::{self, LocalFault};

/// Records that are kept.
const MOST_RECORDS: usize = 20;
/// Bytes of a record's data that are kept.
const KEPT: usize = 128;

/// Asks for the records at the host's own name, and where its zone is signed, for its addresses and for the records where
/// they belong.
pub(super) async fn look<N: Net>(
    looker: &Looker<'_, N>,
    host: &DomainName,
) -> Result<TlsaEvidence, LocalFault> {
    let own = records(looker, host).await?;
    // In a zone that is not signed nothing can count, wherever it leads.
    let signed = matches!(
        own.answer,
        Lookup::Found { authentic: true, .. } | Lookup::NxDomain { authentic: true, .. }
    );
    let left = looker.deadline.left_of(looker.net, 2, 3);
    if !signed || left.is_zero() {
        return Ok(own);
    }
    let told = ask::addresses(looker.net, looker.context, host, left).await?;
    let (v4, v6) = (told.v4(host), told.v6(host));
    if found(&v4).is_none() && found(&v6).is_none() && !v4.is_definite() {
        // Whether records would count is as unknown as the addresses are.
        let answer = v4.map(|_| Vec::new());
        return Ok(TlsaEvidence { answer, ..own });
    }
    let secure = vouched(&v4, &v6);
    let alias = ask::alias_of(&told.v4.outcome, host).or_else(|| ask::alias_of(&told.v6.outcome, host));
    let addresses_authentic = match alias {
        None => secure,
        Some(end) if secure => {
            let there = records(looker, &end).await?;
            if matches!(there.answer, Lookup::Found { authentic: true, .. }) || !there.answer.is_definite() {
                return Ok(TlsaEvidence {
                    addresses_authentic: true,
                    base: Some(end),
                    ..there
                });
            }
            true
        }
        // Into a zone that is not signed: the host's own records count where the alias itself is signed.
        Some(_) => alias_is_signed(looker, host).await?,
    };
    Ok(TlsaEvidence {
        addresses_authentic,
        ..own
    })
}

/// The records at one name, before anything vouches for the way to it.
async fn records<N: Net>(looker: &Looker<'_, N>, host: &DomainName) -> Result<TlsaEvidence, LocalFault> {
    let answer = match below("_25._tcp", host) {
        Some(name) => looker.ask(&name, RecordType::Tlsa, record).await?,
        None => Lookup::Malformed {
            reason: "the name is too long to ask for".into(),
        },
    };
    Ok(TlsaEvidence {
        answer: answer.map(|mut records| {
            records.sort();
            records.dedup();
            records.truncate(MOST_RECORDS);
            records
        }),
        addresses_authentic: false,
        base: None,
    })
}

/// Whether DNSSEC vouches for an alias itself, wherever it leads.
async fn alias_is_signed<N: Net>(looker: &Looker<'_, N>, host: &DomainName) -> Result<bool, LocalFault> {
    let left = looker.deadline.left(looker.net);
    if left.is_zero() {
        return Ok(false);
    }
    let question = Question::recursive(host, RecordType::Cname);
    let told = ask::ask_resolvers(looker.net, looker.context, &question, left).await?;
    Ok(told.outcome.is_ok_and(|answer| answer.authentic))
}

/// Whether there are addresses, and DNSSEC vouches for all of them.
fn vouched<A, B>(v4: &Lookup<A>, v6: &Lookup<B>) -> bool {
    let v4 = found(v4);
    let v6 = found(v6);
    (v4.is_some() || v6.is_some()) && v4 != Some(false) && v6 != Some(false)
}

fn found<T>(lookup: &Lookup<T>) -> Option<bool> {
    match lookup {
        Lookup::Found { authentic, .. } => Some(*authentic),
        _ => None,
    }
}

fn record(data: &RecordData) -> Option<TlsaRecord> {
    let RecordData::Tlsa(usage, selector, matching, bytes) = data else {
        return None;
    };
    Some(TlsaRecord {
        usage: *usage,
        selector: *selector,
        matching: *matching,
        data: hex(&bytes[..bytes.len().min(KEPT)]),
        length: bytes.len(),
        digest: hex(digest::digest(&digest::SHA256, bytes).as_ref()),
    })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}
