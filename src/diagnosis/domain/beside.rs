//! What stands beside the way that mail comes in: services, and what blocklists say.

use jiff::Timestamp;

use super::super::control::Control;
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
        let sender = self.route.iter().flat_map(|route| &route.sender);
        let listed = self.reputation.listed.iter().chain(sender);
        let listed = listed.map(|(finding, doubt)| (finding, doubt));
        let (waiting, clear): (Vec<_>, Vec<_>) = services
            .chain(listed)
            .partition(|(_, doubt)| doubt.until(now).is_some());
        if let Some(route) = &self.route {
            verdict.warnings.extend(route.warnings.iter().cloned());
        }
        let soon = self.services.iter().filter_map(|view| view.warning.clone());
        match verdict.state {
            State::Unknown => {
                let sender = self.route.iter().flat_map(|route| &route.sender);
                let certain = sender.filter(|(_, doubt)| doubt.until(now).is_none());
                verdict
                    .warnings
                    .extend(certain.map(|(finding, _)| finding.clone()));
            }
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
                let mut beside = beside.into_iter().map(|(finding, _)| self.with_control(finding));
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

    /// What a server says of somebody who agreed to be asked for: it breaks what would flow otherwise, and is hidden by
    /// whatever keeps mail from coming that far.
    pub(super) fn add_recipient(&self, verdict: &mut Rolled) {
        if !matches!(verdict.state, State::Flowing | State::Degraded) {
            return;
        }
        verdict.warnings.extend(self.asked.warning.clone());
        let Some(finding) = self.asked.finding.clone() else {
            return;
        };
        if finding.state == State::Flowing {
            verdict.warnings.push(finding);
        } else if finding.state.urgency() > verdict.state.urgency() {
            verdict.state = finding.state;
            verdict.others.extend(verdict.cause.replace(finding));
        } else {
            verdict.others.push(finding);
        }
    }

    /// A finding of the sender's side, beside what others who send to the same destination see of it.
    fn with_control(&self, finding: &Finding) -> Finding {
        let finding = finding.clone();
        let Some(route) = &self.route else {
            return finding;
        };
        let flowing = route.others.flowing;
        if flowing == 0 || finding.root.client.as_ref() != Some(route.client) {
            return finding;
        }
        let name = self.picture.inventory.client_name(route.client);
        let others = if flowing == 1 {
            "1 other client reaches".to_owned()
        } else {
            format!("{flowing} other clients reach")
        };
        finding.beside(Control::Said(format!(
            "{others} {}: suspect {name}'s side",
            self.domain.name
        )))
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
