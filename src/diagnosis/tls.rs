//! What TLS shows of a mail host, judged against each MX name that leads there (`semantics` 1, 16).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::model::tls::{Certificate, ChainVerdict, TlsEvidence};
use crate::model::{Code, DomainName, Evidence, Observation, Root, RootKind, State};
use crate::picture::Picture;

use super::address::AddressView;
use super::finding::Finding;
use super::policy::Demand;

/// Before the end of a certificate: from when on somebody should know. Renewal that runs by itself begins then, so that
/// alone is no fault.
pub(super) const WORTH_A_WARNING: SignedDuration = SignedDuration::from_hours(30 * 24);
/// From then on nothing renews it by itself any more.
pub(super) const OVERDUE: SignedDuration = SignedDuration::from_hours(14 * 24);
/// From then on it is a matter of today.
const LAST_DAYS: SignedDuration = SignedDuration::from_hours(3 * 24);

/// What is wrong with the TLS of a host at one address.
pub fn tls(
    picture: &Picture,
    host: &DomainName,
    view: &AddressView,
    demand: Option<Demand>,
    now: Timestamp,
) -> Vec<Finding> {
    let Some(observation) = &view.observation else {
        return Vec::new();
    };
    let Evidence::Smtp(smtp) = &observation.evidence else {
        return Vec::new();
    };
    let label = format!("{host} ({})", view.address.ip());
    let root = Root {
        kind: RootKind::MxHost,
        client: None,
        name: host.as_str().into(),
    };
    // With DANE, TLSA records say which certificate is right, and the usual rules do not.
    let strict = demand.is_some_and(Demand::judges_certificates);
    let serious = if strict { State::Broken } else { State::Degraded };
    let make = |code: Code, detail: String, observation: &Arc<Observation>| {
        Finding::new(code, root.clone(), label.clone(), detail)
            .giving(serious)
            .on([Arc::clone(observation)])
    };
    let mut findings = Vec::new();
    if let Some(demand) = demand.filter(|_| smtp.tls.is_none() && view.is_usable() && smtp.failure.is_none())
    {
        let detail = format!("{label} offers no STARTTLS, which {}.", demand.in_words());
        findings.push(make(Code::TlsNotOffered, detail, observation).giving(State::Broken));
    }
    let Some(evidence) = &smtp.tls else {
        return findings;
    };
    if let Some((code, detail)) = chain(evidence, &label, now) {
        findings.push(make(code, detail, observation));
    }
    if let Some((certificate, session)) = wrong_name(picture, host, view, observation, evidence) {
        let names = certificate
            .names
            .iter()
            .take(5)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        let detail = format!("The certificate of {label} is for {names}, not for {host}.");
        findings.push(make(Code::TlsCertificateNameMismatch, detail, &session));
    }
    if let Some(certificate) = evidence.certificate.as_ref().filter(|_| findings.is_empty()) {
        let left = certificate.not_after.duration_since(now);
        if left < WORTH_A_WARNING {
            let detail = days_left(left, certificate.not_after);
            let soon = make(Code::TlsCertificateExpiring, detail, observation).giving(State::Flowing);
            findings.push(soon);
        }
    }
    findings
}

/// How long a certificate has: in whole days, so that it changes once a day, with what that means from 30, 14 and 3 days
/// before the end on.
pub(super) fn days_left(left: SignedDuration, until: Timestamp) -> String {
    let days = match left.as_hours() / 24 {
        0 => "Less than a day left".to_owned(),
        1 => "1 day left".to_owned(),
        days => format!("{days} days left"),
    };
    let meaning = if left < LAST_DAYS {
        " Renew it today."
    } else if left < OVERDUE {
        " Automatic renewal would have replaced it by now."
    } else {
        ""
    };
    format!("{days}, until {}.{meaning}", day(until))
}

pub(super) fn chain(evidence: &TlsEvidence, label: &str, now: Timestamp) -> Option<(Code, String)> {
    let certificate = evidence.certificate.as_ref();
    let ended = certificate.filter(|certificate| certificate.not_after < now);
    if let Some(certificate) = ended {
        let detail = format!(
            "The certificate of {label} ended on {}.",
            day(certificate.not_after)
        );
        return Some((Code::TlsCertificateExpired, detail));
    }
    let issuer = certificate.map_or("an unknown issuer", |certificate| certificate.issuer.as_str());
    let (code, what) = match &evidence.chain {
        ChainVerdict::Trusted => return None,
        ChainVerdict::Expired => (
            Code::TlsCertificateExpired,
            "is in a chain that is out of date".to_owned(),
        ),
        ChainVerdict::NotYetValid => {
            let from = certificate
                .map(|certificate| day(certificate.not_before))
                .unwrap_or_default();
            (Code::TlsCertificateExpired, format!("is only valid from {from}"))
        }
        ChainVerdict::SelfSigned => (Code::TlsCertificateUntrusted, "is signed by itself".to_owned()),
        ChainVerdict::UnknownIssuer => (
            Code::TlsCertificateUntrusted,
            format!("comes from an issuer that nobody knows: {issuer}"),
        ),
        ChainVerdict::Revoked => (Code::TlsCertificateUntrusted, "has been revoked".to_owned()),
        ChainVerdict::Invalid { reason } => (
            Code::TlsCertificateUntrusted,
            format!("does not verify: {reason}"),
        ),
    };
    Some((code, format!("The certificate of {label} {what}.")))
}

/// A mismatch counts only after a session that sent the name as SNI: a server may have more certificates.
fn wrong_name(
    picture: &Picture,
    host: &DomainName,
    view: &AddressView,
    observation: &Arc<Observation>,
    evidence: &TlsEvidence,
) -> Option<(Arc<Certificate>, Arc<Observation>)> {
    if evidence.certificate.as_ref()?.covers(host) {
        return None;
    }
    let session = picture.session(view.address, host).unwrap_or(observation);
    let Evidence::Smtp(smtp) = &session.evidence else {
        return None;
    };
    let certificate = smtp.tls.as_ref()?.certificate.as_ref()?;
    (smtp.server_name.as_ref() == Some(host) && !certificate.covers(host))
        .then(|| (Arc::clone(certificate), Arc::clone(session)))
}

pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(29 * 24 + 23, "29 days left, until 2026-12-01.")]
    #[case(14 * 24, "14 days left, until 2026-12-01.")]
    #[case(
        14 * 24 - 1,
        "13 days left, until 2026-12-01. Automatic renewal would have replaced it by now."
    )]
    #[case(3 * 24, "3 days left, until 2026-12-01. Automatic renewal would have replaced it by now.")]
    #[case(3 * 24 - 1, "2 days left, until 2026-12-01. Renew it today.")]
    #[case(24, "1 day left, until 2026-12-01. Renew it today.")]
    #[case(23, "Less than a day left, until 2026-12-01. Renew it today.")]
    fn the_words_step_at_30_14_and_3_days(#[case] hours: i64, #[case] told: &str) {
        let until: Timestamp = "2026-12-01T12:00:00Z".parse().unwrap();
        assert_eq!(days_left(SignedDuration::from_hours(hours), until), told);
    }
}
