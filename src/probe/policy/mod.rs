//! What a domain publishes about its mail, as our resolver and its web server tell it. Each part is looked at by
//! itself, so that one that cannot be looked up hides no other.

mod dkim;
mod dmarc;
mod sender;
mod spf;
mod spf_check;
mod sts;
mod tlsa;

#[cfg(test)]
mod sender_tests;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use super::ask::{Deadline, LocalFault, ask_resolvers};
use super::{Context, Detail, Seen};
use crate::model::dns::Lookup;
use crate::model::policy::{PolicyPart, Texts};
use crate::model::text::clean;
use crate::model::{DomainName, Evidence};
use crate::net::Net;
use crate::net::dns::{Question, RecordData, RecordType};
use crate::net::trust::Trust;

/// Characters of a record that are kept; honest ones have a tenth of it.
const LONGEST_TEXT: usize = 8192;
/// Records at one name that are kept.
const MOST_TEXTS: usize = 10;

/// Looks at one part of what a domain publishes.
pub async fn run<N: Net>(
    net: &N,
    context: &Context,
    trust: &Trust,
    domain: &DomainName,
    part: PolicyPart,
    detail: &Detail,
    timeout: Duration,
) -> Seen {
    let deadline = Deadline::new(net, timeout);
    let looker = Looker {
        net,
        context,
        deadline,
    };
    let seen = match (part, detail) {
        (PolicyPart::Spf, _) => spf::look(&looker, domain).await.map(Box::new).map(Evidence::Spf),
        (PolicyPart::Dmarc, _) => dmarc::look(&looker, domain)
            .await
            .map(Box::new)
            .map(Evidence::Dmarc),
        (PolicyPart::Dkim, detail) => {
            let selectors = match detail {
                Detail::Dkim { selectors } => selectors.as_slice(),
                _ => &[],
            };
            let seen = dkim::look(&looker, domain, selectors).await;
            seen.map(Box::new).map(Evidence::Dkim)
        }
        (PolicyPart::Sts, Detail::Sts { held }) => sts::look(&looker, trust, domain, held.as_ref())
            .await
            .map(|seen| Evidence::Sts(Box::new(seen))),
        (PolicyPart::Sts, _) => sts::look(&looker, trust, domain, None)
            .await
            .map(|seen| Evidence::Sts(Box::new(seen))),
    };
    conclude(seen)
}

/// Looks at the TLSA records of a mail host.
pub async fn tlsa<N: Net>(net: &N, context: &Context, host: &DomainName, timeout: Duration) -> Seen {
    let deadline = Deadline::new(net, timeout);
    let looker = Looker {
        net,
        context,
        deadline,
    };
    conclude(tlsa::look(&looker, host).await.map(Box::new).map(Evidence::Tlsa))
}

/// Looks up an address that mail leaves from, as its receivers do. `greets_as` is the name that it says it is, and
/// `domains` are those that it sends for.
pub async fn sender<N: Net>(
    net: &N,
    context: &Context,
    address: IpAddr,
    greets_as: Option<&DomainName>,
    domains: &[DomainName],
    timeout: Duration,
) -> Seen {
    let deadline = Deadline::new(net, timeout);
    let looker = Looker {
        net,
        context,
        deadline,
    };
    let seen = sender::look(&looker, address, greets_as, domains).await;
    conclude(seen.map(Box::new).map(Evidence::Sender))
}

fn conclude(seen: Result<Evidence, LocalFault>) -> Seen {
    match seen {
        Ok(evidence) => Seen::of(evidence),
        Err(LocalFault(reason)) => Seen::unrunnable(reason),
    }
}

/// Who asks, and until when.
struct Looker<'a, N> {
    net: &'a N,
    context: &'a Context,
    deadline: Deadline,
}

impl<N: Net> Looker<'_, N> {
    /// Asks our resolvers for the records that `pick` takes.
    async fn ask<T>(
        &self,
        name: &DomainName,
        kind: RecordType,
        pick: impl Fn(&RecordData) -> Option<T>,
    ) -> Result<Lookup<Vec<T>>, LocalFault> {
        let left = self.deadline.left(self.net);
        if left.is_zero() {
            return Ok(Lookup::Timeout);
        }
        let question = Question::recursive(name, kind);
        let told = ask_resolvers(self.net, self.context, &question, left).await?;
        Ok(told.lookup(name, pick))
    }

    /// The TXT records at a name that are `wanted`, cleaned and bounded. Others that stand there are none of ours.
    async fn texts(&self, name: &DomainName, wanted: impl Fn(&str) -> bool) -> Result<Texts, LocalFault> {
        let found = self
            .ask(name, RecordType::Txt, |data| match data {
                RecordData::Txt(bytes) => Some(clean(bytes, LONGEST_TEXT)),
                _ => None,
            })
            .await?;
        Ok(match found {
            Lookup::Found {
                records,
                ttl,
                authentic,
            } => {
                let mut records: Vec<String> = records.into_iter().filter(|text| wanted(text)).collect();
                records.sort();
                records.truncate(MOST_TEXTS);
                if records.is_empty() {
                    Lookup::NoData { ttl }
                } else {
                    Lookup::Found {
                        records,
                        ttl,
                        authentic,
                    }
                }
            }
            other => other,
        })
    }
}

/// A name below another; `None` where it would be too long to ask for.
fn below(prefix: &str, domain: &DomainName) -> Option<DomainName> {
    DomainName::parse(&format!("{prefix}.{domain}")).ok()
}
