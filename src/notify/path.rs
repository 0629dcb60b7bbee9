//! What a notifier's own messages need to arrive: whoever reports a failure over what has failed tells nobody.

use std::sync::Arc;

use crate::model::{ClientId, Code, DomainName, Incident, RootKind, State, Target};

/// The way that a notifier's messages take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// What of all that is watched it stands on, each with how, in words.
    pub stands_on: Vec<(Reliance, String)>,
    /// Who is told as well while that has failed.
    pub fallback: Option<Arc<str>>,
}

/// A watched thing that a notifier needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reliance {
    /// A client's gateway: it reaches something behind it.
    Gateway(ClientId, Arc<str>),
    /// A domain: it sends mail to it, or talks to one of its hosts.
    Domain(DomainName),
    /// Our own line: it leaves this machine.
    Line,
    /// Our own port 25: it sends mail over it.
    Port25,
}

impl Reliance {
    /// Whether an incident takes it away.
    fn fails_in(&self, incident: &Incident) -> bool {
        let (root, code) = (&incident.cause.root, incident.cause.code);
        match self {
            Self::Gateway(client, name) => {
                root.kind == RootKind::Gateway && root.client.as_ref() == Some(client) && root.name == *name
            }
            Self::Domain(name) => incident.affected.iter().any(|one| {
                one.state == State::Broken && matches!(&one.target, Target::Domain(of) if of == name)
            }),
            Self::Line => code == Code::VantageOffline,
            Self::Port25 => matches!(code, Code::VantageOffline | Code::VantagePort25Blocked),
        }
    }
}

impl Way {
    /// How the notifier stands on what failed in an incident; `None`: it does not.
    pub(super) fn is_cut_by(&self, incident: &Incident) -> Option<&str> {
        self.stands_on
            .iter()
            .find(|(reliance, _)| reliance.fails_in(incident))
            .map(|(_, how)| how.as_str())
    }
}
