//! The TLSA records of a mail host (RFC 7672 2.2), and whether DNSSEC vouches for what they stand on.

use aws_lc_rs::digest;

use super::{Looker, below};
use crate::model::DomainName;
use crate::model::dns::Lookup;
use crate::model::policy::{TlsaEvidence, TlsaRecord};
use crate::net::Net;
use crate::net::dns::{RecordData, RecordType};
use crate::probe::ask::{self, LocalFault};

/// Records that are kept.
const MOST_RECORDS: usize = 20;
/// Bytes of a record's data that are kept.
const KEPT: usize = 128;

/// Asks for the records, and where there are authentic ones, for the host's addresses.
pub(super) async fn look<N: Net>(
    looker: &Looker<'_, N>,
    host: &DomainName,
) -> Result<TlsaEvidence, LocalFault> {
    let Some(name) = below("_25._tcp", host) else {
        return Ok(TlsaEvidence {
            answer: Lookup::Malformed {
                reason: "the name is too long to ask for".into(),
            },
            addresses_authentic: false,
        });
    };
    let answer = looker
        .ask(&name, RecordType::Tlsa, record)
        .await?
        .map(|mut records| {
            records.sort();
            records.dedup();
            records.truncate(MOST_RECORDS);
            records
        });
    let left = looker.deadline.left(looker.net);
    let authentic = matches!(answer, Lookup::Found { authentic: true, .. });
    let addresses_authentic = authentic && !left.is_zero() && {
        let told = ask::addresses(looker.net, looker.context, host, left).await?;
        // Behind an alias the records belong to another name, which is not looked at.
        let alias = ask::alias_of(&told.v4.outcome, host).or_else(|| ask::alias_of(&told.v6.outcome, host));
        alias.is_none() && vouched(&told.v4(host), &told.v6(host))
    };
    Ok(TlsaEvidence {
        answer,
        addresses_authentic,
    })
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
