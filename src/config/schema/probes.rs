//! `[probes]`: how often and how patiently we probe, and how the levels override one another.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::ProbeKind;

/// `[probes]` with its sections for single kinds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probes {
    /// The keys that stand in `[probes]` itself.
    pub all: ProbeOverrides,
    /// `[probes.KIND]`.
    pub kinds: BTreeMap<ProbeKind, ProbeOverrides>,
}

/// The keys of `[probes]` as they were written at one level: `[probes]`, `[probes.KIND]`, a client, a domain, a
/// gateway or a route. What is absent comes from the level above.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProbeOverrides {
    /// From one probe to the next.
    pub interval: Option<Duration>,
    /// Of one probe.
    pub timeout: Option<Duration>,
    /// How long a greeting may take in the slow lane.
    pub greeting_timeout: Option<Duration>,
    /// Failures in a row, after the first, before a verdict turns.
    pub confirm: Option<u32>,
    /// Between those.
    pub confirm_interval: Option<Duration>,
    /// PEM roots trusted beside the platform's.
    pub ca_file: Option<PathBuf>,
}

/// The settings that hold for one kind of probe of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedProbe {
    /// From one probe to the next.
    pub interval: Duration,
    /// Whether somebody wrote the interval. If not, provider-hosted addresses are left five minutes.
    pub interval_explicit: bool,
    /// Of one probe.
    pub timeout: Duration,
    /// How long a greeting may take in the slow lane.
    pub greeting_timeout: Duration,
    /// Failures in a row, after the first, before a verdict turns.
    pub confirm: u32,
    /// Between those.
    pub confirm_interval: Duration,
    /// PEM roots trusted beside the platform's.
    pub ca_file: Option<PathBuf>,
}

impl ResolvedProbe {
    /// What holds where nothing is configured.
    pub fn built_in(kind: ProbeKind) -> Self {
        let slow_by_nature = has_own_interval(kind);
        Self {
            interval: Duration::from_mins(if slow_by_nature { 15 } else { 1 }),
            interval_explicit: false,
            timeout: Duration::from_secs(30),
            greeting_timeout: Duration::from_mins(5),
            confirm: 2,
            confirm_interval: Duration::from_secs(5),
            ca_file: None,
        }
    }

    fn apply(&mut self, level: &ProbeOverrides, with_interval: bool) {
        if let Some(interval) = level.interval.filter(|_| with_interval) {
            self.interval = interval;
            self.interval_explicit = true;
        }
        self.timeout = level.timeout.unwrap_or(self.timeout);
        self.greeting_timeout = level.greeting_timeout.unwrap_or(self.greeting_timeout);
        self.confirm = level.confirm.unwrap_or(self.confirm);
        self.confirm_interval = level.confirm_interval.unwrap_or(self.confirm_interval);
        if level.ca_file.is_some() {
            self.ca_file.clone_from(&level.ca_file);
        }
    }
}

/// Kinds whose interval only their own section changes: what they look at changes in hours, not minutes.
fn has_own_interval(kind: ProbeKind) -> bool {
    matches!(kind, ProbeKind::Policy | ProbeKind::Blocklist)
}

impl Probes {
    /// The settings of one kind of probe of one target. `overrides` are the target's levels from the outermost
    /// to the innermost: the client's, then the domain's, gateway's or route's.
    ///
    /// Each level goes over what stands above it: built in, `[probes]`, `[probes.KIND]`, then `overrides`.
    pub fn resolve(&self, kind: ProbeKind, overrides: &[&ProbeOverrides]) -> ResolvedProbe {
        let mut resolved = ResolvedProbe::built_in(kind);
        let shared = !has_own_interval(kind);
        resolved.apply(&self.all, shared);
        if let Some(own) = self.kinds.get(&kind) {
            resolved.apply(own, true);
        }
        for level in overrides {
            resolved.apply(level, shared);
        }
        resolved
    }
}
