//! The certificates of the demo's mail servers, and the authority that vouches for them, made anew at each start.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;

/// How long a certificate is good for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Life {
    /// For this many days from now.
    Days(i64),
    /// It ended yesterday.
    Over,
}

/// Who vouches for the demo's mail servers.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, as PEM.
    pub(super) pem: String,
    now: Timestamp,
}

impl Authority {
    /// A new one, whose certificates count from `now`.
    ///
    /// # Errors
    /// When no key can be made.
    pub(super) fn new(now: Timestamp) -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = lasting(now, -10, 400, Vec::new())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "mailflow demo, made up");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            pem,
            now,
        })
    }

    /// What a mail server of this name shows.
    ///
    /// # Errors
    /// When no key or certificate can be made.
    pub(super) fn server(&self, name: &str, life: Life) -> anyhow::Result<Arc<ServerConfig>> {
        let key = KeyPair::generate()?;
        let until = match life {
            Life::Days(days) => days,
            Life::Over => -1,
        };
        let mut params = lasting(self.now, -8, until, vec![name.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.into())?;
        Ok(Arc::new(config))
    }
}

/// Valid from so many days after `now` to so many after it.
fn lasting(now: Timestamp, from: i64, until: i64, names: Vec<String>) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    let (year, month, day) = date(now, from)?;
    params.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = date(now, until)?;
    params.not_after = date_time_ymd(year, month, day);
    Ok(params)
}

fn date(now: Timestamp, days: i64) -> anyhow::Result<(i32, u8, u8)> {
    let at = now.checked_add(SignedDuration::from_hours(24 * days))?;
    let date = at.to_zoned(TimeZone::UTC).date();
    Ok((
        date.year().into(),
        u8::try_from(date.month())?,
        u8::try_from(date.day())?,
    ))
}
