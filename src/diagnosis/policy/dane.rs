//! Whether the certificate of a mail host is the one that its TLSA records name (RFC 7672). They count only where
//! DNSSEC vouches for the MX records, the host's addresses and the TLSA records alike.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::inventory::Domain;
use crate::model::dns::Lookup;
use crate::model::policy::tlsa::{Fit, Shown};
use crate::model::policy::{TlsaEvidence, TlsaRecord};
use crate::model::{Code, DomainName, Evidence, Observation, State, Subject};
use crate::picture::{Health, Picture};

use super::super::doubt::Doubt;
use super::super::host::HostView;
use super::{Fault, Policies, about, finding, is_first_look, is_unfinished, standing};

/// What an observation of TLSA records means by itself.
pub(super) fn health(picture: &Picture, host: &DomainName, observation: &Observation) -> Health {
    let Evidence::Tlsa(evidence) = &observation.evidence else {
        return Health::Unrunnable;
    };
    if !evidence.answer.is_definite() {
        return Health::Unrunnable;
    }
    match compare(picture, host, evidence) {
        Fit::No | Fit::Unvouched | Fit::Misnamed => Health::Failed(Code::PolicyDaneMismatch),
        Fit::Yes | Fit::Untold => Health::Good,
    }
}

/// The records that DNSSEC vouches for, with the way to them.
fn authentic(evidence: &TlsaEvidence) -> &[TlsaRecord] {
    match &evidence.answer {
        Lookup::Found {
            records,
            authentic: true,
            ..
        } if evidence.addresses_authentic => records,
        _ => &[],
    }
}

/// Of these, the ones that say which certificate is right.
fn usable(evidence: &TlsaEvidence) -> Vec<&TlsaRecord> {
    let records = authentic(evidence).iter();
    records.filter(|record| record.is_usable()).collect()
}

/// How the records fit what the host's addresses show: one that fits is enough, and only when all misfit do they.
fn compare(picture: &Picture, host: &DomainName, evidence: &TlsaEvidence) -> Fit {
    let records = usable(evidence);
    if records.is_empty() {
        return Fit::Untold;
    }
    let mut misfits = 0;
    for address in picture.reachable_addresses(host) {
        let Some((shown, asked)) = shown(picture, host, evidence, address) else {
            continue;
        };
        let fits: Vec<Fit> = records.iter().map(|record| record.fits(shown)).collect();
        if fits.contains(&Fit::Yes) {
            return Fit::Yes;
        }
        // What a server shows to whoever asks for another name proves nothing.
        if !asked || fits.contains(&Fit::Untold) {
            return Fit::Untold;
        }
        misfits += 1;
    }
    if misfits > 0 { Fit::No } else { Fit::Untold }
}

/// What an address showed last, and whether it was asked for this host.
fn shown<'a>(
    picture: &'a Picture,
    host: &DomainName,
    evidence: &TlsaEvidence,
    address: SocketAddr,
) -> Option<(Shown<'a>, bool)> {
    let track = picture.track(&Subject::Smtp(address))?;
    let Evidence::Smtp(smtp) = &track.latest.evidence else {
        return None;
    };
    let tls = smtp.tls.as_ref().filter(|tls| !tls.hashes.is_empty())?;
    // The host, what it is an alias of, and the domains whose mail it takes (RFC 7672 3.2.2).
    let domains = picture.leads().domains(host);
    let mut names = [host].into_iter().chain(&evidence.base).chain(domains);
    let own = tls.certificate.as_ref();
    let shown = Shown {
        chain: &tls.hashes,
        named: own.is_some_and(|own| names.any(|name| own.covers(name))),
    };
    Some((shown, smtp.server_name.as_ref() == Some(host)))
}

/// Whether DNSSEC vouches for the MX records of a domain.
fn mx_is_authentic(picture: &Picture, domain: &Domain) -> bool {
    let track = picture.track(&Subject::Mx(domain.name.clone()));
    track.is_some_and(|track| {
        matches!(&standing(track).evidence, Evidence::Mx(mx)
            if matches!(mx.answer, Lookup::Found { authentic: true, .. }))
    })
}

/// Whether senders of a domain's mail demand TLS of a host because of its TLSA records: also where none of them says which
/// certificate is right (RFC 7672 2.2).
pub fn has_tlsa(picture: &Picture, domain: &Domain, host: &DomainName) -> bool {
    let track = picture.track(&Subject::Tlsa(host.clone()));
    let found = track.is_some_and(
        |track| matches!(&standing(track).evidence, Evidence::Tlsa(evidence) if !authentic(evidence).is_empty()),
    );
    found && mx_is_authentic(picture, domain)
}

/// Judges the TLSA records of all hosts of a domain; gives a few words for the path where there are any.
pub(super) fn judge(
    picture: &Picture,
    domain: &Domain,
    hosts: &[HostView],
    now: Timestamp,
    doubt: &mut Doubt,
    all: &mut Policies,
) -> Option<String> {
    if !picture.inventory.dnssec || !mx_is_authentic(picture, domain) {
        return None;
    }
    let mut secured = 0_usize;
    let mut misfits: Vec<(&DomainName, &Arc<Observation>, &TlsaEvidence)> = Vec::new();
    for host in hosts {
        let Some(track) = picture.track(&Subject::Tlsa(host.name.clone())) else {
            all.first_look |= !host.addresses.is_empty();
            continue;
        };
        all.first_look |= is_first_look(track);
        let seen = standing(track);
        let Evidence::Tlsa(evidence) = &seen.evidence else {
            continue;
        };
        secured += usize::from(!usable(evidence).is_empty());
        if let Some(warning) = uncounted(&host.name, evidence) {
            let found = about(domain, Code::PolicyDaneUnusable, seen)(&warning);
            all.warnings.push(found.giving(State::Flowing));
        }
        let misfits_now = compare(picture, &host.name, evidence) == Fit::No;
        let confirmed = track
            .settled
            .as_ref()
            .filter(|settled| settled.health.code().is_some());
        // A certificate that has been changed meanwhile, or records that have: what counts is how they fit now.
        if let Some(settled) = confirmed.filter(|_| misfits_now) {
            for view in &host.addresses {
                let settings = picture.smtp_settings(view.address);
                doubt.want(picture, &Subject::Smtp(view.address), settled.since(), &settings);
            }
            misfits.push((&host.name, seen, evidence));
        } else {
            // A session that came after the records: how the two fit is yet to be confirmed.
            all.first_look |= misfits_now && is_unfinished(track);
        }
        if track.fresh(now).is_none() {
            all.state = State::Unknown;
        }
    }
    if let Some((_, seen, _)) = misfits.first() {
        let state = if misfits.len() == hosts.len() {
            State::Broken
        } else {
            State::Degraded
        };
        let details = misfits
            .iter()
            .map(|(host, _, evidence)| misfit(picture, host, evidence));
        let fault = Fault {
            state,
            ..Fault::stated(Code::PolicyDaneMismatch, details.collect::<Vec<_>>().join(" "))
        };
        let more = misfits.iter().skip(1).map(|(_, seen, _)| Arc::clone(seen));
        let shown = misfits.iter().flat_map(|(host, ..)| sessions(picture, host));
        let found = finding(picture, domain, seen, &fault).on(more).on(shown.take(4));
        all.findings.push(found);
        return Some("DANE does not fit".into());
    }
    (secured > 0).then(|| format!("DANE at {secured} of {} hosts", hosts.len()))
}

fn sessions(picture: &Picture, host: &DomainName) -> Vec<Arc<Observation>> {
    let addresses = picture.reachable_addresses(host);
    let tracks = addresses
        .into_iter()
        .filter_map(|address| picture.track(&Subject::Smtp(address)));
    tracks.map(|track| Arc::clone(&track.latest)).collect()
}

/// That a host has records which protect nobody.
fn uncounted(host: &DomainName, evidence: &TlsaEvidence) -> Option<String> {
    let base = evidence.base.as_ref().unwrap_or(host);
    let records = evidence.answer.records().filter(|records| !records.is_empty())?;
    if authentic(evidence).is_empty() {
        return Some(format!(
            "There are TLSA records at _25._tcp.{base}, but senders pay no attention to them: DNSSEC vouches for the MX \
             records, but not for them and the addresses of {host}."
        ));
    }
    usable(evidence).is_empty().then(|| {
        let read: Vec<String> = records.iter().take(3).map(ToString::to_string).collect();
        format!(
            "No TLSA record at _25._tcp.{base} says which certificate is right: for mail they begin with 2 or 3, then 0 or \
             1, then 0, 1 or 2, and their data is as long as that says. They read \"{}\". Senders encrypt because of \
             them, but check no certificate.",
            read.join("\", \"")
        )
    })
}

/// Why a record that names an issuer in the chain does not fit.
fn reason(host: &DomainName, fits: &[Fit]) -> Option<String> {
    if fits.contains(&Fit::Misnamed) {
        return Some(format!(
            " The issuer is the right one, but the certificate is not for {host}, as records that begin with 2 demand."
        ));
    }
    fits.contains(&Fit::Unvouched).then(|| {
        " The issuer is in the chain that the server shows, but does not vouch for the certificate: one of them is out of \
         date, or a signature is wrong."
            .to_owned()
    })
}

fn misfit(picture: &Picture, host: &DomainName, evidence: &TlsaEvidence) -> String {
    let usable = usable(evidence);
    let base = evidence.base.as_ref().unwrap_or(host);
    let records: Vec<String> = usable.iter().take(3).map(ToString::to_string).collect();
    let shown = picture
        .reachable_addresses(host)
        .into_iter()
        .find_map(|address| shown(picture, host, evidence, address));
    let fits = shown
        .iter()
        .flat_map(|(shown, _)| usable.iter().map(|record| record.fits(*shown)));
    let reason = reason(host, &fits.collect::<Vec<_>>()).unwrap_or_default();
    let wanted = shown
        .and_then(|(shown, _)| shown.chain.first())
        .map(|own| {
            format!(
                " For the present certificate it would be \"3 1 1 {}\".",
                own.key_sha256
            )
        })
        .unwrap_or_default();
    format!(
        "No TLSA record at _25._tcp.{base} fits the certificate that {host} shows. They read \"{}\".{reason}{wanted}",
        records.join("\", \"")
    )
}
