//! A small signed internet behind a resolver that only hands on: the root, `test.`, a domain that is signed and one that is
//! not.

use std::collections::HashMap;

use hickory_proto::dnssec::crypto::Ed25519SigningKey;
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData, DS, NSEC, RRSIG};
use hickory_proto::dnssec::{DigestType, DnssecSigner, PublicKey, SigningKey};
use hickory_proto::rr::rdata::{MX, NS, SOA};
use hickory_proto::rr::{DNSClass, RData, RecordSet};
use rstest::rstest;
use time::OffsetDateTime;

use super::super::tests::serve;
use super::*;
use crate::model::DomainName;
use crate::net::dns::RecordType as Kind;
use crate::net::{Net, RealNet};

const LIMIT: Duration = Duration::from_secs(5);
const TTL: u32 = 300;

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn record(of: &str, data: RData) -> Record {
    Record::from_rdata(name(of), TTL, data)
}

/// So many days from now.
fn day(days: i64) -> OffsetDateTime {
    let now = RealNet::new().now().as_second();
    OffsetDateTime::from_unix_timestamp(now + days * 86_400).unwrap()
}

/// Whoever signs a zone.
struct Zone {
    key: DNSKEY,
    signer: DnssecSigner,
    from: OffsetDateTime,
}

impl Zone {
    fn new(of: &str) -> Self {
        let der = Ed25519SigningKey::generate_pkcs8().unwrap();
        let private = Ed25519SigningKey::from_pkcs8(&der).unwrap();
        let key = DNSKEY::new(true, true, false, private.to_public_key().unwrap());
        let signer = DnssecSigner::new(key.clone(), Box::new(private), name(of), Duration::from_hours(48));
        Self {
            key,
            signer,
            from: day(-1),
        }
    }

    /// Records of one name and type, with their signature.
    fn sign(&self, records: Vec<Record>) -> Vec<Record> {
        let mut set = RecordSet::new(records[0].name.clone(), records[0].record_type(), 0);
        for record in &records {
            set.insert(record.clone(), 0);
        }
        let signature = RRSIG::from_rrset(&set, DNSClass::IN, self.from, &self.signer).unwrap();
        let signature = RData::DNSSEC(DNSSECRData::RRSIG(signature));
        let signature = Record::from_rdata(records[0].name.clone(), TTL, signature);
        records.into_iter().chain([signature]).collect()
    }

    fn keys(&self) -> Vec<Record> {
        let key = RData::DNSSEC(DNSSECRData::DNSKEY(self.key.clone()));
        self.sign(vec![Record::from_rdata(
            self.signer.signer_name().clone(),
            TTL,
            key,
        )])
    }

    /// What the zone above publishes of it.
    fn delegation(&self) -> Record {
        let of = self.signer.signer_name();
        let ds = DS::from_key(self.key.public_key(), of, DigestType::SHA256).unwrap();
        // The tag and the digest are those of the key as it is published.
        let digest = self.key.to_digest(of, DigestType::SHA256).unwrap();
        let tag = self.key.calculate_key_tag().unwrap();
        let ds = DS::new(tag, ds.algorithm(), DigestType::SHA256, digest.as_ref().to_vec());
        Record::from_rdata(of.clone(), TTL, RData::DNSSEC(DNSSECRData::DS(ds)))
    }

    fn anchor(&self) -> RootKeys {
        let key = crate::model::base64::encode(self.key.public_key().public_bytes());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        std::fs::write(&path, format!(". 300 IN DNSKEY 257 3 15 {key}\n")).unwrap();
        RootKeys::load(Some(&path)).unwrap()
    }
}

/// What a resolver knows: answers and what stands beside them, by name and type.
type Known = HashMap<(Name, RecordType), (ResponseCode, Vec<Record>, Vec<Record>)>;

struct World {
    root: Zone,
    acme: Zone,
    known: Known,
}

impl World {
    fn new() -> Self {
        let (root, test, acme) = (Zone::new("."), Zone::new("test."), Zone::new("acme.test."));
        let mut world = Self {
            known: HashMap::new(),
            root,
            acme,
        };
        let mut knows = |of: &str, kind, answers: Vec<Record>| {
            let found = (ResponseCode::NoError, answers, Vec::new());
            world.known.insert((name(of), kind), found);
        };
        knows(".", RecordType::DNSKEY, world.root.keys());
        knows("test.", RecordType::DS, world.root.sign(vec![test.delegation()]));
        knows("test.", RecordType::DNSKEY, test.keys());
        knows(
            "acme.test.",
            RecordType::DS,
            test.sign(vec![world.acme.delegation()]),
        );
        knows("acme.test.", RecordType::DNSKEY, world.acme.keys());
        knows("plain.test.", RecordType::MX, vec![mx("plain.test.", 10)]);
        let server = RData::NS(NS(name("ns.plain.test.")));
        knows("plain.test.", RecordType::NS, vec![record("plain.test.", server)]);
        let soa = |of: &str| {
            let soa = SOA::new(name("ns.test."), name("a.test."), 1, 3600, 600, 86_400, 300);
            vec![record(of, RData::SOA(soa))]
        };
        knows(".", RecordType::SOA, world.root.sign(soa(".")));
        let soa = test.sign(soa("test."));
        let next = |of: &str, next: &str, kinds: &[RecordType]| {
            let nsec = NSEC::new_cover_self(name(next), kinds.iter().copied());
            test.sign(vec![record(of, RData::DNSSEC(DNSSECRData::NSEC(nsec)))])
        };
        let no_ds = [soa.clone(), next("plain.test.", "test.", &[RecordType::NS])].concat();
        let of_plain = (ResponseCode::NoError, Vec::new(), no_ds);
        world
            .known
            .insert((name("plain.test."), RecordType::DS), of_plain);
        let nothing = [
            soa,
            next("acme.test.", "plain.test.", &[RecordType::NS, RecordType::DS]),
            next(
                "test.",
                "acme.test.",
                &[RecordType::SOA, RecordType::NS, RecordType::DNSKEY],
            ),
        ];
        let gone = (ResponseCode::NXDomain, Vec::new(), nothing.concat());
        world.known.insert((name("gone.test."), RecordType::MX), gone);
        let good = world.acme.sign(vec![mx("acme.test.", 10)]);
        world.publish(good);
        world
    }

    /// What `acme.test` says of its mail hosts.
    fn publish(&mut self, records: Vec<Record>) {
        let found = (ResponseCode::NoError, records, Vec::new());
        self.known.insert((name("acme.test."), RecordType::MX), found);
    }

    async fn ask(self, of: &str, keys: &RootKeys) -> Result<Answer, AskError> {
        let known = self.known;
        let server = serve(move |asked| {
            assert!(asked.metadata.checking_disabled && asked.edns.as_ref().unwrap().flags().dnssec_ok);
            let query = &asked.queries[0];
            let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
            answer.add_query(query.clone());
            answer.set_edns(hickory_proto::op::Edns::new());
            match known.get(&(query.name().clone(), query.query_type())) {
                Some((code, answers, beside)) => {
                    answer.metadata.response_code = *code;
                    answer.add_answers(answers.iter().cloned());
                    answer.add_authorities(beside.iter().cloned());
                }
                None => answer.metadata.response_code = ResponseCode::ServFail,
            }
            vec![answer]
        })
        .await;
        let question = Question::recursive(&DomainName::parse(of).unwrap(), Kind::Mx);
        ask(server, &question, keys, LIMIT).await
    }
}

fn mx(of: &str, preference: u16) -> Record {
    record(of, RData::MX(MX::new(preference, name("mx.acme.test."))))
}

#[rstest]
#[case::signed("acme.test", 1, true)]
#[case::not_signed("plain.test", 1, false)]
#[case::proven_to_be_gone("gone.test", 0, true)]
#[tokio::test]
async fn what_holds_is_told_from_what_nobody_vouches_for(
    #[case] of: &str,
    #[case] records: usize,
    #[case] authentic: bool,
) {
    let world = World::new();
    let keys = world.root.anchor();
    let answer = world.ask(of, &keys).await.unwrap();
    assert_eq!(
        (answer.answers.len(), answer.authentic),
        (records, authentic),
        "{answer:?}"
    );
    assert!(answer.extended.is_empty());
}

/// What is wrong with the answer, in ways that are the domain's own fault.
#[rstest]
#[case::changed_on_the_way(|world: &mut World| {
    let mut signed = world.acme.sign(vec![mx("acme.test.", 10)]);
    signed[0] = mx("acme.test.", 20);
    world.publish(signed);
})]
#[case::signed_by_another_key(|world: &mut World| {
    let other = Zone::new("acme.test.");
    world.publish(other.sign(vec![mx("acme.test.", 10)]));
})]
#[case::expired(|world: &mut World| {
    world.acme.from = day(-30);
    let signed = world.acme.sign(vec![mx("acme.test.", 10)]);
    world.publish(signed);
})]
#[case::without_a_signature(|world: &mut World| {
    world.publish(vec![mx("acme.test.", 10)]);
    let server = RData::NS(NS(name("ns.acme.test.")));
    let server = (ResponseCode::NoError, vec![record("acme.test.", server)], Vec::new());
    world.known.insert((name("acme.test."), RecordType::NS), server);
})]
#[tokio::test]
async fn what_does_not_hold_is_what_a_resolver_that_checks_would_call_bogus(#[case] spoil: fn(&mut World)) {
    let mut world = World::new();
    spoil(&mut world);
    let keys = world.root.anchor();
    let answer = world.ask("acme.test", &keys).await.unwrap();
    assert_eq!((answer.rcode, answer.answers.len()), (rcode::SERV_FAIL, 0));
    assert_eq!(answer.extended[0].code, BOGUS);
}

/// Nobody is blamed where it is we who cannot check.
#[tokio::test]
async fn what_cannot_be_checked_is_not_called_wrong() {
    // A key that could not be looked up.
    let mut world = World::new();
    world.known.remove(&(name("acme.test."), RecordType::DNSKEY));
    let keys = world.root.anchor();
    assert_eq!(world.ask("acme.test", &keys).await, Err(AskError::Timeout));

    // A resolver that strips signatures.
    let mut world = World::new();
    for (_, answers, beside) in world.known.values_mut() {
        for section in [answers, beside] {
            section.retain(|record| record.record_type() != RecordType::RRSIG);
        }
    }
    let server = RData::NS(NS(name("ns.acme.test.")));
    let server = (
        ResponseCode::NoError,
        vec![record("acme.test.", server)],
        Vec::new(),
    );
    world.known.insert((name("acme.test."), RecordType::NS), server);
    let keys = world.root.anchor();
    let answer = world.ask("acme.test", &keys).await.unwrap();
    assert_eq!((answer.answers.len(), answer.authentic), (1, false));

    // Keys of another root, as where the machine's clock is wrong.
    let answer = World::new()
        .ask("acme.test", &Zone::new(".").anchor())
        .await
        .unwrap();
    assert_eq!((answer.answers.len(), answer.authentic), (1, false));
}

/// A server's error is handed on as it is.
#[tokio::test]
async fn an_error_needs_no_signature() {
    let world = World::new();
    let keys = world.root.anchor();
    let answer = world.ask("nobody-knows.test", &keys).await.unwrap();
    assert_eq!(
        (answer.rcode, answer.authentic, answer.extended.len()),
        (rcode::SERV_FAIL, false, 0)
    );
}
