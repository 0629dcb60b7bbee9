//! TLSA records (RFC 6698, for mail RFC 7672), and how they fit the certificates that a server shows.

use serde::{Deserialize, Serialize};

use crate::model::tls::CertificateHashes;

/// One TLSA record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TlsaRecord {
    /// Certificate usage: 2 (an issuer in the chain) and 3 (the server's own) are for mail.
    pub usage: u8,
    /// 0: the whole certificate, 1: its key.
    pub selector: u8,
    /// 0: as it is, 1: its SHA-256, 2: its SHA-512.
    pub matching: u8,
    /// The data in hex, cut at 128 bytes.
    pub data: String,
    /// The bytes of the data.
    pub length: usize,
    /// SHA-256 of the whole data in hex, to compare what stands there as it is.
    pub digest: String,
}

/// Whether a record fits a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// That cannot be told from what the server shows.
    Untold,
}

impl TlsaRecord {
    /// Whether senders go by it (RFC 7672 3.1): usage, selector and matching type are known ones, and the data is as
    /// long as they say.
    pub fn is_usable(&self) -> bool {
        let length = match self.matching {
            0 => self.length > 0,
            1 => self.length == 32,
            2 => self.length == 64,
            _ => false,
        };
        matches!(self.usage, 2 | 3) && self.selector <= 1 && length
    }

    /// How it fits a chain, the server's own certificate first.
    pub fn fits(&self, chain: &[CertificateHashes]) -> Fit {
        let shown = match self.usage {
            3 => chain.get(..1),
            _ => Some(chain),
        };
        let Some(shown) = shown.filter(|shown| !shown.is_empty()) else {
            return Fit::Untold;
        };
        if shown.iter().any(|one| self.is(one)) {
            return Fit::Yes;
        }
        match (self.usage, self.matching) {
            // An issuer whose whole certificate or key stands in DNS need not be sent along (RFC 7671 5.2.1).
            (2, 0) => Fit::Untold,
            _ => Fit::No,
        }
    }

    fn is(&self, one: &CertificateHashes) -> bool {
        let (wanted, found) = match (self.selector, self.matching) {
            (0, 0) => (&self.digest, &one.certificate_sha256),
            (1, 0) => (&self.digest, &one.key_sha256),
            (0, 1) => (&self.data, &one.certificate_sha256),
            (1, 1) => (&self.data, &one.key_sha256),
            (0, 2) => (&self.data, &one.certificate_sha512),
            (1, 2) => (&self.data, &one.key_sha512),
            _ => return false,
        };
        wanted == found
    }
}

impl std::fmt::Display for TlsaRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.usage, self.selector, self.matching, self.data
        )
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn hashes(mark: char) -> CertificateHashes {
        let of = |kind: char, length: usize| format!("{mark}{kind}{}", "0".repeat(length - 2));
        CertificateHashes {
            certificate_sha256: of('a', 64),
            certificate_sha512: of('b', 128),
            key_sha256: of('c', 64),
            key_sha512: of('d', 128),
        }
    }

    fn record(usage: u8, selector: u8, matching: u8, data: &str) -> TlsaRecord {
        TlsaRecord {
            usage,
            selector,
            matching,
            data: data.to_owned(),
            length: data.len() / 2,
            digest: data.to_owned(),
        }
    }

    #[rstest]
    #[case(3, 0, 1, hashes('1').certificate_sha256, Fit::Yes)]
    #[case(3, 1, 1, hashes('1').key_sha256, Fit::Yes)]
    #[case(3, 0, 2, hashes('1').certificate_sha512, Fit::Yes)]
    #[case(3, 1, 2, hashes('1').key_sha512, Fit::Yes)]
    #[case(3, 1, 0, hashes('1').key_sha256, Fit::Yes)]
    #[case(3, 1, 1, hashes('2').key_sha256, Fit::No)]
    #[case(3, 1, 1, hashes('1').certificate_sha256, Fit::No)]
    #[case(2, 0, 1, hashes('2').certificate_sha256, Fit::Yes)]
    #[case(2, 1, 1, hashes('3').key_sha256, Fit::No)]
    #[case(2, 0, 0, hashes('3').certificate_sha256, Fit::Untold)]
    fn records_fit_the_chain(
        #[case] usage: u8,
        #[case] selector: u8,
        #[case] matching: u8,
        #[case] data: String,
        #[case] fit: Fit,
    ) {
        let record = record(usage, selector, matching, &data);
        assert!(record.is_usable());
        assert_eq!(record.fits(&[hashes('1'), hashes('2')]), fit);
        assert_eq!(record.fits(&[]), Fit::Untold);
    }

    #[test]
    fn what_no_sender_goes_by_is_unusable() {
        let sha256 = "0".repeat(64);
        for (usage, selector, matching, data) in [
            (0, 0, 1, &*sha256),
            (1, 0, 1, &sha256),
            (3, 2, 1, &sha256),
            (3, 0, 3, &sha256),
            (3, 0, 2, &sha256),
            (3, 0, 0, ""),
        ] {
            assert!(
                !record(usage, selector, matching, data).is_usable(),
                "{usage} {selector} {matching}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_record_can_be_compared(usage: u8, selector: u8, matching: u8, data in "[0-9a-f]{0,130}") {
            let record = record(usage, selector, matching, &data);
            record.is_usable();
            record.fits(&[hashes('1')]);
        }
    }
}
