//! The pages of one domain and of one incident.

use askama::Template;
use jiff::Timestamp;

use super::bars::Bars;
use super::cards::DomainCard;
use super::incident::IncidentCard;
use super::words::Moment;
use super::{Frame, View};
use crate::model::{Incident, State, Verdict};

/// How many domains of a client an incident's own page names.
const NAMED: usize = 1000;

#[derive(Template)]
#[template(path = "domain.html")]
pub(super) struct DomainPage {
    frame: Frame,
    domain: DomainCard,
    bars: Bars,
}

impl DomainPage {
    pub(super) fn new(view: &View<'_>, verdict: &Verdict, turns: &[(Timestamp, State)]) -> Self {
        let View { snapshot, now, .. } = *view;
        let domain = DomainCard::new(snapshot, verdict, now);
        let title = format!("{} is {} · mailflow", domain.name, domain.state);
        Self {
            frame: Frame::new(title, domain.state, view),
            domain,
            bars: Bars::new(turns, now),
        }
    }
}

#[derive(Template)]
#[template(path = "incident.html")]
pub(super) struct IncidentPage {
    frame: Frame,
    incident: IncidentCard,
    log: Vec<(Moment, String)>,
}

impl IncidentPage {
    pub(super) fn new(view: &View<'_>, incident: &Incident) -> Self {
        let View { snapshot, now, .. } = *view;
        let card = IncidentCard::new(snapshot, incident, NAMED, now);
        Self {
            frame: Frame::new(
                format!("#{}: {} · mailflow", card.id, card.cause.title),
                card.tone,
                view,
            ),
            log: incident
                .log
                .iter()
                .map(|entry| (Moment::new(entry.at, now), entry.text.clone()))
                .collect(),
            incident: card,
        }
    }
}

#[derive(Template)]
#[template(path = "missing.html")]
pub(super) struct MissingPage {
    frame: Frame,
    what: String,
}

impl MissingPage {
    pub(super) fn new(view: &View<'_>, what: &str) -> Self {
        Self {
            frame: Frame::new("Not found · mailflow", State::Unknown, view),
            what: what.to_owned(),
        }
    }
}
