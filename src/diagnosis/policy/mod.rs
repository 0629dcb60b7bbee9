//! What a domain publishes about its mail, judged as senders and receivers that keep to the RFCs would.
//!
//! Each part has one opinion on its newest evidence. [`classify()`] makes a health of it, so that a fault counts once
//! it is confirmed; [`policies`] then says what stands. A part that could not be looked up is unknown, and never a
//! finding: what counted before goes on counting, since absence of evidence heals nothing.

mod dane;
mod dkim;
mod dmarc;
mod spf;
mod sts;

use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::Domain;
use crate::model::policy::PolicyPart;
use crate::model::{Code, Evidence, Observation, State, Subject};
use crate::picture::{Health, Picture, Track};

use super::dns::domain_root;
use super::doubt::Doubt;
use super::finding::Finding;
use super::host::HostView;

pub use sts::{Demand, demand};

/// What the evidence of one part comes to.
#[derive(Debug, Clone, Default, PartialEq)]
struct Opinion {
    /// What is wrong.
    fault: Option<Fault>,
    /// What somebody should know, with its code where that is not the part's own.
    warnings: Vec<(Option<Code>, String)>,
    /// The whole in a few words, for the path.
    words: String,
    /// Whether it could be looked up at all.
    told: bool,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq)]
struct Fault {
    code: Code,
    state: State,
    detail: String,
    /// Whether it is inferred from silence.
    inferred: bool,
}

impl Fault {
    /// A fault that somebody stated.
    fn stated(code: Code, detail: String) -> Self {
        Self {
            code,
            state: State::Degraded,
            detail,
            inferred: false,
        }
    }
}

impl Opinion {
    /// All is well.
    fn good(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            told: true,
            ..Self::default()
        }
    }

    /// Something is wrong.
    fn faulty(words: impl Into<String>, fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            ..Self::good(words)
        }
    }

    /// Nobody could tell us.
    fn untold(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            ..Self::default()
        }
    }

    fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push((None, warning.into()));
        self
    }

    fn health(&self) -> Health {
        match &self.fault {
            Some(fault) => Health::Failed(fault.code),
            None if self.told => Health::Good,
            None => Health::Unrunnable,
        }
    }
}

/// What the policies of a domain come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Policies {
    /// What is wrong, each with the state that it gives.
    pub findings: Vec<Finding>,
    /// What somebody should know.
    pub warnings: Vec<Finding>,
    /// Whether some part has not been looked at yet, or what its first look showed is being confirmed.
    pub first_look: bool,
    /// How they are, for the path: unknown where some part could not be looked up.
    pub state: State,
    /// Each part in a few words, for the path.
    pub words: String,
}

/// What an observation of a policy means by itself.
pub fn classify(picture: &Picture, observation: &Observation) -> Health {
    match &observation.subject {
        Subject::Policy(name, part) => match picture.domain(name) {
            Some(domain) => opinion(picture, domain, *part, observation).health(),
            None => Health::Unrunnable,
        },
        Subject::Tlsa(host) => dane::health(picture, host, observation),
        _ => Health::Unrunnable,
    }
}

fn opinion(picture: &Picture, domain: &Domain, part: PolicyPart, observation: &Observation) -> Opinion {
    match (part, &observation.evidence) {
        (PolicyPart::Spf, Evidence::Spf(evidence)) => spf::opinion(domain, evidence),
        (PolicyPart::Dmarc, Evidence::Dmarc(evidence)) => dmarc::opinion(domain, evidence),
        (PolicyPart::Dkim, Evidence::Dkim(evidence)) => dkim::opinion(domain, evidence),
        (PolicyPart::Sts, Evidence::Sts(evidence)) => {
            sts::opinion(picture, domain, evidence, observation.ended())
        }
        _ => Opinion::untold(format!("{part} unknown")),
    }
}

/// What stands of the policies of a domain, whose hosts have been judged.
pub fn policies(
    picture: &Picture,
    domain: &Domain,
    hosts: &[HostView],
    now: Timestamp,
    doubt: &mut Doubt,
) -> Policies {
    let (mut all, mut words) = parts_of(picture, domain, parts(domain), hosts, now, doubt);
    if domain.receives {
        words.extend(dane::judge(picture, domain, hosts, now, doubt, &mut all));
    }
    all.concluded(&words)
}

/// What stands of what a domain publishes for receivers of its mail.
pub fn of_sender(picture: &Picture, domain: &Domain, now: Timestamp, doubt: &mut Doubt) -> Policies {
    let parts = [PolicyPart::Spf, PolicyPart::Dmarc, PolicyPart::Dkim];
    let (all, words) = parts_of(picture, domain, parts.into_iter(), &[], now, doubt);
    all.concluded(&words)
}

/// Whether a key for a domain's signatures is known to be published.
pub fn has_dkim_key(picture: &Picture, domain: &Domain) -> bool {
    let track = picture.track(&Subject::Policy(domain.name.clone(), PolicyPart::Dkim));
    track.is_some_and(|track| match &standing(track).evidence {
        Evidence::Dkim(evidence) => dkim::has_key(domain, evidence),
        _ => false,
    })
}

fn parts_of(
    picture: &Picture,
    domain: &Domain,
    parts: impl Iterator<Item = PolicyPart>,
    hosts: &[HostView],
    now: Timestamp,
    doubt: &mut Doubt,
) -> (Policies, Vec<String>) {
    let mut all = Policies {
        findings: Vec::new(),
        warnings: Vec::new(),
        first_look: false,
        state: State::Flowing,
        words: String::new(),
    };
    let mut words = Vec::new();
    for part in parts {
        let subject = Subject::Policy(domain.name.clone(), part);
        let Some(track) = picture.track(&subject) else {
            all.first_look = true;
            words.push(format!("{part} not looked at yet"));
            all.state = State::Unknown;
            continue;
        };
        all.first_look |= is_first_look(track);
        let seen = standing(track);
        let mut opinion = opinion(picture, domain, part, seen);
        let confirmed = track.settled.as_ref().and_then(|settled| settled.health.code());
        if let (PolicyPart::Sts, Some(fault)) = (part, &mut opinion.fault) {
            sts::weigh(picture, domain, hosts, seen, fault);
        }
        if !opinion.told || track.fresh(now).is_none() {
            all.state = State::Unknown;
        }
        words.push(opinion.words.clone());
        let warnings = opinion.warnings.iter().map(|(other, warning)| {
            about(domain, other.unwrap_or(code(part)), seen)(warning).giving(State::Flowing)
        });
        all.warnings.extend(warnings);
        // MX hosts that became known after the policy: how the two fit is yet to be confirmed.
        let unconfirmed = opinion
            .fault
            .as_ref()
            .is_some_and(|fault| confirmed != Some(fault.code));
        all.first_look |= unconfirmed && is_unfinished(track);
        if let Some(fault) = opinion.fault.filter(|fault| confirmed == Some(fault.code)) {
            if let Some(settled) = track.settled.as_ref().filter(|_| fault.inferred) {
                doubt.want_line(picture, settled.doubted());
            }
            all.findings.push(finding(picture, domain, seen, &fault));
        }
    }
    (all, words)
}

impl Policies {
    fn concluded(mut self, words: &[String]) -> Self {
        self.words = words.join(", ");
        if let Some(worst) = self.findings.iter().max_by_key(|finding| finding.state.urgency()) {
            self.state = worst.state;
        }
        self
    }
}

/// The parts that matter for a domain: where no mail comes in, nobody looks at MTA-STS, and of a mere destination only
/// that matters.
fn parts(domain: &Domain) -> impl Iterator<Item = PolicyPart> + '_ {
    let matters = |part: &PolicyPart| match part {
        PolicyPart::Sts => domain.receives,
        PolicyPart::Spf | PolicyPart::Dmarc | PolicyPart::Dkim => !domain.is_destination,
    };
    PolicyPart::ALL.into_iter().filter(matters)
}

/// The code of what may be wrong with a part.
fn code(part: PolicyPart) -> Code {
    match part {
        PolicyPart::Spf => Code::PolicySpfInvalid,
        PolicyPart::Dmarc => Code::PolicyDmarcInvalid,
        PolicyPart::Dkim => Code::PolicyDkimMissing,
        PolicyPart::Sts => Code::PolicyStsUnavailable,
    }
}

/// Nothing is settled yet, and more is on its way.
fn is_first_look(track: &Track) -> bool {
    track.settled.is_none() && track.streak().is_some()
}

/// More looks are on their way: what was seen is being confirmed, or is about to be looked at anew.
fn is_unfinished(track: &Track) -> bool {
    track.is_in_doubt() || Arc::ptr_eq(&track.latest, standing(track))
}

/// The observation that counts: what is settled; before anything is, the newest.
fn standing(track: &Track) -> &Arc<Observation> {
    track
        .settled
        .as_ref()
        .map_or(&track.latest, |settled| &settled.observation)
}

fn about<'a>(
    domain: &'a Domain,
    code: Code,
    seen: &'a Arc<Observation>,
) -> impl Fn(&str) -> Finding + use<'a> {
    move |detail| Finding::new(code, domain_root(domain), domain.name.as_str(), detail).on([Arc::clone(seen)])
}

fn finding(picture: &Picture, domain: &Domain, seen: &Arc<Observation>, fault: &Fault) -> Finding {
    let found = about(domain, fault.code, seen)(&fault.detail).giving(fault.state);
    if fault.inferred {
        found.seen_from(picture)
    } else {
        found
    }
}
