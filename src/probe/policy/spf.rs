//! SPF followed to its end, as for a sender whom no term names: he meets every term, and so every limit (RFC 7208
//! 4.6.4). Names that depend on the sender cannot be asked for ahead; their terms are counted all the same.

use std::vec;

use super::Looker;
use crate::model::DomainName;
use crate::model::dns::Lookup;
use crate::model::policy::spf::{SpfKind, SpfRecord, SpfTarget, SpfTerm, is_nearly_spf, is_spf};
use crate::model::policy::tags::short;
use crate::model::policy::{SpfEvidence, SpfOutcome, Texts};
use crate::net::Net;
use crate::net::dns::{RecordData, RecordType};
use crate::probe::ask::LocalFault;

/// Terms that may cost a lookup.
const MOST_LOOKUPS: u32 = 10;
/// Lookups that may find nothing.
const MOST_VOID: usize = 2;
/// MX hosts that an `mx` may lead to.
const MOST_MX: usize = 10;
/// Where counting ends: what needs more than this is told well enough.
const COUNTED: u32 = 30;

/// Follows the SPF of a domain.
pub(super) async fn look<N: Net>(
    looker: &Looker<'_, N>,
    domain: &DomainName,
) -> Result<SpfEvidence, LocalFault> {
    let own = looker
        .texts(domain, |text| is_spf(text) || is_nearly_spf(text))
        .await?;
    let mut walk = Walk {
        looker,
        read: Vec::new(),
        lookups: 0,
        void: Vec::new(),
        invalid: None,
        untold: None,
        ptr: false,
    };
    let outcome = match walk.the_record(domain, &own) {
        Found::None => SpfOutcome::Absent,
        Found::Untold(reason) => SpfOutcome::Untold { reason },
        Found::Invalid(invalid) => invalid,
        Found::Record(record) => {
            walk.follow(domain, &record).await?;
            walk.outcome(&record)
        }
    };
    Ok(SpfEvidence {
        own,
        read: walk.read,
        lookups: walk.lookups,
        void: walk.void,
        outcome,
    })
}

/// What stands at a name.
enum Found {
    Record(SpfRecord),
    None,
    Invalid(SpfOutcome),
    Untold(String),
}

/// A record on the way, and what of it is still to be looked at.
struct Frame {
    domain: DomainName,
    terms: vec::IntoIter<SpfTerm>,
}

struct Walk<'a, N> {
    looker: &'a Looker<'a, N>,
    read: Vec<(DomainName, String)>,
    lookups: u32,
    void: Vec<String>,
    invalid: Option<SpfOutcome>,
    untold: Option<String>,
    ptr: bool,
}

impl<N: Net> Walk<'_, N> {
    /// The SPF record among the TXT records of a name.
    fn the_record(&mut self, domain: &DomainName, texts: &Texts) -> Found {
        let records: Vec<&String> = match texts.records() {
            Some(records) => records.iter().filter(|text| is_spf(text)).collect(),
            None if texts.is_definite() => return Found::None,
            None => return Found::Untold(format!("{domain}: {}", texts.outcome())),
        };
        let text = match records.as_slice() {
            [] => return Found::None,
            [one] => *one,
            several => {
                let problem = format!("there are {} SPF records, and only one may be", several.len());
                return Found::Invalid(invalid(domain, None, problem));
            }
        };
        self.read.push((domain.clone(), text.clone()));
        match SpfRecord::parse(text) {
            Ok(record) => Found::Record(record),
            Err((term, reason)) => Found::Invalid(invalid(domain, Some(&term), reason)),
        }
    }

    async fn follow(&mut self, domain: &DomainName, record: &SpfRecord) -> Result<(), LocalFault> {
        let mut stack = vec![frame(domain, record)];
        while let Some(top) = stack.last_mut() {
            let Some(term) = top.terms.next() else {
                stack.pop();
                continue;
            };
            if !term.kind.costs_a_lookup() {
                continue;
            }
            let at = top.domain.clone();
            self.count(&at, &term);
            if self.lookups > COUNTED {
                break;
            }
            let (SpfKind::Include(SpfTarget::Name(target)) | SpfKind::Redirect(SpfTarget::Name(target))) =
                &term.kind
            else {
                self.look_up(&at, &term).await?;
                if self.is_stopped() {
                    break;
                }
                continue;
            };
            if stack.iter().any(|frame| frame.domain == *target) {
                self.fault(invalid(
                    &at,
                    Some(&term.text),
                    "it leads back to where it came from".into(),
                ));
                break;
            }
            if let Some(record) = self.enter(&at, &term, target).await? {
                stack.push(frame(target, &record));
            }
            if self.is_stopped() {
                break;
            }
        }
        Ok(())
    }

    /// Counts a term. Beyond the limit the count goes on, so that people see by how much.
    fn count(&mut self, at: &DomainName, term: &SpfTerm) {
        self.lookups += 1;
        self.ptr |= term.kind == SpfKind::Ptr;
        if self.lookups == MOST_LOOKUPS + 1 {
            let problem =
                format!("it needs more than {MOST_LOOKUPS} DNS lookups, and this is the first beyond");
            self.fault(invalid(at, Some(&term.text), problem));
        }
    }

    /// The record that an `include` or `redirect` leads to.
    async fn enter(
        &mut self,
        at: &DomainName,
        term: &SpfTerm,
        target: &DomainName,
    ) -> Result<Option<SpfRecord>, LocalFault> {
        let texts = self.looker.texts(target, is_spf).await?;
        match self.the_record(target, &texts) {
            Found::Record(record) => return Ok(Some(record)),
            Found::None => {
                let problem = format!("{target} has no SPF record");
                self.fault(invalid(at, Some(&term.text), problem));
            }
            Found::Invalid(outcome) => self.fault(outcome),
            Found::Untold(reason) => self.untold = Some(reason),
        }
        Ok(None)
    }

    /// Asks for what `a`, `mx` and `exists` ask for, to see whether there is anything.
    async fn look_up(&mut self, at: &DomainName, term: &SpfTerm) -> Result<(), LocalFault> {
        let name = match &term.kind {
            SpfKind::A(target, _) | SpfKind::Mx(target, _) | SpfKind::Exists(target) => match target {
                SpfTarget::Own => at.clone(),
                SpfTarget::Name(name) => name.clone(),
                SpfTarget::Macro(_) => return Ok(()),
            },
            _ => return Ok(()),
        };
        let found = match &term.kind {
            SpfKind::Mx(..) => self.count_of(&name, RecordType::Mx).await?,
            // Senders of both families are looked for; only what none of them finds is void for sure.
            SpfKind::A(..) => match self.count_of(&name, RecordType::A).await? {
                Lookup::NoData { .. } => self.count_of(&name, RecordType::Aaaa).await?,
                found => found,
            },
            _ => self.count_of(&name, RecordType::A).await?,
        };
        match found {
            Lookup::Found { records, .. } if records > MOST_MX && matches!(term.kind, SpfKind::Mx(..)) => {
                let problem =
                    format!("{name} has {records} MX hosts, and no more than {MOST_MX} are looked up");
                self.fault(invalid(at, Some(&term.text), problem));
            }
            Lookup::Found { .. } => {}
            Lookup::NoData { .. } | Lookup::NxDomain { .. } => self.find_nothing(at, term),
            other => self.untold = Some(format!("{name}: {}", other.outcome())),
        }
        Ok(())
    }

    async fn count_of(&self, name: &DomainName, kind: RecordType) -> Result<Lookup<usize>, LocalFault> {
        let found = self.looker.ask(name, kind, any).await?;
        Ok(found.map(|all| all.len()))
    }

    fn find_nothing(&mut self, at: &DomainName, term: &SpfTerm) {
        self.void.push(short(&term.text));
        if self.void.len() == MOST_VOID + 1 {
            let problem = format!(
                "more than {MOST_VOID} of its lookups find nothing: {}",
                self.void.join(", ")
            );
            self.fault(invalid(at, Some(&term.text), problem));
        }
    }

    /// The first fault is the one that receivers meet.
    fn fault(&mut self, outcome: SpfOutcome) {
        self.invalid.get_or_insert(outcome);
    }

    /// Whether receivers would have stopped here, for another reason than the number of lookups, which is worth
    /// counting to its end.
    fn is_stopped(&self) -> bool {
        self.invalid.is_some() && self.lookups <= MOST_LOOKUPS
    }

    fn outcome(&mut self, record: &SpfRecord) -> SpfOutcome {
        if let Some(invalid) = self.invalid.take() {
            return invalid;
        }
        match self.untold.take() {
            Some(reason) => SpfOutcome::Untold { reason },
            None => SpfOutcome::Valid {
                all: record.all(),
                ptr: self.ptr,
            },
        }
    }
}

fn frame(domain: &DomainName, record: &SpfRecord) -> Frame {
    let terms: Vec<SpfTerm> = record.evaluated().cloned().collect();
    Frame {
        domain: domain.clone(),
        terms: terms.into_iter(),
    }
}

fn invalid(at: &DomainName, term: Option<&str>, problem: String) -> SpfOutcome {
    SpfOutcome::Invalid {
        at: at.clone(),
        term: term.map(short),
        problem,
    }
}

fn any(data: &RecordData) -> Option<()> {
    let wanted = matches!(data, RecordData::A(_) | RecordData::Aaaa(_) | RecordData::Mx(..));
    wanted.then_some(())
}
