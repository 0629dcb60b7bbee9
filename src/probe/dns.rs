//! MX and addresses, as our resolver tells them.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::ask::{self, LocalFault, addresses as ask_addresses, look_into};
use super::{Context, Seen};
use crate::model::dns::{AddressEvidence, MxEvidence};
use crate::model::{DomainName, Evidence};
use crate::net::Net;
use crate::net::dns::{Question, RecordType};

/// The MX records of a domain (RFC 5321 5.1).
pub async fn mx<N: Net>(net: &N, context: &Context, domain: &DomainName, timeout: Duration) -> Seen {
    let question = Question::recursive(domain, RecordType::Mx);
    match look_into(net, context, &question, timeout).await {
        Ok(told) => Seen::of(Evidence::Mx(Box::new(MxEvidence {
            server: told.server,
            answer: ask::mx_records(&told.outcome, domain, told.answers_unchecked),
        }))),
        Err(LocalFault(reason)) => Seen::unrunnable(reason),
    }
}

/// The addresses of a host: A and AAAA at the same time, the latter also where we cannot speak IPv6.
pub async fn addresses<N: Net>(net: &N, context: &Context, host: &DomainName, timeout: Duration) -> Seen {
    let told = match ask_addresses(net, context, host, timeout).await {
        Ok(told) => told,
        Err(LocalFault(reason)) => return Seen::unrunnable(reason),
    };
    Seen::of(Evidence::Addresses(Box::new(AddressEvidence {
        server: told.v4.server,
        v4: told.v4(host),
        v6: told.v6(host),
        alias_of: ask::alias_of(&told.v4.outcome, host).or_else(|| ask::alias_of(&told.v6.outcome, host)),
    })))
}
