//! What does not agree about a zone without harming mail: its parent names other servers than it does itself, or one of
//! its servers has an old version.
//!
//! A server that fails, or that gives other MX records, is told as such by [`super::dns`], whoever names it. What is
//! left is a warning under the code that is nearest, `dns.nameservers-disagree`: it harms whoever changes something
//! next. It is told only once it has lasted, since every change takes its time to spread.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::inventory::Domain;
use crate::model::dns::{NameServerEvidence, ZoneCopy, ZoneLook};
use crate::model::{Code, DomainName, Evidence, State, Subject};
use crate::picture::{Health, Lag, Picture};

use super::dns::name_server_root;
use super::finding::Finding;

/// Names of one list that are told.
const MOST_NAMES: usize = 8;

/// What somebody should know of a domain's zone.
pub(super) fn zone_warnings(picture: &Picture, domain: &Domain, now: Timestamp) -> Vec<Finding> {
    let track = picture.track(&Subject::NameServers(domain.name.clone()));
    let Some(settled) = track.and_then(|track| track.fresh(now)) else {
        return Vec::new();
    };
    let Evidence::NameServers(evidence) = &settled.observation.evidence else {
        return Vec::new();
    };
    let make = |subject: String, detail: String| {
        let agree = match settled.health {
            Health::Good => " All of them give the same MX records, so mail is not harmed.",
            _ => "",
        };
        let root = name_server_root(domain, Some(evidence));
        Finding::new(
            Code::DnsNameserversDisagree,
            root,
            subject,
            format!("{detail}{agree}"),
        )
        .giving(State::Flowing)
        .on([Arc::clone(&settled.observation)])
    };
    let mut found: Vec<Finding> = picture
        .stale_servers(&domain.name)
        .map(|lag| {
            let server = &lag.copy.server;
            make(
                format!("{server} (name server of {})", domain.name),
                stale(evidence, lag),
            )
        })
        .collect();
    if picture.is_unlike_parent(&domain.name)
        && let Some(detail) = unlike_parent(evidence)
    {
        found.push(make(format!("name servers of {}", domain.name), detail));
    }
    found
}

fn stale(evidence: &NameServerEvidence, lag: &Lag) -> String {
    let zone = evidence
        .zone
        .as_ref()
        .map(|zone| format!(" {zone}"))
        .unwrap_or_default();
    let version = &lag.newest.version;
    format!(
        "{} ({}) still has version {} of the zone{zone}, while {} has {}. It was first seen behind at {}, longer ago \
         than it may take to look for a newer one ({}).",
        lag.copy.server,
        lag.copy.address,
        lag.copy.version.serial,
        lag.newest.server,
        version.serial,
        lag.since.strftime("%Y-%m-%d %H:%M UTC"),
        span(version.refresh.saturating_add(version.retry)),
    )
}

fn unlike_parent(evidence: &NameServerEvidence) -> Option<String> {
    let look = evidence.closer.as_ref()?;
    let delegated = look.delegation.as_ref()?;
    let zone = evidence.zone.as_ref().map(DomainName::as_str).unwrap_or_default();
    let of_parent = list(delegated.servers.iter().map(|(name, _)| name));
    let mut told = vec![format!(
        "The zone above names {of_parent} as name servers of {zone}"
    )];
    let mut lists: Vec<(String, Vec<&str>)> = Vec::new();
    for copy in look.unlike_parent() {
        let named = list(copy.servers.iter());
        let by = copy.server.as_str();
        match lists.iter_mut().find(|(known, _)| *known == named) {
            Some((_, servers)) if servers.contains(&by) => {}
            Some((_, servers)) => servers.push(by),
            None => lists.push((named, vec![by])),
        }
    }
    let according =
        |(named, by): (String, Vec<&str>)| format!("according to {}, they are {named}", by.join(" and "));
    told.extend(lists.into_iter().map(according));
    Some(format!("{}.", told.join("; ")))
}

fn list<'a>(names: impl Iterator<Item = &'a DomainName>) -> String {
    let names: Vec<&str> = names.take(MOST_NAMES).map(DomainName::as_str).collect();
    names.join(", ")
}

/// A span of time as people say it, to the minute.
fn span(span: Duration) -> String {
    match (span.as_secs() / 3600, span.as_secs() / 60 % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// A closer look, as lines of evidence.
pub(super) fn zone_look(look: &ZoneLook) -> Vec<String> {
    let delegated = look.delegation.as_ref().map(|delegated| {
        let named = list(delegated.servers.iter().map(|(name, _)| name));
        format!("zone above ({}): NS {named}", delegated.by)
    });
    delegated
        .into_iter()
        .chain(look.copies.iter().map(copy))
        .collect()
}

fn copy(copy: &ZoneCopy) -> String {
    format!(
        "{} ({}): serial {}, NS {}",
        copy.server,
        copy.address,
        copy.version.serial,
        list(copy.servers.iter())
    )
}
