//! A verdict with all that people want to see of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::accept;
use super::super::address::AddressState;
use super::super::control::Control;
use super::super::finding::Finding;
use super::super::host::HostState;
use super::super::path;
use super::super::route::Beside;
use super::{Judgement, Parts, Rolled};
use crate::model::{Accepted, Cause, Code, Proof, Root, RootKind, State, Subject};

impl Parts<'_> {
    pub(super) fn judgement(&self, verdict: Rolled, known: &[&Accepted]) -> Judgement {
        let picture = self.picture;
        let provider = picture
            .provider_of(&self.domain.name)
            .map(|provider| Arc::clone(&provider.name));
        let client = self.domain.client.as_ref();
        let cause = match (verdict.state, verdict.cause) {
            (State::Flowing, _) => None,
            (State::Unknown, None) => Some(self.no_evidence()),
            (_, cause) => cause,
        };
        let code = cause.as_ref().map(|cause| cause.code);
        let symptoms = match (&cause, verdict.state) {
            (Some(_), State::Broken) => verdict.others.iter().map(|one| one.code).collect(),
            _ => Vec::new(),
        };
        let beside = verdict.others.iter().filter(|_| verdict.state == State::Degraded);
        Judgement {
            state: verdict.state,
            cause: cause.as_ref().map(|cause| match &self.route {
                Some(route) => self.on_route(cause, route, provider.as_deref()),
                None => cause.cause(picture, client, provider.as_deref()),
            }),
            symptoms: dedup(symptoms, code),
            also: beside
                .chain(&verdict.warnings)
                .map(Finding::warning)
                .chain(verdict.accepted.iter().map(|one| accept::warning(one, known)))
                .collect(),
            accepted_until: known.iter().map(|one| one.until).min(),
            proven_by: self.proofs(),
            checked: self.checked(),
            provider,
            path: path::draw(self),
            addresses: self.count(),
            certificate_expiry: path::earliest_expiry(self),
            first_look: self.policies.first_look || self.route.as_ref().is_some_and(|route| route.first_look),
            services: self.services.clone(),
        }
    }

    /// What it rests on (`semantics` 6).
    fn proofs(&self) -> Vec<Proof> {
        let spoken = self.hosts.iter().any(|host| host.state == HostState::Usable);
        let dialogue = spoken.then_some(Proof::Dialogue);
        let accepted = (spoken && self.asked.accepted).then_some(Proof::Rcpt);
        let client = self.route.as_ref().map(|route| route.client);
        let arrived = self
            .picture
            .is_proven_by_canary(&self.domain.name, client, self.now)
            .then_some(Proof::Canary);
        let said = self.route.iter().flat_map(|route| route.proofs.iter().copied());
        dialogue
            .into_iter()
            .chain(accepted)
            .chain(arrived)
            .chain(said)
            .collect()
    }

    /// The cause of a route's verdict. Of what everybody who sends there meets it is said that it is not about this
    /// client.
    fn on_route(&self, finding: &Finding, route: &Beside<'_>, provider: Option<&str>) -> Arc<Cause> {
        let mut finding = finding.clone();
        let theirs = finding.root.client.as_ref() != Some(route.client) && finding.code.layer() != "vantage";
        let said = |control: &Control| control.words(self.picture);
        if theirs && route.others.clients > 0 && finding.control.as_ref().and_then(said).is_none() {
            let others = match route.others.clients {
                1 => "1 other client that sends there".to_owned(),
                more => format!("{more} other clients that send there"),
            };
            let name = self.picture.inventory.client_name(route.client);
            finding = finding.beside(Control::Said(format!(
                "the same holds for {others}: it is not about {name}"
            )));
        }
        finding.cause_on_route(self.picture, route.client, self.domain.client.as_ref(), provider)
    }

    fn no_evidence(&self) -> Finding {
        let root = Root {
            kind: RootKind::Vantage,
            client: None,
            name: Arc::clone(&self.picture.inventory.vantage),
        };
        let detail = match self.checked() {
            None => format!("{} has not been looked at yet.", self.domain.name),
            Some(_) => format!(
                "Not all evidence of {} is there yet, or it is too old.",
                self.domain.name
            ),
        };
        Finding::new(Code::VantageNoEvidence, root, self.domain.name.as_str(), detail)
    }

    fn checked(&self) -> Option<Timestamp> {
        let dns = self
            .picture
            .track(&Subject::Mx(self.domain.name.clone()))
            .map(|track| track.latest.ended());
        let addresses = self.hosts.iter().flat_map(|host| &host.addresses);
        addresses
            .filter_map(|one| Some(one.observation.as_ref()?.ended()))
            .chain(dns)
            .max()
    }

    fn count(&self) -> [u32; 4] {
        let mut counts = [0; 4];
        for one in self.hosts.iter().flat_map(|host| &host.addresses) {
            let slot = match one.state {
                AddressState::Usable | AddressState::Impaired(_) => 0,
                AddressState::Failed(_) | AddressState::Behind(_) => 1,
                AddressState::Refused => 2,
                AddressState::Unknown => 3,
            };
            counts[slot] += 1;
        }
        counts
    }
}

fn dedup(codes: Vec<Code>, cause: Option<Code>) -> Vec<Code> {
    let set: BTreeSet<Code> = codes.into_iter().filter(|code| Some(*code) != cause).collect();
    set.into_iter().collect()
}
