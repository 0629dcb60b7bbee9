//! `[probes]`: how often and how patiently we probe, and how the levels override one another.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::problem::Draft;
use crate::config::reader::{Node, Read, Table};
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
        let is_asked_for = kind == ProbeKind::Recipient;
        Self {
            interval: Duration::from_mins(if slow_by_nature { 15 } else { 1 }),
            interval_explicit: false,
            timeout: Duration::from_secs(30),
            greeting_timeout: Duration::from_mins(5),
            confirm: 2,
            // Greylisting lets the same pair pass after a few minutes (`semantics` 15).
            confirm_interval: if is_asked_for {
                Duration::from_mins(6)
            } else {
                Duration::from_secs(5)
            },
            ca_file: None,
        }
    }

    fn apply(&mut self, level: &ProbeOverrides, with_interval: bool, with_pause: bool) {
        if let Some(interval) = level.interval.filter(|_| with_interval) {
            self.interval = interval;
            self.interval_explicit = true;
        }
        self.timeout = level.timeout.unwrap_or(self.timeout);
        self.greeting_timeout = level.greeting_timeout.unwrap_or(self.greeting_timeout);
        self.confirm = level.confirm.unwrap_or(self.confirm);
        if let Some(pause) = level.confirm_interval.filter(|_| with_pause) {
            self.confirm_interval = pause;
        }
        if level.ca_file.is_some() {
            self.ca_file.clone_from(&level.ca_file);
        }
    }
}

/// Kinds whose interval only their own section changes: what they look at changes in hours, not minutes, or must not
/// be asked more often.
fn has_own_interval(kind: ProbeKind) -> bool {
    matches!(
        kind,
        ProbeKind::Policy | ProbeKind::Blocklist | ProbeKind::Recipient
    )
}

impl Probes {
    /// The settings of one kind of probe of one target. `overrides` are the target's levels from the outermost
    /// to the innermost: the client's, then the domain's, gateway's or route's.
    ///
    /// Each level goes over what stands above it: built in, `[probes]`, `[probes.KIND]`, then `overrides`.
    pub fn resolve(&self, kind: ProbeKind, overrides: &[&ProbeOverrides]) -> ResolvedProbe {
        let mut resolved = ResolvedProbe::built_in(kind);
        let shared = !has_own_interval(kind);
        let pause = kind != ProbeKind::Recipient;
        resolved.apply(&self.all, shared, pause);
        if let Some(own) = self.kinds.get(&kind) {
            resolved.apply(own, true, true);
        }
        for level in overrides {
            resolved.apply(level, shared, pause);
        }
        resolved
    }
}

/// Probing more often than this is an attack, not a watch.
const LEAST_INTERVAL: Duration = Duration::from_millis(100);
/// Nothing on a network answers sooner.
const LEAST_TIMEOUT: Duration = Duration::from_millis(10);
/// More confirmations than this confirm nothing.
const MOST_CONFIRM: u32 = 100;

impl Read for Probes {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            // A canary says itself how often it is sent, and how long it may take.
            let kinds = ProbeKind::ALL
                .into_iter()
                .filter(|kind| *kind != ProbeKind::Canary);
            let kinds = kinds.filter_map(|kind| {
                let node = t.entry(kind.as_str())?;
                Some((kind, ProbeOverrides::read(node)?))
            });
            let kinds = kinds.collect();
            Some(Self {
                all: ProbeOverrides::from_table(t),
                kinds,
            })
        })
    }
}

impl Read for ProbeOverrides {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| Some(Self::from_table(t)))
    }
}

impl ProbeOverrides {
    /// Reads the keys that stand directly in `t`, beside others.
    pub(in crate::config) fn from_table(t: &Table<'_>) -> Self {
        let overrides = Self {
            interval: t.at_least("interval", LEAST_INTERVAL),
            timeout: t.at_least("timeout", LEAST_TIMEOUT),
            greeting_timeout: t.at_least("greeting_timeout", LEAST_TIMEOUT),
            confirm: t.entry("confirm").and_then(read_confirm),
            confirm_interval: t.get("confirm_interval"),
            ca_file: t.get("ca_file"),
        };
        if let (Some(greeting), Some(timeout)) = (overrides.greeting_timeout, overrides.timeout)
            && greeting < timeout
            && let Some(node) = t.entry("greeting_timeout")
        {
            let message =
                "`greeting_timeout` is shorter than `timeout`: the slow lane would be the quick one";
            node.report(Draft::warning(node.spot(), message));
        }
        overrides
    }
}

fn read_confirm(node: Node<'_>) -> Option<u32> {
    let confirm = u32::read(node)?;
    if confirm > MOST_CONFIRM {
        return node.wrong(format!(
            "more than {MOST_CONFIRM} confirmations would confirm nothing in time"
        ));
    }
    Some(confirm)
}
