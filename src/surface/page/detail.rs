//! The pages of one domain and of one incident.

use askama::Template;
use jiff::Timestamp;

use super::cards::{DomainCard, IncidentCard};
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
}

impl DomainPage {
    pub(super) fn new(view: &View<'_>, verdict: &Verdict) -> Self {
        let View { snapshot, now, .. } = *view;
        let domain = DomainCard::new(snapshot, verdict, now);
        let title = format!("{} is {} · mailflow", domain.name, domain.state);
        Self {
            frame: Frame::new(title, domain.state, view),
            domain,
        }
    }
}

#[derive(Template)]
#[template(path = "incident.html")]
pub(super) struct IncidentPage {
    frame: Frame,
    incident: IncidentCard,
    hands: Vec<String>,
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
            hands: hands(incident, now),
            incident: card,
        }
    }
}

/// Who has taken an incident on, and what keeps it quiet.
fn hands(incident: &Incident, now: Timestamp) -> Vec<String> {
    let taken = incident.acknowledged.as_ref().map(|taken| {
        let by = if taken.by.is_empty() {
            "somebody"
        } else {
            &taken.by
        };
        format!("Taken on by {by} at {}.", Moment::new(taken.at, now).human)
    });
    let held = incident.held.as_ref().map(|held| {
        let until = Moment::new(held.until, now).human;
        format!(
            "Nobody is told until {until}: {}.",
            held.reason.trim_end_matches('.')
        )
    });
    taken.into_iter().chain(held).collect()
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
