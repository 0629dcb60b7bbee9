//! Services and blocklists in the simulated world.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::answer::PATIENCE;
use super::smtp::tls_evidence;
use super::world::{List, Server, World};
use crate::model::Evidence;
use crate::model::blocklist::{BlocklistEvidence, ListAnswer, ListingEvidence, SelfTest};
use crate::model::dns::Lookup;
use crate::model::service::{Service, ServiceEvidence, ServiceFailure, ServiceFailureKind, ServiceStage};
use crate::model::smtp::DialError;

impl World {
    pub(super) fn service(&self, service: &Service) -> (Evidence, Duration) {
        let name = service.name().unwrap();
        let found: Option<Vec<IpAddr>> = self
            .hosts
            .get(name.as_str())
            .map(|list| list.iter().map(|one| one.parse().unwrap()).collect());
        let (lookup, looked) = self.lookup(name.as_str(), found);
        let mut evidence = ServiceEvidence::default();
        let fail = |stage, kind, after| Some(ServiceFailure { stage, after, kind });
        let said = lookup.outcome();
        let Lookup::Found { records, .. } = lookup else {
            let kind = if lookup.is_definite() {
                ServiceFailureKind::NoAddress { said }
            } else {
                ServiceFailureKind::Untold { said }
            };
            evidence.failure = fail(ServiceStage::Lookup, kind, looked);
            return (Evidence::Service(Box::new(evidence)), looked);
        };
        let address: IpAddr = records[0];
        evidence.addresses = records;
        evidence.peer = Some(SocketAddr::new(address, service.port));
        let quick = Duration::from_millis(30);
        let machine = self.reaches(address) && !matches!(self.server(address), Server::LineDown);
        let how = self.services.get(&service.port).cloned().unwrap_or(Server::Up);
        let (failure, elapsed) = match how {
            _ if !machine => (Some(ServiceFailureKind::Dial(DialError::Timeout)), PATIENCE),
            Server::LineDown | Server::Filtered => {
                (Some(ServiceFailureKind::Dial(DialError::Timeout)), PATIENCE)
            }
            Server::Stopped => (Some(ServiceFailureKind::Dial(DialError::Refused)), quick),
            Server::Greets(line) => {
                let refused = ServiceFailureKind::Refused {
                    line: line.into(),
                    enhanced: None,
                };
                (Some(refused), quick)
            }
            _ => (None, quick),
        };
        if let Some(kind) = failure {
            evidence.failure = fail(ServiceStage::Connect, kind, elapsed);
        } else {
            let (chain, shown, days) = self.service_certificate.clone();
            evidence.greeting = Some("* OK".into());
            evidence.tls = Some(tls_evidence(shown.unwrap_or(name.as_str()), &chain, days));
        }
        (Evidence::Service(Box::new(evidence)), elapsed)
    }

    pub(super) fn list_answer(&self, address: &str) -> ListAnswer {
        let ttl = Duration::from_secs(5);
        let found = |octets: [u8; 4]| Lookup::Found {
            records: vec![octets.into()],
            ttl,
            authentic: false,
        };
        let answer = match &self.list {
            _ if !self.up() || !self.resolver => Lookup::Timeout,
            List::Refusing => found([127, 255, 255, 254]),
            List::Everything => found([127, 0, 0, 2]),
            List::Of(list) if address == "127.0.0.2" || list.contains(&address) => found([127, 0, 0, 2]),
            List::Of(_) => Lookup::NxDomain {
                ttl,
                authentic: false,
            },
        };
        ListAnswer { answer }
    }

    pub(super) fn listing(&self, address: IpAddr) -> (Evidence, Duration) {
        let answer = self.list_answer(&address.to_string());
        let reason = None;
        (
            Evidence::Listing(Box::new(ListingEvidence { answer, reason })),
            Duration::from_millis(20),
        )
    }

    pub(super) fn blocklist(&self) -> (Evidence, Duration) {
        let test = |listed, clean| SelfTest {
            listed: self.list_answer(listed),
            clean: self.list_answer(clean),
        };
        let evidence = BlocklistEvidence {
            v4: test("127.0.0.2", "127.0.0.1"),
            v6: test("::2", "::1"),
        };
        (Evidence::Blocklist(Box::new(evidence)), Duration::from_millis(20))
    }
}
