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
const QUICK: Duration = Duration::from_secs(1);
const SLOW: Duration = Duration::from_secs(3);

impl World {
    pub(super) fn canary(&self) -> (Evidence, Duration) {
        let address = IpAddr::from(SERVER);
        let machine = self.reaches(address) && self.server(address) == Server::Up;
        let (outcome, elapsed) = if machine {
            became(self.canary)
        } else {
            let kind = SmtpFailureKind::Dial(DialError::Timeout);
            (not_submitted(CanaryStage::Connect, PATIENCE, kind), PATIENCE)
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

/// What becomes of one that can be handed in, and after how long that is known.
fn became(is: Option<CanaryIs>) -> (CanaryOutcome, Duration) {
    match is {
        None => (arrived(QUICK, None), QUICK),
        Some(CanaryIs::Refused) => refused(
            CanaryStage::Mail,
            "550 5.7.64 TenantAttribution; Relay Access Denied",
        ),
        Some(CanaryIs::Unknown) => refused(CanaryStage::Rcpt, "550 5.1.1 <canary@acme.test>: User unknown"),
        Some(CanaryIs::TooMany) => refused(CanaryStage::Mail, "451 Sender rate overlimit - 12.5 / 1h"),
        Some(CanaryIs::Blocked) => refused(
            CanaryStage::Data,
            "550 5.1.8 Access denied, bad outbound sender AS(42004)",
        ),
        Some(CanaryIs::WrongPassword) => {
            let said = "535 5.7.8 Authentication failed".to_owned();
            let refused = CanaryOutcome::LoginRefused {
                at_mailbox: false,
                said,
                token: None,
            };
            (refused, QUICK)
        }
        Some(CanaryIs::NoToken) => {
            let no_token = CanaryOutcome::NoToken {
                refused: true,
                reason: "login.test gives no token to the application app-1: its secret has expired"
                    .to_owned(),
            };
            (no_token, QUICK)
        }
        Some(CanaryIs::Lost) => {
            let accepted = "250 2.0.0 Ok: queued as 4711".to_owned();
            let waited = DEADLINE;
            (CanaryOutcome::Lost { accepted, waited }, DEADLINE)
        }
        Some(CanaryIs::Returned) => {
            let returned = CanaryOutcome::Returned {
                after: QUICK,
                code: Some(Code::ReputationSenderBlocked),
                by: Some("mx.partner.test".to_owned()),
                said: "550 198.51.100.11 is listed at bl.test".to_owned(),
            };
            (returned, QUICK)
        }
        Some(CanaryIs::Slow) => (arrived(SLOW, None), SLOW),
        Some(CanaryIs::Junk) => (arrived(QUICK, Some("Junk")), QUICK),
        Some(CanaryIs::MailboxAway) => {
            let reason = "connection refused".to_owned();
            (CanaryOutcome::MailboxUnreachable { reason }, DEADLINE)
        }
    }
}

fn not_submitted(stage: CanaryStage, after: Duration, kind: SmtpFailureKind) -> CanaryOutcome {
    CanaryOutcome::NotSubmitted { stage, after, kind }
}

fn refused(stage: CanaryStage, line: &'static str) -> (CanaryOutcome, Duration) {
    let kind = SmtpFailureKind::Reply(reply(line));
    (not_submitted(stage, QUICK, kind), QUICK)
}

fn arrived(after: Duration, junk: Option<&str>) -> CanaryOutcome {
    CanaryOutcome::Arrived {
        after,
        junk: junk.map(str::to_owned),
        hops: vec![("mx.acme.test".to_owned(), after)],
        skewed: Vec::new(),
        results: Vec::new(),
    }
}
