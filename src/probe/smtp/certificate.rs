//! Facts of a certificate, bounded and cleaned, whether it is good or not (RFC 5280).

use aws_lc_rs::digest;
use jiff::Timestamp;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

use crate::model::text::clean;
use crate::model::tls::{Certificate, CertificateHashes};

/// Names that are kept, characters of each, and characters of a subject or issuer.
const NAMES_MOST: usize = 200;
const NAME: usize = 253;
const DISTINGUISHED: usize = 400;

/// The kinds of keys that servers hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
    Other,
}

/// The facts of a certificate in DER form; `None` when it cannot be read.
pub(super) fn facts(der: &[u8]) -> Option<Certificate> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    Some(Certificate {
        subject: distinguished(parsed.subject()),
        issuer: distinguished(parsed.issuer()),
        names: names(&parsed),
        not_before: timestamp(parsed.validity().not_before),
        not_after: timestamp(parsed.validity().not_after),
        key: key_name(parsed.public_key()),
        fingerprint: hex(digest::digest(&digest::SHA256, der).as_ref()),
        self_signed: parsed.subject().as_raw() == parsed.issuer().as_raw(),
    })
}

/// What TLSA records could name of a certificate in DER form; `None` when it cannot be read.
pub(super) fn hashes(der: &[u8]) -> Option<CertificateHashes> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    let key = parsed.public_key().raw;
    let of = |algorithm, bytes: &[u8]| hex(digest::digest(algorithm, bytes).as_ref());
    Some(CertificateHashes {
        certificate_sha256: of(&digest::SHA256, der),
        certificate_sha512: of(&digest::SHA512, der),
        key_sha256: of(&digest::SHA256, key),
        key_sha512: of(&digest::SHA512, key),
        vouches: None,
    })
}

fn distinguished(name: &X509Name<'_>) -> String {
    clean(name.to_string().as_bytes(), DISTINGUISHED)
}

/// The DNS names of subjectAltName; the common name only where there are none, as mail servers still do.
fn names(parsed: &X509Certificate<'_>) -> Vec<String> {
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let alternative: Vec<String> = alternative
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(clean(name.as_bytes(), NAME)),
            _ => None,
        })
        .take(NAMES_MOST)
        .collect();
    if !alternative.is_empty() {
        return alternative;
    }
    let common = parsed
        .subject()
        .iter_common_name()
        .filter_map(|name| name.as_str().ok());
    common
        .take(NAMES_MOST)
        .map(|name| clean(name.as_bytes(), NAME))
        .collect()
}

/// A time of a certificate. The year 9999, "no end", lies just beyond what a timestamp holds.
fn timestamp(time: ASN1Time) -> Timestamp {
    let seconds = time.timestamp();
    let furthest = if seconds < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(seconds).unwrap_or(furthest)
}

/// The kind of a key, by its algorithm and curve.
pub(super) fn key_kind(key: &SubjectPublicKeyInfo<'_>) -> KeyKind {
    let algorithm = &key.algorithm.algorithm;
    if *algorithm == oid_registry::OID_PKCS1_RSAENCRYPTION {
        return KeyKind::Rsa;
    }
    if *algorithm == oid_registry::OID_SIG_ED25519 {
        return KeyKind::Ed25519;
    }
    let curve = key
        .algorithm
        .parameters
        .as_ref()
        .and_then(|parameters| parameters.as_oid().ok());
    match curve {
        Some(curve) if curve == oid_registry::OID_EC_P256 => KeyKind::P256,
        Some(curve) if curve == oid_registry::OID_NIST_EC_P384 => KeyKind::P384,
        Some(curve) if curve == oid_registry::OID_NIST_EC_P521 => KeyKind::P521,
        _ => KeyKind::Other,
    }
}

fn key_name(key: &SubjectPublicKeyInfo<'_>) -> String {
    match key_kind(key) {
        KeyKind::Rsa => match key.parsed() {
            Ok(parsed) => format!("RSA {}", parsed.key_size()),
            Err(_) => "RSA".to_owned(),
        },
        KeyKind::P256 => "ECDSA P-256".to_owned(),
        KeyKind::P384 => "ECDSA P-384".to_owned(),
        KeyKind::P521 => "ECDSA P-521".to_owned(),
        KeyKind::Ed25519 => "Ed25519".to_owned(),
        KeyKind::Other => clean(key.algorithm.algorithm.to_id_string().as_bytes(), NAME),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}
