//! The roots that we trust, and what a chain of certificates is worth by them.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::model::text::clean;
use crate::model::tls::{ChainVerdict, ShownChain};
use memory::{Fingerprint, Memory, fingerprint};

mod memory;
mod strict;
mod verifier;

pub use verifier::{Demands, Verifier};

/// Characters of a reason in words.
const REASON: usize = 200;

/// Why the configured roots cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no PEM.
    #[error("{}: {reason}", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no certificate in the file.
    #[error("{}: there is no certificate in it", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
}

/// The roots that we trust, and the verdicts that they led to.
#[derive(Debug)]
pub struct Trust {
    roots: Arc<RootCertStore>,
    /// Certificates that were named themselves: a server may show one without any issuer.
    named: Arc<HashSet<Fingerprint>>,
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    verdicts: Memory<ChainVerdict>,
    shown: Memory<ShownChain>,
}

impl Trust {
    /// The system's roots (those of Mozilla where it has none), and every certificate in the PEM files besides.
    /// The second value says what could not be used and does not stop us.
    ///
    /// Reads files, so not for the threads that serve sockets.
    ///
    /// # Errors
    /// [`TrustError`] when one of the given files cannot be used.
    pub fn load(extra_ca_files: &[PathBuf]) -> Result<(Self, Vec<String>), TrustError> {
        let system = rustls_native_certs::load_native_certs();
        let mut warnings: Vec<String> = system
            .errors
            .iter()
            .map(|error| format!("the system's roots: {error}"))
            .collect();
        let mut trust = Self::only([]);
        trust.roots_mut().add_parsable_certificates(system.certs);
        if trust.roots.is_empty() {
            trust
                .roots_mut()
                .extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            warnings.push("the system has no root certificates: Mozilla's, as built in, are used".to_owned());
        }
        for path in extra_ca_files {
            for certificate in read_pem(path)? {
                if let Err(reason) = trust.add(certificate) {
                    warnings.push(format!("{}: {reason}", path.display()));
                }
            }
        }
        Ok((trust, warnings))
    }

    /// These certificates and nothing else.
    pub fn only(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut trust = Self {
            roots: Arc::new(RootCertStore::empty()),
            named: Arc::default(),
            algorithms: provider::default_provider().signature_verification_algorithms.all,
            verdicts: Memory::default(),
            shown: Memory::default(),
        };
        for certificate in certificates {
            // One that cannot be a root still counts as named.
            let _ = trust.add(certificate);
        }
        trust
    }

    fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), String> {
        Arc::make_mut(&mut self.named).insert(fingerprint([&certificate]));
        self.roots_mut().add(certificate).map_err(|error| {
            let reason = clean(error.to_string().as_bytes(), REASON);
            format!("a certificate can vouch for itself only ({reason})")
        })
    }

    fn roots_mut(&mut self) -> &mut RootCertStore {
        Arc::make_mut(&mut self.roots)
    }

    /// The same roots, with nothing remembered.
    fn share(&self) -> Self {
        Self {
            roots: Arc::clone(&self.roots),
            named: Arc::clone(&self.named),
            algorithms: self.algorithms,
            verdicts: Memory::default(),
            shown: Memory::default(),
        }
    }

    /// The client's side of TLS with whoever has to prove who it is: by these roots, and for the name that is asked for.
    ///
    /// # Errors
    /// None that a sound build knows of.
    pub fn https(&self) -> Result<ClientConfig, rustls::Error> {
        let config = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier(strict::Strict::new(self.share()))))
            .with_no_client_auth();
        Ok(config)
    }

    /// What a chain is worth, apart from any name. A verdict is remembered until a certificate of the chain
    /// becomes valid or ceases to be, so that the same chain on ten thousand sessions is verified once.
    pub fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> ChainVerdict {
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).collect();
        self.verdicts
            .recall(&chain, now, || self.verify(end_entity, intermediates, now))
    }

    /// What a chain shows, read by `read` where it is not known yet; remembered as a verdict is.
    pub fn shown(
        &self,
        chain: &[CertificateDer<'_>],
        now: Timestamp,
        read: impl FnOnce() -> ShownChain,
    ) -> ShownChain {
        let chain: Vec<_> = chain.iter().collect();
        self.shown.recall(&chain, now, read)
    }

    /// For each certificate of a chain, whether it vouches for the first one: whether signatures lead from it to there,
    /// all in date. `None`: that cannot be told, as of the first one itself.
    pub fn vouching(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Vec<Option<bool>> {
        let Some((own, others)) = chain.split_first() else {
            return Vec::new();
        };
        let vouches = |issuer: &CertificateDer<'_>| {
            let mut roots = RootCertStore::empty();
            roots.add(issuer.clone().into_owned()).ok()?;
            let parsed = ParsedCertificate::try_from(own).ok()?;
            match self.leads(&parsed, &roots, others, now) {
                // What an issuer's own dates say is not asked on the way.
                Ok(()) => Some(Own::read(issuer, now).out_of_date.is_none()),
                Err(rustls::Error::InvalidCertificate(reason)) => is_plain(&reason).then_some(false),
                Err(_) => None,
            }
        };
        std::iter::once(None).chain(others.iter().map(vouches)).collect()
    }

    /// Whether signatures lead from one of some roots to a certificate.
    fn leads(
        &self,
        own: &ParsedCertificate<'_>,
        roots: &RootCertStore,
        between: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<(), rustls::Error> {
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        verify_server_cert_signed_by_trust_anchor(own, roots, between, time, self.algorithms)
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> ChainVerdict {
        let own = Own::read(end_entity, now);
        if self.named.contains(&fingerprint([end_entity])) {
            return own.out_of_date.unwrap_or(ChainVerdict::Trusted);
        }
        let verified = ParsedCertificate::try_from(end_entity)
            .and_then(|parsed| self.leads(&parsed, &self.roots, intermediates, now));
        match verified {
            Ok(()) => ChainVerdict::Trusted,
            Err(error) => own.explain(&error),
        }
    }
}

/// What the server's own certificate says without anybody else.
struct Own {
    out_of_date: Option<ChainVerdict>,
    self_signed: bool,
}

impl Own {
    fn read(end_entity: &CertificateDer<'_>, now: Timestamp) -> Self {
        let Ok((_, parsed)) = X509Certificate::from_der(end_entity) else {
            return Self {
                out_of_date: None,
                self_signed: false,
            };
        };
        let (now, validity) = (now.as_second(), parsed.validity());
        let out_of_date = if now > validity.not_after.timestamp() {
            Some(ChainVerdict::Expired)
        } else if now < validity.not_before.timestamp() {
            Some(ChainVerdict::NotYetValid)
        } else {
            None
        };
        Self {
            out_of_date,
            self_signed: parsed.subject().as_raw() == parsed.issuer().as_raw(),
        }
    }

    /// Why the chain is not trusted: what the certificate itself shows comes before what others would say.
    fn explain(self, error: &rustls::Error) -> ChainVerdict {
        if let Some(verdict) = self.out_of_date {
            return verdict;
        }
        if self.self_signed {
            return ChainVerdict::SelfSigned;
        }
        let reason = match error {
            rustls::Error::InvalidCertificate(reason) => reason,
            other => return invalid(&other.to_string()),
        };
        match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => ChainVerdict::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                ChainVerdict::NotYetValid
            }
            CertificateError::UnknownIssuer => ChainVerdict::UnknownIssuer,
            CertificateError::Revoked => ChainVerdict::Revoked,
            CertificateError::BadEncoding => invalid("a certificate cannot be read"),
            CertificateError::BadSignature => invalid("a signature in the chain is wrong"),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                invalid("it is not meant for servers")
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                invalid("a signature in the chain is of an obsolete kind")
            }
            CertificateError::UnhandledCriticalExtension => {
                invalid("it has a critical extension that is unknown to us")
            }
            CertificateError::Other(other) => invalid(&other.to_string()),
            other => invalid(&other.to_string()),
        }
    }
}

/// Whether whoever verifies a chain finds this wrong with it; much else depends on what they can verify.
fn is_plain(reason: &CertificateError) -> bool {
    matches!(
        reason,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
            | CertificateError::BadSignature
            | CertificateError::UnknownIssuer
    )
}

fn invalid(reason: &str) -> ChainVerdict {
    ChainVerdict::Invalid {
        reason: clean(reason.as_bytes(), REASON),
    }
}

fn read_pem(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let path = path.to_owned();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(source) => return Err(TrustError::Read { path, source }),
    };
    let certificates: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(TrustError::Empty { path }),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(TrustError::Pem {
            path,
            reason: pem_reason(&error),
        }),
    }
}

fn pem_reason(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "a certificate is cut off: its END line is missing".to_owned()
        }
        pem::Error::Base64Decode(_) => "a certificate is no base64".to_owned(),
        other => clean(other.to_string().as_bytes(), REASON),
    }
}

#[cfg(test)]
#[path = "trust_tests.rs"]
pub(crate) mod tests;
