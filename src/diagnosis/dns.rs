//! What DNS says of a domain: whether it exists, whether its servers work, where its mail goes.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::config::ResolvedProbe;
use crate::inventory::Domain;
use crate::model::dns::{Lookup, NameServerAnswer, NameServerEvidence, NamedBy};
use crate::model::{Code, DomainName, Evidence, Observation, Root, RootKind, State, Subject};
use crate::picture::{Health, MxSet, Picture, Settled};

use super::classify::expected_set;
use super::doubt::Doubt;
use super::finding::Finding;
use super::note::{name_server, summary};
use super::vantage::OwnSide;

/// For how long a resolver may remember that a zone's servers failed (RFC 9520 3.2).
pub(super) const REMEMBERED_FAILURE: SignedDuration = SignedDuration::from_mins(5);

/// What DNS says of a domain.
#[derive(Debug, Clone, PartialEq)]
pub enum DnsState {
    /// Its mail hosts are known; with what is impaired all the same.
    Known(Vec<Finding>),
    /// Nothing to deliver to, or nobody to ask: this is why.
    Broken(Finding),
    /// We cannot tell, for this reason of our own; `None`: no evidence yet, or old.
    Unknown(Option<Finding>),
}

/// A domain as an incident's identity.
pub fn domain_root(domain: &Domain) -> Root {
    Root {
        kind: RootKind::Domain,
        client: domain.client.clone(),
        name: domain.name.as_str().into(),
    }
}

/// Judges what DNS says of a domain.
pub fn dns(picture: &Picture, own: &OwnSide, domain: &Domain, now: Timestamp, doubt: &mut Doubt) -> DnsState {
    let subject = Subject::Mx(domain.name.clone());
    // Without a resolver there is nobody to ask: that is why nothing is known.
    let nothing_known = || DnsState::Unknown(own.masks_dns().cloned());
    let Some(track) = picture.track(&subject) else {
        return nothing_known();
    };
    if let Some(since) = track.in_doubt_since() {
        doubt.want(picture, &subject, since, &domain.probes.dns);
    }
    let Some(settled) = track.fresh(now) else {
        return nothing_known();
    };
    let Health::Failed(code) = settled.health else {
        return DnsState::Known(name_server_findings(picture, domain, settled, now, doubt));
    };
    doubt.want_line(picture, settled.doubted());
    // A resolver that cannot even name the root's servers proves nothing by what it says of others.
    if let Some(masked) = own.masks_dns() {
        return DnsState::Unknown(Some(masked.clone()));
    }
    let evidence = [Arc::clone(&settled.observation)];
    match code {
        Code::DnsDomainNotFound => DnsState::Broken(not_found(picture, domain, settled)),
        Code::DnsNullMx => {
            let detail = format!(
                "{} publishes a null MX (\".\"): it says that it takes no mail.",
                domain.name
            );
            DnsState::Broken(finding(code, domain, detail).on(evidence))
        }
        Code::DnsMxInvalid => {
            let detail = format!(
                "{} has no usable MX host: {}.",
                domain.name,
                summary(&settled.observation)
            );
            DnsState::Broken(finding(code, domain, detail).on(evidence))
        }
        Code::DnsMxChanged | Code::DnsMxMissing => {
            let mut findings = vec![changed(picture, domain, &settled.observation)];
            findings.extend(name_server_findings(picture, domain, settled, now, doubt));
            DnsState::Known(findings)
        }
        _ => unresolved(picture, domain, code, settled, doubt),
    }
}

fn finding(code: Code, domain: &Domain, detail: impl Into<String>) -> Finding {
    Finding::new(code, domain_root(domain), domain.name.as_str(), detail)
}

fn not_found(picture: &Picture, domain: &Domain, settled: &Settled) -> Finding {
    let detail = format!("DNS says that {} does not exist (NXDOMAIN).", domain.name);
    let proven = matches!(&settled.observation.evidence, Evidence::Mx(mx)
        if matches!(mx.answer, Lookup::NxDomain { authentic: true, .. }));
    let found = finding(Code::DnsDomainNotFound, domain, detail).on([Arc::clone(&settled.observation)]);
    if proven { found } else { found.seen_from(picture) }
}

/// The set differs from the one that is expected, approved or learnt.
fn changed(picture: &Picture, domain: &Domain, observation: &Arc<Observation>) -> Finding {
    let list = |set: &MxSet| set.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    let before = expected_set(picture, domain).map(|set| list(&set));
    let now = match &observation.evidence {
        Evidence::Mx(mx) => match &mx.answer {
            Lookup::Found { records, .. } => list(&MxSet::of(records)),
            _ => "none".to_owned(),
        },
        _ => "none".to_owned(),
    };
    let detail = format!(
        "The MX hosts of {} were {}; now: {now}.",
        domain.name,
        before.unwrap_or_default()
    );
    finding(Code::DnsMxChanged, domain, detail).on([Arc::clone(observation)])
}

/// Our resolver got no definite answer: the name servers are asked why.
fn unresolved(
    picture: &Picture,
    domain: &Domain,
    code: Code,
    settled: &Settled,
    doubt: &mut Doubt,
) -> DnsState {
    doubt.want_resolvers(picture, settled.doubted());
    let direct = Subject::NameServers(domain.name.clone());
    doubt.want(picture, &direct, settled.doubted(), &domain.probes.nameserver);
    let track = picture.track(&direct);
    let observation = track
        .map(|track| &track.latest)
        .filter(|latest| track.is_some_and(|track| !track.is_outdated(latest)));
    let servers = observation.and_then(|observation| match &observation.evidence {
        Evidence::NameServers(servers) => Some(&**servers),
        _ => None,
    });
    let root = name_server_root(domain, servers);
    let evidence = [Some(&settled.observation), observation]
        .into_iter()
        .flatten()
        .cloned();
    let said = summary(&settled.observation);
    let is_told = |servers: &&NameServerEvidence| servers.servers.iter().any(|one| !one.is_untold());
    let (code, detail) = match servers.filter(is_told) {
        _ if code == Code::DnsDnssecBogus => (
            code,
            format!("The DNSSEC signatures of {} do not verify: {said}.", domain.name),
        ),
        None => (code, format!("{} cannot be resolved: {said}.", domain.name)),
        Some(servers) if servers.servers.iter().any(NameServerAnswer::serves) => {
            wait_for_memory(picture, domain, doubt);
            let detail = format!(
                "Our resolver cannot resolve {} ({said}), although its name servers answer us.",
                domain.name
            );
            let root = Root {
                kind: RootKind::Resolver,
                client: None,
                name: Arc::clone(&picture.inventory.vantage),
            };
            let ours = Finding::new(Code::VantageResolverFailed, root, "our resolver", detail)
                .on(evidence)
                .seen_from(picture);
            return DnsState::Unknown(Some(ours));
        }
        Some(servers) => {
            let silent = servers.servers.iter().all(|server| {
                matches!(server.answer, Lookup::Timeout | Lookup::Unreachable { .. })
                    || server.address.is_none()
            });
            let code = if silent {
                Code::DnsNameserversUnreachable
            } else {
                Code::DnsServfail
            };
            let list: Vec<String> = servers.servers.iter().take(6).map(name_server).collect();
            (
                code,
                format!(
                    "No name server of {} does its work: {}.",
                    domain.name,
                    list.join("; ")
                ),
            )
        }
    };
    let subject = format!("name servers of {}", domain.name);
    DnsState::Broken(
        Finding::new(code, root, subject, detail)
            .on(evidence)
            .seen_from(picture),
    )
}

/// A resolver may remember for a while that name servers did not serve, if it ever resolved anything here.
fn wait_for_memory(picture: &Picture, domain: &Domain, doubt: &mut Doubt) {
    let resolved = picture.track(&Subject::Mx(domain.name.clone()));
    let serving = picture.track(&Subject::NameServers(domain.name.clone()));
    if resolved.is_some_and(|track| track.last_good().is_some())
        && let Some(serving) = serving.and_then(|track| track.settled.as_ref())
    {
        let until = serving.since().checked_add(REMEMBERED_FAILURE);
        doubt.wait(until.unwrap_or(serving.since()));
    }
}

/// The name servers of a domain as an incident's identity: domains that share them share the incident.
pub(super) fn name_server_root(domain: &Domain, servers: Option<&NameServerEvidence>) -> Root {
    // Those that only the parent names come and go with what the parent says, and make no other incident.
    let of_zone = |server: &&NameServerAnswer| server.named_by == NamedBy::Zone;
    let of_zone = servers.map(|servers| servers.servers.iter().filter(of_zone));
    let mut names: Vec<&DomainName> = of_zone.into_iter().flatten().map(|server| &server.name).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return domain_root(domain);
    }
    let name = names
        .iter()
        .map(|name| name.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    Root {
        kind: RootKind::NameServerSet,
        client: None,
        name: name.into(),
    }
}

/// What is wrong with name servers while our resolver still gets answers.
fn name_server_findings(
    picture: &Picture,
    domain: &Domain,
    mx: &Settled,
    now: Timestamp,
    doubt: &mut Doubt,
) -> Vec<Finding> {
    let subject = Subject::NameServers(domain.name.clone());
    let Some(track) = picture.track(&subject) else {
        return Vec::new();
    };
    let Some(settled) = track.fresh(now) else {
        return Vec::new();
    };
    let (Health::Failed(code), Evidence::NameServers(evidence)) =
        (settled.health, &settled.observation.evidence)
    else {
        return Vec::new();
    };
    if is_left_over(settled, mx, &domain.probes.nameserver) {
        return Vec::new();
    }
    doubt.want_line(picture, settled.doubted());
    let root = name_server_root(domain, Some(evidence));
    let failing: Vec<&NameServerAnswer> = evidence
        .servers
        .iter()
        .filter(|server| !server.serves())
        .collect();
    let make = |code, subject: String, detail: String| {
        Finding::new(code, root.clone(), subject, detail)
            .giving(State::Degraded)
            .on([Arc::clone(&settled.observation)])
            .seen_from(picture)
    };
    let list = |servers: &[&NameServerAnswer]| {
        servers
            .iter()
            .take(6)
            .map(|server| name_server(server))
            .collect::<Vec<_>>()
            .join("; ")
    };
    match code {
        Code::DnsNameserverFailed => {
            let names: Vec<&str> = failing
                .iter()
                .map(|server| server.name.as_str())
                .take(3)
                .collect();
            let subject = format!("{} (name server of {})", names.join(", "), domain.name);
            vec![make(code, subject, format!("{}.", list(&failing)))]
        }
        Code::DnsNameserversDisagree => {
            let all: Vec<&NameServerAnswer> = evidence.servers.iter().collect();
            let subject = format!("name servers of {}", domain.name);
            vec![make(
                code,
                subject,
                format!("They give different MX records: {}.", list(&all)),
            )]
        }
        // Blocked for us from the start, most likely: port 53 to the outside often is.
        _ if track.last_good().is_none() => Vec::new(),
        _ if resolver_may_remember(mx, now, doubt) => Vec::new(),
        _ => {
            let subject = format!("name servers of {}", domain.name);
            let detail = format!("{}. Our resolver still remembers its answer.", list(&failing));
            vec![make(code, subject, detail)]
        }
    }
}

/// Whether what name servers do wrong was so before the mail hosts were found again, and has not lasted since for as long
/// as a failure takes to be confirmed: then it shows what was, or how it heals.
fn is_left_over(settled: &Settled, mx: &Settled, settings: &ResolvedProbe) -> bool {
    let confirming = settings.confirm_interval * settings.confirm;
    let confirming = SignedDuration::try_from(confirming).unwrap_or(SignedDuration::MAX);
    let lasted = mx.since().checked_add(confirming).unwrap_or(mx.since());
    settled.since() < mx.since() && settled.observation.at < lasted
}

/// Whether the resolver answers from memory that ends within a minute: then it will say so itself.
fn resolver_may_remember(mx: &Settled, now: Timestamp, doubt: &mut Doubt) -> bool {
    let Evidence::Mx(evidence) = &mx.observation.evidence else {
        return false;
    };
    let Lookup::Found { ttl, .. } = &evidence.answer else {
        return false;
    };
    let ttl = SignedDuration::try_from(*ttl).unwrap_or(SignedDuration::MAX);
    if ttl > SignedDuration::from_mins(1) {
        return false;
    }
    let forgotten = mx.observation.ended().checked_add(ttl).unwrap_or(now);
    doubt.wait(forgotten);
    now < forgotten
}
