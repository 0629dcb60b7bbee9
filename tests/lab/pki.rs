//! The lab's certificate authority, a second one that nobody trusts, and what they sign.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use serde::Deserialize;

/// A little more, so that a certificate that has just been made has ten whole days left.
const TEN_DAYS: Duration = Duration::from_hours(10 * 24 + 1);

/// How a server's certificate is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flavour {
    /// Valid for the server's names, signed by the lab's authority.
    Good,
    /// As good, but over.
    Expired,
    /// Signed by an authority that nobody trusts.
    Untrusted,
    /// For another host's name.
    OtherName,
    /// As good, but over in ten days.
    Expiring,
    /// As good, but with the key of another one beside it, which is of no use.
    OtherKey,
}

/// Where the lab's certificates lie.
#[derive(Clone, Debug)]
pub struct Pki {
    dir: PathBuf,
}

impl Pki {
    /// Makes both authorities in a directory.
    pub fn create(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        for (file, name) in [("lab", "Lab Authority"), ("rogue", "Nobody's Authority")] {
            let key = KeyPair::generate()?;
            let certificate = authority(name).self_signed(&key)?;
            std::fs::write(dir.join(format!("{file}.pem")), certificate.pem())?;
            std::fs::write(dir.join(format!("{file}.key")), key.serialize_pem())?;
        }
        Ok(Self {
            dir: dir.to_path_buf(),
        })
    }

    /// The lab authority's certificate, which the daemon is told to trust.
    pub fn root(&self) -> PathBuf {
        self.dir.join("lab.pem")
    }

    /// A certificate with its chain and key in one PEM text.
    pub fn issue(&self, names: &[&str], flavour: Flavour) -> Result<String> {
        let signer = if flavour == Flavour::Untrusted {
            "rogue"
        } else {
            "lab"
        };
        let issuer_pem = std::fs::read_to_string(self.dir.join(format!("{signer}.pem")))?;
        let issuer_key =
            KeyPair::from_pem(&std::fs::read_to_string(self.dir.join(format!("{signer}.key")))?)?;
        let issuer = Issuer::from_ca_cert_pem(&issuer_pem, issuer_key)?;

        let names = if flavour == Flavour::OtherName {
            &["www.elsewhere.test"][..]
        } else {
            names
        };
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let first = names
            .first()
            .ok_or_else(|| anyhow!("a certificate needs a name"))?;
        params.distinguished_name.push(DnType::CommonName, *first);
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = match flavour {
            Flavour::Expired => date_time_ymd(2025, 1, 1),
            Flavour::Expiring => (SystemTime::now() + TEN_DAYS).into(),
            _ => date_time_ymd(2099, 1, 1),
        };
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        let beside = match flavour {
            Flavour::OtherKey => KeyPair::generate()?,
            _ => key,
        };
        Ok(format!(
            "{}{}{}",
            beside.serialize_pem(),
            certificate.pem(),
            issuer_pem
        ))
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2099, 1, 1);
    params
}
