//! The box that takes a message that came back, and what it says.

use askama::Template;

use super::{Frame, View};
use crate::message::Explanation;
use crate::model::State;
use crate::surface::bounce::{self, Line, Told};
use crate::surface::ours::{Explained, Ours, texts};

/// The most recipients that are shown.
const SHOWN: usize = 50;
/// The most characters of a message that stand in the box again; all of it was read.
const AGAIN: usize = 20_000;

/// What the message says.
struct Found {
    no_bounce: Option<String>,
    recipients: Vec<Told>,
    more: usize,
    about: Vec<Line>,
}

#[derive(Template)]
#[template(path = "explain.html")]
pub(super) struct ExplainPage {
    frame: Frame,
    message: String,
    problem: Option<String>,
    found: Option<Found>,
}

impl ExplainPage {
    pub(super) fn new(view: &View<'_>, message: &str, found: Option<Result<&Explained, &str>>) -> Self {
        let (problem, found) = match found {
            None => (None, None),
            Some(Err(problem)) => (Some(problem.to_owned()), None),
            Some(Ok(explained)) => (None, Some(Found::new(&explained.message, &explained.ours))),
        };
        Self {
            frame: Frame::new("A mail came back · mailflow", State::Unknown, view).here("explain"),
            message: message.chars().take(AGAIN).collect(),
            problem,
            found,
        }
    }
}

impl Found {
    fn new(explanation: &Explanation, ours: &[Option<Ours>]) -> Self {
        let told = explanation.recipients.iter().zip(texts(ours)).take(SHOWN);
        Self {
            no_bounce: bounce::no_bounce(explanation),
            recipients: told
                .map(|(one, seen)| Told::new(one, explanation.kind, seen))
                .collect(),
            more: explanation.recipients.len().saturating_sub(SHOWN),
            about: bounce::about(explanation),
        }
    }
}
