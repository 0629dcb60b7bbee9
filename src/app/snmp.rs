//! How gateways' SNMP agents are asked, from the configuration; secrets are fetched anew at each use.

use std::sync::Arc;

use crate::config::{Config, Snmp, SnmpAuth as Auth, SnmpPrivacy as Privacy};
use crate::net::snmp::{Credentials, SnmpAuth, SnmpCipher, SnmpLogin};
use crate::probe::SnmpLogins;

/// The logins of all gateways that are asked by SNMP.
pub(super) fn logins(config: &Config) -> SnmpLogins {
    let login = |snmp: &Snmp| {
        let snmp = snmp.clone();
        SnmpLogin::new(move || credentials(&snmp))
    };
    config
        .gateways()
        .filter_map(|(client, gateway)| {
            let key = (client.id.clone(), Arc::from(gateway.name.as_str()));
            Some((key, login(gateway.snmp.as_ref()?)))
        })
        .collect()
}

fn credentials(snmp: &Snmp) -> Result<Credentials, String> {
    let words = |error: crate::config::SecretError| error.to_string();
    Ok(match snmp {
        Snmp::V2c { community } => Credentials::Community(community.reveal().map_err(words)?),
        Snmp::V3 { user, auth, privacy } => Credentials::User {
            name: user.clone(),
            auth: (signed(auth.0), auth.1.reveal().map_err(words)?),
            privacy: match privacy {
                Some((cipher, password)) => Some((encrypted(*cipher), password.reveal().map_err(words)?)),
                None => None,
            },
        },
    })
}

fn signed(auth: Auth) -> SnmpAuth {
    match auth {
        Auth::Md5 => SnmpAuth::Md5,
        Auth::Sha1 => SnmpAuth::Sha1,
        Auth::Sha224 => SnmpAuth::Sha224,
        Auth::Sha256 => SnmpAuth::Sha256,
        Auth::Sha384 => SnmpAuth::Sha384,
        Auth::Sha512 => SnmpAuth::Sha512,
    }
}

fn encrypted(privacy: Privacy) -> SnmpCipher {
    match privacy {
        Privacy::Des => SnmpCipher::Des,
        Privacy::Aes128 => SnmpCipher::Aes128,
        Privacy::Aes192 => SnmpCipher::Aes192,
        Privacy::Aes256 => SnmpCipher::Aes256,
    }
}
