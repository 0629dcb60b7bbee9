//! What receivers shall do with mail that only pretends to come from a domain (RFC 9989).

use crate::inventory::Domain;
use crate::model::Code;
use crate::model::policy::DmarcEvidence;
use crate::model::policy::dmarc::{DmarcRecord, is_dmarc};

use super::{Fault, Opinion};

/// What the evidence comes to.
pub(super) fn opinion(domain: &Domain, evidence: &DmarcEvidence) -> Opinion {
    let name = &domain.name;
    if !evidence.own.is_definite() {
        return Opinion::untold(format!("DMARC unknown ({})", evidence.own.outcome()));
    }
    let records: Vec<&String> = evidence.own.records().into_iter().flatten().collect();
    let valid: Vec<&&String> = records.iter().filter(|text| is_dmarc(text)).collect();
    let faulty = |detail| Opinion::faulty("DMARC invalid", Fault::stated(Code::PolicyDmarcInvalid, detail));
    match valid.as_slice() {
        [] => absent(domain, evidence, records.first().map(|text| text.as_str())),
        [one] => match DmarcRecord::parse(one) {
            Err(reason) => faulty(format!(
                "The DMARC record at _dmarc.{name} is invalid: {reason}. It reads \"{one}\"."
            )),
            Ok(record) => {
                let opinion = Opinion::good(format!("DMARC p={}", record.policy));
                record.faults.iter().fold(opinion, |opinion, fault| {
                    opinion.warn(format!(
                        "In the DMARC record at _dmarc.{name}, {fault}: \"{one}\"."
                    ))
                })
            }
        },
        several => faulty(format!(
            "There are {} DMARC records at _dmarc.{name}, so that receivers go by none. They read \"{}\".",
            several.len(),
            several
                .iter()
                .take(3)
                .map(|text| text.as_str())
                .collect::<Vec<_>>()
                .join("\" and \"")
        )),
    }
}

fn absent(domain: &Domain, evidence: &DmarcEvidence, near: Option<&str>) -> Opinion {
    let name = &domain.name;
    if let Some(near) = near {
        return Opinion::good("no DMARC record").warn(format!(
            "What stands at _dmarc.{name} is no DMARC record, for it does not begin with \"v=DMARC1;\": \"{near}\"."
        ));
    }
    if let Some((from, text)) = &evidence.inherited {
        let policy = DmarcRecord::parse(text)
            .map(|record| record.policy)
            .unwrap_or_default();
        return Opinion::good(format!("DMARC p={policy} from {from}"));
    }
    match &evidence.untold {
        Some(reason) => Opinion::untold(format!("DMARC unknown ({reason})")),
        // Without the name, which stands beside it: so it is one text for all who need it.
        None => Opinion::good("no DMARC record").warn(
            "There is no DMARC record: receivers are not told what to do with forged mail. \"v=DMARC1; p=none\" as the TXT \
             record at _dmarc below the domain's name is a beginning.",
        ),
    }
}
