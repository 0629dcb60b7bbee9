//! Takes any chain, and still demands that the server holds the key of the certificate that it shows.
//!
//! What the chain is worth is judged afterwards, so that a bad one is a fact and not a failed handshake. The
//! signature is verified here rather than by rustls because rustls reads only certificates that it could trust:
//! homemade ones are X.509 version 1, and old servers have short keys or sign with SHA-1.

use aws_lc_rs::signature::{self as sig, UnparsedPublicKey, VerificationAlgorithm};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::{KeyKind, key_kind};

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

impl ServerCertVerifier for TakesAnyChain {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // RFC 8446 4.2.3: neither is for messages of the handshake.
        if matches!(
            signed.scheme,
            SignatureScheme::RSA_PKCS1_SHA1
                | SignatureScheme::RSA_PKCS1_SHA256
                | SignatureScheme::RSA_PKCS1_SHA384
                | SignatureScheme::RSA_PKCS1_SHA512
                | SignatureScheme::ECDSA_SHA1_Legacy
        ) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        OFFERED.to_vec()
    }
}

fn verify(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let key = parsed.public_key();
    let Some(algorithm) = algorithm(signed.scheme, key_kind(key)) else {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    };
    UnparsedPublicKey::new(algorithm, &key.subject_public_key.data)
        .verify(message, signed.signature())
        .map(|()| HandshakeSignatureValid::assertion())
        .map_err(|_| CertificateError::BadSignature.into())
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
