//! The look back as a letter: what happened since the last one, for whoever reads it with the morning's coffee.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::digest::{Digest, Episode};
use super::words::{Moment, count, duration, span};
use crate::model::text::clean;
use crate::model::{ClientId, Incident, Owner, Target};
use crate::snapshot::ClientView;

/// The most incidents that are told one by one of those that go on, and of those that are over.
const TOLD: usize = 50;
/// The most names that one of them lists, and the most characters of what others wrote.
const NAMES: usize = 8;
const THEIRS: usize = 300;

/// The words of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// A sentence or two.
    pub short: String,
    /// The whole, on several lines.
    pub long: String,
}

/// Writes what happened between two moments. `url` is where our page is reached, without a final slash.
pub fn letter(
    incidents: &[Arc<Incident>],
    clients: &[ClientView],
    (since, until): (Timestamp, Timestamp),
    url: Option<&str>,
) -> Letter {
    let digest = Digest::of(incidents.iter().map(AsRef::as_ref), None, since, until);
    let writer = Writer {
        digest: &digest,
        names: clients
            .iter()
            .map(|client| (&client.id, client.name.as_str()))
            .collect(),
        url,
    };
    Letter {
        subject: writer.subject(),
        short: digest.sentence(),
        long: writer.long(),
    }
}

struct Writer<'a> {
    digest: &'a Digest<'a>,
    names: BTreeMap<&'a ClientId, &'a str>,
    url: Option<&'a str>,
}

impl Writer<'_> {
    fn subject(&self) -> String {
        let happened = match self.digest.episodes.len() {
            0 => "nothing happened".to_owned(),
            many => count(many, "incident", "incidents"),
        };
        let open = match self.digest.open() {
            0 => String::new(),
            _ => format!(", {}", self.digest.open_in_words()),
        };
        let since = self.moment(self.digest.since);
        format!("Mail since {since}: {happened}{open}")
    }

    fn long(&self) -> String {
        let digest = self.digest;
        let (from, to) = (self.moment(digest.since), self.moment(digest.until));
        let mut out = format!(
            "From {from} to {to} ({}).\n",
            duration(digest.since, digest.until)
        );
        let _ = writeln!(out, "{}", digest.sentence());
        let shares = digest.owners();
        if !shares.is_empty() {
            let share = |(owner, share): &(Owner, super::digest::Share)| match share.domain_seconds {
                0 => format!("{} {} (no domain hit)", whose(*owner), share.incidents),
                seconds => format!("{} {} ({})", whose(*owner), share.incidents, span(seconds)),
            };
            let shares: Vec<String> = shares.iter().map(share).collect();
            let _ = writeln!(out, "Whose: {}.", shares.join(", "));
        }
        let (open, over): (Vec<&Episode<'_>>, Vec<&Episode<'_>>) =
            digest.episodes.iter().partition(|one| one.incident.is_open());
        self.list(&mut out, "Still open", &open);
        self.list(&mut out, "Over", &over);
        if let Some(url) = self.url {
            let _ = writeln!(out, "\n{url}/");
        }
        out
    }

    fn list(&self, out: &mut String, heading: &str, episodes: &[&Episode<'_>]) {
        if episodes.is_empty() {
            return;
        }
        let _ = writeln!(out, "\n{heading}");
        for one in episodes.iter().take(TOLD) {
            self.episode(out, one);
        }
        if let Some(more) = episodes.len().checked_sub(TOLD).filter(|more| *more > 0) {
            let _ = writeln!(out, "\n  and {more} more");
        }
    }

    fn episode(&self, out: &mut String, one: &Episode<'_>) {
        let (incident, cause) = (one.incident, &one.incident.cause);
        let theirs = |text: &str| clean(text.as_bytes(), THEIRS);
        let title = cause.code.entry().title;
        let (from, lasted) = (self.moment(incident.opened), span(one.seconds));
        let when = if incident.is_open() {
            format!("since {from} ({lasted})")
        } else {
            format!("from {from}, for {lasted}")
        };
        let _ = writeln!(out, "\n  #{} {when}: {title}", incident.id);
        let _ = writeln!(out, "    What:  {}", theirs(&cause.subject));
        let contact = cause.contact.as_deref().unwrap_or(whose(cause.owner));
        let _ = writeln!(out, "    Whose: {}", theirs(contact));
        if let Some(hit) = self.hit(one) {
            let _ = writeln!(out, "    Hit:   {hit}");
        }
        if let Some(taken) = incident.acknowledged.as_ref().filter(|_| incident.is_open()) {
            let by = if taken.by.is_empty() {
                "somebody"
            } else {
                &taken.by
            };
            let _ = writeln!(out, "    Taken: by {} at {}", theirs(by), self.moment(taken.at));
        }
        if incident.is_open() {
            let _ = writeln!(out, "    Do:    {}", cause.action());
        }
    }

    /// The domains that an incident hit, by client.
    fn hit(&self, one: &Episode<'_>) -> Option<String> {
        let names: Vec<String> = one
            .domains()
            .filter_map(|affected| match &affected.target {
                Target::Domain(name) => Some((name.display_unicode(), affected.client.as_ref())),
                _ => None,
            })
            .take(NAMES)
            .map(
                |(name, client)| match client.and_then(|client| self.names.get(client)) {
                    Some(client) => format!("{name} ({})", clean(client.as_bytes(), THEIRS)),
                    None => name,
                },
            )
            .collect();
        let more = one.domains().count().saturating_sub(names.len());
        let shown = names.join(", ");
        match (shown.is_empty(), more) {
            (true, _) => None,
            (_, 0) => Some(shown),
            (_, more) => Some(format!("{shown} and {more} more")),
        }
    }

    fn moment(&self, at: Timestamp) -> String {
        // A letter is read later: the day is always said.
        let told = Moment::new(at, self.digest.until).human;
        match told.len() {
            0..=9 => format!("{} {told}", at.strftime("%-d %b")),
            _ => told,
        }
    }
}

fn whose(owner: Owner) -> &'static str {
    match owner {
        Owner::Client => "our clients",
        Owner::Recipient => "recipients",
        Owner::Provider => "mail providers",
        Owner::Network => "lines and networks between",
        Owner::Us => "ourselves",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::sample::{acme, at, incident};
    use crate::model::{Acknowledgement, IncidentState};

    fn clients() -> Vec<ClientView> {
        vec![ClientView {
            id: acme(),
            name: "ACME".into(),
            contact: None,
        }]
    }

    #[test]
    fn it_says_what_goes_on_and_what_is_over() {
        let mut open = incident(482);
        open.acknowledged = Some(Acknowledgement {
            at: at(1300),
            by: "anna".into(),
            told: true,
        });
        let over = Incident {
            state: IncidentState::Resolved,
            resolved: Some(at(1200)),
            ended_by: Some("recovered".into()),
            ..incident(481)
        };
        let all = [Arc::new(open), Arc::new(over)];
        let letter = letter(
            &all,
            &clients(),
            (at(0), at(7200)),
            Some("https://mail.msp.example"),
        );
        insta::assert_snapshot!(format!("{}\n\n{}", letter.subject, letter.long), @"
        Mail since 22 Nov 02:00 UTC: 2 incidents, 1 still goes on

        From 22 Nov 02:00 UTC to 22 Nov 04:00 UTC (2 h).
        2 incidents, 1 still goes on. 2 domains of 1 client were hit, for 3 h 44 min altogether.
        Whose: our clients 2 (3 h 44 min).

        Still open

          #482 since 22 Nov 02:14 UTC (1 h 46 min): The router in front of the mail server does not answer
            What:  hq-router (198.51.100.1)
            Whose: Telekom business line, 0800 1234567, circuit 4711
            Hit:   acme.test (ACME), acme-shop.test (ACME)
            Taken: by anna at 22 Nov 02:21 UTC
            Do:    Call the line's provider or the contact given here and ask whether the line is up. Then have somebody on site check the power and switch the router off and on. Do not restart the mail server.

        Over

          #481 from 22 Nov 02:14 UTC, for 6 min: The router in front of the mail server does not answer
            What:  hq-router (198.51.100.1)
            Whose: Telekom business line, 0800 1234567, circuit 4711
            Hit:   acme.test (ACME), acme-shop.test (ACME)

        https://mail.msp.example/
        ");
    }

    #[test]
    fn nothing_is_said_as_well_and_a_flood_is_bounded() {
        let calm = letter(&[], &clients(), (at(0), at(86_400)), None);
        insta::assert_snapshot!(format!("{}\n\n{}", calm.subject, calm.long), @"
        Mail since 22 Nov 02:00 UTC: nothing happened

        From 22 Nov 02:00 UTC to 23 Nov 02:00 UTC (1 d).
        Nothing happened.
        ");
        let all: Vec<_> = (1..=300).map(|id| Arc::new(incident(id))).collect();
        let flood = letter(&all, &clients(), (at(0), at(86_400)), None);
        assert!(flood.long.ends_with("and 250 more\n"), "{}", flood.long);
    }
}
