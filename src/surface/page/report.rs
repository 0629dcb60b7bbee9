//! The evidence package of one incident: for whoever has to mend it, on paper if need be. All times are UTC.

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::cards::client_name;
use super::incident::IncidentCard;
use super::{Frame, View};
use crate::model::{EvidenceNote, Incident, State, Target};

/// How many domains are named.
const NAMED: usize = 1000;

#[derive(Template)]
#[template(path = "report.html")]
pub(super) struct Report {
    frame: Frame,
    incident: IncidentCard,
    opened: String,
    resolved: Option<String>,
    written: String,
    domains: Vec<(String, String, State, String)>,
    evidence: Vec<Proof>,
    log: Vec<(String, String)>,
}

/// One piece of evidence, nothing left out.
struct Proof {
    at: String,
    probe: &'static str,
    vantage: String,
    ours: Option<String>,
    theirs: String,
    summary: String,
    control: Option<String>,
    transcript: Vec<String>,
}

impl Report {
    pub(super) fn new(view: &View<'_>, incident: &Incident) -> Self {
        let View { snapshot, now, .. } = *view;
        let card = IncidentCard::new(snapshot, incident, NAMED, now);
        let domains = incident.affected.iter().filter_map(|one| match &one.target {
            Target::Domain(name) => {
                let client = one.client.as_ref().map(|client| client_name(snapshot, client));
                Some((
                    name.to_string(),
                    client.unwrap_or_default(),
                    one.state,
                    utc(one.since),
                ))
            }
            _ => None,
        });
        Self {
            frame: Frame::new(format!("Incident #{}: evidence", card.id), card.tone, view),
            opened: utc(incident.opened),
            resolved: incident.resolved.map(utc),
            written: utc(now),
            domains: domains.take(NAMED).collect(),
            evidence: incident.cause.evidence.iter().map(Proof::new).collect(),
            log: incident
                .log
                .iter()
                .map(|entry| (utc(entry.at), entry.text.clone()))
                .collect(),
            incident: card,
        }
    }
}

impl Proof {
    fn new(note: &EvidenceNote) -> Self {
        Self {
            at: utc(note.at),
            probe: note.probe.as_str(),
            vantage: note.vantage.to_string(),
            ours: note.source_address.map(|address| address.to_string()),
            theirs: note.peer.clone(),
            summary: note.summary.clone(),
            control: note.control.clone(),
            transcript: note.transcript.clone(),
        }
    }
}

/// `2026-11-22 02:14:07 UTC`
fn utc(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M:%S UTC")
        .to_string()
}
