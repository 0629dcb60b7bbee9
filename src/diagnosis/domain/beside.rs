//! What stands beside the way that mail comes in: services, and what blocklists say.

use jiff::Timestamp;

use super::super::doubt::Doubt;
use super::super::finding::Finding;
use super::super::service::ServiceView;
use super::{Parts, Rolled};
use crate::model::{Code, State};

impl Parts<'_> {
    /// What stands beside the way that mail comes in: services and reputation impair a domain that takes mail, and
    /// never explain why one does not. What still waits for its own explanation gives way to what does not, and holds
    /// the judgement back only where nothing else would be the cause.
    pub(super) fn add_beside(&self, verdict: &mut Rolled, now: Timestamp, doubt: &mut Doubt) {
        let services = self
            .services
            .iter()
            .filter_map(|view| Some((view.finding.as_ref()?, &view.doubt)));
        let listed = self
            .reputation
            .listed
            .iter()
            .map(|(finding, doubt)| (finding, doubt));
        let (waiting, clear): (Vec<_>, Vec<_>) = services
            .chain(listed)
            .partition(|(_, doubt)| doubt.until(now).is_some());
        let soon = self.services.iter().filter_map(|view| view.warning.clone());
        match verdict.state {
            State::Unknown => {}
            State::Broken => {
                let explained = |finding: &Finding| {
                    verdict
                        .cause
                        .as_ref()
                        .is_some_and(|cause| cause.root == finding.root)
                        || self.shares_an_address(finding)
                };
                let (under, apart): (Vec<_>, Vec<_>) = clear.into_iter().partition(|(one, _)| explained(one));
                verdict
                    .others
                    .extend(under.into_iter().map(|(one, _)| one.clone()));
                verdict
                    .warnings
                    .extend(apart.into_iter().map(|(one, _)| one.clone()));
            }
            State::Flowing | State::Degraded => {
                verdict.warnings.extend(soon);
                let mut beside = clear;
                if verdict.cause.is_none() && beside.is_empty() {
                    beside = waiting;
                    for (_, waits) in &beside {
                        doubt.join(waits);
                    }
                }
                let mut beside = beside.into_iter().map(|(finding, _)| finding.clone());
                if verdict.cause.is_none()
                    && let Some(first) = beside.next()
                {
                    verdict.state = first.state;
                    verdict.cause = Some(first);
                }
                let known = |one: &Finding| {
                    let cause = verdict.cause.iter();
                    cause
                        .chain(&verdict.others)
                        .any(|other| other.root == one.root && other.code == one.code)
                };
                let new: Vec<Finding> = beside.filter(|one| !known(one)).collect();
                verdict.others.extend(new);
            }
        }
    }

    /// Whether a service that fails lies at an address that takes the domain's mail: then whatever the machine has
    /// explains both.
    fn shares_an_address(&self, finding: &Finding) -> bool {
        let failing = |view: &&ServiceView| {
            view.finding
                .as_ref()
                .is_some_and(|one| one.root == finding.root && one.code == Code::ServiceUnreachable)
        };
        let mail = || self.hosts.iter().flat_map(|host| &host.addresses);
        self.services.iter().filter(failing).any(|view| {
            let places = self.picture.service_addresses(&view.service);
            mail().any(|one| places.contains(&one.address.ip()))
        })
    }
}
