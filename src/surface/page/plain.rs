//! What is known, in words for people who look after no servers: whether mail works, since when, roughly why, and whether
//! somebody is at it. No codes, no addresses, nobody else's names.

use jiff::Timestamp;

use super::words::{Moment, count, duration, joined};
use crate::model::{Affected, Cause, ClientId, Incident, Owner, RootKind, State, Target, Verdict};
use crate::snapshot::Snapshot;

/// How the mail of somebody is doing, in a sentence or two.
pub(super) struct Plain {
    pub(super) tone: State,
    pub(super) headline: String,
    pub(super) since: Option<Moment>,
    /// Why, and whether somebody is at it.
    pub(super) why: Option<String>,
}

/// One thing of theirs: a domain, or mail to somebody.
pub(super) struct Thing {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) words: &'static str,
    pub(super) since: Option<Moment>,
    pub(super) why: Option<String>,
}

/// Something that is over.
pub(super) struct Past {
    pub(super) tone: State,
    pub(super) what: String,
    pub(super) from: Moment,
    pub(super) to: Moment,
    pub(super) lasted: String,
    pub(super) why: String,
}

impl Plain {
    /// How the mail of all these domains is doing.
    pub(super) fn of(snapshot: &Snapshot, domains: &[&Verdict], now: Timestamp) -> Self {
        let worst = domains.iter().max_by_key(|verdict| verdict.state.urgency());
        let Some(worst) = worst else {
            return Self {
                tone: State::Unknown,
                headline: "No domain of yours is watched.".into(),
                since: None,
                why: None,
            };
        };
        let hit: Vec<&&Verdict> = domains.iter().filter(|one| one.state == worst.state).collect();
        let oldest = hit.iter().map(|one| one.since).min();
        let whose = if hit.len() == domains.len() {
            "Your mail".to_owned()
        } else {
            format!("Mail for {} of your {} domains", hit.len(), domains.len())
        };
        let headline = match worst.state {
            State::Flowing => "Your mail works.".to_owned(),
            State::Degraded => format!("{whose} works, but something has to be mended."),
            State::Broken if hit.iter().all(|one| waits(one.cause.as_deref())) => {
                format!("{whose} is delayed: nothing comes in at the moment.")
            }
            State::Broken => format!("{whose} does not come in at the moment."),
            State::Unknown => "We cannot tell at the moment how your mail is doing.".to_owned(),
        };
        Self {
            tone: worst.state,
            headline,
            since: oldest
                .filter(|_| worst.state != State::Flowing)
                .map(|at| Moment::new(at, now)),
            why: why(snapshot, worst),
        }
    }
}

impl Thing {
    /// A domain, or mail to somebody.
    pub(super) fn of(snapshot: &Snapshot, verdict: &Verdict, now: Timestamp) -> Self {
        let ill = verdict.state != State::Flowing;
        Self {
            name: match &verdict.target {
                Target::Domain(name) | Target::Route(_, name) => name.display_unicode(),
                other => other.to_string(),
            },
            state: verdict.state,
            words: word(verdict.state, waits(verdict.cause.as_deref())),
            since: ill.then(|| Moment::new(verdict.since, now)),
            why: why(snapshot, verdict),
        }
    }
}

impl Past {
    /// An incident that is over, as far as it touched this client's mail.
    pub(super) fn of(incident: &Incident, client: &ClientId, now: Timestamp) -> Option<Self> {
        let touched = |one: &&Affected| one.client.as_ref() == Some(client) && one.state != State::Unknown;
        let touched: Vec<&Affected> = incident.affected.iter().filter(touched).collect();
        let worst = touched
            .iter()
            .map(|one| one.state)
            .max_by_key(|state| state.urgency())?;
        if worst == State::Flowing {
            return None;
        }
        let mut names: Vec<String> = touched
            .iter()
            .filter_map(|one| match &one.target {
                Target::Domain(name) => Some(name.display_unicode()),
                Target::Route(_, to) => Some(to.display_unicode()),
                _ => None,
            })
            .collect();
        if names.is_empty() {
            return None;
        }
        if names.len() > 3 {
            let more = names.len() - 2;
            names.truncate(2);
            names.push(format!("{more} more"));
        }
        let outward = touched.iter().all(|one| matches!(one.target, Target::Route(..)));
        let (way, names) = (if outward { "to" } else { "for" }, joined(&names));
        let what = match worst {
            State::Broken if waits(Some(&incident.cause)) => format!("Mail {way} {names} was delayed."),
            State::Broken => format!("Mail {way} {names} did not arrive."),
            _ => format!("Something was wrong with mail {way} {names}, though it arrived."),
        };
        let end = incident.resolved?;
        Some(Self {
            tone: worst,
            what,
            from: Moment::new(incident.opened, now),
            to: Moment::new(end, now),
            lasted: duration(incident.opened, end),
            why: format!("The cause was {}.", place(&incident.cause, None)),
        })
    }
}

/// `1 domain`, `3 domains`.
pub(super) fn domains(number: usize) -> String {
    count(number, "domain", "domains")
}

fn word(state: State, waits: bool) -> &'static str {
    match state {
        State::Flowing => "works",
        State::Degraded => "works, something has to be mended",
        State::Broken if waits => "delayed",
        State::Broken => "does not work",
        State::Unknown => "not known at the moment",
    }
}

/// Whether senders keep mail and try again.
fn waits(cause: Option<&Cause>) -> bool {
    cause.is_some_and(|cause| cause.code.senders_keep_trying())
}

/// Why, and whether somebody is at it.
fn why(snapshot: &Snapshot, verdict: &Verdict) -> Option<String> {
    let cause = verdict.cause.as_ref()?;
    let provider = verdict.provider.as_deref();
    let mut said = vec![format!("The cause is {}.", place(cause, provider))];
    if verdict.state == State::Broken && cause.code.senders_keep_trying() {
        said.push(
            "Whoever writes to you has their mail tried again by itself, usually for some days.".into(),
        );
    }
    let incident = verdict.incident.and_then(|id| {
        let mut open = snapshot.open_incidents.iter();
        open.find(|incident| incident.id == id)
    });
    if let Some(incident) = incident {
        let at_it = incident.acknowledged.is_some();
        said.push(if at_it { "We are on it." } else { "We know of it." }.into());
    }
    Some(said.join(" "))
}

/// Where the cause lies, as the end of "The cause is ...".
fn place(cause: &Cause, provider: Option<&str>) -> String {
    let provider = match cause.root.kind {
        RootKind::Provider => Some(&*cause.root.name),
        _ => provider,
    };
    let place = match (cause.owner, cause.code.layer()) {
        (Owner::Us, _) => "on our own side; nothing says that your mail suffers from it",
        (Owner::Provider, _) => {
            return provider.map_or_else(|| "at your mail provider".to_owned(), |name| format!("at {name}"));
        }
        (Owner::Recipient, _) => "at the recipient",
        (_, "gateway") => "your internet connection or the router in front of your mail server",
        (Owner::Network, _) => "on the line between us and your mail server",
        (_, "dns") => "in the entries of your domain in the directory of the internet (DNS)",
        (_, "host" | "smtp" | "queue") => "at your mail server",
        (_, "service") => "at a service beside your mail server",
        (_, "tls") => "in the encryption of your mail server",
        (_, "policy") => "in what your domain publishes about its mail",
        (_, "reputation") => "a block list that names your mail server",
        _ => "at your side",
    };
    place.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::sample;

    #[test]
    fn what_is_over_is_told_to_whom_it_hit_alone() {
        let (fleet, now) = (sample::fleet(), sample::at("2026-11-22T04:00:00Z"));
        let client = |id: &str| ClientId::parse(id).unwrap();
        let mut over = (*fleet.open_incidents[0]).clone();
        assert!(Past::of(&over, &client("acme"), now).is_none(), "it goes on");
        over.resolved = Some(sample::at("2026-11-22T03:05:00Z"));
        let past = Past::of(&over, &client("acme"), now).unwrap();
        assert!(
            past.what.starts_with("Mail for ") && past.what.ends_with(" was delayed."),
            "{}",
            past.what
        );
        assert!(past.why.contains("your internet connection"), "{}", past.why);
        assert!(Past::of(&over, &client("stark"), now).is_none());
    }
}
