//! What one observation means by itself, before anything else explains it.

use std::net::SocketAddr;

use jiff::Timestamp;

use crate::config::ExpectMx;
use crate::inventory::Domain;
use crate::model::dns::{AddressEvidence, Exchange, ExtendedError, Lookup, MxEvidence, NameServerEvidence};
use crate::model::reach::LifeCheck;
use crate::model::smtp::{SmtpEvidence, SmtpFailure, SmtpFailureKind};
use crate::model::{Anchor, Code, DialError, Evidence, Observation, SmtpStage, Subject};
use crate::picture::{Health, MxSet, Picture};

use super::policy;
use super::refusal::{self, Refusal};
use super::{canary, reputation, route, service};

/// What an observation means by itself.
pub fn classify(picture: &Picture, observation: &Observation) -> Health {
    match (&observation.subject, &observation.evidence) {
        (Subject::Mx(name), Evidence::Mx(evidence)) => match picture.domain(name) {
            Some(domain) => mx(picture, domain, evidence),
            None => Health::Unrunnable,
        },
        (_, Evidence::Addresses(evidence)) => addresses(evidence),
        (Subject::NameServers(_), Evidence::NameServers(evidence)) => name_servers(evidence),
        (Subject::Smtp(address), Evidence::Smtp(evidence)) => {
            smtp(picture, *address, evidence, observation.ended())
        }
        (_, Evidence::Trace(_)) => Health::Good,
        (_, Evidence::Host(host)) if host.alive() => Health::Good,
        (_, Evidence::Host(host)) => unless_unrunnable(
            host.checks.iter().any(LifeCheck::could_run),
            Code::HostUnreachable,
        ),
        (_, Evidence::Gateway(gateway)) if gateway.answered() => Health::Good,
        (Subject::Gateway(client, name), Evidence::Gateway(evidence)) => {
            // An agent that is off says nothing against the router, where nothing else could be tried.
            let plain = evidence.checks.iter().filter(|check| !check.is_extra());
            let could_run = plain.into_iter().any(LifeCheck::could_run);
            let code = if picture.learnt.gateway_answered(client, name) {
                Code::GatewayDown
            } else {
                Code::GatewayUnproven
            };
            unless_unrunnable(could_run && evidence.address.is_some(), code)
        }
        (_, Evidence::Anchor(anchor)) if anchor.answered() => Health::Good,
        // A name that does not resolve is the resolver's fault, no witness against the line.
        (Subject::Anchor(of), Evidence::Anchor(anchor)) => {
            let code = match of {
                Anchor::Ping { .. } => Code::VantageOffline,
                Anchor::Smtp { .. } => Code::VantagePort25Blocked,
            };
            unless_unrunnable(anchor.address.is_some(), code)
        }
        (Subject::Policy(..) | Subject::Tlsa(_), _) => policy::classify(picture, observation),
        (_, Evidence::Resolver(resolver)) => match resolver.answer {
            Lookup::Found { .. } => Health::Good,
            _ => Health::Failed(Code::VantageResolverFailed),
        },
        (_, Evidence::Service(evidence)) => service::classify(picture, observation, evidence),
        (_, Evidence::Canary(evidence)) => canary::classify(picture, observation, evidence),
        (_, Evidence::Sender(evidence)) => route::sender::classify(evidence),
        (_, Evidence::Recipient(evidence)) => route::recipient::classify(picture, evidence),
        (_, Evidence::Blocklist(evidence)) => reputation::classify_list(evidence),
        (_, Evidence::Listing(evidence)) => reputation::classify_listing(evidence),
        _ => Health::Unrunnable,
    }
}

fn unless_unrunnable(could_run: bool, code: Code) -> Health {
    if could_run {
        Health::Failed(code)
    } else {
        Health::Unrunnable
    }
}

fn mx(picture: &Picture, domain: &Domain, evidence: &MxEvidence) -> Health {
    match &evidence.answer {
        Lookup::NxDomain { .. } => Health::Failed(Code::DnsDomainNotFound),
        Lookup::Found { records, .. } => {
            let hosts = records
                .iter()
                .filter(|record| matches!(record.exchange, Exchange::Host(_)))
                .count();
            let null = records.iter().all(|record| record.exchange == Exchange::Null);
            let set = MxSet::of(records);
            match expected_set(picture, domain) {
                Some(expected) if expected == set => Health::Good,
                _ if null && domain.receives => Health::Failed(Code::DnsNullMx),
                _ if null => Health::Good,
                _ if hosts == 0 && domain.receives => Health::Failed(Code::DnsMxInvalid),
                Some(_) => Health::Failed(Code::DnsMxChanged),
                None => Health::Good,
            }
        }
        Lookup::NoData { .. } => match expected_set(picture, domain) {
            Some(expected) if !expected.is_empty() && domain.receives => Health::Failed(Code::DnsMxMissing),
            _ => Health::Good,
        },
        failure => Health::Failed(lookup_failure(failure)),
    }
}

/// The set that a domain should have: as configured, else as learnt.
pub(super) fn expected_set(picture: &Picture, domain: &Domain) -> Option<MxSet> {
    match &domain.expect_mx {
        Some(ExpectMx::Null) => Some(MxSet::null()),
        Some(ExpectMx::Hosts(hosts)) => Some(hosts.iter().collect()),
        None => picture.learnt.mx(&domain.name).cloned(),
    }
}

/// The code of a question that got no definite answer.
pub(super) fn lookup_failure<T>(lookup: &Lookup<T>) -> Code {
    match lookup {
        Lookup::ServFail {
            extended,
            answers_unchecked,
        } if *answers_unchecked || extended.iter().any(ExtendedError::is_bogus) => Code::DnsDnssecBogus,
        Lookup::ServFail { extended, .. } if extended.iter().any(ExtendedError::is_unreachable) => {
            Code::DnsNameserversUnreachable
        }
        _ => Code::DnsServfail,
    }
}

fn addresses(evidence: &AddressEvidence) -> Health {
    if evidence.addresses().next().is_some() {
        Health::Good
    } else if evidence.v4.is_definite() && evidence.v6.is_definite() {
        Health::Failed(Code::DnsMxDangling)
    } else if evidence.v4.is_definite() {
        Health::Failed(lookup_failure(&evidence.v6))
    } else {
        Health::Failed(lookup_failure(&evidence.v4))
    }
}

fn name_servers(evidence: &NameServerEvidence) -> Health {
    let told = || evidence.servers.iter().filter(|server| !server.is_untold());
    let mut sets = told().filter(|server| server.serves()).map(|server| {
        server
            .answer
            .records()
            .map(|records| MxSet::of(records))
            .unwrap_or_default()
    });
    let serving = told().filter(|server| server.serves()).count();
    if told().next().is_none() {
        Health::Unrunnable
    } else if serving == 0 {
        Health::Failed(Code::DnsNameserversUnreachable)
    } else if serving < told().count() {
        Health::Failed(Code::DnsNameserverFailed)
    } else {
        let first = sets.next();
        if sets.all(|set| Some(&set) == first.as_ref()) {
            Health::Good
        } else {
            Health::Failed(Code::DnsNameserversDisagree)
        }
    }
}

fn smtp(picture: &Picture, address: SocketAddr, evidence: &SmtpEvidence, at: Timestamp) -> Health {
    match &evidence.failure {
        Some(failure) => smtp_failure(picture, address, evidence, failure),
        None => smtp_session(picture, address, evidence, at),
    }
}

/// A session that came to its end may still show something worse than before.
fn smtp_session(picture: &Picture, address: SocketAddr, evidence: &SmtpEvidence, at: Timestamp) -> Health {
    let usual = picture.smtp_settings(address).timeout;
    let mut opening = evidence.stages.iter().filter(|timing| timing.stage.is_opening());
    if evidence.slow_lane && opening.any(|timing| timing.elapsed > usual) {
        return Health::Failed(Code::SmtpSlowGreeting);
    }
    let Some(capabilities) = &evidence.capabilities else {
        return Health::Good;
    };
    if capabilities.starttls || evidence.tls.is_some() {
        return Health::Good;
    }
    let wanted = picture.learnt.offers_starttls(address) || is_demanded(picture, address, at);
    match (capabilities.masked, wanted) {
        (true, _) => Health::Failed(Code::TlsStripped),
        (false, true) => Health::Failed(Code::TlsNotOffered),
        (false, false) => Health::Good,
    }
}

/// Whether senders of anybody's mail demand TLS of a host that leads to an address.
fn is_demanded(picture: &Picture, address: SocketAddr, at: Timestamp) -> bool {
    picture.leads().names(address).any(|host| {
        let domains = picture.leads().domains(host);
        let mut domains = domains.filter_map(|name| picture.domain(name));
        domains.any(|domain| policy::demand(picture, domain, host, at).is_some())
    })
}

fn smtp_failure(
    picture: &Picture,
    address: SocketAddr,
    evidence: &SmtpEvidence,
    failure: &SmtpFailure,
) -> Health {
    use SmtpFailureKind as Kind;
    use SmtpStage as Stage;
    let tls_stage = matches!(failure.stage, Stage::StartTls | Stage::Handshake);
    match &failure.kind {
        Kind::Dial(DialError::Refused) => Health::Failed(Code::HostRefused),
        Kind::Dial(DialError::Local { .. }) => Health::Unrunnable,
        // Without IPv6 of our own; that we have no way over IPv4 either is judged as our line's failure.
        Kind::Dial(DialError::Unreachable { no_route: true, .. }) if address.is_ipv6() => Health::Unrunnable,
        Kind::Dial(DialError::Unreachable { prohibited: true, .. }) => {
            Health::Failed(Code::HostPort25Filtered)
        }
        Kind::Dial(_) => Health::Failed(Code::HostUnreachable),
        Kind::Timeout if failure.stage.is_opening() => match (evidence.slow_lane, failure.stage) {
            (false, _) => Health::Failed(Code::SmtpSlowGreeting),
            (true, Stage::Greeting) => Health::Settled(Code::SmtpNoGreeting),
            // Unlike a server that never greets, a connection may have been lost in the middle: that is to be seen again.
            (true, _) => Health::Failed(Code::SmtpDisconnects),
        },
        Kind::Tls(tls) if tls.looks_legacy() => Health::Failed(Code::TlsLegacyProtocol),
        _ if tls_stage => Health::Failed(Code::TlsHandshakeFailed),
        Kind::Tls(_) => Health::Failed(Code::TlsHandshakeFailed),
        Kind::Timeout | Kind::Closed { .. } => Health::Failed(Code::SmtpDisconnects),
        Kind::Protocol(_) => Health::Failed(Code::SmtpProtocolError),
        Kind::Reply(reply) => {
            let provider = picture.provider_of_address(address).map(AsRef::as_ref);
            let us = picture.own_addresses();
            match refusal::read(reply, failure.stage, provider, us) {
                Refusal::OfUs => Health::Refused,
                Refusal::Down(code) => Health::Failed(code),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::model::dns::{FoundBy, MxRecord, NameServerAnswer, NamedBy};
    use crate::picture::fixtures::picture;

    /// Where a name server is, and what was heard of it, or instead of its address.
    type Named = (Option<IpAddr>, Lookup<Vec<MxRecord>>);

    const ADDRESS: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 53)));
    const TTL: Duration = Duration::ZERO;

    /// A name server whose address our resolver did not tell is none that fails.
    #[rstest]
    #[case::our_resolver_is_silent(&[(None, Lookup::Timeout)], Health::Unrunnable)]
    #[case::of_one_of_them(&[(None, Lookup::Timeout), (ADDRESS, Lookup::NoData { ttl: TTL })], Health::Good)]
    #[case::they_are_silent(&[(ADDRESS, Lookup::Timeout)], Health::Failed(Code::DnsNameserversUnreachable))]
    #[case::the_name_leads_nowhere(
        &[(None, Lookup::NxDomain { ttl: TTL, authentic: false })],
        Health::Failed(Code::DnsNameserversUnreachable)
    )]
    fn who_answers_for_a_zone(#[case] servers: &[Named], #[case] expected: Health) {
        let server = |(address, answer): &Named| NameServerAnswer {
            name: "ns.nic.test".parse().unwrap(),
            address: *address,
            named_by: NamedBy::Zone,
            answer: answer.clone(),
            authoritative: address.is_some(),
            elapsed: Duration::ZERO,
        };
        let evidence = NameServerEvidence {
            zone: None,
            found_by: FoundBy::Resolver,
            servers: servers.iter().map(server).collect(),
            closer: None,
        };
        assert_eq!(name_servers(&evidence), expected);
    }

    /// Without IPv6 of our own nobody's IPv6 address has failed.
    #[rstest]
    #[case::none_of_ours("[2001:db8:b::10]:25", true, Health::Unrunnable)]
    #[case::somebody_elses_router("[2001:db8:b::10]:25", false, Health::Failed(Code::HostUnreachable))]
    #[case::over_ipv4_our_line_is_judged("203.0.113.10:25", true, Health::Failed(Code::HostUnreachable))]
    fn no_way_there(#[case] address: SocketAddr, #[case] no_route: bool, #[case] expected: Health) {
        let picture = picture("[[clients]]\nname = \"BETA\"\ndomains = [\"beta.test\"]\n");
        let dial = DialError::Unreachable {
            prohibited: false,
            no_route,
        };
        let evidence = SmtpEvidence {
            peer: address,
            server_name: None,
            patience: std::time::Duration::ZERO,
            slow_lane: false,
            stages: Vec::new(),
            greeting: None,
            capabilities: None,
            tls: None,
            failure: Some(SmtpFailure {
                stage: SmtpStage::Connect,
                after: std::time::Duration::ZERO,
                kind: SmtpFailureKind::Dial(dial),
            }),
            transcript: std::sync::Arc::default(),
        };
        assert_eq!(
            smtp(&picture, address, &evidence, Timestamp::UNIX_EPOCH),
            expected
        );
    }
}
