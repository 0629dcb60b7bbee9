//! What was found out about chains of certificates, so that the same chain on ten thousand sessions is read once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Chains that are remembered at once.
const REMEMBERED: usize = 4096;

/// SHA-256 over certificates.
pub(super) type Fingerprint = [u8; digest::SHA256_OUTPUT_LEN];

/// Something that is known of chains, for as long as it holds: until the next time that a certificate of the chain becomes
/// valid or ceases to be.
#[derive(Debug)]
pub(super) struct Memory<T>(Mutex<HashMap<Fingerprint, Remembered<T>>>);

#[derive(Debug)]
struct Remembered<T> {
    known: T,
    since: Timestamp,
    until: Timestamp,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Memory<T> {
    /// What is known of a chain; found out where it is not known yet, or no longer.
    pub(super) fn recall(
        &self,
        chain: &[&CertificateDer<'_>],
        now: Timestamp,
        find_out: impl FnOnce() -> T,
    ) -> T {
        let key = fingerprint(chain.iter().copied());
        if let Some(remembered) = self.lock().get(&key)
            && (remembered.since..remembered.until).contains(&now)
        {
            return remembered.known.clone();
        }
        let known = find_out();
        let fresh = Remembered {
            known: known.clone(),
            since: now,
            until: next_edge(chain, now),
        };
        let mut all = self.lock();
        if all.len() >= REMEMBERED {
            all.retain(|_, one| now < one.until);
            if all.len() >= REMEMBERED {
                all.clear();
            }
        }
        all.insert(key, fresh);
        known
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Remembered<T>>> {
        // A map of finished findings is whole whatever happened to another thread.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Puts something that nobody found out in the place of all that is known.
    #[cfg(test)]
    pub(super) fn overwrite(&self, known: &T) {
        for one in self.lock().values_mut() {
            one.known = known.clone();
        }
    }
}

/// SHA-256 over certificates, each with its length, so that no two chains share one.
pub(super) fn fingerprint<'a>(chain: impl IntoIterator<Item = &'a CertificateDer<'a>>) -> Fingerprint {
    let mut context = digest::Context::new(&digest::SHA256);
    for certificate in chain {
        context.update(&certificate.len().to_be_bytes());
        context.update(certificate);
    }
    let mut out = [0; digest::SHA256_OUTPUT_LEN];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// When the next certificate of a chain becomes valid or ceases to be.
fn next_edge(chain: &[&CertificateDer<'_>], now: Timestamp) -> Timestamp {
    chain
        .iter()
        .filter_map(|der| X509Certificate::from_der(der).ok())
        .flat_map(|(_, parsed)| {
            let validity = parsed.validity();
            // Valid through the whole last second (RFC 5280 4.1.2.5).
            [
                validity.not_before.timestamp(),
                validity.not_after.timestamp().saturating_add(1),
            ]
        })
        .filter_map(|second| Timestamp::from_second(second).ok())
        .filter(|edge| *edge > now)
        .min()
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let memory = Memory::default();
        for number in 0..=2 * REMEMBERED {
            let certificate = CertificateDer::from(number.to_be_bytes().to_vec());
            let recall = || memory.recall(&[&certificate], Timestamp::UNIX_EPOCH, || number);
            assert_eq!((recall(), recall()), (number, number));
            assert!(memory.len() <= REMEMBERED);
        }
    }

    #[test]
    fn what_is_known_is_not_found_out_again() {
        let memory = Memory::default();
        let certificate = CertificateDer::from(vec![1]);
        for now in [Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            // It is no certificate, so it has no dates; before it was seen, nothing is known of it.
            memory.recall(&[&certificate], now, || now);
        }
        let earlier = memory.recall(&[&certificate], Timestamp::MIN, || Timestamp::MIN);
        assert_eq!(earlier, Timestamp::MIN);
        let known = memory.recall(&[&certificate], Timestamp::UNIX_EPOCH, || Timestamp::MAX);
        assert_eq!(known, Timestamp::MIN);
    }
}
