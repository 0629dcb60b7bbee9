//! The keys for a domain's signatures (RFC 6376).

use crate::inventory::Domain;
use crate::model::Code;
use crate::model::policy::dkim::DkimKey;
use crate::model::policy::{DkimAnswer, DkimEvidence};

use super::{Fault, Opinion};

/// What the evidence comes to. Only configured selectors can be missing: those of the provider are guesses.
pub(super) fn opinion(domain: &Domain, evidence: &DkimEvidence) -> Opinion {
    let mut faults = Vec::new();
    let mut opinion = Opinion::good("");
    let mut words = Vec::new();
    for key in &evidence.keys {
        let selector = &key.selector;
        match read(domain, key) {
            Read::Good(found) => {
                words.push(format!("{selector} {}", found.kind));
                if key.configured && found.is_short() {
                    opinion = opinion.warn(format!(
                        "The DKIM key {selector} of {} is short: {}. 2048 bits are the rule today.",
                        domain.name, found.kind
                    ));
                }
                if key.configured && found.testing {
                    opinion = opinion.warn(format!(
                        "The DKIM key {selector} of {} says t=y: receivers treat signed mail as unsigned.",
                        domain.name
                    ));
                }
            }
            Read::Bad(detail) if key.configured => {
                words.push(format!("{selector} missing"));
                faults.push(detail);
            }
            Read::Untold(reason) if key.configured => {
                words.push(format!("{selector} unknown ({reason})"));
                opinion.told = false;
            }
            Read::Bad(_) | Read::Untold(_) => {}
        }
    }
    opinion.words = match words.as_slice() {
        [] => "no DKIM selector known".to_owned(),
        words => format!("DKIM {}", words.join(" and ")),
    };
    if !faults.is_empty() {
        opinion.fault = Some(Fault::stated(Code::PolicyDkimMissing, faults.join(" ")));
    }
    opinion
}

/// Whether any key can be used.
pub(super) fn has_key(domain: &Domain, evidence: &DkimEvidence) -> bool {
    evidence
        .keys
        .iter()
        .any(|key| matches!(read(domain, key), Read::Good(_)))
}

enum Read {
    Good(DkimKey),
    Bad(String),
    Untold(String),
}

fn read(domain: &Domain, key: &DkimAnswer) -> Read {
    let at = format!("{}._domainkey.{}", key.selector, domain.name);
    if !key.answer.is_definite() {
        return Read::Untold(key.answer.outcome());
    }
    let records: Vec<&String> = key.answer.records().into_iter().flatten().collect();
    let keys: Vec<Result<DkimKey, String>> = records.iter().map(|text| DkimKey::parse(text)).collect();
    // Of several records receivers take any: one that is good may do.
    if let Some(good) = keys.iter().find_map(|key| key.as_ref().ok()) {
        return Read::Good(good.clone());
    }
    Read::Bad(match (records.first(), keys.into_iter().next()) {
        (Some(text), Some(Err(reason))) => {
            let start: String = text.chars().take(100).collect();
            let more = if start.len() < text.len() { "…" } else { "" };
            format!("The DKIM key at {at} cannot be used: {reason}. It reads \"{start}{more}\".")
        }
        _ => format!("There is no DKIM key at {at} ({}).", key.answer.outcome()),
    })
}
