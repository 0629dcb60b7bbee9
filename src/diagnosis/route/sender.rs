//! The sender's side of a route: what receivers look up before they take a client's mail. An address without a name,
//! or one that no domain of the client lets send, is the client's to mend; whether a receiver minds is its own business,
//! so it impairs and never breaks.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Beside, Others};
use crate::inventory::Domain;
use crate::model::dns::Lookup;
use crate::model::policy::PolicyPart;
use crate::model::policy::dmarc::DmarcRecord;
use crate::model::sender::{SenderEvidence, SpfCheck, SpfResult};
use crate::model::{
    ClientId, Code, DomainName, Evidence, Hop, HopKind, Observation, Root, RootKind, State, Subject,
};
use crate::picture::{Health, Picture, Track};

use super::super::doubt::Doubt;
use super::super::finding::Finding;
use super::super::policy;
use super::super::reputation;

/// What an observation of a sending address means by itself.
pub(in crate::diagnosis) fn classify(evidence: &SenderEvidence) -> Health {
    if !faults(evidence).is_empty() {
        Health::Failed(Code::SenderAuthentication)
    } else if is_untold(evidence) {
        Health::Unrunnable
    } else {
        Health::Good
    }
}

/// Judges the sender's side of a client's routes.
pub(super) fn side<'a>(
    picture: &Picture,
    client: &'a ClientId,
    others: Others,
    now: Timestamp,
) -> Beside<'a> {
    let mut all = Beside {
        client,
        sender: Vec::new(),
        warnings: Vec::new(),
        hops: Vec::new(),
        first_look: false,
        others,
        proofs: BTreeSet::new(),
    };
    let Some(of) = picture.inventory.clients.get(client) else {
        return all;
    };
    for address in &of.senders {
        let subject = Subject::Sender(client.clone(), *address);
        match picture.track(&subject) {
            None => all.first_look = true,
            Some(track) => look(picture, client, track, now, &mut all),
        }
    }
    all.sender.extend(reputation::of_addresses(
        picture,
        Some(client),
        of.senders.iter().copied(),
    ));
    for domain in picture.inventory.sending_domains(client) {
        let mut doubt = Doubt::default();
        let published = policy::of_sender(picture, domain, now, &mut doubt);
        all.sender.extend(
            published
                .findings
                .into_iter()
                .map(|finding| (finding, doubt.clone())),
        );
    }
    all
}

/// Takes in what is known of one sending address.
fn look(picture: &Picture, client: &ClientId, track: &Track, now: Timestamp, all: &mut Beside<'_>) {
    all.first_look |= track.settled.is_none() && track.is_in_doubt();
    let seen = track
        .settled
        .as_ref()
        .map_or(&track.latest, |settled| &settled.observation);
    let Evidence::Sender(evidence) = &seen.evidence else {
        return;
    };
    let Subject::Sender(_, address) = &seen.subject else {
        return;
    };
    let confirmed = track.settled.as_ref().and_then(|settled| settled.health.code());
    let faults: Vec<String> = faults(evidence)
        .into_iter()
        .filter(|_| confirmed == Some(Code::SenderAuthentication))
        .map(|fault| in_words(picture, client, evidence, &fault, &address.to_string()))
        .collect();
    let name = picture.inventory.client_name(client);
    let subject = format!("{address}, where mail of {name} leaves from");
    let root = Root {
        kind: RootKind::Sender,
        client: Some(client.clone()),
        name: address.to_string().into(),
    };
    let about = |detail: String| {
        Finding::new(Code::SenderAuthentication, root.clone(), subject.clone(), detail).on([Arc::clone(seen)])
    };
    all.hops
        .push(hop(seen, evidence, &faults, track.fresh(now).is_some()));
    if !faults.is_empty() {
        let finding = about(faults.join(" ")).giving(State::Degraded);
        all.sender.push((finding, Doubt::default()));
    }
    let remarks = remarks(evidence, &address.to_string());
    all.warnings.extend(
        remarks
            .into_iter()
            .map(|remark| about(remark).giving(State::Flowing)),
    );
}

/// What is wrong with a sending address.
enum Fault {
    /// It has no name.
    Nameless,
    /// None of its names leads back to it.
    Misnamed,
    /// No domain of the client lets it send, and at least one says that it must not.
    Uncovered,
}

fn faults(evidence: &SenderEvidence) -> Vec<Fault> {
    let mut found = Vec::new();
    match &evidence.names {
        Lookup::NoData { .. } | Lookup::NxDomain { .. } => found.push(Fault::Nameless),
        Lookup::Found { .. } if evidence.confirmed.is_none() && evidence.untold.is_none() => {
            found.push(Fault::Misnamed);
        }
        _ => {}
    }
    let says = |wanted: &[SpfResult]| evidence.spf.iter().any(|check| wanted.contains(&check.result));
    if says(&[SpfResult::Fail, SpfResult::SoftFail]) && !says(&[SpfResult::Pass, SpfResult::TempError]) {
        found.push(Fault::Uncovered);
    }
    found
}

/// Whether somebody did not answer who matters.
fn is_untold(evidence: &SenderEvidence) -> bool {
    let spf = |result| evidence.spf.iter().any(|check| check.result == result);
    !evidence.names.is_definite() || evidence.untold.is_some() || spf(SpfResult::TempError)
}

fn in_words(
    picture: &Picture,
    client: &ClientId,
    evidence: &SenderEvidence,
    fault: &Fault,
    address: &str,
) -> String {
    match fault {
        Fault::Nameless => {
            format!(
                "{address} has no name (no PTR record), and many receivers refuse mail from such an address."
            )
        }
        Fault::Misnamed => {
            let names = evidence.names.records().into_iter().flatten().take(3);
            let names: Vec<&str> = names.map(DomainName::as_str).collect();
            format!(
                "The PTR record of {address} names {}, which does not lead back to it; many receivers refuse mail \
                 from such an address.",
                names.join(" and ")
            )
        }
        Fault::Uncovered => {
            let said: Vec<String> = denials(evidence).take(3).map(denial).collect();
            let mut text = format!("{address} may not send: {}.", said.join("; "));
            let strict = denials(evidence).find_map(|check| strict_policy(picture, &check.domain));
            if let Some((domain, policy)) = strict {
                let signed = has_key(picture, client, &domain);
                let unless = if signed {
                    "unless it is signed (DKIM)"
                } else {
                    "and no DKIM key of it is known"
                };
                let _ = write!(
                    text,
                    " The DMARC policy of {domain} (p={policy}) asks receivers not to deliver such mail, {unless}."
                );
            }
            text
        }
    }
}

fn denials(evidence: &SenderEvidence) -> impl Iterator<Item = &SpfCheck> {
    let denies = |check: &&SpfCheck| matches!(check.result, SpfResult::Fail | SpfResult::SoftFail);
    evidence.spf.iter().filter(denies)
}

/// `the SPF of acme.test says fail (-all)`
fn denial(check: &SpfCheck) -> String {
    let because = check.because.as_deref().map(|term| format!(" ({term})"));
    format!(
        "the SPF of {} says {}{}",
        check.domain,
        check.result.as_str(),
        because.unwrap_or_default()
    )
}

/// The DMARC policy of a domain, where it asks receivers not to deliver.
fn strict_policy(picture: &Picture, domain: &DomainName) -> Option<(DomainName, String)> {
    let track = picture.track(&Subject::Policy(domain.clone(), PolicyPart::Dmarc))?;
    let Evidence::Dmarc(evidence) = &track.settled.as_ref()?.observation.evidence else {
        return None;
    };
    let own = evidence.own.records().and_then(|records| records.first());
    let text = own.or(evidence.inherited.as_ref().map(|(_, text)| text))?;
    let policy = DmarcRecord::parse(text).ok()?.policy;
    (policy != "none").then(|| (domain.clone(), policy))
}

/// Whether a key for signatures is known to be published.
fn has_key(picture: &Picture, client: &ClientId, domain: &DomainName) -> bool {
    let of = picture
        .domain(domain)
        .filter(|one| one.client.as_ref() == Some(client));
    of.is_some_and(|domain: &Arc<Domain>| policy::has_dkim_key(picture, domain))
}

/// What somebody should know that impairs nothing.
fn remarks(evidence: &SenderEvidence, address: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some((name, Some(false))) = &evidence.greets {
        found.push(format!(
            "{address} greets as {name}, which does not lead to it; some receivers mind."
        ));
    }
    let passes = evidence.spf.iter().any(|check| check.result == SpfResult::Pass);
    if passes {
        found.extend(denials(evidence).map(|check| {
            format!(
                "Mail of {} from {address} would be doubted: {}.",
                check.domain,
                denial(check)
            )
        }));
    }
    found
}

fn hop(seen: &Arc<Observation>, evidence: &SenderEvidence, faults: &[String], fresh: bool) -> Hop {
    let subject = match &seen.subject {
        Subject::Sender(client, address) => format!("{address} ({client})"),
        other => other.to_string(),
    };
    let (state, summary) = match faults {
        [] if fresh => (State::Flowing, summary(evidence)),
        [] => (State::Unknown, summary(evidence)),
        faults => (State::Degraded, faults.join(" ")),
    };
    Hop {
        hop: HopKind::Policy,
        subject: subject.into(),
        state,
        elapsed: Some(seen.elapsed.into()),
        summary: summary.into(),
    }
}

/// What is to be seen of a sending address, in one line.
pub(in crate::diagnosis) fn summary(evidence: &SenderEvidence) -> String {
    let name = match (&evidence.names, &evidence.confirmed) {
        (_, Some(name)) => format!("its name is {name}"),
        (Lookup::Found { records, .. }, None) => {
            let first = records.first().map(DomainName::as_str).unwrap_or_default();
            match &evidence.untold {
                Some(reason) => format!("its name {first} could not be followed ({reason})"),
                None => format!("its name {first} leads elsewhere"),
            }
        }
        (Lookup::NoData { .. } | Lookup::NxDomain { .. }, None) => "it has no name".to_owned(),
        (other, None) => format!("its name is unknown ({})", other.outcome()),
    };
    let spf = evidence.spf.iter().take(5).map(|check| {
        let because = check.because.as_deref().map(|why| format!(" ({why})"));
        let because = because.unwrap_or_default();
        format!("SPF of {}: {}{because}", check.domain, check.result.as_str())
    });
    let all: Vec<String> = std::iter::once(name).chain(spf).collect();
    all.join(", ")
}
