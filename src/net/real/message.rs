//! DNS messages: a [`Question`] to bytes, and bytes to an [`Answer`].

use std::time::Duration;

use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::{Edns, Message, Query};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{self, DNSClass, Name, RData};

use crate::model::DomainName;
use crate::model::dns::ExtendedError;
use crate::model::text::clean;
use crate::net::dns::{Answer, AskError, Question, Record, RecordData, RecordType};

/// The largest UDP answer that we ask for: what passes everywhere without fragments (RFC 9715).
const PAYLOAD: u16 = 1232;
/// Extended errors beyond this many are dropped.
const MOST_EXTENDED: usize = 8;
/// Characters of an extended error's text.
const LONGEST_EXTRA_TEXT: usize = 200;
/// Records of one section beyond this many are dropped.
const MOST_RECORDS: usize = 500;
/// INFO-CODE and EXTRA-TEXT (RFC 8914 2): the option's number.
const EXTENDED_ERROR: u16 = 15;
/// FORMERR and NOTIMP: what servers from before EDNS answer to it.
const BEFORE_EDNS: [u16; 2] = [1, 4];

/// A question as it goes out.
#[derive(Debug)]
pub(super) struct Asked {
    /// The bytes of the whole message.
    pub bytes: Vec<u8>,
    id: u16,
    query: Query,
    edns: bool,
}

/// How a question is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// RD: whether the server shall find the answer elsewhere.
    pub recursive: bool,
    /// CD: whether it shall answer without checking signatures.
    pub unchecked: bool,
    /// DO (RFC 3225): whether it shall give the signatures too.
    pub signed: bool,
}

impl Manner {
    /// For whoever checks signatures here.
    pub(super) const SIGNED: Self = Self {
        recursive: true,
        unchecked: true,
        signed: true,
    };

    /// As a question asks for it.
    pub(super) fn of(question: &Question) -> Self {
        Self {
            recursive: question.recursive,
            unchecked: question.unchecked,
            signed: false,
        }
    }
}

/// What a question asks for.
///
/// # Errors
/// [`AskError::Malformed`] when the name cannot be put into a message.
pub(super) fn query(question: &Question) -> Result<Query, AskError> {
    let name = match &question.name {
        Some(name) => Name::from_ascii(format!("{name}."))
            .map_err(|error| AskError::Malformed(format!("{name} cannot be asked for: {error}")))?,
        None => Name::root(),
    };
    Ok(Query::query(name, to_wire(question.kind)))
}

/// What some bytes are to a question.
#[derive(Debug)]
pub(super) enum Reply {
    /// The answer to it.
    Answer(Box<Message>),
    /// The answer to it, cut off (RFC 1035 4.1.1, TC).
    CutOff,
    /// The answer of a server that knows no EDNS, which asks for the question without (RFC 6891 7).
    WithoutEdns,
    /// No answer to it: why not.
    Other(String),
}

impl Asked {
    /// Builds the message, with a fresh random id. AD asks for the AD bit in the answer (RFC 6840 5.7) without the
    /// signatures that DO would bring.
    ///
    /// # Errors
    /// [`AskError::Malformed`] when it cannot be put into a message.
    pub(super) fn new(query: &Query, manner: Manner, edns: bool) -> Result<Self, AskError> {
        let mut message = Message::query();
        message.metadata.recursion_desired = manner.recursive;
        message.metadata.checking_disabled = manner.unchecked;
        message.metadata.authentic_data = true;
        message.add_query(query.clone());
        if edns {
            let mut options = Edns::new();
            options.set_max_payload(PAYLOAD).set_version(0);
            options.set_dnssec_ok(manner.signed);
            message.set_edns(options);
        }
        let bytes = message
            .to_vec()
            .map_err(|error| AskError::Malformed(format!("the question has no bytes: {error}")))?;
        Ok(Self {
            bytes,
            id: message.metadata.id,
            query: query.clone(),
            edns,
        })
    }

    /// What `bytes`, which came from the server, are to this question.
    pub(super) fn read(&self, bytes: &[u8]) -> Reply {
        let &[id_high, id_low, flags, ..] = bytes else {
            return Reply::Other("too short for a DNS message".into());
        };
        if u16::from_be_bytes([id_high, id_low]) != self.id || flags & 0x80 == 0 {
            return Reply::Other("an answer to another question".into());
        }
        // Before all else: a server may cut inside a record, and then nothing after it can be read.
        if flags & 0x02 != 0 {
            return Reply::CutOff;
        }
        let message = match Message::from_vec(bytes) {
            Ok(message) => message,
            Err(error) => return Reply::Other(clean(error.to_string().as_bytes(), LONGEST_EXTRA_TEXT)),
        };
        let rcode = u16::from(message.metadata.response_code);
        let echoed = match message.queries.as_slice() {
            [query] => *query == self.query,
            // Some servers send an error code without the question.
            [] => rcode != 0 && message.answers.is_empty(),
            _ => false,
        };
        if !echoed {
            return Reply::Other("an answer to another question".into());
        }
        if self.edns && message.edns.is_none() && BEFORE_EDNS.contains(&rcode) {
            return Reply::WithoutEdns;
        }
        Reply::Answer(Box::new(message))
    }
}

/// What a message says, in our own terms.
pub(super) fn answer(message: Message) -> Answer {
    Answer {
        rcode: u16::from(message.metadata.response_code),
        authoritative: message.metadata.authoritative,
        authentic: message.metadata.authentic_data,
        extended: message.edns.as_ref().map(extended_errors).unwrap_or_default(),
        answers: records(message.answers),
        authority: records(message.authorities),
        additional: records(message.additionals),
    }
}

fn extended_errors(edns: &Edns) -> Vec<ExtendedError> {
    edns.options()
        .as_ref()
        .iter()
        .filter_map(|(_, option)| match option {
            EdnsOption::Unknown(EXTENDED_ERROR, data) => match data.as_slice() {
                [high, low, text @ ..] => Some(ExtendedError {
                    code: u16::from_be_bytes([*high, *low]),
                    text: clean(text, LONGEST_EXTRA_TEXT),
                }),
                _ => None,
            },
            _ => None,
        })
        .take(MOST_EXTENDED)
        .collect()
}

fn records(section: Vec<rr::Record>) -> Vec<Record> {
    section
        .into_iter()
        .filter(|record| record.dns_class == DNSClass::IN)
        .filter_map(record)
        .take(MOST_RECORDS)
        .collect()
}

/// One record; `None` for signatures, and for names that cannot be kept.
fn record(record: rr::Record) -> Option<Record> {
    let ttl = Duration::from_secs(u64::from(record.ttl));
    let owner = record.name;
    let name = if owner.is_root() {
        None
    } else {
        Some(name(&owner)?)
    };
    let data = match record.data {
        RData::A(address) => RecordData::A(address.0),
        RData::AAAA(address) => RecordData::Aaaa(address.0),
        RData::MX(mx) => RecordData::Mx(mx.preference, mx.exchange.to_ascii()),
        RData::NS(server) => RecordData::Ns(self::name(&server.0)?),
        RData::CNAME(target) => RecordData::Cname(self::name(&target.0)?),
        RData::PTR(target) => RecordData::Ptr(self::name(&target.0)?),
        RData::SOA(soa) => RecordData::Soa {
            origin: self::name(&soa.mname),
            serial: soa.serial,
            refresh: seconds(soa.refresh),
            retry: seconds(soa.retry),
            negative_ttl: ttl.min(Duration::from_secs(u64::from(soa.minimum))),
        },
        RData::TXT(text) => RecordData::Txt(text.txt_data.concat()),
        RData::TLSA(tlsa) => RecordData::Tlsa(
            tlsa.cert_usage.into(),
            tlsa.selector.into(),
            tlsa.matching.into(),
            tlsa.cert_data,
        ),
        RData::DNSSEC(DNSSECRData::RRSIG(_)) => return None,
        other => RecordData::Other(other.record_type().into()),
    };
    Some(Record { name, ttl, data })
}

/// The times of an SOA are signed on the wire, and never meant so.
fn seconds(count: i32) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or_default())
}

fn name(name: &Name) -> Option<DomainName> {
    DomainName::from_dns(&name.to_ascii()).ok()
}

fn to_wire(kind: RecordType) -> rr::RecordType {
    match kind {
        RecordType::A => rr::RecordType::A,
        RecordType::Aaaa => rr::RecordType::AAAA,
        RecordType::Mx => rr::RecordType::MX,
        RecordType::Ns => rr::RecordType::NS,
        RecordType::Cname => rr::RecordType::CNAME,
        RecordType::Soa => rr::RecordType::SOA,
        RecordType::Txt => rr::RecordType::TXT,
        RecordType::Ptr => rr::RecordType::PTR,
        RecordType::Tlsa => rr::RecordType::TLSA,
        RecordType::Ds => rr::RecordType::DS,
        RecordType::Dnskey => rr::RecordType::DNSKEY,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked() -> Asked {
        let question = Question::recursive(&DomainName::parse("acme.test").unwrap(), RecordType::Mx);
        Asked::new(&query(&question).unwrap(), Manner::of(&question), true).unwrap()
    }

    #[test]
    fn a_name_that_fits_no_message_is_said_to_be_so() {
        let name = DomainName::from_dns(&format!("{}.test", "a".repeat(64))).unwrap();
        let asked = query(&Question::recursive(&name, RecordType::A));
        assert!(matches!(asked, Err(AskError::Malformed(_))));
    }

    #[test]
    fn an_answer_of_thousands_is_cut() {
        let asked = asked();
        let question = asked.bytes.get(12..asked.bytes.len() - 11).unwrap();
        let mut bytes = asked.id.to_be_bytes().to_vec();
        bytes.extend([0x81, 0x80, 0, 1, 0x0b, 0xb8, 0, 0, 0, 1]);
        bytes.extend(question);
        // 3,000 times: this name, MX, IN, five minutes, preference 10, this name.
        let record = [0xc0, 12, 0, 15, 0, 1, 0, 0, 1, 44, 0, 4, 0, 10, 0xc0, 12];
        bytes.extend(record.repeat(3000));
        // An OPT record (RFC 6891 6.1.2) with 20 extended errors (RFC 8914 2) of 300 letters.
        let error = [&[0, 15, 1, 46, 0, 6][..], &[b'a'; 300]].concat();
        bytes.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
        bytes.extend(u16::try_from(error.len() * 20).unwrap().to_be_bytes());
        bytes.extend(error.repeat(20));
        let Reply::Answer(message) = asked.read(&bytes) else {
            panic!("no answer");
        };
        let answer = answer(*message);
        assert_eq!(answer.answers.len(), MOST_RECORDS);
        assert_eq!(answer.extended.len(), MOST_EXTENDED);
        let longest = answer
            .extended
            .iter()
            .map(|error| error.text.chars().count())
            .max();
        assert!(
            longest.is_some_and(|longest| longest <= LONGEST_EXTRA_TEXT + 1),
            "{longest:?}"
        );
    }

    /// Answers as they are kept, all but the id.
    #[test]
    fn fuzzed_answers_are_bounded() {
        let asked = asked();
        crate::fuzzing::feed("dns", &["\u{0}\u{1}", "\u{7f}"], |rest| {
            let bytes = [&asked.id.to_be_bytes(), rest].concat();
            match asked.read(&bytes) {
                Reply::Answer(message) => {
                    let answer = answer(*message);
                    assert!(answer.answers.len() <= MOST_RECORDS && answer.extended.len() <= MOST_EXTENDED);
                }
                Reply::Other(reason) => assert!(!reason.chars().any(char::is_control), "{reason}"),
                Reply::CutOff | Reply::WithoutEdns => {}
            }
        });
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(tail in proptest::collection::vec(any::<u8>(), 0..300), code in any::<u8>()) {
            let asked = asked();
            // The start of an answer to the question, so that what follows is looked at.
            let mut bytes = asked.bytes.clone();
            bytes[2] = 0x80;
            bytes[3] = code;
            bytes[6..12].copy_from_slice(&[0, 2, 0, 1, 0, 3]);
            bytes.truncate(bytes.len() - 11);
            bytes.extend(&tail);
            if let Reply::Answer(message) = asked.read(&bytes) {
                answer(*message);
            }
            asked.read(&tail);
        }

        #[test]
        fn one_wrong_bit_is_survived(at in 0_usize..400, bit in 0_u8..8) {
            let asked = asked();
            let mut bytes = asked.bytes.clone();
            bytes[2] |= 0x80;
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            asked.read(&bytes);
        }
    }
}
