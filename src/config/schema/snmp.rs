//! A gateway's `snmp`: how to ask its agent.

use crate::config::Secret;
use crate::config::reader::{Node, Read, Table};
use crate::config::value::words;

/// A gateway's `snmp`.
#[derive(Debug, Clone, PartialEq)]
pub enum Snmp {
    /// `version = "2c"` (RFC 1901).
    V2c {
        /// The community string.
        community: Secret,
    },
    /// `version = "3"` with the user-based security model (RFC 3414). Messages are always signed.
    V3 {
        /// The user's name.
        user: String,
        /// How messages are signed.
        auth: (SnmpAuth, Secret),
        /// How they are encrypted; `None`: not.
        privacy: Option<(SnmpPrivacy, Secret)>,
    },
}

words! {
    /// How SNMP v3 signs messages.
    pub enum SnmpAuth {
        /// RFC 3414; old.
        Md5 = "md5",
        /// RFC 3414; old.
        Sha1 = "sha1",
        /// RFC 7860.
        Sha224 = "sha224",
        /// RFC 7860.
        Sha256 = "sha256",
        /// RFC 7860.
        Sha384 = "sha384",
        /// RFC 7860.
        Sha512 = "sha512",
    }
}

words! {
    /// How SNMP v3 encrypts messages.
    pub enum SnmpPrivacy {
        /// RFC 3414; old.
        Des = "des",
        /// RFC 3826.
        Aes128 = "aes128",
        /// As most vendors have it.
        Aes192 = "aes192",
        /// As most vendors have it.
        Aes256 = "aes256",
    }
}

impl SnmpPrivacy {
    /// Whether a digest is long enough for its key. For shorter ones vendors stretch keys in ways that differ.
    fn fits(self, auth: SnmpAuth) -> bool {
        match self {
            Self::Des | Self::Aes128 => true,
            Self::Aes192 => auth >= SnmpAuth::Sha224,
            Self::Aes256 => auth >= SnmpAuth::Sha256,
        }
    }
}

impl Read for Snmp {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let Some(version) = t.required_entry("version") else {
                t.leave_rest();
                return None;
            };
            match version.text("an SNMP version") {
                Some("2c") => Some(Self::V2c {
                    community: t.required("community")?,
                }),
                Some("3") => v3(t),
                other => {
                    t.leave_rest();
                    // What is no text has been told already.
                    other?;
                    version.wrong("\"2c\" and \"3\" are the versions of SNMP that are known here")
                }
            }
        })
    }
}

fn v3(t: &Table<'_>) -> Option<Snmp> {
    let user = t.required("user");
    let auth = t.required_entry("auth").and_then(protected);
    let privacy = t.entry("privacy");
    let read = privacy.map(protected::<SnmpPrivacy>);
    let (user, auth) = (user?, auth?);
    let privacy = match (read, privacy) {
        (Some(read), Some(node)) => {
            let (cipher, password) = read?;
            if !cipher.fits(auth.0) {
                return node.wrong(format!(
                    "{cipher} needs a longer digest than {}: use sha256, or aes128",
                    auth.0
                ));
            }
            Some((cipher, password))
        }
        _ => None,
    };
    Some(Snmp::V3 { user, auth, privacy })
}

/// `{ protocol = "...", password = ... }`
fn protected<T: Read>(node: Node<'_>) -> Option<(T, Secret)> {
    node.table(|t| {
        let (protocol, password) = (t.required("protocol"), t.required("password"));
        Some((protocol?, password?))
    })
}
