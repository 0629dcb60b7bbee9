//! Asking our resolvers, and reading what DNS servers answer: shared by the probes that stand on DNS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::join;
use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;

use super::Context;
use crate::model::dns::{Exchange, Lookup, MxRecord};
use crate::model::text::clean;
use crate::model::{DomainName, Endpoint};
use crate::net::Net;
use crate::net::dns::{Answer, AskError, Question, Record, RecordData, RecordType, rcode};

/// How long a resolver may think before the next one is asked as well. Its answer still counts.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest chain of aliases that is followed within one answer.
const LONGEST_ALIAS_CHAIN: usize = 16;
/// Records beyond this many are left out: no honest mail domain has as many, and each would be looked at.
const MOST_RECORDS: usize = 50;
/// Characters of an invalid exchange that are kept.
const LONGEST_EXCHANGE: usize = 253;

/// A fault on our own side, in words: the probe could not be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LocalFault(pub String);

/// What a resolver said, and which one.
#[derive(Debug)]
pub(super) struct Told {
    /// The one that answered, or the last one that was asked.
    pub server: SocketAddr,
    /// What it said.
    pub outcome: Result<Answer, AskError>,
    /// For SERVFAIL: whether it answers the same question with checking disabled.
    pub answers_unchecked: bool,
}

impl Told {
    fn plainly(server: SocketAddr, outcome: Result<Answer, AskError>) -> Self {
        Self {
            server,
            outcome,
            answers_unchecked: false,
        }
    }

    /// The records of one type at the end of the alias chain that begins at `name`.
    pub(super) fn lookup<T>(
        &self,
        name: &DomainName,
        pick: impl Fn(&RecordData) -> Option<T>,
    ) -> Lookup<Vec<T>> {
        read(&self.outcome, Some(name), self.answers_unchecked, pick)
    }
}

/// The end of the time that a probe has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    start: Timestamp,
    limit: Duration,
}

impl Deadline {
    pub(super) fn new<N: Net>(net: &N, limit: Duration) -> Self {
        Self {
            start: net.now(),
            limit,
        }
    }

    /// The time since the start.
    pub(super) fn elapsed<N: Net>(&self, net: &N) -> Duration {
        since(net, self.start)
    }

    /// The time left.
    pub(super) fn left<N: Net>(&self, net: &N) -> Duration {
        self.limit.saturating_sub(self.elapsed(net))
    }

    /// The time left until this part of the whole is over.
    pub(super) fn left_of<N: Net>(&self, net: &N, numerator: u32, denominator: u32) -> Duration {
        (self.limit * numerator / denominator).saturating_sub(self.elapsed(net))
    }
}

/// The time since `start`.
pub(super) fn since<N: Net>(net: &N, start: Timestamp) -> Duration {
    Duration::try_from(net.now().duration_since(start)).unwrap_or_default()
}

/// Asks our resolvers, and looks into a failure (SERVFAIL): the same question with checking disabled (RFC 4035
/// 3.2.2) tells whether signatures are at fault.
///
/// # Errors
/// [`LocalFault`] when we could not ask at all.
pub(super) async fn look_into<N: Net>(
    net: &N,
    context: &Context,
    question: &Question,
    limit: Duration,
) -> Result<Told, LocalFault> {
    let deadline = Deadline::new(net, limit);
    let mut told = ask_resolvers(net, context, question, limit).await?;
    let failed = matches!(&told.outcome, Ok(answer) if answer.rcode == rcode::SERV_FAIL);
    let left = deadline.left(net);
    if failed && !left.is_zero() {
        let unchecked = Question {
            unchecked: true,
            ..question.clone()
        };
        let again = net.ask(told.server, &unchecked, left).await;
        told.answers_unchecked = again.as_ref().is_ok_and(is_definite);
    }
    Ok(told)
}

/// Asks our resolvers in their order, the next one when one fails or takes its time, until one gives a definite
/// answer.
///
/// # Errors
/// [`LocalFault`] when we could not ask at all.
pub(super) async fn ask_resolvers<N: Net>(
    net: &N,
    context: &Context,
    question: &Question,
    limit: Duration,
) -> Result<Told, LocalFault> {
    let deadline = Deadline::new(net, limit);
    let mut next = context.resolvers.iter().copied();
    let mut asked = FuturesUnordered::new();
    let mut best = Best::default();
    let ask = async |server| {
        let left = deadline.left(net);
        let told = match &context.root_keys {
            Some(keys) if !question.unchecked => net.ask_checked(server, question, keys, left).await,
            _ => net.ask(server, question, left).await,
        };
        (server, told)
    };
    loop {
        let more = next.next();
        let last = more.is_none();
        if let Some(server) = more {
            asked.push(ask(server));
        }
        let patience = if last { deadline.left(net) } else { PATIENCE };
        match tokio::time::timeout(patience, asked.next()).await {
            Ok(Some((server, outcome))) if outcome.as_ref().is_ok_and(is_definite) => {
                return Ok(Told::plainly(server, outcome));
            }
            Ok(Some((server, outcome))) => best.note(server, outcome),
            Ok(None) => break,
            Err(_) if last => break,
            Err(_) => {}
        }
    }
    best.conclude(context)
}

/// What to report when no resolver gives a definite answer: a server's word, even a failure, says more than
/// silence, and both more than our own inability.
#[derive(Default)]
struct Best {
    told: Option<Told>,
    fault: Option<LocalFault>,
}

impl Best {
    fn note(&mut self, server: SocketAddr, outcome: Result<Answer, AskError>) {
        match outcome {
            Err(AskError::Local(reason)) => self.fault = Some(LocalFault(reason)),
            Err(_) if self.told.as_ref().is_some_and(|told| told.outcome.is_ok()) => {}
            outcome => self.told = Some(Told::plainly(server, outcome)),
        }
    }

    fn conclude(self, context: &Context) -> Result<Told, LocalFault> {
        match (self.told, self.fault, context.resolvers.last()) {
            (Some(told), _, _) => Ok(told),
            (None, Some(fault), _) => Err(fault),
            (None, None, Some(server)) => Ok(Told::plainly(*server, Err(AskError::Timeout))),
            (None, None, None) => Err(LocalFault(
                "no resolver is configured, and this machine has none of its own".into(),
            )),
        }
    }
}

fn is_definite(answer: &Answer) -> bool {
    matches!(answer.rcode, rcode::NO_ERROR | rcode::NX_DOMAIN)
}

/// Reads what a server answered: the records that `pick` takes, at the end of the alias chain that begins at
/// `name` (`None`: the root).
pub(super) fn read<T>(
    outcome: &Result<Answer, AskError>,
    name: Option<&DomainName>,
    answers_unchecked: bool,
    pick: impl Fn(&RecordData) -> Option<T>,
) -> Lookup<Vec<T>> {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(AskError::Timeout) => return Lookup::Timeout,
        Err(AskError::Unreachable(reason) | AskError::Local(reason)) => {
            return Lookup::Unreachable {
                reason: reason.clone(),
            };
        }
        Err(AskError::Malformed(reason)) => {
            return Lookup::Malformed {
                reason: reason.clone(),
            };
        }
    };
    match answer.rcode {
        rcode::NO_ERROR => {}
        rcode::NX_DOMAIN => {
            return Lookup::NxDomain {
                ttl: negative_ttl(answer),
                authentic: answer.authentic,
            };
        }
        rcode::SERV_FAIL => {
            return Lookup::ServFail {
                extended: answer.extended.clone(),
                answers_unchecked,
            };
        }
        rcode => return Lookup::Refused { rcode },
    }
    let (end, chain_ttl) = follow(answer, name);
    let mut ttl = chain_ttl;
    let mut records = Vec::new();
    for record in answer.answers.iter().filter(|record| record.name.as_ref() == end) {
        if let Some(picked) = pick(&record.data)
            && records.len() < MOST_RECORDS
        {
            ttl = ttl.min(record.ttl);
            records.push(picked);
        }
    }
    if records.is_empty() {
        return Lookup::NoData {
            ttl: negative_ttl(answer),
        };
    }
    // Kept until the next look.
    records.shrink_to_fit();
    Lookup::Found {
        records,
        ttl,
        authentic: answer.authentic,
    }
}

/// Where the aliases in an answer lead from `name`, and the shortest time to live on the way.
fn follow<'a>(answer: &'a Answer, name: Option<&'a DomainName>) -> (Option<&'a DomainName>, Duration) {
    let mut end = name;
    let mut ttl = Duration::MAX;
    for _ in 0..LONGEST_ALIAS_CHAIN {
        let alias = answer.answers.iter().find_map(|record| match &record.data {
            RecordData::Cname(target) if record.name.as_ref() == end => Some((target, record.ttl)),
            _ => None,
        });
        let Some((target, alias_ttl)) = alias else { break };
        end = Some(target);
        ttl = ttl.min(alias_ttl);
    }
    (end, ttl)
}

/// Where `name` leads when it is an alias in this answer.
pub(super) fn alias_of(outcome: &Result<Answer, AskError>, name: &DomainName) -> Option<DomainName> {
    let answer = outcome.as_ref().ok()?;
    let (end, _) = follow(answer, Some(name));
    end.filter(|end| *end != name).cloned()
}

/// How long an absence may be remembered (RFC 2308 5): as the SOA says, and not at all without one.
fn negative_ttl(answer: &Answer) -> Duration {
    answer
        .authority
        .iter()
        .find_map(|record| match record.data {
            RecordData::Soa { negative_ttl, .. } => Some(negative_ttl),
            _ => None,
        })
        .unwrap_or_default()
}

/// The MX records of an answer, sorted by preference and name.
pub(super) fn mx_records(
    outcome: &Result<Answer, AskError>,
    domain: &DomainName,
    answers_unchecked: bool,
) -> Lookup<Vec<MxRecord>> {
    let found = read(outcome, Some(domain), answers_unchecked, |data| match data {
        RecordData::Mx(preference, exchange) => Some(MxRecord {
            preference: *preference,
            exchange: classify(exchange),
        }),
        _ => None,
    });
    found.map(sorted)
}

/// What stands on the right-hand side of an MX record, in presentation form.
fn classify(exchange: &str) -> Exchange {
    let bare = exchange.strip_suffix('.').unwrap_or(exchange);
    if bare.is_empty() {
        return Exchange::Null;
    }
    let invalid = || Exchange::Invalid(clean(bare.as_bytes(), LONGEST_EXCHANGE));
    match DomainName::parse(bare) {
        // Dots within a label, escaped in the presentation form, are the mark of an address written as a name.
        Err(_) => invalid(),
        Ok(name) => {
            let last = name.as_str().rsplit('.').next().unwrap_or_default();
            let numeric = last.bytes().all(|byte| byte.is_ascii_digit());
            // Names that lead nowhere by rule (RFC 6761 6.3, 6.4): Microsoft 365 hands one out until a domain is verified.
            let nowhere = matches!(last, "localhost" | "localdomain" | "invalid");
            if numeric || nowhere {
                invalid()
            } else {
                Exchange::Host(name)
            }
        }
    }
}

/// The addresses of a name, as our resolvers tell them.
#[derive(Debug)]
pub(super) struct Addresses {
    pub v4: Told,
    pub v6: Told,
}

impl Addresses {
    /// The IPv4 addresses, sorted: servers turn their order at each answer.
    pub(super) fn v4(&self, host: &DomainName) -> Lookup<Vec<Ipv4Addr>> {
        let found = self.v4.lookup(host, |data| match data {
            RecordData::A(address) => Some(*address),
            _ => None,
        });
        found.map(sorted)
    }

    /// The IPv6 addresses, sorted.
    pub(super) fn v6(&self, host: &DomainName) -> Lookup<Vec<Ipv6Addr>> {
        let found = self.v6.lookup(host, |data| match data {
            RecordData::Aaaa(address) => Some(*address),
            _ => None,
        });
        found.map(sorted)
    }
}

fn sorted<T: Ord>(mut records: Vec<T>) -> Vec<T> {
    records.sort();
    records.dedup();
    records
}

/// Asks for A and AAAA at the same time.
///
/// # Errors
/// [`LocalFault`] when we could not ask at all.
pub(super) async fn addresses<N: Net>(
    net: &N,
    context: &Context,
    host: &DomainName,
    limit: Duration,
) -> Result<Addresses, LocalFault> {
    let v4 = Question::recursive(host, RecordType::A);
    let v6 = Question::recursive(host, RecordType::Aaaa);
    let (v4, v6) = join(
        look_into(net, context, &v4, limit),
        look_into(net, context, &v6, limit),
    )
    .await;
    Ok(Addresses { v4: v4?, v6: v6? })
}

/// Why an endpoint's name gave no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoAddress {
    /// There is none that we could use: what the resolver said.
    None(String),
    /// Nobody could tell us: what the resolver said.
    Untold(String),
    /// We could not ask.
    Local(String),
}

/// The address of an endpoint: its own, or one that its name has now, IPv4 first.
pub(super) async fn locate<N: Net>(
    net: &N,
    context: &Context,
    endpoint: &Endpoint,
    limit: Duration,
) -> Result<IpAddr, NoAddress> {
    let all = locate_all(net, context, endpoint, limit).await?;
    all.into_iter()
        .next()
        .ok_or_else(|| NoAddress::None(format!("{endpoint}: no address")))
}

/// Every address of an endpoint that we could use: its own, or those that its name has now, IPv4 first; never none.
pub(super) async fn locate_all<N: Net>(
    net: &N,
    context: &Context,
    endpoint: &Endpoint,
    limit: Duration,
) -> Result<Vec<IpAddr>, NoAddress> {
    let name = match endpoint {
        Endpoint::Address(address) => return Ok(vec![*address]),
        Endpoint::Name(name) => name,
    };
    let told = addresses(net, context, name, limit)
        .await
        .map_err(|fault| NoAddress::Local(fault.0))?;
    let (v4, v6) = (told.v4(name), told.v6(name));
    let of_v4 = v4.records().into_iter().flatten().copied().map(IpAddr::V4);
    let of_v6 = v6.records().into_iter().flatten().copied().map(IpAddr::V6);
    let found: Vec<IpAddr> = of_v4.chain(of_v6.filter(|_| context.ipv6)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    if v6.records().is_some() {
        let said = format!("{name}: only IPv6 addresses, and this machine has no way to them");
        return Err(NoAddress::Untold(said));
    }
    let said = format!("{name}: {}", v4.outcome());
    if v4.is_definite() && v6.is_definite() {
        Err(NoAddress::None(said))
    } else {
        Err(NoAddress::Untold(said))
    }
}

/// The records of a section that are NS records, by owner.
pub(super) fn name_servers(section: &[Record]) -> impl Iterator<Item = (Option<&DomainName>, &DomainName)> {
    section.iter().filter_map(|record| match &record.data {
        RecordData::Ns(server) => Some((record.name.as_ref(), server)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_are_classed() {
        let host = |text: &str| Exchange::Host(DomainName::parse(text).unwrap());
        let invalid = |text: &str| Exchange::Invalid(text.into());
        let cases = [
            ("mx.acme.test.", host("mx.acme.test")),
            ("MX.Acme.Test.", host("mx.acme.test")),
            ("_odd.acme.test.", host("_odd.acme.test")),
            (
                "acme-test.mail.msv1.invalid.",
                invalid("acme-test.mail.msv1.invalid"),
            ),
            (".", Exchange::Null),
            ("", Exchange::Null),
            ("192.0.2.1.", invalid("192.0.2.1")),
            ("2001:db8::1", invalid("2001:db8::1")),
            ("10.0.0.", invalid("10.0.0")),
            ("localhost.", invalid("localhost")),
            ("mail.localhost.", invalid("mail.localhost")),
            ("localhost.localdomain.", invalid("localhost.localdomain")),
            ("a\\.b.acme.test.", invalid("a\\.b.acme.test")),
            ("\\[192.0.2.1\\].", invalid("\\[192.0.2.1\\]")),
            ("mail server.", invalid("mail server")),
        ];
        for (text, expected) in cases {
            assert_eq!(classify(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_exchange_can_be_classed_and_is_safe_to_show(text in ".*") {
            let shown = classify(&text).to_string();
            proptest::prop_assert!(shown.chars().all(|c| !c.is_control()));
        }
    }
}
