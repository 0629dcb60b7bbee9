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

/// What a server shows, to be held against records.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Its certificates, its own first.
    pub chain: &'a [CertificateHashes],
    /// Whether its own one is for a name by which senders go to it.
    pub named: bool,
}

/// Whether a record fits a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It names an issuer in the chain, which does not vouch for the server's own certificate: a signature is wrong, or
    /// one of the certificates is out of date.
    Unvouched,
    /// It names an issuer that vouches for a certificate which is for other names.
    Misnamed,
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

    /// How it fits what a server shows. Usage 3 names the server's own certificate or key and asks for nothing else;
    /// usage 2 names an issuer, and the certificate has to be in date and for the right name (RFC 7672 3.1).
    pub fn fits(&self, shown: Shown<'_>) -> Fit {
        match shown.chain.split_first() {
            None => Fit::Untold,
            Some((own, _)) if self.usage == 3 && self.is(own) => Fit::Yes,
            Some(_) if self.usage == 3 => Fit::No,
            Some((_, issuers)) => self.fits_issuers(issuers, shown.named),
        }
    }

    fn fits_issuers(&self, issuers: &[CertificateHashes], named: bool) -> Fit {
        let mut of_mine = issuers.iter().filter(|one| self.is(one)).peekable();
        match of_mine.peek() {
            // An issuer whose whole certificate or key stands in DNS need not be sent along (RFC 7671 5.2.1).
            None if self.matching == 0 => Fit::Untold,
            None => Fit::No,
            Some(_) => {
                let vouch: Vec<Option<bool>> = of_mine.map(|one| one.vouches).collect();
                match vouch.iter().max() {
                    Some(Some(true)) if named => Fit::Yes,
                    Some(Some(true)) => Fit::Misnamed,
                    _ if vouch.contains(&None) => Fit::Untold,
                    _ => Fit::Unvouched,
                }
            }
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

    /// Certificates `2` and `3` issue others.
    fn hashes(mark: char) -> CertificateHashes {
        let of = |kind: char, length: usize| format!("{mark}{kind}{}", "0".repeat(length - 2));
        CertificateHashes {
            certificate_sha256: of('a', 64),
            certificate_sha512: of('b', 128),
            key_sha256: of('c', 64),
            key_sha512: of('d', 128),
            vouches: (mark != '1' && mark != '6').then_some(mark == '2' || mark == '3'),
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
    #[case(3, 0, 0, hashes('1').certificate_sha256, Fit::Yes)]
    #[case(3, 1, 1, hashes('2').key_sha256, Fit::No)]
    #[case::issuer(2, 0, 1, hashes('2').certificate_sha256, Fit::Yes)]
    #[case::issuers_key(2, 1, 2, hashes('2').key_sha512, Fit::Yes)]
    #[case::issuer_in_full(2, 0, 0, hashes('2').certificate_sha256, Fit::Yes)]
    #[case::issuers_key_in_full(2, 1, 0, hashes('2').key_sha256, Fit::Yes)]
    #[case::its_issuer(2, 1, 1, hashes('3').key_sha256, Fit::Yes)]
    #[case::own_is_no_issuer(2, 1, 1, hashes('1').key_sha256, Fit::No)]
    #[case::a_stranger(2, 1, 1, hashes('5').key_sha256, Fit::No)]
    #[case::not_sent_along(2, 0, 0, hashes('5').certificate_sha256, Fit::Untold)]
    #[case::key_not_sent_along(2, 1, 0, hashes('5').key_sha256, Fit::Untold)]
    #[case::sent_but_no_issuer(2, 1, 1, hashes('4').key_sha256, Fit::Unvouched)]
    #[case::of_another_kind(2, 1, 1, hashes('6').key_sha256, Fit::Untold)]
    fn records_fit_the_chain(
        #[case] usage: u8,
        #[case] selector: u8,
        #[case] matching: u8,
        #[case] data: String,
        #[case] fit: Fit,
    ) {
        let record = record(usage, selector, matching, &data);
        assert!(record.is_usable());
        let chain = ['1', '2', '3', '4', '6'].map(hashes);
        let shown = |chain, named| Shown { chain, named };
        assert_eq!(record.fits(shown(&chain, true)), fit);
        assert_eq!(record.fits(shown(&[], true)), Fit::Untold);
        // The name matters to usage 2 alone.
        let misnamed = match fit {
            Fit::Yes if usage == 2 => Fit::Misnamed,
            fit => fit,
        };
        assert_eq!(record.fits(shown(&chain, false)), misnamed);
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
            record.fits(Shown { chain: &[hashes('1'), hashes('2')], named: true });
        }
    }
}
