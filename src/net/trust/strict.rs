//! The verifier of whoever has to prove who it is: the chain by our roots, the name by the certificate.

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs as provider};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::Trust;
use crate::model::tls::ChainVerdict;

/// Takes only who proves it.
#[derive(Debug)]
pub(super) struct Strict {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Strict {
    pub(super) fn new(trust: Trust) -> Self {
        Self {
            trust,
            algorithms: provider::default_provider().signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for Strict {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let now = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        if let Some(fault) = fault(&self.trust.judge(end_entity, intermediates, now)) {
            return Err(Error::General(fault));
        }
        let parsed = ParsedCertificate::try_from(end_entity)?;
        verify_server_name(&parsed, server_name).map_err(|error| match error {
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Error::General(format!("the certificate is not for {}", server_name.to_str())),
            other => other,
        })?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What is wrong with a chain, in words.
fn fault(verdict: &ChainVerdict) -> Option<String> {
    Some(match verdict {
        ChainVerdict::Trusted => return None,
        ChainVerdict::Expired => "the certificate has expired".into(),
        ChainVerdict::NotYetValid => "the certificate is not valid yet".into(),
        ChainVerdict::UnknownIssuer => "the certificate comes from an issuer that nobody knows".into(),
        ChainVerdict::SelfSigned => "the certificate is signed by itself".into(),
        ChainVerdict::Revoked => "the certificate has been revoked".into(),
        ChainVerdict::Invalid { reason } => format!("the certificate does not verify: {reason}"),
    })
}
