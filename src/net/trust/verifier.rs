//! The verifier that rustls wants, made of what is demanded of a server: that it is who it should be, and that it holds the
//! key of the certificate that it shows.

use std::fmt::Debug;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme};

/// What is demanded of a server.
pub trait Demands: Debug + Send + Sync {
    /// Looks at who it is: `chain` begins with its own certificate, and is never empty.
    ///
    /// # Errors
    /// Why it is not let through.
    fn identity(
        &self,
        chain: (&CertificateDer<'_>, &[CertificateDer<'_>]),
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error>;

    /// Verifies what it has signed in the handshake of a version of TLS.
    ///
    /// # Errors
    /// What is wrong with the signature.
    fn signature(
        &self,
        version: ProtocolVersion,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error>;

    /// The kinds of signatures that are offered, the best first.
    fn schemes(&self) -> Vec<SignatureScheme>;
}

/// Demands that of a server.
#[derive(Debug)]
pub struct Verifier<D>(pub D);

impl<D: Demands> ServerCertVerifier for Verifier<D> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.0.identity((end_entity, intermediates), server_name, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .signature(ProtocolVersion::TLSv1_2, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .signature(ProtocolVersion::TLSv1_3, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.schemes()
    }
}
