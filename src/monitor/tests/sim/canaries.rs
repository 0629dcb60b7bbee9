//! What becomes of canaries in the simulated world: handed in at mail.acme.test, behind ACME's router.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::answer::PATIENCE;
use super::fault::CanaryIs;
use super::smtp::reply;
use super::world::{Server, World};
use crate::model::smtp::SmtpFailureKind;
use crate::model::{CanaryEvidence, CanaryOutcome, CanaryStage, Code, DialError, Evidence};

const SERVER: [u8; 4] = [198, 51, 100, 11];
/// As the configuration has it.
const DEADLINE: Duration = Duration::from_secs(4);

impl World {
    pub(super) fn canary(&self) -> (Evidence, Duration) {
        let address = IpAddr::from(SERVER);
        let machine = self.reaches(address) && self.server(address) == Server::Up;
        let quick = Duration::from_secs(1);
        let refused = |stage, line| {
            let kind = SmtpFailureKind::Reply(reply(line));
            CanaryOutcome::NotSubmitted {
                stage,
                after: quick,
                kind,
            }
        };
        let arrived = |after, junk: Option<&str>| CanaryOutcome::Arrived {
            after,
            junk: junk.map(str::to_owned),
            hops: vec![("mx.acme.test".to_owned(), after)],
            skewed: Vec::new(),
            results: Vec::new(),
        };
        let slow = DEADLINE * 3 / 4;
        let (outcome, elapsed) = match self.canary {
            _ if !machine => {
                let kind = SmtpFailureKind::Dial(DialError::Timeout);
                let stage = CanaryStage::Connect;
                (
                    CanaryOutcome::NotSubmitted {
                        stage,
                        after: PATIENCE,
                        kind,
                    },
                    PATIENCE,
                )
            }
            None => (arrived(quick, None), quick),
            Some(CanaryIs::Refused) => (
                refused(
                    CanaryStage::Mail,
                    "550 5.7.64 TenantAttribution; Relay Access Denied",
                ),
                quick,
            ),
            Some(CanaryIs::Unknown) => (
                refused(CanaryStage::Rcpt, "550 5.1.1 <canary@acme.test>: User unknown"),
                quick,
            ),
            Some(CanaryIs::WrongPassword) => {
                let said = "535 5.7.8 Authentication failed".to_owned();
                (
                    CanaryOutcome::LoginRefused {
                        at_mailbox: false,
                        said,
                    },
                    quick,
                )
            }
            Some(CanaryIs::Lost) => {
                let accepted = "250 2.0.0 Ok: queued as 4711".to_owned();
                (
                    CanaryOutcome::Lost {
                        accepted,
                        waited: DEADLINE,
                    },
                    DEADLINE,
                )
            }
            Some(CanaryIs::Slow) => (arrived(slow, None), slow),
            Some(CanaryIs::TooMany) => (
                refused(CanaryStage::Mail, "451 Sender rate overlimit - 12.5 / 1h"),
                quick,
            ),
            Some(CanaryIs::Blocked) => (
                refused(
                    CanaryStage::Data,
                    "550 5.1.8 Access denied, bad outbound sender AS(42004)",
                ),
                quick,
            ),
            Some(CanaryIs::Returned) => (
                CanaryOutcome::Returned {
                    after: quick,
                    code: Some(Code::ReputationSenderBlocked),
                    by: Some("mx.partner.test".to_owned()),
                    said: "550 198.51.100.11 is listed at bl.test".to_owned(),
                },
                quick,
            ),
            Some(CanaryIs::Junk) => (arrived(quick, Some("Junk")), quick),
            Some(CanaryIs::MailboxAway) => {
                let reason = "connection refused".to_owned();
                (CanaryOutcome::MailboxUnreachable { reason }, DEADLINE)
            }
        };
        let evidence = CanaryEvidence {
            id: "1-a".into(),
            peer: Some(SocketAddr::new(address, 587)),
            mailbox: Some(SocketAddr::new(address, 993)),
            outcome,
            late: Vec::new(),
            transcript: Vec::new(),
        };
        (Evidence::Canary(Box::new(evidence)), elapsed)
    }
}
