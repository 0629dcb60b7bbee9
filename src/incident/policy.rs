//! What the operator decides: how loud each cause is, and how long it must have lasted before somebody is told.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::incident::Flapping;
use crate::model::{Code, Severity, State};

/// How loud each cause is, and how long to wait (`semantics` 21, 22).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long to gather what else has the same cause before a first message, and how long a change must have
    /// held before it is told.
    pub group_wait: Duration,
    /// How long a critical incident must have lasted before it is told.
    pub critical_after: Duration,
    /// How long a warning must have lasted before it is told.
    pub warning_after: Duration,
    /// The same by code; over both.
    pub page_after: BTreeMap<Code, Duration>,
    /// Severities other than the built-in ones.
    pub severity: BTreeMap<Code, Severity>,
    /// How long after the first message about a beginning each step of the escalation is told, rising, the first step
    /// being that message itself; empty: nobody but the first.
    pub escalate: Vec<Duration>,
    /// How long after the last message whoever was told is told again, until somebody acknowledges; `None`: never.
    pub repeat_interval: Option<Duration>,
    /// For how long after its end the same root reopens an incident; zero: always a new one.
    pub reopen_within: Duration,
    /// When a target counts as flapping; `None`: never.
    pub flapping: Option<Flapping>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            group_wait: Duration::from_secs(10),
            critical_after: Duration::from_mins(5),
            warning_after: Duration::from_mins(30),
            page_after: BTreeMap::new(),
            severity: BTreeMap::new(),
            escalate: Vec::new(),
            repeat_interval: Some(Duration::from_hours(4)),
            reopen_within: Duration::from_mins(10),
            flapping: Some(Flapping::of_interval(Duration::from_mins(1))),
        }
    }
}

impl Policy {
    /// The time of a step of the escalation, if there is such a step.
    pub(super) fn step_after(&self, step: usize) -> Option<Duration> {
        self.escalate.get(step).copied()
    }

    /// How loud a target in `state` for the reason `code` is.
    pub fn severity(&self, code: Code, state: State) -> Severity {
        if let Some(severity) = self.severity.get(&code) {
            return *severity;
        }
        match (code, state) {
            (Code::VantageOffline | Code::VantagePort25Blocked | Code::VantageResolverFailed, _) => {
                Severity::Critical
            }
            (
                Code::VantageRefused
                | Code::VantageSourceUnreadable
                | Code::VantageStoreUnwritable
                | Code::CanaryCredentials
                | Code::NotifierFailed,
                _,
            )
            | (_, State::Degraded) => Severity::Warning,
            (_, State::Broken) => Severity::Critical,
            (_, State::Unknown | State::Flowing) => Severity::Info,
        }
    }

    /// How long an incident must have lasted before it is told; `None`: it is never told.
    pub fn page_after(&self, code: Code, severity: Severity) -> Option<Duration> {
        let otherwise = match severity {
            Severity::Critical => self.critical_after,
            Severity::Warning => self.warning_after,
            Severity::Info => return None,
        };
        Some(self.page_after.get(&code).copied().unwrap_or(otherwise))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn being_blind_is_critical_and_being_refused_a_warning() {
        let policy = Policy::default();
        assert_eq!(
            policy.severity(Code::VantageOffline, State::Unknown),
            Severity::Critical
        );
        assert_eq!(
            policy.severity(Code::VantageRefused, State::Unknown),
            Severity::Warning
        );
        assert_eq!(
            policy.severity(Code::VantageNoEvidence, State::Unknown),
            Severity::Info
        );
    }

    #[test]
    fn what_the_operator_says_by_code_wins() {
        let policy = Policy {
            severity: BTreeMap::from([(Code::DnsMxChanged, Severity::Critical)]),
            page_after: BTreeMap::from([(Code::GatewayDown, Duration::from_mins(10))]),
            ..Policy::default()
        };
        assert_eq!(
            policy.severity(Code::DnsMxChanged, State::Degraded),
            Severity::Critical
        );
        assert_eq!(
            policy.page_after(Code::GatewayDown, Severity::Critical),
            Some(Duration::from_mins(10))
        );
        assert_eq!(policy.page_after(Code::GatewayDown, Severity::Info), None);
    }
}
