//! Takes any chain, and still demands that the server holds the key of the certificate that it shows.
//!
//! What the chain is worth is judged afterwards, so that a bad one is a fact and not a failed handshake. The
//! signature is verified here rather than by rustls because rustls reads only certificates that it could trust:
//! homemade ones are X.509 version 1, and old servers have short keys or sign with SHA-1.

use aws_lc_rs::signature::{self as sig, UnparsedPublicKey, VerificationAlgorithm};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, ProtocolVersion, SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo;

use super::certificate::{KeyKind, key_kind};
use crate::net::trust::Demands;

/// What we offer, best first. PKCS#1 stands before PSS because a short RSA key can be verified with it, and
/// TLS 1.3 ignores it.
const OFFERED: [SignatureScheme; 12] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA1,
    SignatureScheme::ECDSA_SHA1_Legacy,
];

/// The verifier of opportunistic TLS (RFC 7435).
#[derive(Debug)]
pub(super) struct TakesAnyChain;

impl Demands for TakesAnyChain {
    fn identity(
        &self,
        _chain: (&CertificateDer<'_>, &[CertificateDer<'_>]),
        _name: &ServerName<'_>,
        _now: UnixTime,
    ) -> Result<(), Error> {
        Ok(())
    }

    fn signature(
        &self,
        version: ProtocolVersion,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // RFC 8446 4.2.3: neither is for messages of the handshake.
        let old = matches!(
            signed.scheme,
            SignatureScheme::RSA_PKCS1_SHA1
                | SignatureScheme::RSA_PKCS1_SHA256
                | SignatureScheme::RSA_PKCS1_SHA384
                | SignatureScheme::RSA_PKCS1_SHA512
                | SignatureScheme::ECDSA_SHA1_Legacy
        );
        if old && version != ProtocolVersion::TLSv1_2 {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        verify(message, certificate, signed.scheme, signed.signature())
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        OFFERED.to_vec()
    }
}

fn verify(
    message: &[u8],
    certificate: &[u8],
    scheme: SignatureScheme,
    signature: &[u8],
) -> Result<HandshakeSignatureValid, Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let key = parsed.public_key();
    let Some(algorithm) = algorithm(scheme, key_kind(key)) else {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    };
    if let Some(bits) = too_short(scheme, key) {
        return Err(Error::General(format!(
            "an RSA key of {bits} bits is too short for TLS 1.3"
        )));
    }
    UnparsedPublicKey::new(algorithm, &key.subject_public_key.data)
        .verify(message, signature)
        .map(|()| HandshakeSignatureValid::assertion())
        .map_err(|_| CertificateError::BadSignature.into())
}

/// The bits of an RSA key that our library does not verify PSS with; a wrong signature would look the same.
fn too_short(scheme: SignatureScheme, key: &SubjectPublicKeyInfo<'_>) -> Option<usize> {
    let pss = [
        SignatureScheme::RSA_PSS_SHA256,
        SignatureScheme::RSA_PSS_SHA384,
        SignatureScheme::RSA_PSS_SHA512,
    ];
    let bits = key.parsed().map_or(0, |parsed| parsed.key_size());
    (pss.contains(&scheme) && bits < 2048).then_some(bits)
}

/// TLS 1.2 names hash and kind of key only (RFC 5246 7.4.1.4.1), so the curve is that of the key.
fn algorithm(scheme: SignatureScheme, key: KeyKind) -> Option<&'static dyn VerificationAlgorithm> {
    use SignatureScheme as S;
    let algorithm: &'static dyn VerificationAlgorithm = match (scheme, key) {
        (S::RSA_PKCS1_SHA1, KeyKind::Rsa) => &sig::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        (S::RSA_PKCS1_SHA256, KeyKind::Rsa) => &sig::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        (S::RSA_PKCS1_SHA384, KeyKind::Rsa) => &sig::RSA_PKCS1_2048_8192_SHA384,
        (S::RSA_PKCS1_SHA512, KeyKind::Rsa) => &sig::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        (S::RSA_PSS_SHA256, KeyKind::Rsa) => &sig::RSA_PSS_2048_8192_SHA256,
        (S::RSA_PSS_SHA384, KeyKind::Rsa) => &sig::RSA_PSS_2048_8192_SHA384,
        (S::RSA_PSS_SHA512, KeyKind::Rsa) => &sig::RSA_PSS_2048_8192_SHA512,
        (S::ECDSA_SHA1_Legacy, KeyKind::P256) => &sig::ECDSA_P256_SHA1_ASN1,
        (S::ECDSA_SHA1_Legacy, KeyKind::P521) => &sig::ECDSA_P521_SHA1_ASN1,
        (S::ECDSA_NISTP256_SHA256, KeyKind::P256) => &sig::ECDSA_P256_SHA256_ASN1,
        (S::ECDSA_NISTP256_SHA256, KeyKind::P384) => &sig::ECDSA_P384_SHA256_ASN1,
        (S::ECDSA_NISTP256_SHA256, KeyKind::P521) => &sig::ECDSA_P521_SHA256_ASN1,
        (S::ECDSA_NISTP384_SHA384, KeyKind::P256) => &sig::ECDSA_P256_SHA384_ASN1,
        (S::ECDSA_NISTP384_SHA384, KeyKind::P384) => &sig::ECDSA_P384_SHA384_ASN1,
        (S::ECDSA_NISTP384_SHA384, KeyKind::P521) => &sig::ECDSA_P521_SHA384_ASN1,
        (S::ECDSA_NISTP521_SHA512, KeyKind::P256) => &sig::ECDSA_P256_SHA512_ASN1,
        (S::ECDSA_NISTP521_SHA512, KeyKind::P384) => &sig::ECDSA_P384_SHA512_ASN1,
        (S::ECDSA_NISTP521_SHA512, KeyKind::P521) => &sig::ECDSA_P521_SHA512_ASN1,
        (S::ED25519, KeyKind::Ed25519) => &sig::ED25519,
        _ => return None,
    };
    Some(algorithm)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;

    use super::*;

    const MESSAGE: &[u8] = b"a handshake";
    /// Of version 1, with an RSA key of 1024 bits: openssl made it, and the signatures.
    const SHORT_RSA: &str = "-----BEGIN CERTIFICATE-----
MIIBtDCCAR0CFHc8zVZlp1pYOjhw1oewc9lKP/WhMA0GCSqGSIb3DQEBCwUAMBgx
FjAUBgNVBAMMDW9sZC5hY21lLnRlc3QwIBcNMjYxMTIyMDcyMzA3WhgPMjEyNjEw
MjkwNzIzMDdaMBgxFjAUBgNVBAMMDW9sZC5hY21lLnRlc3QwgZ8wDQYJKoZIhvcN
AQEBBQADgY0AMIGJAoGBAKd7Y0GPG88iaMh6oAXXotnJLIcX2jQQN3OGEN39/k7+
/bB2gL+bkDocTTRW5WqgfMaUrxLcRFBnOLiUl55HzJOvh5IWsngNmQoTXaUkGMgi
Ab9HrDq71b+E3d5W4D6VGK2jz9fZo3UqcZ9Sjdx2f6h6iKsDKaoPI117MVn27i1N
AgMBAAEwDQYJKoZIhvcNAQELBQADgYEACS8Tx42sKKZXsq6i/cHWG3xIQWyAeEDS
2JjRlcxuPTMzFq4Ut7PC1AMxvjuZPMhUFA9kOyQv1XRTFLlGiAp42S2lwHmCPdQw
T1SRVBIznybo4/WC97QsIvzwYQ9e/sZWNwDYXnCjxecW+Ig8wLx8w6AWfDe9/oNU
xOlymuClQ+g=
-----END CERTIFICATE-----";
    const RSA_SHA1: &str = "39b8b76d1e8f81eef681435c03832d7d6f266e96c6224bf9fba1e85f02cdc78f4e4a5e1dff304817b3cb27c3203dd91798983ae9cedbe0b176ee6a2828f614fcd85d91f2300e0e3aefe61745b0645b3a05c88b9d5b47f03a576096a3ddb44df702fca3f26b8e097fa405e012e939fb5573346b9594090a0340a1d5a5cb628459";
    const RSA_SHA256: &str = "8760f81c3be2ff091eec9010be402a2a16d6c1677dbfab62b3e45cfed089633920d0fbdca04d39fd7f185ce351a3b8de0ce7b7b19418b2b02f3d5417151402b8be97626f77dd73bab9613dfaf6fd6bcd6e6f2e9908ebe4731ad9c557cfb870f9afa97bb6a4f5e16c56bfd82fa6d61f7d2db67700e2dfc32adc2268c1826e204f";
    const P256: &str = "-----BEGIN CERTIFICATE-----
MIIBNjCB3QIUeyMAWjtTxE/e5SJrS2An5wcqcqUwCgYIKoZIzj0EAwIwHTEbMBkG
A1UEAwwSaG9tZW1hZGUuYWNtZS50ZXN0MCAXDTI2MTEyMjA3MjMwOFoYDzIxMjYx
MDI5MDcyMzA4WjAdMRswGQYDVQQDDBJob21lbWFkZS5hY21lLnRlc3QwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAATGCVqZ6TqYIIQvWqbWPQzUhXzQnFnXK6/w4tNt
/yz2V2bAXed5Le4KciJ1yItkmXPQYiB3+9rftqIn5ImTcXnPMAoGCCqGSM49BAMC
A0gAMEUCIQCcY9tHP1sxgIsqsgNC+DJUp4qhecS23MWzDMWaDkNn+wIgVDtVngod
wLpNYbNYT5hu0E1jYnz1+hyDo86Ym2kSdM8=
-----END CERTIFICATE-----";
    const ECDSA_SHA1: &str = "304402207587d36b9329aedb99365e823153211b0f852dd26df4ea8666793a8de5450be1022040322ff9aecf5c5f2e5ee5bc7ecac87d99a41cd2cf5b019d5cbfb88f487ad3ec";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    fn check(pem: &str, scheme: SignatureScheme, signature: &str, message: &[u8]) -> Result<(), Error> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        verify(message, &certificate, scheme, &bytes(signature)).map(|_| ())
    }

    #[test]
    fn signatures_of_old_servers_are_verified() {
        for (pem, scheme, signature) in [
            (SHORT_RSA, SignatureScheme::RSA_PKCS1_SHA1, RSA_SHA1),
            (SHORT_RSA, SignatureScheme::RSA_PKCS1_SHA256, RSA_SHA256),
            (P256, SignatureScheme::ECDSA_SHA1_Legacy, ECDSA_SHA1),
        ] {
            assert_eq!(check(pem, scheme, signature, MESSAGE), Ok(()));
            let forged = check(pem, scheme, signature, b"another handshake");
            assert_eq!(forged, Err(CertificateError::BadSignature.into()));
        }
    }

    #[test]
    fn a_scheme_that_does_not_fit_the_key_is_refused() {
        let misfit = Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        assert_eq!(
            check(P256, SignatureScheme::RSA_PKCS1_SHA1, RSA_SHA1, MESSAGE),
            misfit
        );
        assert_eq!(
            check(SHORT_RSA, SignatureScheme::ED25519, RSA_SHA1, MESSAGE),
            misfit
        );
    }
}
