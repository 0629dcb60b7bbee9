//! Compares what was seen with what was expected. No I/O, no clock.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::State;
use crate::watch::{Change, Hook, Kind, Seen, Sight};

/// How one domain or gateway should look.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Its state.
    pub state: State,
    /// Its cause's code.
    pub code: Option<String>,
    /// What the cause's subject contains.
    pub subject: Option<String>,
    /// Whose the cause is, where it matters.
    pub owner: Option<String>,
    /// What the detail contains, where it matters.
    pub detail: Option<String>,
    /// What the cause explains, where it matters.
    pub symptoms: Option<BTreeSet<String>>,
    /// Warnings that must stand beside it.
    pub also: BTreeSet<String>,
    /// Warnings that must not stand beside it.
    pub not_also: BTreeSet<String>,
    /// Causes that may be seen on the way.
    pub via: Vec<String>,
}

/// A message that should arrive.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `opened` and so on.
    pub event: String,
    /// The cause's code, where it matters.
    pub code: Option<String>,
    /// Exactly these domains, where it matters.
    pub domains: Option<BTreeSet<String>>,
    /// The key of the incident that it must belong to.
    pub key: Option<String>,
}

/// From where a step leads, and what may be seen on the way.
pub struct Path<'a> {
    /// How everything looked before.
    pub before: BTreeMap<(Kind, String), Expectation>,
    /// Whether the daemon was restarted: then it may know nothing for a moment.
    pub restarted: bool,
    /// Causes that may be seen on the way back to flowing.
    pub via_back: &'a [String],
}

impl Wanted {
    /// The end of an incident.
    pub fn resolution(key: String) -> Self {
        Self {
            event: "resolved".to_owned(),
            code: None,
            domains: None,
            key: Some(key),
        }
    }

    fn words(&self) -> String {
        let mut text = self.event.clone();
        if let Some(code) = &self.code {
            text += &format!(" {code}");
        }
        if let Some(domains) = &self.domains {
            text += &format!(" {domains:?}");
        }
        if let Some(key) = &self.key {
            text += &format!(" of {key}");
        }
        text
    }

    fn fits(&self, hook: &Hook) -> bool {
        self.event == hook.event
            && self.code.as_ref().is_none_or(|code| *code == hook.code)
            && self
                .domains
                .as_ref()
                .is_none_or(|domains| *domains == hook.domains)
            && self.key.as_ref().is_none_or(|key| *key == hook.key)
    }
}

impl Expectation {
    /// State and cause only: what may never be wrong, not even for a moment.
    fn in_essence(&self, sight: &Sight) -> bool {
        self.state.word() == sight.state && self.code == sight.code
    }

    fn words(&self) -> String {
        let mut text = self.state.word().to_owned();
        if let Some(code) = &self.code {
            text += &format!(" {code}");
        }
        if let Some(subject) = &self.subject {
            text += &format!(" (..{subject}..)");
        }
        if let Some(owner) = &self.owner {
            text += &format!(" owner {owner}");
        }
        if let Some(detail) = &self.detail {
            text += &format!(" detail (..{detail}..)");
        }
        if let Some(symptoms) = &self.symptoms {
            text += &format!(" symptoms {symptoms:?}");
        }
        if !self.also.is_empty() {
            text += &format!(" also {:?}", self.also);
        }
        if !self.not_also.is_empty() {
            text += &format!(" not also {:?}", self.not_also);
        }
        text
    }

    fn is_met(&self, sight: &Sight) -> bool {
        let holds = |part: &Option<String>, whole: &Option<String>| {
            part.as_ref()
                .is_none_or(|part| whole.as_ref().is_some_and(|whole| whole.contains(part)))
        };
        self.in_essence(sight)
            && holds(&self.subject, &sight.subject)
            && holds(&self.detail, &sight.detail)
            && (self.owner.is_none() || self.owner == sight.owner)
            && self
                .symptoms
                .as_ref()
                .is_none_or(|codes| *codes == sight.symptoms)
            && self.also.is_subset(&sight.also)
            && self.not_also.is_disjoint(&sight.also)
    }
}

/// What does not look as expected now.
pub fn missing(seen: &Seen, expected: &BTreeMap<(Kind, String), Expectation>) -> Vec<String> {
    expected
        .iter()
        .filter_map(|(key, expectation)| match seen.now.get(key) {
            Some(sight) if expectation.is_met(sight) => None,
            Some(sight) => Some(format!(
                "{} is {}, expected {}",
                key.1,
                describe(sight),
                expectation.words()
            )),
            None => Some(format!("{} is not in the API", key.1)),
        })
        .collect()
}

/// Everything seen on the way that was neither the state before, nor the expected one, nor allowed.
pub fn detours(
    changes: &[Change],
    path: &Path,
    expected: &BTreeMap<(Kind, String), Expectation>,
) -> Vec<String> {
    let mut arrived = BTreeSet::new();
    let mut wrong = Vec::new();
    for change in changes {
        let key = (change.kind, change.name.clone());
        let Some(expectation) = expected.get(&key) else {
            continue;
        };
        let sight = &change.sight;
        let unsure = sight.state == "unknown"
            && sight
                .code
                .as_deref()
                .is_none_or(|code| code == "vantage.no-evidence");
        if expectation.in_essence(sight) {
            arrived.insert(key);
            continue;
        }
        // What was not flowing may be unknown for a moment, until it has been looked at again.
        let recovering = path
            .before
            .get(&key)
            .is_some_and(|before| before.state != State::Flowing);
        let allowed = unsure && (path.restarted || recovering && !arrived.contains(&key))
            || !arrived.contains(&key)
                && (path
                    .before
                    .get(&key)
                    .is_some_and(|before| before.in_essence(sight))
                    || sight
                        .code
                        .as_ref()
                        .is_some_and(|code| expectation.via.contains(code) || path.via_back.contains(code)));
        if !allowed {
            wrong.push(format!("wrong on the way: {}", describe_change(change)));
        }
    }
    wrong
}

/// How messages differ from the wanted ones. Those in `maybe` may come; `repeats` of them may be repetitions of earlier ones.
pub fn deviation(
    earlier: &[Hook],
    hooks: &[Hook],
    wanted: &[Wanted],
    maybe: &[Wanted],
    repeats: usize,
) -> Option<String> {
    let mut left: Vec<&Wanted> = wanted.iter().collect();
    let mut extra: Vec<&Hook> = Vec::new();
    for hook in hooks {
        match left.iter().position(|wanted| wanted.fits(hook)) {
            Some(place) => {
                left.remove(place);
            }
            None if maybe.iter().any(|wanted| wanted.fits(hook)) => {}
            None => extra.push(hook),
        }
    }
    let mut repeats = repeats;
    extra.retain(|hook| {
        let known = |other: &&Hook| other.key == hook.key && other.event == hook.event && other.at < hook.at;
        let repeated = repeats > 0 && earlier.iter().chain(hooks).any(|other| known(&other));
        repeats -= usize::from(repeated);
        !repeated
    });
    if left.is_empty() && extra.is_empty() {
        return None;
    }
    let mut text = String::from("messages:");
    for wanted in left {
        text += &format!("\n  missing: {}", wanted.words());
    }
    for hook in extra {
        text += &format!("\n  not wanted: {}", describe_hook(hook));
    }
    Some(text)
}

/// Keys of incidents that were opened and not resolved.
pub fn unresolved(hooks: &[Hook]) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    for hook in hooks {
        open.retain(|key| *key != hook.key);
        if hook.event != "resolved" {
            open.push(hook.key.clone());
        }
    }
    open
}

/// Messages of one incident that came in the wrong order: it begins by opening, and nothing follows its end.
pub fn disorder(hooks: &[Hook]) -> Vec<String> {
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    let mut wrong = Vec::new();
    for hook in hooks {
        let before = last.insert(&hook.key, &hook.event);
        let orderly = match before {
            None => hook.event == "opened",
            Some("resolved") => matches!(hook.event.as_str(), "reopened" | "resolved"),
            Some(_) => true,
        };
        if !orderly {
            wrong.push(format!("after {before:?} came {}", describe_hook(hook)));
        }
    }
    wrong
}

fn describe(sight: &Sight) -> String {
    let mut text = sight.state.clone();
    if let Some(code) = &sight.code {
        let said = |part: &Option<String>| part.clone().unwrap_or_default();
        text += &format!(
            " {code} of {} ({}: {})",
            said(&sight.owner),
            said(&sight.subject),
            said(&sight.detail)
        );
    }
    if !sight.symptoms.is_empty() {
        text += &format!(" symptoms {:?}", sight.symptoms);
    }
    if !sight.also.is_empty() {
        text += &format!(" also {:?}", sight.also);
    }
    text
}

/// A change in one line.
pub fn describe_change(change: &Change) -> String {
    format!("{:?} {} is {}", change.kind, change.name, describe(&change.sight)).to_lowercase()
}

/// A webhook in one line.
pub fn describe_hook(hook: &Hook) -> String {
    format!(
        "webhook {} {} {:?} incident {}: {}",
        hook.event, hook.code, hook.domains, hook.incident, hook.text
    )
}
