//! What was seen of the simulated world: verdicts, turns, sessions.

use std::net::SocketAddr;

use jiff::Timestamp;

use super::run::Sim;
use crate::model::{ClientId, Code, DomainName, State, Subject, Target, Verdict};

impl Sim {
    /// How many SMTP sessions each address has had.
    pub fn sessions(&self) -> impl Iterator<Item = (&SocketAddr, usize)> {
        self.probes.iter().filter_map(|(subject, spans)| match subject {
            Subject::Smtp(peer) => Some((peer, spans.len())),
            _ => None,
        })
    }

    /// Every verdict that there is.
    pub fn verdicts(&self) -> impl Iterator<Item = &Verdict> {
        self.monitor.verdicts.values().map(|verdict| &**verdict)
    }

    /// Services with the state and the code that the surfaces show.
    pub fn services(&self) -> Vec<(String, State, Option<Code>)> {
        let view = self.monitor.view();
        let services = view.services.values().flatten();
        services
            .map(|service| (service.service.clone(), service.state, service.code))
            .collect()
    }

    /// Every code that people are shown just now, as a cause, as a warning or of a service, with what it is shown of.
    pub fn shown(&self) -> impl Iterator<Item = (String, Code)> {
        let of_verdict = |verdict: &Verdict| {
            let cause = verdict.cause.iter().map(|cause| cause.code);
            let also = verdict.also.iter().map(|warning| warning.code);
            let codes: Vec<Code> = cause.chain(also).collect();
            let target = verdict.target.to_string();
            codes.into_iter().map(move |code| (target.clone(), code))
        };
        let services = self.services();
        let services = services
            .into_iter()
            .filter_map(|(name, _, code)| Some((name, code?)));
        self.verdicts().flat_map(of_verdict).chain(services)
    }

    pub fn verdict(&self, domain: &str) -> Verdict {
        let target = Target::Domain(DomainName::parse(domain).unwrap());
        (**self.monitor.verdict(&target).unwrap()).clone()
    }

    pub fn route(&self, client: &str, to: &str) -> Verdict {
        let to = DomainName::parse(to).unwrap();
        let target = Target::Route(ClientId::parse(client).unwrap(), to);
        (**self.monitor.verdict(&target).unwrap()).clone()
    }

    pub fn state(&self, domain: &str) -> (State, Option<Code>) {
        let verdict = self.verdict(domain);
        (verdict.state, verdict.cause.map(|cause| cause.code))
    }

    /// The turns of one domain, with seconds since `from`.
    pub fn turns_of(&self, domain: &str, from: Timestamp) -> Vec<(f64, State, Option<Code>)> {
        let target = Target::Domain(DomainName::parse(domain).unwrap());
        self.turns
            .iter()
            .filter(|(_, of, ..)| *of == target)
            .map(|(at, _, state, code)| (at.duration_since(from).as_secs_f64(), *state, *code))
            .collect()
    }
}
