//! Whether the name that we greet with and our address agree (`etiquette` 4). No probe of anybody: a look at
//! ourselves, once at the start.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::DomainName;
use crate::net::{Net, Question, RecordData, RecordType};

use super::Context;

const PATIENCE: Duration = Duration::from_secs(10);

/// What does not agree, in words; `None` when all is well, or when nobody can tell us.
pub async fn disagreement<N: Net>(net: &N, context: &Context) -> Option<String> {
    let helo = &context.helo;
    let Ok(name) = DomainName::parse(helo) else {
        return Some(format!(
            "this machine has no full name, so we greet mail servers as {helo}; some refuse that"
        ));
    };
    let resolver = *context.resolvers.first()?;
    let question = |name, kind| Question {
        name: Some(name),
        kind,
        recursive: true,
        unchecked: false,
    };
    let found = net
        .ask(resolver, &question(name.clone(), RecordType::A), PATIENCE)
        .await
        .ok()?;
    let addresses: Vec<IpAddr> = found
        .answers
        .iter()
        .filter_map(|record| match record.data {
            RecordData::A(address) => Some(IpAddr::V4(address)),
            _ => None,
        })
        .collect();
    let Some(address) = addresses.first() else {
        return Some(format!(
            "we greet mail servers as {name}, which has no address; some refuse that"
        ));
    };
    let reverse = DomainName::from_dns(&reverse_name(*address)).ok()?;
    let answer = net
        .ask(resolver, &question(reverse, RecordType::Ptr), PATIENCE)
        .await
        .ok()?;
    let named = answer
        .answers
        .iter()
        .any(|record| matches!(&record.data, RecordData::Ptr(ptr) if *ptr == name));
    (!named).then(|| {
        format!("we greet mail servers as {name} ({address}), but the PTR of {address} does not say so; some refuse that")
    })
}

/// The name under which an address's PTR stands (RFC 1035 3.5).
pub(super) fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles: Vec<String> = address
                .octets()
                .iter()
                .rev()
                .map(|octet| format!("{:x}.{:x}", octet & 15, octet >> 4))
                .collect();
            format!("{}.ip6.arpa", nibbles.join("."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::reverse_name;

    #[test]
    fn reverse_names() {
        assert_eq!(
            reverse_name("192.0.2.1".parse().unwrap()),
            "1.2.0.192.in-addr.arpa"
        );
        assert!(reverse_name("2001:db8::1".parse().unwrap()).starts_with("1.0.0.0."));
        assert!(reverse_name("2001:db8::1".parse().unwrap()).ends_with("8.b.d.0.1.0.0.2.ip6.arpa"));
    }
}
