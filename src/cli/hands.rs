//! `mailflow silence`, `maintenance`, `accept` and `watch`: what people keep quiet, know already, or want to know.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::args::{About, Accept, HandCommand, Maintenance, Silence, Watch};
use super::daemon::Daemon;
use super::layout::{Room, table};
use super::status::Words;
use super::{output, style};
use crate::surface::words::Moment;

/// Something set by hand, as the daemon tells it.
#[derive(Deserialize)]
struct Hand {
    id: Words,
    kind: Words,
    client: Option<Words>,
    domain: Option<Words>,
    gateway: Option<Words>,
    code: Option<Words>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    recurring: Option<Words>,
    by: Words,
    reason: Words,
    made: Timestamp,
    lifted: Option<Timestamp>,
}

/// Keeps quiet for a while, or shows or lifts silences.
pub fn silence(silence: &Silence) -> anyhow::Result<u8> {
    if let Some(command) = &silence.command {
        return others(command, "silences", "silences");
    }
    let mut body = about(&silence.about);
    body["for"] = json!(silence.lasting);
    body["until"] = json!(silence.until);
    body["reason"] = json!(silence.reason);
    body["by"] = json!(silence.doer.by);
    set(&Daemon::at(&silence.daemon.url)?, "silences", &body)
}

/// Plans a maintenance, or shows or lifts them.
pub fn maintenance(maintenance: &Maintenance) -> anyhow::Result<u8> {
    if let Some(command) = &maintenance.command {
        return others(command, "maintenance", "maintenance windows");
    }
    let mut body = about(&maintenance.about);
    body["from"] = json!(maintenance.from);
    body["for"] = json!(maintenance.lasting);
    body["until"] = json!(maintenance.until);
    body["recurring"] = json!(maintenance.recurring);
    body["reason"] = json!(maintenance.reason);
    body["by"] = json!(maintenance.doer.by);
    set(&Daemon::at(&maintenance.daemon.url)?, "maintenance", &body)
}

/// Accepts a known condition, or shows or lifts those that are accepted.
pub fn accept(accept: &Accept) -> anyhow::Result<u8> {
    if let Some(command) = &accept.command {
        return others(command, "acceptances", "accepted conditions");
    }
    let body = json!({
        "code": accept.code,
        "domain": accept.domain,
        "until": accept.until,
        "reason": accept.reason,
        "by": accept.doer.by,
    });
    set(&Daemon::at(&accept.daemon.url)?, "acceptances", &body)
}

/// Has a client's mail to somebody watched, or shows or ends what is.
pub fn watch(watch: &Watch) -> anyhow::Result<u8> {
    if let Some(command) = &watch.command {
        return others(command, "watches", "ways that are watched by hand");
    }
    let body = json!({
        "client": watch.from,
        "domain": watch.domain,
        "for": watch.lasting,
        "until": watch.until,
        "reason": watch.reason,
        "by": watch.doer.by,
    });
    set(&Daemon::at(&watch.daemon.url)?, "watches", &body)
}

fn about(about: &About) -> Value {
    json!({ "client": about.client, "domain": about.domain, "gateway": about.gateway, "code": about.code })
}

fn set(daemon: &Daemon, list: &str, body: &Value) -> anyhow::Result<u8> {
    let answer = super::runtime()?.block_on(daemon.send(&[list], body))?;
    let hand: Hand = serde_json::from_value(answer).map_err(|error| daemon.stranger(error.to_string()))?;
    output::show(&in_words(&hand))?;
    Ok(0)
}

fn others(command: &HandCommand, list: &str, what: &str) -> anyhow::Result<u8> {
    match command {
        HandCommand::List { json, daemon } => {
            let daemon = Daemon::at(&daemon.url)?;
            let answer = super::runtime()?.block_on(daemon.get(&[list], &[]))?;
            if *json {
                output::show(&format!("{answer:#}\n"))?;
                return Ok(0);
            }
            let hands = Vec::<Hand>::deserialize(&answer[list]);
            let hands = hands.map_err(|error| daemon.stranger(error.to_string()))?;
            output::show(&listed(
                &hands,
                what,
                style::columns(),
                style::stdout_is_coloured(),
            ))?;
        }
        HandCommand::Lift { id, daemon } => {
            let daemon = Daemon::at(&daemon.url)?;
            let id = id.to_string();
            super::runtime()?.block_on(daemon.delete(&[list, &id]))?;
            let after = match list {
                "watches" => "It is watched no longer.",
                _ => "What it held back is told now, where it still goes on.",
            };
            output::show(&format!("Lifted {id}. {after}\n"))?;
        }
    }
    Ok(0)
}

impl Hand {
    /// What it is about: `client acme, domain acme.test`.
    fn of(&self) -> String {
        let parts = [
            ("client ", &self.client),
            ("domain ", &self.domain),
            ("gateway ", &self.gateway),
            ("", &self.code),
        ];
        let parts = parts
            .into_iter()
            .filter_map(|(what, name)| Some(format!("{what}{}", name.as_ref()?)));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// When it holds.
    fn when(&self) -> String {
        let moment = |at: Timestamp| Moment::new(at, self.made).human;
        match (&self.recurring, self.from, self.until) {
            (Some(hours), _, None) => hours.to_string(),
            (Some(hours), _, Some(until)) => format!("{hours}, until {}", moment(until)),
            (None, Some(from), Some(until)) => format!("from {} until {}", moment(from), moment(until)),
            (None, _, Some(until)) => format!("until {}", moment(until)),
            (None, _, None) => String::new(),
        }
    }

    fn command(&self) -> &'static str {
        match &*self.kind {
            "acceptance" => "accept",
            "maintenance" => "maintenance",
            "watch" => "watch",
            _ => "silence",
        }
    }
}

fn in_words(hand: &Hand) -> String {
    let (of, when, id) = (hand.of(), hand.when(), &hand.id);
    let lift = format!("Lift it with: mailflow {} lift {id}", hand.command());
    match &*hand.kind {
        "acceptance" => {
            let code = hand.code.as_deref().unwrap_or_default();
            let domain = hand.domain.as_deref().unwrap_or_default();
            format!(
                "Acceptance {id}: {code} of {domain} is known, {when}. It counts neither for the state nor for \
                 messages, and stays visible as a warning.\n{lift}\n"
            )
        }
        "watch" => {
            let client = hand.client.as_deref().unwrap_or_default();
            let domain = hand.domain.as_deref().unwrap_or_default();
            format!(
                "Watch {id}: whether mail from {client} to {domain} gets there is watched {when}. See it with: mailflow \
                 status, or on the page.\n{lift}\n"
            )
        }
        "maintenance" => format!(
            "Maintenance {id} on {of}: {when}. Nobody is told of what begins in it; what is told already still \
             gets its end, and what goes on afterwards is told then.\n{lift}\n"
        ),
        _ => format!(
            "Silence {id} about {of}: {when}. Nobody is told of what begins; what is told already still gets its \
             end, and what goes on afterwards is told then.\n{lift}\n"
        ),
    }
}

fn listed(hands: &[Hand], what: &str, columns: usize, coloured: bool) -> String {
    let standing: Vec<&Hand> = hands.iter().filter(|hand| hand.lifted.is_none()).collect();
    if standing.is_empty() {
        return format!("There are no {what}.\n");
    }
    let rows: Vec<Vec<String>> = standing
        .iter()
        .map(|hand| {
            vec![
                hand.id.to_string(),
                hand.of(),
                hand.when(),
                hand.by.to_string(),
                hand.reason.to_string(),
            ]
        })
        .collect();
    let heads = [
        ("id", Room::Whole),
        ("about", Room::AtLeast(20)),
        ("when", Room::AtLeast(20)),
        ("by", Room::Whole),
        ("why", Room::AtLeast(12)),
    ];
    table(&heads, &rows, columns, coloured)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand(rest: &str) -> Hand {
        let common = r#""by":"anna","reason":"parts are on their way","made":"2026-11-22T02:20:00Z""#;
        serde_json::from_str(&format!("{{{common},{rest}}}")).unwrap()
    }

    fn all() -> [Hand; 5] {
        [
            hand(
                r#""id":"3","kind":"silence","client":"acme","code":"gateway.*","until":"2026-11-22T06:20:00Z""#,
            ),
            hand(
                r#""id":"4","kind":"maintenance","gateway":"hq-router","from":"2026-11-23T22:00:00Z","until":"2026-11-24T02:00:00Z""#,
            ),
            hand(
                r#""id":"5","kind":"maintenance","client":"acme","recurring":"Sun 02:00-04:00 Europe/Berlin""#,
            ),
            hand(
                r#""id":"6","kind":"acceptance","domain":"acme.test","code":"policy.dkim-missing","until":"2027-02-01T00:00:00Z""#,
            ),
            hand(
                r#""id":"7","kind":"watch","client":"acme","domain":"partner.test","until":"2026-11-29T02:20:00Z""#,
            ),
        ]
    }

    #[test]
    fn it_says_what_was_set_and_how_to_lift_it() {
        let said: Vec<String> = all().iter().map(in_words).collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn a_list_shows_what_holds() {
        insta::assert_snapshot!(listed(&all(), "silences", 120, false));
        insta::assert_snapshot!(listed(&[], "silences", 80, false), @"There are no silences.");
    }
}
