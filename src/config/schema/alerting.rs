//! `[alerting]`: whom to tell what, and when.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::config::value::words;
use crate::config::{Hours, HttpUrl};
use crate::model::{Code, Severity};

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
