//! What proves that we reach the outside.

use jiff::Timestamp;

use super::{Health, Picture};
use crate::model::policy::{StsEvidence, StsOutcome};
use crate::model::reach::LifeCheck;
use crate::model::{Anchor, Evidence, Observation, Subject};

/// Kinds of proof that we reach the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Anything at all.
    Any,
    /// An SMTP server spoke to us.
    Smtp,
    /// A web server did, or took our connection.
    Https,
}

impl Picture {
    /// Notes whether an observation proves that we reach the outside.
    pub(super) fn note_success(&mut self, observation: &Observation, health: Health) {
        let outside = match &observation.evidence {
            Evidence::Smtp(evidence) | Evidence::Recipient(evidence) if evidence.greeting.is_some() => {
                Some(Kind::Smtp)
            }
            Evidence::Anchor(anchor) if anchor.answered() => match &observation.subject {
                Subject::Anchor(Anchor::Smtp { .. }) => Some(Kind::Smtp),
                _ => Some(Kind::Any),
            },
            Evidence::Host(host) if host.alive() => Some(Kind::Any),
            Evidence::Service(service) if service.has_spoken() => Some(Kind::Any),
            Evidence::Canary(canary) if canary.has_spoken() => Some(Kind::Any),
            Evidence::Gateway(_) if health == Health::Good => Some(Kind::Any),
            Evidence::NameServers(servers)
                if servers.servers.iter().any(|server| server.answer.is_definite()) =>
            {
                Some(Kind::Any)
            }
            Evidence::Sts(sts) if has_answered(sts) => Some(Kind::Https),
            _ => None,
        };
        if reached_over_ipv6(observation).is_some_and(|ipv6| !self.is_watched_over(ipv6)) {
            return;
        }
        if opens_https(&observation.evidence) {
            self.last_success.insert(Kind::Https, observation.at);
        }
        // Evidence that began before a failure says nothing about what came after it: the start counts.
        for kind in [Kind::Any, Kind::Smtp, Kind::Https] {
            if outside == Some(kind) || (outside.is_some() && kind == Kind::Any) {
                let newest = self.last_success.entry(kind).or_insert(observation.at);
                *newest = observation.at.max(*newest);
            }
        }
    }

    /// When something outside last answered us, by the start of that probe.
    pub fn last_outside_success(&self) -> Option<Timestamp> {
        self.last_success.get(&Kind::Any).copied()
    }

    /// When an SMTP server outside last spoke to us, by the start of that probe.
    pub fn last_smtp_success(&self) -> Option<Timestamp> {
        self.last_success.get(&Kind::Smtp).copied()
    }

    /// Whether anybody's port 443 has ever answered us: else silence there may be our own side's doing.
    pub fn has_reached_https(&self) -> bool {
        self.last_success.contains_key(&Kind::Https)
    }

    /// Whether our line is watched over a family of addresses. Where all anchors are asked over IPv4, what answers over
    /// IPv6 says nothing of the line that they are silent on: the two may fail apart.
    fn is_watched_over(&self, ipv6: bool) -> bool {
        let anchors = self.inventory.anchors.iter().chain(&self.inventory.witnesses);
        let mut families = anchors
            .filter_map(|anchor| {
                let track = self.track(&Subject::Anchor(anchor.clone()))?;
                match &track.latest.evidence {
                    Evidence::Anchor(anchor) => Some(anchor.address?.is_ipv6()),
                    _ => None,
                }
            })
            .peekable();
        families.peek().is_none() || families.any(|family| family == ipv6)
    }
}

/// Whether an answer came over IPv6; `None` where that is not known.
fn reached_over_ipv6(observation: &Observation) -> Option<bool> {
    let address = match (&observation.subject, &observation.evidence) {
        (_, Evidence::Smtp(smtp) | Evidence::Recipient(smtp)) => smtp.peer.ip(),
        (Subject::Host(address), _) => *address,
        (_, Evidence::Anchor(anchor)) => anchor.address?,
        (_, Evidence::Gateway(gateway)) => gateway.address?,
        (_, Evidence::Service(service)) => service.peer?.ip(),
        (_, Evidence::Canary(canary)) => canary.peer?.ip(),
        (_, Evidence::Sts(sts)) => sts.fetch.as_ref()?.address?,
        (_, Evidence::NameServers(servers)) => {
            let answered = servers
                .servers
                .iter()
                .filter(|server| server.answer.is_definite());
            let mut addresses = answered.filter_map(|server| server.address);
            let first = addresses.next()?;
            // One answer over IPv4 is enough to prove that line.
            return Some(first.is_ipv6() && addresses.all(|address| address.is_ipv6()));
        }
        _ => return None,
    };
    Some(address.is_ipv6())
}

/// Whether a web server has answered with anything.
fn has_answered(sts: &StsEvidence) -> bool {
    matches!(
        sts.fetch.as_ref().map(|fetch| &fetch.outcome),
        Some(StsOutcome::Read { .. } | StsOutcome::Failed { text: Some(_), .. })
    )
}

/// Whether a check of a host or gateway reached its port 443.
fn opens_https(evidence: &Evidence) -> bool {
    let checks = match evidence {
        Evidence::Host(host) => &host.checks,
        Evidence::Gateway(gateway) => &gateway.checks,
        _ => return false,
    };
    let open = |check: &LifeCheck| {
        matches!(
            check,
            LifeCheck::Tcp {
                port: 443,
                result: Ok(_)
            }
        )
    };
    checks.iter().any(open)
}

#[cfg(test)]
mod tests;
