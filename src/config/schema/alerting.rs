//! `[alerting]`: whom to tell what, and when.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::config::read::not_a_code;
use crate::config::reader::{Kind, Node, Read};
use crate::config::value::words;
use crate::config::{Hours, HttpUrl};
use crate::model::{Code, Severity, Times};

/// `[alerting]`
#[derive(Debug, Clone, PartialEq)]
pub struct Alerting {
    /// How long to wait for more incidents of the same cause.
    pub group_wait: Duration,
    /// How long an incident must have lasted before it is sent.
    pub page_after: PageAfter,
    /// Severities other than the built-in ones, by code.
    pub severity: Vec<(CodePattern, Severity)>,
    /// The only hours in which a severity is sent.
    pub hours: HoursBySeverity,
    /// How often an incident that nobody acknowledged is told again.
    pub repeat_interval: Duration,
    /// For how long after its end the same root reopens an incident; zero: always a new one.
    pub reopen_within: Duration,
    /// Whom to tell as time goes by; empty: every notifier at once.
    pub escalate: Vec<EscalationStep>,
    /// When a look back is sent, and to whom.
    pub digest: Option<Digest>,
    /// Who is to notice that we are gone.
    pub heartbeat: Option<Heartbeat>,
}

/// `alerting.hours`
pub type HoursBySeverity = BTreeMap<Severity, Hours>;

impl Default for Alerting {
    fn default() -> Self {
        Self {
            group_wait: Duration::from_secs(10),
            page_after: PageAfter::default(),
            severity: Vec::new(),
            hours: BTreeMap::new(),
            repeat_interval: Duration::from_hours(4),
            reopen_within: Duration::from_mins(10),
            escalate: Vec::new(),
            digest: None,
            heartbeat: None,
        }
    }
}

impl Alerting {
    /// The severity that the operator gives to `code`, if any: the code itself over the longest pattern.
    pub fn severity_of(&self, code: Code) -> Option<Severity> {
        most_specific(&self.severity, code).copied()
    }
}

/// `alerting.page_after`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageAfter {
    /// For critical incidents.
    pub critical: Duration,
    /// For warnings.
    pub warning: Duration,
    /// By code; over both.
    pub by_code: Vec<(CodePattern, Duration)>,
}

impl Default for PageAfter {
    fn default() -> Self {
        Self {
            critical: Duration::from_mins(5),
            warning: Duration::from_mins(30),
            by_code: Vec::new(),
        }
    }
}

impl PageAfter {
    /// One duration for everything.
    pub fn everything(after: Duration) -> Self {
        Self {
            critical: after,
            warning: after,
            by_code: Vec::new(),
        }
    }

    /// How long an incident of this cause must have lasted before it is sent; `None` for what is never sent.
    pub fn of(&self, code: Code, severity: Severity) -> Option<Duration> {
        let otherwise = match severity {
            Severity::Critical => self.critical,
            Severity::Warning => self.warning,
            Severity::Info => return None,
        };
        Some(most_specific(&self.by_code, code).copied().unwrap_or(otherwise))
    }
}

fn most_specific<T>(rules: &[(CodePattern, T)], code: Code) -> Option<&T> {
    rules
        .iter()
        .filter(|(pattern, _)| pattern.matches(code))
        .max_by_key(|(pattern, _)| pattern.specificity())
        .map(|(_, value)| value)
}

/// A cause's code (`gateway.down`), or a whole layer (`gateway.*`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodePattern(String);

impl CodePattern {
    /// Whether `code` is meant.
    pub fn matches(&self, code: Code) -> bool {
        let code = code.as_str();
        match self.0.strip_suffix('*') {
            Some(layer) => code.starts_with(layer),
            None => self.0 == code,
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A whole code goes over every pattern, a longer pattern over a shorter one.
    fn specificity(&self) -> (bool, usize) {
        (!self.0.ends_with('*'), self.0.len())
    }
}

impl FromStr for CodePattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pattern = Self(text.to_owned());
        let means_something = Code::ALL.iter().any(|code| pattern.matches(*code));
        let whole_words = !text.ends_with('*') || text.ends_with(".*") || text.ends_with("-*");
        if means_something && whole_words {
            Ok(pattern)
        } else {
            Err("this is no cause: one is written as \"gateway.down\", all of a layer as \"gateway.*\"")
        }
    }
}

impl fmt::Display for CodePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One of `alerting.escalate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscalationStep {
    /// How long after the incident was first sent.
    pub after: Duration,
    /// The notifiers to tell then.
    pub notify: Vec<String>,
}

/// `alerting.digest`: what happened, every day or week.
#[derive(Debug, Clone, PartialEq)]
pub struct Digest {
    /// When.
    pub at: Times,
    /// The notifiers that send it, all of them by e-mail.
    pub notify: Vec<String>,
}

/// `alerting.heartbeat`: somebody else notices when it stops.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// Where to.
    pub url: HttpUrl,
    /// From one to the next.
    pub interval: Duration,
    /// What must be in order for it to be sent.
    pub require: Vec<Requirement>,
}

impl Heartbeat {
    /// `interval` unless written.
    pub const INTERVAL: Duration = Duration::from_mins(1);
}

words! {
    /// What must be in order for a heartbeat to be sent.
    pub enum Requirement {
        /// Probes start in time.
        Loop = "loop",
        /// The store takes writes.
        Store = "store",
        /// Notifications leave.
        Outbox = "outbox",
        /// We reach port 25 somewhere.
        Port25 = "port25",
    }
}

impl Read for Alerting {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let default = Self::default();
            let hours: HoursBySeverity = t.entry("hours").and_then(read_hours).unwrap_or_default();
            let digest = t.get("digest");
            let heartbeat = t.get("heartbeat");
            Some(Self {
                group_wait: t.or("group_wait", default.group_wait),
                page_after: t.or("page_after", default.page_after),
                severity: t.entry("severity").and_then(read_severities).unwrap_or_default(),
                hours,
                repeat_interval: t
                    .at_least("repeat_interval", LEAST_REPEAT)
                    .unwrap_or(default.repeat_interval),
                reopen_within: t.or("reopen_within", default.reopen_within),
                escalate: t.entry("escalate").and_then(read_escalation).unwrap_or_default(),
                digest,
                heartbeat,
            })
        })
    }
}

/// Repeating more often than this is noise.
const LEAST_REPEAT: Duration = Duration::from_mins(1);

impl Read for PageAfter {
    fn read(node: Node<'_>) -> Option<Self> {
        if !node.is_table() {
            return Duration::read(node).map(Self::everything);
        }
        let mut page_after = Self::default();
        for (key, value) in node.entries()? {
            let Some(after) = Duration::read(value) else {
                continue;
            };
            if key == "default" {
                page_after.critical = after;
            } else if let Some(pattern) = read_pattern(key, value) {
                page_after.by_code.push((pattern, after));
            }
        }
        Some(page_after)
    }
}

/// A key that is a cause or a layer.
fn read_pattern(key: &str, value: Node<'_>) -> Option<CodePattern> {
    key.parse()
        .map_or_else(|_: &str| not_a_code(value.key(), key), Some)
}

fn read_severities(node: Node<'_>) -> Option<Vec<(CodePattern, Severity)>> {
    let rules = node.entries()?.into_iter().filter_map(|(key, value)| {
        let (pattern, severity) = (read_pattern(key, value), Severity::read(value));
        Some((pattern?, severity?))
    });
    Some(rules.collect())
}

fn read_hours(node: Node<'_>) -> Option<HoursBySeverity> {
    let hours = node.entries()?.into_iter().filter_map(|(key, value)| {
        let severity = severity_named(key);
        if severity.is_none() {
            value
                .key()
                .not_one_of::<()>(key, &Severity::ALL.map(Severity::as_str));
        }
        let hours = value.parse("working hours", str::parse);
        Some((severity?, hours?))
    });
    Some(hours.collect())
}

fn severity_named(word: &str) -> Option<Severity> {
    Severity::ALL
        .into_iter()
        .find(|severity| severity.as_str() == word)
}

impl Read for Severity {
    fn read(node: Node<'_>) -> Option<Self> {
        let word = node.text("a severity")?;
        severity_named(word).or_else(|| node.not_one_of(word, &Self::ALL.map(Self::as_str)))
    }
}

/// Steps, each later than the one before.
fn read_escalation(node: Node<'_>) -> Option<Vec<EscalationStep>> {
    let mut last: Option<Duration> = None;
    let steps = node.items(|item| {
        let step = EscalationStep::read(item)?;
        if last.is_some_and(|last| step.after <= last) {
            return item.wrong("each step comes later than the one before");
        }
        last = Some(step.after);
        Some(step)
    })?;
    Some(steps)
}

impl Read for EscalationStep {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let after = t.required("after");
            let notify = t.required_entry("notify").and_then(|node| {
                node.some_items("a step tells at least one notifier", |item| {
                    item.reference(Kind::Notifier)
                })
            });
            Some(Self {
                after: after?,
                notify: notify?,
            })
        })
    }
}

impl Read for Digest {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let at = t
                .required_entry("at")
                .and_then(|node| node.parse("moments", str::parse));
            let notify = t.required_entry("notify").and_then(|node| {
                node.some_items("a digest goes to at least one notifier", |item| {
                    item.reference(Kind::Notifier)
                })
            });
            Some(Self {
                at: at?,
                notify: notify?,
            })
        })
    }
}

impl Read for Heartbeat {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let url = t.required("url");
            let interval = t.at_least("interval", Duration::from_secs(1));
            let require = t.or(
                "require",
                vec![Requirement::Loop, Requirement::Store, Requirement::Outbox],
            );
            Some(Self {
                url: url?,
                interval: interval.unwrap_or(Self::INTERVAL),
                require,
            })
        })
    }
}
