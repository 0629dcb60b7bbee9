//! What one target adds to an incident.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Affected, Cause, ClientId, Code, Flaps, Root, RootKind, State, Target, Verdict};

/// What a verdict means for the incidents.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Effect<'a> {
    /// The target stands in the incident of this cause's root.
    Contributes(&'a Cause),
    /// The target stands in none.
    Leaves,
    /// Nothing changes: we do not know.
    Keeps,
}

/// What `verdict` means for the incidents (`semantics` 22, 26).
pub(super) fn effect(verdict: &Verdict) -> Effect<'_> {
    match (verdict.state, &verdict.cause) {
        (State::Flowing, _) => Effect::Leaves,
        (State::Broken | State::Degraded, Some(cause)) => Effect::Contributes(cause),
        (State::Unknown, Some(cause)) if speaks_of_ourselves(&verdict.target, cause.code) => {
            Effect::Contributes(cause)
        }
        (_, _) => Effect::Keeps,
    }
}

/// Whether an unknown is a fault of our own at this very target, rather than mere absence of evidence.
fn speaks_of_ourselves(target: &Target, code: Code) -> bool {
    match code {
        Code::VantageRefused
        | Code::CanaryCredentials
        | Code::VantageSourceUnreadable
        | Code::VantageStoreUnwritable => true,
        Code::VantageOffline | Code::VantagePort25Blocked | Code::VantageResolverFailed => {
            matches!(target, Target::Vantage(_))
        }
        _ => false,
    }
}

/// How bad a state is for an incident: broken, degraded, then unknown.
pub(super) fn badness(state: State) -> u8 {
    match state {
        State::Broken => 3,
        State::Degraded => 2,
        State::Unknown => 1,
        State::Flowing => 0,
    }
}

/// What one target adds to an incident.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Contribution {
    /// The incident's root.
    pub(super) root: Root,
    /// Whose the target is.
    pub(super) client: Option<ClientId>,
    /// How the target is.
    pub(super) state: State,
    /// Why; `None` after a restart, until the target is judged again.
    pub(super) cause: Option<Arc<Cause>>,
    /// It was so when first seen.
    pub(super) first_sight: bool,
    /// Since when it has been this bad or worse without a break, in whichever incident.
    pub(super) since: Timestamp,
    /// How it comes and goes, if it does.
    pub(super) flapping: Option<Flaps>,
    /// It is well at the moment, but flaps and is therefore held.
    pub(super) held: bool,
}

impl Contribution {
    /// The row that people see.
    pub(super) fn affected(&self, target: &Target) -> Affected {
        Affected {
            target: target.clone(),
            client: self.client.clone(),
            state: self.state,
            first_sight: self.first_sight,
            since: self.since,
            flapping: self.flapping,
        }
    }
}

/// The key by which contributions to one incident are ranked; the greatest one's cause is shown. It uses only
/// what the store keeps, so that a restart ranks them alike.
pub(super) fn rank<'a>(
    root: &Root,
    target: &'a Target,
    state: State,
    since: Timestamp,
) -> (u8, bool, std::cmp::Reverse<(Timestamp, &'a Target)>) {
    (
        badness(state),
        is_own_target(root, target),
        std::cmp::Reverse((since, target)),
    )
}

/// Whether `target` is the very thing that failed, not something that stands on it.
fn is_own_target(root: &Root, target: &Target) -> bool {
    match (root.kind, target) {
        (RootKind::Vantage | RootKind::Resolver, Target::Vantage(_)) => true,
        (RootKind::Gateway, Target::Gateway(client, name))
        | (RootKind::Canary, Target::Canary(client, name)) => {
            root.client.as_ref() == Some(client) && root.name == *name
        }
        (RootKind::Provider, Target::Provider(name))
        | (RootKind::Notifier, Target::Notifier(name))
        | (RootKind::Source, Target::Source(name)) => root.name == *name,
        (RootKind::Route, Target::Route(client, to)) => {
            root.client.as_ref() == Some(client) && *root.name == *to.as_str()
        }
        (RootKind::Domain, Target::Domain(name)) => *root.name == *name.as_str(),
        _ => false,
    }
}
