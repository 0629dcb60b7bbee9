//! The words of a message, for a technician who was woken by it.
//!
//! First who and what and since when, then why, whose it is, what to do. Bounded, and without anything that a
//! header, a terminal or a page would obey.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::model::text::clean;
use crate::model::{
    Affected, ClientId, Code, DomainName, Event, Incident, Notice, Owner, RootKind, Severity, State, Target,
};

/// The most characters of a subject, of a paragraph, and of one part of a longer text.
const SUBJECT: usize = 160;
const PARAGRAPH: usize = 2000;
const PART: usize = 1000;
/// The most characters of what others wrote, within a paragraph: the rest of it must still be read.
const THEIRS: usize = 400;
/// The most characters of a person's name.
const NAME: usize = 80;
/// The most names that are spelled out: clients in a line, clients in a list, domains of one client in it.
const CLIENTS_IN_LINE: usize = 3;
const CLIENTS_IN_LIST: usize = 20;
const DOMAINS_OF_CLIENT: usize = 10;

/// How people and places are called.
#[derive(Debug, Clone)]
pub struct Wording {
    /// The clients' names.
    pub clients: BTreeMap<ClientId, String>,
    /// The time zone of the times in texts; each is given with its name.
    pub zone: TimeZone,
    /// Where our page is reached, without a final slash.
    pub url: Option<String>,
}

impl Default for Wording {
    fn default() -> Self {
        Self {
            clients: BTreeMap::new(),
            zone: TimeZone::UTC,
            url: None,
        }
    }
}

/// The words of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// One line: who and what.
    pub subject: String,
    /// One paragraph, for a small screen.
    pub short: String,
    /// The whole, on several lines.
    pub long: String,
}

/// How things stand, for services that show it at a glance, by a colour or a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// Somebody has to act now.
    Alarm,
    /// Somebody has to act.
    Warning,
    /// Somebody does.
    Seen,
    /// It is over.
    Over,
    /// Nothing is wrong.
    Note,
}

impl Signal {
    /// What a notice signals.
    pub(super) fn of(notice: &Notice) -> Self {
        match (notice.event, &notice.incident) {
            (Event::Test, _) | (_, None) => Self::Note,
            (Event::Resolved, Some(incident)) if incident.ended_by.as_deref() != Some("recovered") => {
                Self::Note
            }
            (Event::Resolved, _) => Self::Over,
            (Event::Acknowledged, _) => Self::Seen,
            (_, Some(incident)) if incident.severity == Severity::Critical => Self::Alarm,
            _ => Self::Warning,
        }
    }
}

/// The words of a test.
pub fn test() -> Text {
    let short = "This is a test message from mailflow. Nothing is wrong, and there is nothing to do.";
    Text {
        subject: "Test message from mailflow".into(),
        short: short.into(),
        long: format!("{short}\n"),
    }
}

/// The words for an event of an incident, as of `now`.
pub fn message(incident: &Incident, event: Event, now: Timestamp, wording: &Wording) -> Text {
    let told = Telling {
        incident,
        event,
        now,
        wording,
    };
    Text {
        subject: clean(told.subject().as_bytes(), SUBJECT),
        short: clean(told.short().as_bytes(), PARAGRAPH),
        long: told.long(),
    }
}

/// Where an incident is shown.
pub fn incident_url(wording: &Wording, incident: &Incident) -> Option<String> {
    let base = wording.url.as_deref()?.trim_end_matches('/');
    Some(format!("{base}/incidents/{}", incident.id))
}

struct Telling<'a> {
    incident: &'a Incident,
    event: Event,
    now: Timestamp,
    wording: &'a Wording,
}

impl Telling<'_> {
    fn subject(&self) -> String {
        let prefix = match self.event {
            Event::Opened | Event::Digest | Event::Test => "",
            Event::Updated => "Changed: ",
            Event::Acknowledged => "Acknowledged: ",
            Event::Escalated => "Escalated: ",
            Event::Repeated => "Still: ",
            Event::Reopened => "Again: ",
            Event::Resolved => "Resolved: ",
        };
        let title = self.incident.cause.code.entry().title;
        format!("{prefix}{}: {title} (#{})", self.who(), self.incident.id)
    }

    fn short(&self) -> String {
        let id = self.incident.id;
        let count = count_of_touched(&self.incident.affected)
            .map(|count| format!(" {count}."))
            .unwrap_or_default();
        let flaps = self.flaps().map(|flaps| format!(" {flaps}")).unwrap_or_default();
        if self.event == Event::Resolved {
            return format!(
                "{} It was: {}.{flaps}{count} #{id}",
                sentence(&self.headline()),
                self.what_failed()
            );
        }
        let mut text = format!(
            "{}{flaps} {} Whose: {} Do: {}",
            sentence(&self.headline()),
            sentence(&clean(self.incident.cause.detail.as_bytes(), THEIRS)),
            sentence(&clean(self.whose().as_bytes(), THEIRS)),
            sentence(self.incident.cause.action())
        );
        if let Some(senders) = what_senders_do(self.incident.cause.code) {
            let _ = write!(text, " {senders}");
        }
        let _ = write!(text, "{count} #{id}");
        text
    }

    fn long(&self) -> String {
        let incident = self.incident;
        let mut text = String::new();
        let mut line = |label: &str, what: &str| {
            let _ = writeln!(text, "{label}{}", clean(what.as_bytes(), PART));
        };
        line("", &sentence(&self.headline()));
        line("", "");
        line("What:  ", &self.what_failed());
        if let Some(told) = incident
            .told
            .as_ref()
            .filter(|told| told.code != incident.cause.code)
        {
            line(
                "Not:   ",
                &format!("{}, as was told before", told.code.entry().title),
            );
        }
        if let Some(flaps) = self.flaps() {
            line("Flaps: ", &flaps);
        }
        if self.event != Event::Resolved {
            line("Seen:  ", &sentence(&incident.cause.detail));
            line("Means: ", incident.cause.explanation());
            line("Whose: ", &self.whose());
            line("Do:    ", incident.cause.action());
            if let Some(reason) = &incident.cause.confidence_reason {
                line("Sure:  ", &format!("not entirely, {reason}"));
            }
        }
        let domains = domains_by_client(&incident.affected);
        if let Some(count) = count_of_touched(&incident.affected) {
            line("", "");
            line("", &format!("{count}:"));
        }
        let out = routes_by_client(&incident.affected);
        let more = domains.len().max(out.len()).saturating_sub(CLIENTS_IN_LIST);
        for (client, names) in domains.iter().take(CLIENTS_IN_LIST) {
            let names: Vec<String> = names.iter().map(|name| name.display_unicode()).collect();
            let names = list(&names, DOMAINS_OF_CLIENT, "more");
            line("  ", &format!("{}: {names}", self.client_name(*client)));
        }
        for (client, names) in out.iter().take(CLIENTS_IN_LIST) {
            let names: Vec<String> = names.iter().map(|name| name.display_unicode()).collect();
            let names = list(&names, DOMAINS_OF_CLIENT, "more");
            line(
                "  ",
                &format!("{}: mail to {names}", self.client_name(Some(client))),
            );
        }
        if more > 0 {
            line("  ", &format!("and {more} more clients"));
        }
        line("", "");
        let url = incident_url(self.wording, incident).unwrap_or_default();
        line("", format!("Incident #{} {url}", incident.id).trim_end());
        text
    }

    /// Who, what, and since when.
    fn headline(&self) -> String {
        let who = self.who();
        if self.event == Event::Resolved {
            return self.ending(&who);
        }
        let since = self.since();
        let lasted = span(self.now.duration_since(since));
        format!(
            "{who}: {}{} since {} ({lasted})",
            self.news(),
            self.what(),
            self.clock(since)
        )
    }

    /// Why this is told, where it does not just begin.
    fn news(&self) -> String {
        match self.event {
            Event::Updated => format!("{}; ", self.change()),
            Event::Reopened => "again, ".into(),
            Event::Repeated | Event::Escalated => "nobody has taken this on; still ".into(),
            Event::Acknowledged => {
                let by = self.incident.acknowledged.as_ref().map(|taken| taken.by.as_str());
                let by = by.filter(|by| !by.is_empty()).unwrap_or("somebody");
                format!("{} has taken this on; still ", clean(by.as_bytes(), NAME))
            }
            _ => String::new(),
        }
    }

    /// What is no longer as it was told.
    fn change(&self) -> &'static str {
        let incident = self.incident;
        match &incident.told {
            Some(told) if told.code != incident.cause.code || told.root != incident.cause.root => {
                "the cause is another than told before"
            }
            Some(told) if told.severity < incident.severity => "this is worse than told before",
            Some(told) if told.severity > incident.severity => "this is not as bad as told before",
            _ => "this has changed",
        }
    }

    fn ending(&self, who: &str) -> String {
        let incident = self.incident;
        let end = incident.resolved.unwrap_or(self.now);
        let lasted = span(end.duration_since(incident.reopened.unwrap_or(incident.opened)));
        let at = self.clock(end);
        match incident.ended_by.as_deref() {
            Some(merged) if merged.starts_with("merged") => {
                format!("{who}: not over, but {merged}: both have the same cause")
            }
            Some("removed") => format!("{who}: no longer watched since {at}, so this ends unmended"),
            Some("accepted") => format!("{who}: accepted as known since {at}, so this ends unmended"),
            _ if self.stopped_mail() => format!("{who}: mail flows again since {at}, after {lasted}"),
            _ => format!("{who}: in order again since {at}, after {lasted}"),
        }
    }

    /// Since when it has been as bad as it is.
    fn since(&self) -> Timestamp {
        let worst = worst(&self.incident.affected);
        self.incident
            .affected
            .iter()
            .filter(|one| Some(one.state) == worst)
            .map(|one| one.since)
            .min()
            .unwrap_or(self.incident.opened)
    }

    fn stopped_mail(&self) -> bool {
        let affected = &self.incident.affected;
        worst(affected) == Some(State::Broken) && count_of_touched(affected).is_some()
    }

    /// That it comes and goes, where it does.
    fn flaps(&self) -> Option<String> {
        let flaps = self.incident.flapping()?;
        let (turns, since) = (flaps.turns, self.clock(flaps.since));
        Some(match self.event {
            Event::Resolved => format!("It was flapping: {turns} turns since {since}."),
            _ => format!(
                "It is flapping: {turns} turns since {since}; this ends when it has been well for a while."
            ),
        })
    }

    fn what(&self) -> String {
        match self.destinations() {
            Some(to) if !is_ours(self.incident) => self.what_of_routes(&to),
            _ if self.incident.cause.root.kind == RootKind::Canary => self.what_of_canaries().to_owned(),
            _ => self.what_of_domains().to_owned(),
        }
    }

    /// Where mail goes that an incident touches, where it touches nothing else.
    fn destinations(&self) -> Option<String> {
        let affected = &self.incident.affected;
        let to: BTreeSet<&DomainName> = routes(affected).map(|(_, to)| to).collect();
        let others = affected.iter().any(|one| matches!(one.target, Target::Domain(_)));
        let names: Vec<String> = to.into_iter().map(DomainName::display_unicode).collect();
        (!others && !names.is_empty()).then(|| list(&names, DOMAINS_OF_CLIENT, "more"))
    }

    fn what_of_routes(&self, to: &str) -> String {
        match worst(&self.incident.affected) {
            Some(State::Broken) if self.incident.flapping().is_some() => {
                format!("mail to {to} passes only now and then")
            }
            Some(State::Broken) => format!("no mail to {to}"),
            Some(State::Degraded) => format!("mail to {to} passes, but something is wrong"),
            _ => format!("we cannot tell whether mail to {to} passes"),
        }
    }

    fn what_of_canaries(&self) -> &'static str {
        match worst(&self.incident.affected) {
            Some(State::Broken) => "test messages do not arrive",
            Some(State::Degraded) => "test messages arrive, but something is wrong",
            _ => "our test messages cannot be sent",
        }
    }

    fn what_of_domains(&self) -> &'static str {
        let has_domains = count_of_touched(&self.incident.affected).is_some();
        match worst(&self.incident.affected) {
            _ if self.incident.cause.root.kind == RootKind::Notifier => "alerts do not get through",
            _ if is_ours(self.incident) => "we cannot tell how mail is doing",
            _ if self.incident.flapping().is_some() && self.stopped_mail() => {
                "mail comes in only now and then"
            }
            _ if self.stopped_mail() => "no mail in",
            Some(State::Broken) => "out of order",
            Some(State::Degraded) if has_domains => "mail comes in, but something is wrong",
            Some(State::Unknown) => "we cannot tell whether mail comes in",
            _ => "something is wrong",
        }
    }

    fn what_failed(&self) -> String {
        let cause = &self.incident.cause;
        let subject = clean(cause.subject.as_bytes(), THEIRS);
        format!("{} ({subject})", cause.code.entry().title)
    }

    fn whose(&self) -> String {
        let cause = &self.incident.cause;
        let whose = match cause.owner {
            Owner::Client => "the client",
            Owner::Recipient => "the recipient",
            Owner::Provider => "the mail provider",
            Owner::Network => "the line's provider",
            Owner::Us => "ours",
        };
        cause.contact.clone().unwrap_or_else(|| whose.to_owned())
    }

    fn who(&self) -> String {
        if is_ours(self.incident) {
            return "Our own side".into();
        }
        let clients: BTreeSet<&ClientId> = self
            .incident
            .affected
            .iter()
            .filter_map(|one| one.client.as_ref())
            .collect();
        if clients.is_empty() {
            return self.incident.cause.root.name.to_string();
        }
        let names: Vec<String> = clients.iter().map(|id| self.client_name(Some(id))).collect();
        list(&names, CLIENTS_IN_LINE, "more clients")
    }

    fn client_name(&self, client: Option<&ClientId>) -> String {
        match client {
            Some(id) => self
                .wording
                .clients
                .get(id)
                .cloned()
                .unwrap_or_else(|| id.to_string()),
            None => "Without a client".into(),
        }
    }

    /// A moment, with the day where it is not today.
    fn clock(&self, at: Timestamp) -> String {
        let at = at.to_zoned(self.wording.zone.clone());
        let today = self.now.to_zoned(self.wording.zone.clone()).date();
        let format = if at.date() == today {
            "%H:%M %Z"
        } else {
            "%-d %b %H:%M %Z"
        };
        at.strftime(format).to_string()
    }
}

fn is_ours(incident: &Incident) -> bool {
    matches!(
        incident.cause.root.kind,
        RootKind::Vantage | RootKind::Resolver | RootKind::Notifier
    )
}

fn worst(affected: &[Affected]) -> Option<State> {
    let rank = |state: State| match state {
        State::Broken => 3,
        State::Degraded => 2,
        State::Unknown => 1,
        State::Flowing => 0,
    };
    affected
        .iter()
        .map(|one| one.state)
        .max_by_key(|state| rank(*state))
}

/// What becomes of mail meanwhile, where that is certain.
fn what_senders_do(code: Code) -> Option<&'static str> {
    match code {
        Code::GatewayDown
        | Code::HostUnreachable
        | Code::HostRefused
        | Code::HostPort25Filtered
        | Code::SmtpNoGreeting
        | Code::SmtpUnavailable
        | Code::SmtpDisconnects
        | Code::DnsServfail
        | Code::DnsNameserversUnreachable
        | Code::ProviderOutage => Some("Senders keep retrying."),
        Code::DnsDomainNotFound | Code::DnsNullMx | Code::SmtpRejectsConnections => {
            Some("Senders get their mail back at once.")
        }
        _ => None,
    }
}

fn domains_by_client(affected: &[Affected]) -> BTreeMap<Option<&ClientId>, Vec<&DomainName>> {
    let mut all: BTreeMap<Option<&ClientId>, Vec<&DomainName>> = BTreeMap::new();
    for one in affected {
        if let Target::Domain(name) = &one.target {
            all.entry(one.client.as_ref()).or_default().push(name);
        }
    }
    all
}

/// The routes that are touched.
fn routes(affected: &[Affected]) -> impl Iterator<Item = (&ClientId, &DomainName)> {
    affected.iter().filter_map(|one| match &one.target {
        Target::Route(client, to) => Some((client, to)),
        _ => None,
    })
}

fn routes_by_client(affected: &[Affected]) -> BTreeMap<&ClientId, Vec<&DomainName>> {
    let mut all: BTreeMap<&ClientId, Vec<&DomainName>> = BTreeMap::new();
    for (client, to) in routes(affected) {
        all.entry(client).or_default().push(to);
    }
    all
}

/// `2 domains and 1 route`; `None` when there is none of either.
fn count_of_touched(affected: &[Affected]) -> Option<String> {
    let domains = affected
        .iter()
        .filter(|one| matches!(one.target, Target::Domain(_)))
        .count();
    let counted = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    };
    let parts: Vec<String> = counted(domains, "domain")
        .into_iter()
        .chain(counted(routes(affected).count(), "route"))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

/// The first few of some names, and how many others there are.
fn list(names: &[String], most: usize, others: &str) -> String {
    let (named, rest) = names.split_at(names.len().min(most));
    match (named, rest.len()) {
        ([one], 0) => one.clone(),
        ([all @ .., last], 0) => format!("{} and {last}", all.join(", ")),
        (_, more) => format!("{} and {more} {others}", named.join(", ")),
    }
}

/// A text with a full stop at its end.
fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?', '…']) {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// How long something took, in the two largest units that matter.
fn span(length: SignedDuration) -> String {
    let minutes = length.as_mins().max(0);
    let (days, hours) = (minutes / (24 * 60), minutes / 60 % 24);
    match (days, hours, minutes % 60) {
        (0, 0, 0) => format!("{} s", length.as_secs().max(0)),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (1, hours, _) => format!("1 day {hours} h"),
        (days, hours, _) => format!("{days} days {hours} h"),
    }
}
