//! DNS data as text, and what a server with that data answers.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::DomainName;
use crate::net::dns::{Answer, Question, Record, RecordData, RecordType, rcode};

/// The deepest chain of aliases that is followed.
const LONGEST_ALIAS_CHAIN: usize = 8;

/// An owner name; `None` is the root.
pub(super) type Owner = Option<DomainName>;

/// DNS data. A name with an SOA record is the apex of a zone; the zone's servers are those that the NS records
/// at its apex name, at the addresses that the data gives these names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zones {
    records: Vec<Record>,
}

/// Why a text is no DNS data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: \"{text}\" is no record")]
pub struct ZoneError {
    /// The line, counted from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
}

impl Zones {
    /// Reads one record a line: `NAME [TTL] TYPE DATA`. The time to live is in seconds, 300 by default; names
    /// are absolute, with or without the final dot; `;` and `#` begin a remark, except within double quotes. The data
    /// of an SOA is `SERIAL NEGATIVE-TTL [ORIGIN REFRESH RETRY]`, of a TXT the rest of the line with quotes around it taken off, of a TLSA
    /// `USAGE SELECTOR MATCHING HEX`.
    ///
    /// # Errors
    /// [`ZoneError`] names the first line that is none.
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        let mut records = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let bare = without_remark(line).trim();
            if bare.is_empty() {
                continue;
            }
            records.push(parse_record(bare).ok_or_else(|| ZoneError {
                line: index + 1,
                text: bare.to_owned(),
            })?);
        }
        Ok(Self { records })
    }

    /// Adds records.
    pub fn add(&mut self, more: Zones) {
        self.records.extend(more.records);
    }

    /// Removes all records of a type, or with `None` of every type, at a name.
    pub fn remove(&mut self, name: &DomainName, kind: Option<RecordType>) {
        self.records.retain(|record| {
            record.name.as_ref() != Some(name) || kind.is_some_and(|kind| record.data.kind() != Some(kind))
        });
    }

    /// The apex of the zone that holds `name`; `None` where the data has none.
    pub(super) fn apex_of(&self, name: &Owner) -> Option<Owner> {
        self.records
            .iter()
            .filter(|record| matches!(record.data, RecordData::Soa { .. }) && within(name, &record.name))
            .map(|record| record.name.clone())
            .max_by_key(depth)
    }

    /// The addresses of the servers of the zone at `apex`.
    pub(super) fn servers_of(&self, apex: &Owner) -> Vec<IpAddr> {
        self.at(apex, RecordType::Ns)
            .filter_map(|record| match &record.data {
                RecordData::Ns(name) => Some(name.clone()),
                _ => None,
            })
            .flat_map(|name| self.addresses_of(&name))
            .collect()
    }

    /// Whether the data places a zone on the server at `address`.
    pub(super) fn serves(&self, address: IpAddr) -> bool {
        let hosts = self.names_of(address);
        self.records.iter().any(|record| {
            names_server(record, &hosts) && self.at(&record.name, RecordType::Soa).next().is_some()
        })
    }

    /// The apexes of the zones that hold `name` and that the data places on the server at `address`.
    pub(super) fn serving(&self, address: IpAddr, name: &Owner) -> Vec<Owner> {
        let hosts = self.names_of(address);
        let mut apexes: Vec<Owner> = self
            .records
            .iter()
            .filter(|record| within(name, &record.name) && names_server(record, &hosts))
            .filter(|record| self.at(&record.name, RecordType::Soa).next().is_some())
            .map(|record| record.name.clone())
            .collect();
        apexes.dedup();
        apexes
    }

    /// The names that lead to an address.
    fn names_of(&self, address: IpAddr) -> Vec<&DomainName> {
        self.records
            .iter()
            .filter(|record| match record.data {
                RecordData::A(v4) => IpAddr::V4(v4) == address,
                RecordData::Aaaa(v6) => IpAddr::V6(v6) == address,
                _ => false,
            })
            .filter_map(|record| record.name.as_ref())
            .collect()
    }

    /// What a server that serves the zones at `apexes` says of its own knowledge: an answer with authority, a
    /// referral to whom a part is delegated, or REFUSED.
    pub(super) fn authoritative(&self, apexes: &[Owner], question: &Question) -> Answer {
        let served = apexes
            .iter()
            .filter(|apex| within(&question.name, apex))
            .max_by_key(|apex| depth(apex));
        let Some(zone) = served else {
            return Answer {
                rcode: rcode::REFUSED,
                ..Answer::default()
            };
        };
        match self.cut_below(zone, &question.name) {
            Some(cut) => self.referral(&cut),
            None => Answer {
                authoritative: true,
                ..self.lookup(question, |name| within(name, zone))
            },
        }
    }

    /// What all the data together says, aliases followed: as a resolver sees it.
    pub(super) fn resolved(&self, question: &Question) -> Answer {
        self.lookup(question, |_| true)
    }

    fn lookup(&self, question: &Question, may_follow: impl Fn(&Owner) -> bool) -> Answer {
        let mut answer = Answer::default();
        let mut name = question.name.clone();
        for _ in 0..LONGEST_ALIAS_CHAIN {
            let found: Vec<Record> = self.at(&name, question.kind).cloned().collect();
            if !found.is_empty() {
                answer.answers.extend(found);
                return answer;
            }
            let alias = self.at(&name, RecordType::Cname).next().cloned();
            let Some(alias) = alias else { break };
            let RecordData::Cname(target) = &alias.data else {
                break;
            };
            name = Some(target.clone());
            answer.answers.push(alias);
            if !may_follow(&name) {
                return answer;
            }
        }
        if !self.records.iter().any(|record| within(&record.name, &name)) {
            answer.rcode = rcode::NX_DOMAIN;
        }
        if let Some(apex) = self.apex_of(&name) {
            answer.authority = self.at(&apex, RecordType::Soa).cloned().collect();
        }
        answer
    }

    /// The apex of a zone between `zone` and `name`, the highest one: where authority is handed on.
    fn cut_below(&self, zone: &Owner, name: &Owner) -> Option<Owner> {
        self.records
            .iter()
            .filter(|record| matches!(record.data, RecordData::Ns(_)))
            .map(|record| &record.name)
            .filter(|cut| *cut != zone && within(cut, zone) && within(name, cut))
            .min_by_key(|cut| depth(cut))
            .cloned()
    }

    fn referral(&self, cut: &Owner) -> Answer {
        let authority: Vec<Record> = self.at(cut, RecordType::Ns).cloned().collect();
        let additional = authority
            .iter()
            .filter_map(|record| match &record.data {
                RecordData::Ns(name) => Some(Some(name.clone())),
                _ => None,
            })
            .flat_map(|server| {
                let v4: Vec<Record> = self.at(&server, RecordType::A).cloned().collect();
                let v6: Vec<Record> = self.at(&server, RecordType::Aaaa).cloned().collect();
                v4.into_iter().chain(v6)
            })
            .collect();
        Answer {
            authority,
            additional,
            ..Answer::default()
        }
    }

    fn at<'a>(&'a self, name: &'a Owner, kind: RecordType) -> impl Iterator<Item = &'a Record> + 'a {
        self.records
            .iter()
            .filter(move |record| record.data.kind() == Some(kind) && record.name == *name)
    }

    fn addresses_of(&self, name: &DomainName) -> Vec<IpAddr> {
        self.records
            .iter()
            .filter(|record| record.name.as_ref() == Some(name))
            .filter_map(|record| match record.data {
                RecordData::A(address) => Some(IpAddr::V4(address)),
                RecordData::Aaaa(address) => Some(IpAddr::V6(address)),
                _ => None,
            })
            .collect()
    }
}

/// Whether a record says that one of these hosts serves its zone.
fn names_server(record: &Record, hosts: &[&DomainName]) -> bool {
    matches!(&record.data, RecordData::Ns(host) if hosts.contains(&host))
}

fn within(name: &Owner, ancestor: &Owner) -> bool {
    match (name, ancestor) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(name), Some(ancestor)) => name.is_within(ancestor),
    }
}

fn depth(name: &Owner) -> usize {
    name.as_ref().map_or(0, |name| name.as_str().split('.').count())
}

fn owner(text: &str) -> Option<Owner> {
    if text == "." {
        Some(None)
    } else {
        DomainName::from_dns(text).ok().map(Some)
    }
}

fn parse_record(line: &str) -> Option<Record> {
    let (name, rest) = next_word(line)?;
    let name = owner(name)?;
    let (word, after) = next_word(rest)?;
    let (ttl, kind, data) = match word.parse::<u64>() {
        Ok(ttl) => {
            let (kind, data) = next_word(after)?;
            (ttl, kind, data)
        }
        Err(_) => (300, word, after),
    };
    Some(Record {
        name,
        ttl: Duration::from_secs(ttl),
        data: parse_data(kind, data.trim())?,
    })
}

fn parse_data(kind: &str, data: &str) -> Option<RecordData> {
    let words: Vec<&str> = data.split_whitespace().collect();
    let name = || DomainName::from_dns(data).ok();
    Some(match (kind, words.as_slice()) {
        ("A", [address]) => RecordData::A(address.parse().ok()?),
        ("AAAA", [address]) => RecordData::Aaaa(address.parse().ok()?),
        ("MX", [preference, exchange]) => RecordData::Mx(preference.parse().ok()?, (*exchange).to_owned()),
        ("NS", [_]) => RecordData::Ns(name()?),
        ("CNAME", [_]) => RecordData::Cname(name()?),
        ("PTR", [_]) => RecordData::Ptr(name()?),
        ("SOA", [serial, negative, more @ ..]) => {
            let (origin, refresh, retry) = match more {
                [] => ("primary.test", 3600, 600),
                [origin, refresh, retry] => (*origin, refresh.parse().ok()?, retry.parse().ok()?),
                _ => return None,
            };
            RecordData::Soa {
                origin: owner(origin)?,
                serial: serial.parse().ok()?,
                refresh: Duration::from_secs(refresh),
                retry: Duration::from_secs(retry),
                negative_ttl: Duration::from_secs(negative.parse().ok()?),
            }
        }
        ("TXT", _) => {
            let bare = data.strip_prefix('"').and_then(|data| data.strip_suffix('"'));
            RecordData::Txt(bare.unwrap_or(data).as_bytes().to_vec())
        }
        ("TLSA", [usage, selector, matching, hex]) => RecordData::Tlsa(
            usage.parse().ok()?,
            selector.parse().ok()?,
            matching.parse().ok()?,
            from_hex(hex)?,
        ),
        _ => return None,
    })
}

/// A line up to the remark on it.
fn without_remark(line: &str) -> &str {
    let mut quoted = false;
    let end = line.find(|sign| {
        quoted ^= sign == '"';
        !quoted && matches!(sign, ';' | '#')
    });
    &line[..end.unwrap_or(line.len())]
}

fn next_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    digits?
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect()
}
