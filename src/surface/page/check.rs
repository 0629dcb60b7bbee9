//! The box that asks whether somebody can mail a domain, and what was found.

use askama::Template;

use super::cards::{DomainCard, EvidenceCard, client_name};
use super::{Frame, View};
use crate::model::{State, Target, Verdict};
use crate::snapshot::Snapshot;

/// How many clients the box offers by name; the others can be typed.
const OFFERED: usize = 200;

/// What somebody filled in.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::surface) struct Asked<'a> {
    /// The domain, or an address there.
    pub(in crate::surface) domain: &'a str,
    /// The client, by id or name.
    pub(in crate::surface) from: &'a str,
}

/// The box.
pub(super) struct CheckBox {
    pub(super) domain: String,
    pub(super) from: String,
    pub(super) clients: Vec<String>,
}

impl CheckBox {
    pub(super) fn new(snapshot: &Snapshot, asked: &Asked<'_>) -> Self {
        let names = snapshot.clients.iter().map(|client| client.name.clone());
        Self {
            domain: asked.domain.chars().take(300).collect(),
            from: asked.from.chars().take(300).collect(),
            clients: names.take(OFFERED).collect(),
        }
    }
}

/// What was found.
struct Found {
    sentence: String,
    card: DomainCard,
    watched: bool,
    /// The client's id and the domain, where they can be watched for a while.
    watchable: Option<(String, String)>,
    evidence: Vec<EvidenceCard>,
}

#[derive(Template)]
#[template(path = "check.html")]
pub(super) struct CheckPage {
    frame: Frame,
    asking: CheckBox,
    problem: Option<String>,
    found: Option<Found>,
}

impl CheckPage {
    pub(super) fn new(
        view: &View<'_>,
        asked: &Asked<'_>,
        found: Option<Result<(&Verdict, bool), &str>>,
    ) -> Self {
        let (problem, found) = match found {
            None => (None, None),
            Some(Err(problem)) => (Some(problem.to_owned()), None),
            Some(Ok((verdict, watched))) => (None, Some(Found::new(view, verdict, watched))),
        };
        let tone = found.as_ref().map_or(State::Unknown, |found| found.card.state);
        Self {
            frame: Frame::new("Can they mail? · mailflow", tone, view).here("check"),
            asking: CheckBox::new(view.snapshot, asked),
            problem,
            found,
        }
    }
}

impl Found {
    fn new(view: &View<'_>, verdict: &Verdict, watched: bool) -> Self {
        let mut card = DomainCard::new(view.snapshot, verdict, view.now);
        let evidence = card
            .cause
            .as_mut()
            .map(|cause| std::mem::take(&mut cause.evidence));
        Self {
            sentence: sentence(view.snapshot, verdict, &card.name),
            card,
            watched,
            watchable: match &verdict.target {
                Target::Route(client, to) if !watched => Some((client.to_string(), to.to_string())),
                _ => None,
            },
            evidence: evidence.unwrap_or_default(),
        }
    }
}

/// The answer to what was asked.
fn sentence(snapshot: &Snapshot, verdict: &Verdict, domain: &str) -> String {
    let Target::Route(client, _) = &verdict.target else {
        return match verdict.state {
            State::Flowing => format!("{domain} takes mail."),
            State::Degraded => format!("{domain} takes mail, but something should be mended."),
            State::Broken => format!("{domain} takes no mail."),
            State::Unknown => format!("We cannot tell whether {domain} takes mail."),
        };
    };
    let client = client_name(snapshot, client);
    match verdict.state {
        State::Flowing => format!("{client} can mail {domain}, as far as can be seen from outside."),
        State::Degraded => format!("{client} can mail {domain}, but something should be mended."),
        State::Broken => format!("{client} cannot mail {domain}."),
        State::Unknown => format!("We cannot tell whether {client} can mail {domain}."),
    }
}
