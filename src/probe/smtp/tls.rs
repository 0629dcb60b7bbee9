//! STARTTLS from the handshake on: a client that completes it with whatever certificate the server shows, and
//! then says what that was.
//!
//! The hello stays small (`etiquette` 14): a post-quantum key share would make it outgrow one segment, and real
//! STARTTLS servers fail on that.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use rustls::client::{ClientConfig, ClientConnection, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, ProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{certificate, verifier};
use crate::model::DomainName;
use crate::model::text::clean;
use crate::model::tls::{CertificateHashes, ChainVerdict, ShownChain, TlsEvidence, TlsFailure};
use crate::net::trust::{Trust, Verifier};

/// Certificates of a chain whose hashes are kept.
const HASHED: usize = 8;
/// Characters of a reason in words.
const REASON: usize = 200;

/// Shakes hands over `stream`. Without a name, none is sent as SNI.
///
/// # Errors
/// Those of the stream, and [`rustls::Error`] inside an [`io::Error`].
pub(in crate::probe) async fn handshake<S>(
    stream: S,
    peer: IpAddr,
    server_name: Option<&DomainName>,
) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // An address is never sent as SNI (RFC 6066 3); nor is a name that DNS has and no certificate could.
    let name = server_name
        .and_then(|name| ServerName::try_from(name.as_str().to_owned()).ok())
        .unwrap_or_else(|| ServerName::from(peer));
    let config = CONFIG.as_ref().map_err(|error| io::Error::other(error.clone()))?;
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

/// The same for every handshake: nothing of one session is of use to another.
static CONFIG: LazyLock<Result<Arc<ClientConfig>, rustls::Error>> =
    LazyLock::new(|| client_config().map(Arc::new));

fn client_config() -> Result<ClientConfig, rustls::Error> {
    let provider = CryptoProvider {
        kx_groups: vec![
            aws_lc_rs::kx_group::X25519,
            aws_lc_rs::kx_group::SECP256R1,
            aws_lc_rs::kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier(verifier::TakesAnyChain)))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What a completed handshake showed.
pub(in crate::probe) fn evidence(session: &ClientConnection, trust: &Trust, now: Timestamp) -> TlsEvidence {
    let chain = session.peer_certificates().unwrap_or_default();
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "unknown",
    };
    let ShownChain {
        certificate,
        chain,
        hashes,
    } = trust.shown(chain, now, || read(chain, trust, now));
    TlsEvidence {
        version: version.to_owned(),
        cipher: cipher(session),
        certificate,
        chain,
        hashes,
    }
}

/// Reads a chain that is not known yet.
fn read(chain: &[CertificateDer<'_>], trust: &Trust, now: Timestamp) -> ShownChain {
    ShownChain {
        certificate: chain
            .first()
            .and_then(|own| certificate::facts(own))
            .map(Arc::new),
        chain: match chain.split_first() {
            Some((own, rest)) => trust.judge(own, rest, now),
            None => ChainVerdict::Invalid {
                reason: "the server showed no certificate".to_owned(),
            },
        },
        hashes: hashes(chain, trust, now).into(),
    }
}

/// What TLSA records could name of a chain. One certificate that cannot be read ends it: what follows may be anybody's.
fn hashes(chain: &[CertificateDer<'_>], trust: &Trust, now: Timestamp) -> Vec<CertificateHashes> {
    let chain = chain.get(..HASHED).unwrap_or(chain);
    let vouching = trust.vouching(chain, now);
    let read = chain.iter().zip(vouching).map_while(|(one, vouches)| {
        Some(CertificateHashes {
            vouches,
            ..certificate::hashes(one)?
        })
    });
    read.collect()
}

/// The transcript's line on a completed handshake.
pub(in crate::probe) fn summary(evidence: &TlsEvidence, sent: usize) -> String {
    let subject = evidence
        .certificate
        .as_ref()
        .map_or("unreadable", |own| own.subject.as_str());
    let others = match sent {
        0 | 1 => "no other certificate with it".to_owned(),
        more => format!("{} more with it", more - 1),
    };
    format!(
        "{} {}, certificate {subject}, {others}",
        evidence.version, evidence.cipher
    )
}

/// The suite's name in IANA's registry, which rustls spells differently for TLS 1.3.
fn cipher(session: &ClientConnection) -> String {
    let name = session
        .negotiated_cipher_suite()
        .and_then(|suite| suite.suite().as_str());
    let name = name.unwrap_or("unknown");
    name.strip_prefix("TLS13_")
        .map_or_else(|| name.to_owned(), |rest| format!("TLS_{rest}"))
}

/// Why a handshake failed, in the words of RFC 8446 where the server said it itself.
pub(super) fn failure(error: &rustls::Error) -> TlsFailure {
    let (alert, reason) = match error {
        rustls::Error::AlertReceived(alert) => {
            let name = alert_name(*alert);
            let reason = format!("the server ended the handshake with the alert {name}");
            (Some(name), reason)
        }
        rustls::Error::InvalidMessage(_) => (None, "what the server sent is no TLS".to_owned()),
        rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature) => (
            None,
            "the server does not hold the key of its certificate".to_owned(),
        ),
        rustls::Error::General(reason) => (None, clean(reason.as_bytes(), REASON)),
        other => (None, clean(other.to_string().as_bytes(), REASON)),
    };
    TlsFailure { alert, reason }
}

/// The name in RFC 8446 B.2: `HandshakeFailure` is `handshake_failure`, `UnknownCA` is `unknown_ca`.
fn alert_name(alert: AlertDescription) -> String {
    let Some(name) = alert.as_str() else {
        return format!("alert_{}", u8::from(alert));
    };
    let mut out = String::with_capacity(name.len() + 4);
    let mut after_small = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && after_small {
            out.push('_');
        }
        after_small = letter.is_ascii_lowercase();
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{AlertDescription, alert_name, failure};

    #[test]
    fn alerts_have_the_names_of_the_standard() {
        let names = [
            (AlertDescription::HandshakeFailure, "handshake_failure"),
            (AlertDescription::ProtocolVersion, "protocol_version"),
            (AlertDescription::InsufficientSecurity, "insufficient_security"),
            (AlertDescription::UnknownCA, "unknown_ca"),
            (AlertDescription::BadRecordMac, "bad_record_mac"),
            (AlertDescription::Unknown(250), "alert_250"),
        ];
        for (alert, name) in names {
            assert_eq!(alert_name(alert), name);
        }
    }

    #[test]
    fn an_alert_of_old_servers_looks_legacy() {
        let failure = failure(&rustls::Error::AlertReceived(AlertDescription::ProtocolVersion));
        assert!(failure.looks_legacy(), "{failure:?}");
    }
}
