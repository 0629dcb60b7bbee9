//! Which servers a domain's mail may go to, and only with good TLS (RFC 8461).

use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::Domain;
use crate::model::policy::sts::{check_tls_rpt, is_sts, sts_id};
use crate::model::policy::{HeldPolicy, PolicyPart, StsEvidence, StsMode, StsOutcome, StsPolicy};
use crate::model::{Code, DomainName, Evidence, Observation, State, Subject};
use crate::picture::{MailHosts, Picture};

use super::super::host::{HostState, HostView};
use super::{Fault, Opinion, dane, standing};

/// Why senders must not deliver to a host without good TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// The configuration says so.
    Configured,
    /// The domain's MTA-STS policy is enforced, and names the host.
    MtaSts,
    /// The host has TLSA records: STARTTLS is a must, and they say which certificate is right.
    Dane,
}

impl Demand {
    /// Whether the certificate has to be good by the usual rules as well.
    pub fn judges_certificates(self) -> bool {
        self != Self::Dane
    }

    /// Whose demand it is, as the end of a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Configured => "is required for this domain",
            Self::MtaSts => "the domain's MTA-STS policy demands",
            Self::Dane => "the TLSA records of the host demand",
        }
    }
}

/// Who demands TLS of a host for a domain's mail, the strictest first.
pub fn demand(picture: &Picture, domain: &Domain, host: &DomainName, now: Timestamp) -> Option<Demand> {
    if domain.tls_required {
        return Some(Demand::Configured);
    }
    if enforced(picture, domain, now).is_some_and(|policy| policy.allows(host)) {
        return Some(Demand::MtaSts);
    }
    dane::has_tlsa(picture, domain, host).then_some(Demand::Dane)
}

/// The policy that senders enforce: as it was seen last, and before the first look as it is known from before a
/// restart.
fn enforced<'a>(picture: &'a Picture, domain: &Domain, now: Timestamp) -> Option<&'a StsPolicy> {
    let subject = Subject::Policy(domain.name.clone(), PolicyPart::Sts);
    let seen = picture.track(&subject).map(standing);
    let policy = match seen.map(|seen| (&seen.evidence, seen.ended())) {
        Some((Evidence::Sts(evidence), at)) => in_force(evidence, at),
        _ => lasting(picture.learnt.sts(&domain.name), now),
    };
    policy.filter(|policy| policy.mode == StsMode::Enforce)
}

/// The policy that senders go by: what was read last, for as long as they may remember it, whatever has become of its
/// record or its web server meanwhile (RFC 8461 5.1).
fn in_force(evidence: &StsEvidence, at: Timestamp) -> Option<&StsPolicy> {
    lasting(evidence.held.as_deref(), at)
}

fn lasting(held: Option<&HeldPolicy>, at: Timestamp) -> Option<&StsPolicy> {
    held.filter(|held| held.holds_at(at)).map(|held| &held.policy)
}

/// What the evidence comes to.
pub(super) fn opinion(picture: &Picture, domain: &Domain, evidence: &StsEvidence, at: Timestamp) -> Opinion {
    let mut opinion = available(picture, domain, evidence);
    if let Some(policy) = in_force(evidence, at) {
        let unlisted = unlisted(picture, domain, policy);
        if !unlisted.is_empty() {
            let detail = mismatch(domain, policy, &unlisted);
            if policy.mode == StsMode::Enforce {
                // That the policy cannot be read either is told beside it.
                let other = opinion
                    .fault
                    .replace(Fault::stated(Code::PolicyStsMismatch, detail));
                opinion
                    .warnings
                    .extend(other.map(|other| (Some(other.code), other.detail)));
            } else {
                opinion.warnings.push((Some(Code::PolicyStsMismatch), detail));
            }
        }
    }
    let tls_rpt = evidence.tls_rpt.records().into_iter().flatten();
    for text in tls_rpt.take(2) {
        if let Err(reason) = check_tls_rpt(text) {
            let warning = format!(
                "The TLS-RPT record at _smtp._tls.{} is invalid: {reason}. It reads \"{text}\".",
                domain.name
            );
            opinion.warnings.push((None, warning));
        }
    }
    opinion
}

/// Whether there is a policy, and it can be read.
fn available(picture: &Picture, domain: &Domain, evidence: &StsEvidence) -> Opinion {
    let name = &domain.name;
    let faulty = |detail: String, inferred: bool| {
        let fault = Fault {
            inferred,
            ..Fault::stated(Code::PolicyStsUnavailable, detail)
        };
        Opinion::faulty("MTA-STS unavailable", fault)
    };
    if !evidence.record.is_definite() {
        return Opinion::untold(format!("MTA-STS unknown ({})", evidence.record.outcome()));
    }
    let records: Vec<&String> = evidence.record.records().into_iter().flatten().collect();
    let valid: Vec<&&String> = records.iter().filter(|text| is_sts(text)).collect();
    match (records.as_slice(), valid.as_slice()) {
        ([], _) => return gone(domain, evidence.held.as_deref()),
        ([near, ..], []) => {
            return faulty(
                format!(
                    "The MTA-STS record at _mta-sts.{name} does not begin with \"v=STSv1;\". It reads \"{near}\"."
                ),
                false,
            );
        }
        (_, [one]) => {
            if let Err(reason) = sts_id(one) {
                let detail = format!(
                    "The MTA-STS record at _mta-sts.{name} is invalid: {reason}. It reads \"{one}\"."
                );
                return faulty(detail, false);
            }
        }
        (_, several) => {
            let detail = format!(
                "There are {} MTA-STS records at _mta-sts.{name}, and only one may be.",
                several.len()
            );
            return faulty(detail, false);
        }
    }
    let Some(fetch) = &evidence.fetch else {
        return Opinion::untold("MTA-STS policy not fetched");
    };
    let remembered = remembered(evidence.held.as_deref());
    match &fetch.outcome {
        StsOutcome::Read { .. } => {
            let mode = evidence.held.as_deref().map_or(StsMode::None, |held| held.policy.mode);
            Opinion::good(format!("MTA-STS {}", mode.as_str()))
        }
        StsOutcome::Failed { reason, .. } => {
            let detail = format!("The MTA-STS policy at {} cannot be used: {reason}.{remembered}", fetch.url);
            faulty(detail, false)
        }
        StsOutcome::Silent { reason } if picture.has_reached_https() => {
            let detail = format!("The MTA-STS policy at {} cannot be fetched: {reason}.{remembered}", fetch.url);
            faulty(detail, true)
        }
        // That we have never reached anybody's port 443 may well be our own doing.
        StsOutcome::Silent { reason } => Opinion::untold(format!("MTA-STS policy unknown ({reason})")).warn(format!(
            "The MTA-STS policy at {} could not be fetched ({reason}). Nobody's port 443 has ever answered us, so the \
             fault may be on our own side.",
            fetch.url
        )),
        StsOutcome::Untold { reason } => Opinion::untold(format!("MTA-STS policy unknown ({reason})")),
    }
}

fn gone(domain: &Domain, held: Option<&HeldPolicy>) -> Opinion {
    let opinion = Opinion::good("no MTA-STS");
    match held.filter(|held| held.policy.mode == StsMode::Enforce) {
        Some(_) => opinion.warn(format!(
            "The MTA-STS record at _mta-sts.{} is gone.{} To end a policy, publish one with \"mode: none\" first.",
            domain.name,
            remembered(held)
        )),
        None => opinion,
    }
}

/// What senders still go by.
fn remembered(held: Option<&HeldPolicy>) -> String {
    let Some(held) = held else {
        return " Senders go without it.".to_owned();
    };
    let age = jiff::SignedDuration::try_from(held.policy.max_age).unwrap_or(jiff::SignedDuration::MAX);
    let until = held.fetched.checked_add(age).unwrap_or(Timestamp::MAX);
    format!(
        " Senders that have read it before go by what they remember (mode {}), until {} at the latest; others go \
         without it.",
        held.policy.mode.as_str(),
        until.strftime("%Y-%m-%d %H:%M UTC")
    )
}

fn unlisted(picture: &Picture, domain: &Domain, policy: &StsPolicy) -> Vec<DomainName> {
    if !matches!(picture.mail_hosts(&domain.name), MailHosts::Records(_)) {
        return Vec::new();
    }
    let mut hosts = picture.host_names(&domain.name);
    hosts.retain(|host| !policy.allows(host));
    hosts
}

fn mismatch(domain: &Domain, policy: &StsPolicy, unlisted: &[DomainName]) -> String {
    let hosts: Vec<&str> = unlisted.iter().take(5).map(DomainName::as_str).collect();
    let listed: Vec<&str> = policy.mx.iter().take(5).map(String::as_str).collect();
    format!(
        "The MTA-STS policy of {} (mode {}) does not list {}. It lists {}.",
        domain.name,
        policy.mode.as_str(),
        hosts.join(", "),
        listed.join(", ")
    )
}

/// How serious a mismatch is: broken where no host that the policy lists can be delivered to with good TLS.
pub(super) fn weigh(
    picture: &Picture,
    domain: &Domain,
    hosts: &[HostView],
    seen: &Arc<Observation>,
    fault: &mut Fault,
) {
    let Evidence::Sts(evidence) = &seen.evidence else {
        return;
    };
    let Some(policy) = in_force(evidence, seen.ended()).filter(|_| fault.code == Code::PolicyStsMismatch)
    else {
        return;
    };
    let barred = unlisted(picture, domain, policy);
    let open = hosts.iter().filter(|host| !barred.contains(&host.name));
    let deliverable = |host: &HostView| match host.state {
        HostState::Usable => host.impaired.iter().all(|found| found.state != State::Broken),
        HostState::Unknown(_) => true,
        HostState::Failed(_) => false,
    };
    if !hosts.is_empty() && !open.into_iter().any(deliverable) {
        fault.state = State::Broken;
    }
}
