//! What domains publish about their mail as evidence: the records word for word, so that whoever hosts the DNS can act.

use crate::model::dns::Lookup;
use crate::model::policy::{SpfOutcome, StsEvidence, StsOutcome, Texts};
use crate::model::{DomainName, Evidence, Subject};

/// The lines of a transcript: each record with the name that it stands at.
pub(super) fn records(subject: &Subject, evidence: &Evidence) -> Vec<String> {
    let Some(name) = owner(subject) else {
        return Vec::new();
    };
    match evidence {
        Evidence::Spf(spf) if spf.read.is_empty() => texts(name.as_str(), &spf.own),
        Evidence::Spf(spf) => {
            let own = spf.own.records().into_iter().flatten();
            // Where there are several, the first of them was not gone on with.
            let more = own.filter(|text| !spf.read.iter().any(|(_, read)| read == *text));
            let more: Vec<String> = more.map(|text| txt(name.as_str(), text)).collect();
            let read = spf.read.iter().map(|(name, text)| txt(name.as_str(), text));
            read.chain(more).collect()
        }
        Evidence::Dmarc(dmarc) => {
            let mut lines = texts(&format!("_dmarc.{name}"), &dmarc.own);
            if let Some((from, text)) = &dmarc.inherited {
                lines.push(txt(&format!("_dmarc.{from}"), text));
            }
            lines
        }
        Evidence::Dkim(dkim) => dkim
            .keys
            .iter()
            .filter(|key| key.configured || key.answer.records().is_some())
            .flat_map(|key| texts(&format!("{}._domainkey.{name}", key.selector), &key.answer))
            .collect(),
        Evidence::Sts(sts) => mta_sts(name, sts),
        Evidence::Tlsa(tlsa) => match &tlsa.answer {
            Lookup::Found { records, .. } => {
                let name = tlsa.base.as_ref().unwrap_or(name);
                let line = |record: &_| format!("_25._tcp.{name} TLSA {record}");
                records.iter().map(line).collect()
            }
            other => vec![format!("_25._tcp.{name} TLSA: {}", other.outcome())],
        },
        _ => Vec::new(),
    }
}

/// What was found, in one line.
pub(super) fn published(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Spf(spf) => match &spf.outcome {
            SpfOutcome::Absent => "no SPF record".into(),
            SpfOutcome::Valid { .. } => format!("SPF in order, {} of 10 lookups", spf.lookups),
            SpfOutcome::Invalid { at, problem, .. } => format!("SPF invalid at {at}: {problem}"),
            SpfOutcome::Untold { reason } => format!("SPF could not be followed: {reason}"),
        },
        Evidence::Dmarc(dmarc) => match (&dmarc.inherited, &dmarc.own) {
            (Some((from, _)), _) => format!("DMARC of {from}"),
            (None, own) => format!("DMARC: {}", count(own)),
        },
        Evidence::Dkim(dkim) => {
            let keys: Vec<String> = dkim
                .keys
                .iter()
                .filter(|key| key.configured || key.answer.records().is_some())
                .map(|key| format!("{}: {}", key.selector, count(&key.answer)))
                .collect();
            match keys.as_slice() {
                [] => "no DKIM selector known".into(),
                keys => format!("DKIM {}", keys.join(", ")),
            }
        }
        Evidence::Sts(sts) => match sts.fetch.as_ref().map(|fetch| &fetch.outcome) {
            Some(StsOutcome::Read { .. }) => "MTA-STS policy read".into(),
            Some(
                StsOutcome::Failed { reason, .. }
                | StsOutcome::Silent { reason }
                | StsOutcome::Untold { reason },
            ) => format!("MTA-STS policy: {reason}"),
            None => format!("MTA-STS: {}", count(&sts.record)),
        },
        Evidence::Tlsa(tlsa) => match &tlsa.answer {
            Lookup::Found { records, .. } => format!("{} TLSA records", records.len()),
            other => format!("TLSA: {}", other.outcome()),
        },
        _ => String::new(),
    }
}

fn owner(subject: &Subject) -> Option<&DomainName> {
    match subject {
        Subject::Policy(name, _) | Subject::Tlsa(name) => Some(name),
        _ => None,
    }
}

fn count(texts: &Texts) -> String {
    match texts.records().map(Vec::len) {
        Some(1) => "one record".into(),
        Some(several) => format!("{several} records"),
        None => texts.outcome(),
    }
}

fn txt(name: &str, text: &str) -> String {
    format!("{name} TXT \"{text}\"")
}

fn texts(name: &str, found: &Texts) -> Vec<String> {
    match found.records() {
        Some(records) => records.iter().map(|text| txt(name, text)).collect(),
        None => vec![format!("{name} TXT: {}", found.outcome())],
    }
}

fn mta_sts(name: &DomainName, sts: &StsEvidence) -> Vec<String> {
    let mut lines = texts(&format!("_mta-sts.{name}"), &sts.record);
    if let Some(fetch) = &sts.fetch {
        let at = fetch
            .address
            .map(|address| format!(" at {address}"))
            .unwrap_or_default();
        match &fetch.outcome {
            StsOutcome::Read { text } => {
                lines.push(format!("GET {}{at}", fetch.url));
                lines.extend(text.lines().map(str::to_owned));
            }
            StsOutcome::Failed { reason, text } => {
                lines.push(format!("GET {}{at}: {reason}", fetch.url));
                lines.extend(text.iter().flat_map(|text| text.lines()).map(str::to_owned));
            }
            StsOutcome::Silent { reason } | StsOutcome::Untold { reason } => {
                lines.push(format!("GET {}{at}: {reason}", fetch.url));
            }
        }
    }
    if sts.tls_rpt.records().is_some() {
        lines.extend(texts(&format!("_smtp._tls.{name}"), &sts.tls_rpt));
    }
    lines
}
