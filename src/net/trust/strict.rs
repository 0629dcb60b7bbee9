//! The verifier of whoever has to prove who it is: the chain by our roots, the name by the certificate.

use jiff::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::verify_server_name;
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs as provider};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme};

use super::Trust;
use super::verifier::Demands;
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

impl Demands for Strict {
    fn identity(
        &self,
        (own, others): (&CertificateDer<'_>, &[CertificateDer<'_>]),
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let now = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        if let Some(fault) = fault(&self.trust.judge(own, others, now)) {
            return Err(Error::General(fault));
        }
        let parsed = ParsedCertificate::try_from(own)?;
        verify_server_name(&parsed, name).map_err(|error| match error {
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Error::General(format!("the certificate is not for {}", name.to_str())),
            other => other,
        })
    }

    fn signature(
        &self,
        version: ProtocolVersion,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verify = match version {
            ProtocolVersion::TLSv1_2 => verify_tls12_signature,
            _ => verify_tls13_signature,
        };
        verify(message, certificate, signed, &self.algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
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
