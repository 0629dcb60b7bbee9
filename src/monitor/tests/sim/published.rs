//! What domains publish about their mail in the simulated world.

use std::time::Duration;

use super::dns::signed;
use super::run::start;
use super::world::World;
use crate::model::dns::Lookup;
use crate::model::policy::{
    DkimAnswer, DkimEvidence, DmarcEvidence, HeldPolicy, PolicyPart, SpfEvidence, SpfOutcome, StsEvidence,
    StsFetch, StsMode, StsOutcome, StsPolicy, TlsaEvidence, TlsaRecord,
};
use crate::model::tls::CertificateHashes;
use crate::model::{DomainName, Evidence};
use crate::probe::Detail;

impl World {
    pub(super) fn policy(
        &self,
        domain: &DomainName,
        part: PolicyPart,
        detail: &Detail,
    ) -> (Evidence, Duration) {
        let (told, elapsed) = self.lookup(domain.as_str(), Some(()));
        let mut evidence = match self.policies.get(&(domain.as_str(), part)) {
            // A policy host that is silent is so whatever DNS says from memory.
            Some(evidence) if told.is_definite() || part == PolicyPart::Sts => evidence.clone(),
            _ => in_order(part, told),
        };
        if let (Evidence::Sts(sts), Detail::Sts { held }) = (&mut evidence, detail)
            && !matches!(&sts.fetch, Some(fetch) if matches!(fetch.outcome, StsOutcome::Read { .. }))
        {
            sts.held = held
                .clone()
                .filter(|held| held.holds_at(self.clock))
                .map(Box::new);
        }
        (evidence, elapsed)
    }

    pub(super) fn tlsa(&self, host: &DomainName) -> (Evidence, Duration) {
        let record = self.tlsa.get(host.as_str()).map(|record| vec![record.clone()]);
        let (answer, elapsed) = self.lookup(host.as_str(), record);
        let answer = signed(answer, true);
        let addresses_authentic = answer.records().is_some();
        (
            Evidence::Tlsa(Box::new(TlsaEvidence {
                answer,
                addresses_authentic,
                base: None,
            })),
            elapsed,
        )
    }
}

/// Evidence that a part of what a domain publishes is in order, or that nobody could tell.
pub(super) fn in_order(part: PolicyPart, told: Lookup<()>) -> Evidence {
    let definite = told.is_definite();
    let texts = |text: &str| told.clone().map(|()| vec![text.to_owned()]);
    match part {
        PolicyPart::Spf => Evidence::Spf(Box::new(SpfEvidence {
            own: texts("v=spf1 mx -all"),
            read: vec![],
            lookups: 1,
            void: vec![],
            outcome: if definite {
                SpfOutcome::Valid {
                    all: Some('-'),
                    ptr: false,
                }
            } else {
                SpfOutcome::Untold {
                    reason: told.outcome(),
                }
            },
        })),
        PolicyPart::Dmarc => Evidence::Dmarc(Box::new(DmarcEvidence {
            own: texts("v=DMARC1; p=none"),
            inherited: None,
            untold: None,
        })),
        PolicyPart::Dkim => Evidence::Dkim(Box::new(DkimEvidence { keys: vec![] })),
        PolicyPart::Sts => {
            let nothing = if definite {
                Lookup::NoData {
                    ttl: Duration::from_secs(5),
                }
            } else {
                told.map(|()| vec![])
            };
            Evidence::Sts(Box::new(StsEvidence {
                record: nothing.clone(),
                fetch: None,
                held: None,
                tls_rpt: nothing,
            }))
        }
    }
}

const TTL: Duration = Duration::from_secs(5);

fn texts(text: &str) -> Lookup<Vec<String>> {
    Lookup::Found {
        records: vec![text.to_owned()],
        ttl: TTL,
        authentic: false,
    }
}

/// An SPF record that receivers call a permanent error.
pub fn invalid_spf(domain: &str, record: &str, problem: &str) -> Evidence {
    let at: DomainName = domain.parse().unwrap();
    Evidence::Spf(Box::new(SpfEvidence {
        own: texts(record),
        read: vec![(at.clone(), record.into())],
        lookups: 0,
        void: vec![],
        outcome: SpfOutcome::Invalid {
            at,
            term: None,
            problem: problem.into(),
        },
    }))
}

/// No SPF record at all.
pub fn no_spf() -> Evidence {
    Evidence::Spf(Box::new(SpfEvidence {
        own: Lookup::NoData { ttl: TTL },
        read: vec![],
        lookups: 0,
        void: vec![],
        outcome: SpfOutcome::Absent,
    }))
}

/// A DMARC record that reads so.
pub fn dmarc(record: &str) -> Evidence {
    Evidence::Dmarc(Box::new(DmarcEvidence {
        own: texts(record),
        inherited: None,
        untold: None,
    }))
}

/// What stands at a configured DKIM selector: a text, or nothing.
pub fn dkim(selector: &str, record: Option<&str>) -> Evidence {
    Evidence::Dkim(Box::new(DkimEvidence {
        keys: vec![DkimAnswer {
            selector: selector.into(),
            configured: true,
            answer: record.map_or(Lookup::NoData { ttl: TTL }, texts),
        }],
    }))
}

/// An MTA-STS policy that senders remember, and what fetching it comes to now.
pub fn sts(domain: &str, mode: StsMode, mx: &str, outcome: StsOutcome) -> Evidence {
    Evidence::Sts(Box::new(StsEvidence {
        record: texts("v=STSv1; id=1;"),
        fetch: Some(Box::new(StsFetch {
            url: format!("https://mta-sts.{domain}/.well-known/mta-sts.txt"),
            address: None,
            outcome,
        })),
        held: Some(Box::new(HeldPolicy {
            id: "1".into(),
            policy: StsPolicy {
                mode,
                max_age: Duration::from_hours(24),
                mx: vec![mx.to_owned()],
            },
            fetched: start(),
        })),
        tls_rpt: Lookup::NoData { ttl: TTL },
    }))
}

/// A policy that is read.
pub fn read() -> StsOutcome {
    StsOutcome::Read { text: String::new() }
}

/// What a certificate with this mark hashes to.
pub fn hashes(mark: char) -> CertificateHashes {
    let of = |length| mark.to_string().repeat(length);
    CertificateHashes {
        certificate_sha256: of(64),
        certificate_sha512: of(128),
        key_sha256: of(64),
        key_sha512: of(128),
        vouches: None,
    }
}

/// The TLSA record that fits the certificate with this mark.
pub fn tlsa(mark: char) -> TlsaRecord {
    TlsaRecord {
        usage: 3,
        selector: 1,
        matching: 1,
        data: hashes(mark).key_sha256,
        length: 32,
        digest: String::new(),
    }
}
