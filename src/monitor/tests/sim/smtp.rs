//! What mail servers say in the simulated world.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::answer::PATIENCE;
use super::run::start;
use super::world::{Server, World};
use crate::model::smtp::{
    Capabilities, DialError, EnhancedCode, ProtocolError, Reply, SmtpEvidence, SmtpFailure, SmtpFailureKind,
};
use crate::model::tls::{Certificate, ChainVerdict, TlsEvidence, TlsFailure};
use crate::model::{Evidence, SmtpStage, StageTiming};
use crate::probe::Detail;

/// How long it takes where nobody waits for anything.
const QUICK: Duration = Duration::from_millis(30);

/// Where, how and after how long a session with such a server ends early, if it does.
fn end(server: &Server, patience: Duration) -> Option<(SmtpStage, SmtpFailureKind, Duration)> {
    use SmtpFailureKind as Kind;
    let dial = |error| (SmtpStage::Connect, Kind::Dial(error));
    let (stage, kind) = match server {
        Server::Up | Server::Plain | Server::Masked => return None,
        Server::Drags(_, after) if *after < patience => return None,
        Server::LineDown | Server::Filtered => {
            return Some((SmtpStage::Connect, Kind::Dial(DialError::Timeout), PATIENCE));
        }
        Server::Silent => return Some((SmtpStage::Greeting, Kind::Timeout, patience)),
        Server::FallsSilent(stage) | Server::Drags(stage, _) => {
            let waited = if stage.is_opening() { patience } else { PATIENCE };
            return Some((*stage, Kind::Timeout, waited));
        }
        Server::Stopped => dial(DialError::Refused),
        Server::Prohibited => dial(DialError::Unreachable {
            prohibited: true,
            no_route: false,
        }),
        Server::Untriable => dial(DialError::Local {
            reason: "too many open files".into(),
        }),
        Server::Closes(stage) => (*stage, Kind::Closed { reset: false }),
        Server::Babbles => (SmtpStage::Greeting, Kind::Protocol(ProtocolError::TooLong)),
        Server::Greets(line) => (SmtpStage::Greeting, Kind::Reply(reply(line))),
        Server::Says(stage, line) => (*stage, Kind::Reply(reply(line))),
        Server::NoHandshake(alert) => {
            let failure = TlsFailure {
                alert: alert.map(str::to_owned),
                reason: "the server ends it".into(),
            };
            (SmtpStage::Handshake, Kind::Tls(failure))
        }
    };
    Some((stage, kind, QUICK))
}

impl World {
    pub(super) fn smtp(&self, peer: SocketAddr, detail: &Detail) -> (Evidence, Duration) {
        let Detail::Smtp {
            server_name,
            patience,
            slow_lane,
        } = detail
        else {
            panic!("no SMTP detail")
        };
        let mut evidence = SmtpEvidence {
            peer,
            server_name: server_name.clone(),
            patience: *patience,
            slow_lane: *slow_lane,
            stages: vec![],
            greeting: None,
            capabilities: None,
            tls: None,
            failure: None,
            transcript: Arc::default(),
        };
        let server = if self.reaches(peer.ip()) && self.port25 {
            self.server(peer.ip())
        } else {
            Server::LineDown
        };
        let elapsed = if let Some((stage, kind, after)) = end(&server, *patience) {
            if stage > SmtpStage::Greeting {
                self.session(peer, &server, &mut evidence);
            }
            // What failed under TLS or before it: what came later was not seen.
            if stage < SmtpStage::EhloTls {
                evidence.tls = None;
            }
            if stage <= SmtpStage::Ehlo {
                evidence.capabilities = None;
            }
            evidence.stages.push(StageTiming {
                stage,
                elapsed: after,
            });
            evidence.failure = Some(SmtpFailure { stage, after, kind });
            after
        } else {
            self.session(peer, &server, &mut evidence);
            match server {
                Server::Drags(_, after) => after,
                _ => QUICK,
            }
        };
        (Evidence::Smtp(Box::new(evidence)), elapsed)
    }

    fn session(&self, peer: SocketAddr, server: &Server, evidence: &mut SmtpEvidence) {
        evidence.greeting = Some(reply("220 mx ESMTP"));
        evidence.stages = vec![StageTiming {
            stage: SmtpStage::Connect,
            elapsed: Duration::from_millis(5),
        }];
        if let Server::Drags(stage, elapsed) = server {
            evidence.stages.push(StageTiming {
                stage: *stage,
                elapsed: *elapsed,
            });
        }
        let starttls = !matches!(server, Server::Plain | Server::Masked);
        evidence.capabilities = Some(Capabilities {
            starttls,
            masked: *server == Server::Masked,
            size: self.offered.0,
            eight_bit_mime: self.offered.1,
            ..Capabilities::default()
        });
        if !starttls {
            return;
        }
        let address = peer.ip().to_string();
        let name = evidence
            .server_name
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let (chain, name, days) = match self.certificates.get(address.as_str()) {
            Some((chain, name, days)) => (chain.clone(), (*name).to_owned(), *days),
            None => (ChainVerdict::Trusted, name, 90),
        };
        let hashes = self.keys.get(address.as_str()).cloned();
        evidence.tls = Some(TlsEvidence {
            hashes: hashes.into_iter().collect(),
            ..tls_evidence(&name, &chain, days)
        });
    }
}

/// A session with a certificate for `name` that ends `days` after the start.
pub(super) fn tls_evidence(name: &str, chain: &ChainVerdict, days: i64) -> TlsEvidence {
    let day = |days: i64| {
        start()
            .checked_add(SignedDuration::from_hours(24 * days))
            .unwrap()
    };
    TlsEvidence {
        version: "TLS 1.3".into(),
        cipher: "TLS13_AES_128_GCM_SHA256".into(),
        certificate: Some(Arc::new(Certificate {
            subject: format!("CN={name}"),
            issuer: "CN=Lab CA".into(),
            names: vec![name.to_owned()],
            not_before: day(-30),
            not_after: day(days),
            key: "ECDSA P-256".into(),
            fingerprint: format!("{name}{days}{chain:?}"),
            self_signed: false,
        })),
        chain: chain.clone(),
        hashes: Arc::default(),
    }
}

pub(super) fn reply(line: &str) -> Reply {
    let (code, text) = line.split_once(' ').unwrap();
    let numbers: Vec<u16> = text
        .split(' ')
        .next()
        .unwrap()
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect();
    let enhanced = match numbers[..] {
        [class, subject, detail] => Some(EnhancedCode(u8::try_from(class).unwrap(), subject, detail)),
        _ => None,
    };
    Reply {
        code: code.parse().unwrap(),
        enhanced,
        lines: vec![text.to_owned()],
    }
}
