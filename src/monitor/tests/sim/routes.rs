//! What only routes have in the simulated world: what servers say of recipients, and what is known of senders.

use std::net::IpAddr;
use std::time::Duration;

use super::fault::SenderIs;
use super::smtp::reply;
use super::world::{Server, World};
use crate::model::dns::Lookup;
use crate::model::sender::{SenderEvidence, SpfCheck, SpfResult};
use crate::model::smtp::{SmtpFailure, SmtpFailureKind};
use crate::model::{DomainName, Evidence, SmtpStage, StageTiming};
use crate::probe::Detail;

impl World {
    pub(super) fn recipient(&self, detail: &Detail) -> (Evidence, Duration) {
        let Detail::Recipient { peers, patience } = detail else {
            panic!("no recipient's detail")
        };
        let Some((peer, server_name)) = peers.first() else {
            return (Evidence::unrunnable("nobody to ask"), Duration::ZERO);
        };
        let session = Detail::Smtp {
            server_name: server_name.clone(),
            patience: *patience,
            slow_lane: false,
        };
        let (evidence, elapsed) = self.smtp(*peer, &session);
        let Evidence::Smtp(mut session) = evidence else {
            panic!("no session")
        };
        let is_up = matches!(
            self.server(peer.ip()),
            Server::Up | Server::Plain | Server::Drags(..)
        );
        if session.failure.is_none() && is_up {
            let mut at = |stage| {
                let elapsed = Duration::from_millis(10);
                session.stages.push(StageTiming { stage, elapsed });
            };
            let said = self.asked.get(peer.ip().to_string().as_str());
            at(SmtpStage::Mail);
            if said.is_none_or(|(stage, _)| *stage == SmtpStage::Rcpt) {
                at(SmtpStage::Rcpt);
            }
            session.failure = said.map(|(stage, line)| SmtpFailure {
                stage: *stage,
                after: Duration::from_millis(10),
                kind: SmtpFailureKind::Reply(reply(line)),
            });
        }
        (Evidence::Recipient(session), elapsed)
    }

    pub(super) fn sender(&self, address: IpAddr, detail: &Detail) -> (Evidence, Duration) {
        let Detail::Sender { greets_as, domains } = detail else {
            panic!("no sender's detail")
        };
        let is = self.senders.get(address.to_string().as_str()).copied();
        let name: DomainName = "mx.acme.test".parse().unwrap();
        let found = Some(vec![name.clone()]).filter(|_| is != Some(SenderIs::Nameless));
        let (names, elapsed) = self.lookup("in-addr.arpa", found);
        let known = matches!(names, Lookup::Found { .. });
        let result = match is {
            _ if !names.is_definite() => SpfResult::TempError,
            Some(SenderIs::Uncovered) => SpfResult::Fail,
            _ => SpfResult::Pass,
        };
        let spf = domains.iter().map(|domain| SpfCheck {
            domain: domain.clone(),
            result,
            because: Some(if result == SpfResult::Fail { "-all" } else { "mx" }.to_owned()),
        });
        let evidence = SenderEvidence {
            confirmed: Some(name).filter(|_| known && is != Some(SenderIs::Misnamed)),
            names,
            untold: None,
            greets: greets_as.clone().map(|name| (name, Some(true))),
            spf: spf.collect(),
        };
        (Evidence::Sender(Box::new(evidence)), elapsed)
    }
}
