//! DNS blocklists (RFC 5782): the self-test that tells whether one can be believed, and what it says of an address.

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use futures_util::future::join4;

use super::ask::{Deadline, LocalFault, look_into};
use super::{Context, Seen};
use crate::model::blocklist::{BlocklistEvidence, ListAnswer, Listing, ListingEvidence, SelfTest};
use crate::model::dns::Lookup;
use crate::model::text::clean;
use crate::model::{DomainName, Evidence};
use crate::net::Net;
use crate::net::dns::{Question, RecordData, RecordType};

/// Characters of a list's own words that are kept.
const LONGEST_REASON: usize = 300;

/// The addresses of the self-test (RFC 5782 5).
const LISTED_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const CLEAN_V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LISTED_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, 2));
const CLEAN_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, 1));

/// Asks a list for the addresses that every list must have, and must not have.
pub async fn self_test<N: Net>(net: &N, context: &Context, zone: &DomainName, timeout: Duration) -> Seen {
    let about = |address| ask(net, context, zone, address, timeout);
    let asked = join4(
        about(LISTED_V4),
        about(CLEAN_V4),
        about(LISTED_V6),
        about(CLEAN_V6),
    );
    let (listed_v4, clean_v4, listed_v6, clean_v6) = asked.await;
    let all = || -> Result<BlocklistEvidence, LocalFault> {
        Ok(BlocklistEvidence {
            v4: SelfTest {
                listed: listed_v4?,
                clean: clean_v4?,
            },
            v6: SelfTest {
                listed: listed_v6?,
                clean: clean_v6?,
            },
        })
    };
    match all() {
        Ok(evidence) => Seen::of(Evidence::Blocklist(Box::new(evidence))),
        Err(LocalFault(reason)) => Seen::unrunnable(reason),
    }
}

/// Asks a list for one address, and where it is listed, why.
pub async fn listing<N: Net>(
    net: &N,
    context: &Context,
    zone: &DomainName,
    address: IpAddr,
    timeout: Duration,
) -> Seen {
    let deadline = Deadline::new(net, timeout);
    let answer = match ask(net, context, zone, address, timeout).await {
        Ok(answer) => answer,
        Err(LocalFault(reason)) => return Seen::unrunnable(reason),
    };
    let reason = match answer.listing() {
        Listing::Listed => why(net, context, zone, address, deadline.left(net)).await,
        _ => None,
    };
    Seen::of(Evidence::Listing(Box::new(ListingEvidence { answer, reason })))
}

async fn ask<N: Net>(
    net: &N,
    context: &Context,
    zone: &DomainName,
    address: IpAddr,
    limit: Duration,
) -> Result<ListAnswer, LocalFault> {
    let Some(name) = reversed(address, zone) else {
        let reason = format!("{zone} is too long a name for a blocklist");
        return Ok(ListAnswer {
            answer: Lookup::Malformed { reason },
        });
    };
    let told = look_into(net, context, &Question::recursive(&name, RecordType::A), limit).await?;
    let answer = told.lookup(&name, |data| match data {
        RecordData::A(address) => Some(*address),
        _ => None,
    });
    Ok(ListAnswer { answer })
}

/// The list's own words on an address. None is as good: that it is listed is what counts.
async fn why<N: Net>(
    net: &N,
    context: &Context,
    zone: &DomainName,
    address: IpAddr,
    limit: Duration,
) -> Option<String> {
    let name = reversed(address, zone)?;
    let question = Question::recursive(&name, RecordType::Txt);
    let told = look_into(net, context, &question, limit).await.ok()?;
    let texts = told.lookup(&name, |data| match data {
        RecordData::Txt(text) => Some(clean(text, LONGEST_REASON)),
        _ => None,
    });
    texts.records()?.first().cloned()
}

/// The name that a list keeps an address under: its octets backwards (RFC 5782 2.1), or its nibbles (2.4).
fn reversed(address: IpAddr, zone: &DomainName) -> Option<DomainName> {
    let mut name = String::new();
    match address {
        IpAddr::V4(address) => {
            for octet in address.octets().iter().rev() {
                let _ = write!(name, "{octet}.");
            }
        }
        IpAddr::V6(address) => {
            for octet in address.octets().iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", octet & 15, octet >> 4);
            }
        }
    }
    DomainName::parse(&format!("{name}{zone}")).ok()
}
