//! `mailflow ack` and `mailflow note`: what somebody does about an incident, for whoever looks at it next.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::{Ack, Note};
use super::daemon::Daemon;
use super::output;
use super::status::Words;
use crate::surface::words::Moment;

/// An incident that somebody has taken on.
#[derive(Deserialize)]
struct Taken {
    id: Words,
    cause: Cause,
    announced: Option<Timestamp>,
    acknowledged: Acknowledged,
}

#[derive(Deserialize)]
struct Cause {
    title: Words,
    subject: Words,
}

#[derive(Deserialize)]
struct Acknowledged {
    at: Timestamp,
    by: Words,
}

/// A line in an incident's log.
#[derive(Deserialize)]
struct Written {
    incident: Words,
    text: Words,
}

/// Takes an incident on; who was first stays, and is named.
pub fn run(ack: &Ack) -> anyhow::Result<u8> {
    let daemon = Daemon::at(&ack.daemon.url)?;
    let id = ack.id.to_string();
    let runtime = super::runtime()?;
    let body = json!({ "by": ack.doer.by });
    let answer = runtime.block_on(daemon.send(&["incidents", &id, "ack"], &body))?;
    let taken: Taken = understood(&daemon, answer)?;
    output::show(&in_words(&taken, &ack.doer.by))?;
    Ok(0)
}

/// Writes a line into an incident's log.
pub fn note(note: &Note) -> anyhow::Result<u8> {
    let daemon = Daemon::at(&note.daemon.url)?;
    let id = note.id.to_string();
    let body = json!({ "text": note.text, "by": note.doer.by });
    let answer = super::runtime()?.block_on(daemon.send(&["incidents", &id, "note"], &body))?;
    let written: Written = understood(&daemon, answer)?;
    output::show(&format!("#{}: {}\n", written.incident, written.text))?;
    Ok(0)
}

fn understood<T: for<'a> Deserialize<'a>>(daemon: &Daemon, answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).map_err(|error| daemon.stranger(error.to_string()).into())
}

fn in_words(taken: &Taken, me: &str) -> String {
    let (id, cause) = (&taken.id, &taken.cause);
    let what = format!("#{id} ({}: {})", cause.subject, cause.title);
    let ack = &taken.acknowledged;
    if *ack.by != *me {
        let by = if ack.by.is_empty() { "somebody" } else { &*ack.by };
        let since = Moment::new(ack.at, ack.at).human;
        return format!("{what} was taken on by {by} already, at {since}.\n");
    }
    let then = if taken.announced.is_some() {
        "Nobody is told of it again, until it ends"
    } else {
        "Nobody was told of it, and nobody will be"
    };
    format!("{what} is yours. {then}.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_whose_it_is_now() {
        let say = |by: &str, announced: &str| {
            let document = format!(
                r#"{{"id":"482","announced":{announced},"acknowledged":{{"at":"2026-11-22T02:20:00Z","by":"{by}"}},
                "cause":{{"title":"The router does not answer","subject":"hq-router (198.51.100.1)"}}}}"#
            );
            in_words(&serde_json::from_str(&document).unwrap(), "anna")
        };
        let told = r#""2026-11-22T02:15:00Z""#;
        insta::assert_snapshot!(say("anna", told), @"#482 (hq-router (198.51.100.1): The router does not answer) is yours. Nobody is told of it again, until it ends.");
        insta::assert_snapshot!(say("anna", "null"), @"#482 (hq-router (198.51.100.1): The router does not answer) is yours. Nobody was told of it, and nobody will be.");
        insta::assert_snapshot!(say("ben", told), @"#482 (hq-router (198.51.100.1): The router does not answer) was taken on by ben already, at 02:20 UTC.");
        insta::assert_snapshot!(say("", told), @"#482 (hq-router (198.51.100.1): The router does not answer) was taken on by somebody already, at 02:20 UTC.");
    }
}
