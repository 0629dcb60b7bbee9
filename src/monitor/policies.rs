//! What the looks at policies need to know, and when they are due besides their own slow pace.

use jiff::{SignedDuration, Timestamp};

use crate::model::policy::PolicyPart;
use crate::model::{DomainName, Evidence, Subject};
use crate::picture::{Change, Track};

use super::Monitor;
use super::dependents::certificate;

impl Monitor {
    /// Whether anybody goes by what a subject says: nobody looks at the MTA-STS of a domain that takes no mail, at what
    /// a mere destination says of its own sending, nor at TLSA records without DNSSEC.
    pub(super) fn matters(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Policy(name, part) => self.picture.domain(name).is_some_and(|domain| match part {
                PolicyPart::Sts => domain.receives,
                PolicyPart::Spf | PolicyPart::Dmarc | PolicyPart::Dkim => !domain.is_destination,
            }),
            Subject::Tlsa(_) => self.picture.inventory.dnssec,
            _ => true,
        }
    }

    /// The DKIM selectors of a domain: the configured ones, and those that its provider usually has.
    pub(super) fn selectors(&self, name: &DomainName) -> Vec<(String, bool)> {
        let configured = self
            .picture
            .domain(name)
            .map(|domain| domain.dkim_selectors.as_slice());
        let configured = configured.unwrap_or_default();
        let usual = self.picture.provider_of(name);
        let guessed = usual.into_iter().flat_map(|provider| &provider.dkim_selectors);
        let guessed = guessed.filter(|selector| !configured.contains(selector));
        let named = configured.iter().map(|selector| (selector.clone(), true));
        named
            .chain(guessed.map(|selector| (selector.clone(), false)))
            .collect()
    }

    /// Whether there was a policy, or TLSA records, when they were looked at last.
    fn is_published(&self, policy: &Subject) -> bool {
        let latest = self.picture.track(policy).map(|track| &track.latest.evidence);
        match latest {
            Some(Evidence::Sts(sts)) => sts.held.is_some(),
            Some(Evidence::Tlsa(tlsa)) => tlsa.answer.records().is_some(),
            _ => false,
        }
    }

    /// Policies are looked at seldom, so whatever must fit them has them looked at when it changes: the MX hosts of a
    /// domain, and the certificate of a server.
    pub(super) fn ask_what_must_fit(
        &mut self,
        subject: &Subject,
        before: Option<&Track>,
        change: &Change,
        now: Timestamp,
    ) {
        let mut fits: Vec<Subject> = Vec::new();
        match subject {
            Subject::Mx(domain) if *change != Change::default() => {
                fits.push(Subject::Policy(domain.clone(), PolicyPart::Sts));
            }
            Subject::Smtp(address) => {
                let shown = |track: &Track| certificate(&track.latest.evidence).map(str::to_owned);
                let after = self.picture.track(subject).and_then(shown);
                if after.is_some() && after != before.and_then(shown) {
                    fits.extend(self.picture.leads().names(*address).cloned().map(Subject::Tlsa));
                }
            }
            _ => {}
        }
        fits.retain(|policy| self.is_published(policy));
        // What began at this very moment did not know of the change.
        let after = now.checked_add(SignedDuration::from_nanos(1)).unwrap_or(now);
        for policy in fits {
            self.agenda.ask(&policy, after, now);
        }
    }
}
