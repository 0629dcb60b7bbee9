//! Who may send in a domain's name (RFC 7208).

use crate::inventory::Domain;
use crate::model::Code;
use crate::model::policy::{SpfEvidence, SpfOutcome};

use super::{Fault, Opinion};

/// What the evidence comes to.
pub(super) fn opinion(domain: &Domain, evidence: &SpfEvidence) -> Opinion {
    match &evidence.outcome {
        SpfOutcome::Untold { reason } => Opinion::untold(format!("SPF unknown ({reason})")),
        SpfOutcome::Absent => absent(domain, evidence),
        SpfOutcome::Valid { all, ptr } => {
            let words = format!("SPF in order, {} of 10 lookups", evidence.lookups);
            let mut opinion = Opinion::good(words);
            if *all == Some('+') {
                opinion = opinion.warn(format!(
                    "The SPF record of {} ends with +all, which lets everybody send in its name: \"{}\".",
                    domain.name,
                    own(evidence)
                ));
            } else if !domain.sends && *all != Some('-') {
                opinion = opinion.warn(format!(
                    "{} sends no mail; its SPF record should say so with -all, and says \"{}\".",
                    domain.name,
                    own(evidence)
                ));
            }
            if *ptr {
                opinion = opinion.warn(format!(
                    "The SPF record of {} uses ptr, which many receivers pass over: \"{}\".",
                    domain.name,
                    own(evidence)
                ));
            }
            opinion
        }
        SpfOutcome::Invalid { at, term, problem } => {
            let record = evidence.read.iter().rev().find(|(name, _)| name == at);
            let text = record.map_or_else(|| own(evidence), |(_, text)| short_record(text));
            let via = if *at == domain.name {
                String::new()
            } else {
                format!(", which that of {} leads to", domain.name)
            };
            let term = term
                .as_ref()
                .map(|term| format!(" at \"{term}\""))
                .unwrap_or_default();
            let count = if evidence.lookups > 10 {
                format!(" Lookups needed: {} of 10 allowed.", counted(evidence.lookups))
            } else {
                String::new()
            };
            let detail = format!(
                "The SPF record of {at}{via} is invalid{term}: {problem}.{count} It reads \"{text}\"."
            );
            Opinion::faulty("SPF invalid", Fault::stated(Code::PolicySpfInvalid, detail))
        }
    }
}

fn absent(domain: &Domain, evidence: &SpfEvidence) -> Opinion {
    let opinion = Opinion::good("no SPF record");
    let near = evidence.own.records().and_then(|records| records.first());
    if let Some(near) = near {
        return opinion.warn(format!(
            "{} has no SPF record that receivers can read. This one is not, for it does not begin with \"v=spf1 \": \"{}\".",
            domain.name,
            short_record(near)
        ));
    }
    // Without the name, which stands beside it: so it is one text for all who need it.
    opinion.warn(if domain.sends {
        "There is no SPF record: receivers cannot tell this domain's mail from forged mail. Publish one that names who sends \
         for it."
    } else {
        "This domain sends no mail and does not say so: \"v=spf1 -all\" as its TXT record would keep others from using it."
    })
}

/// Counting ends somewhere.
fn counted(lookups: u32) -> String {
    if lookups > 30 {
        "more than 30".to_owned()
    } else {
        lookups.to_string()
    }
}

fn own(evidence: &SpfEvidence) -> String {
    let records: Vec<String> = evidence
        .own
        .records()
        .into_iter()
        .flatten()
        .take(3)
        .map(|text| short_record(text))
        .collect();
    records.join("\" and \"")
}

/// A record within a sentence; the whole stands in the evidence.
fn short_record(text: &str) -> String {
    if text.chars().count() <= 200 {
        return text.to_owned();
    }
    let start: String = text.chars().take(140).collect();
    format!("{start}…")
}
