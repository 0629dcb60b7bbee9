//! The keys of the root, for whoever checks DNSSEC signatures here rather than believe a resolver.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hickory_proto::dnssec::TrustAnchors;

use crate::model::text::clean;

/// The keys that everything signed leads to (RFC 4033 2, "trust anchor").
#[derive(Clone)]
pub struct RootKeys(Arc<TrustAnchors>);

impl fmt::Debug for RootKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKeys({})", self.0.len())
    }
}

/// A file holds no key of the root.
#[derive(Debug, thiserror::Error)]
pub enum RootKeysError {
    /// It cannot be read.
    #[error("resolver.trust_anchor: {0} cannot be read: {1}")]
    Unreadable(String, std::io::Error),
    /// It holds something else.
    #[error(
        "resolver.trust_anchor: {0} holds no key of the root: it should have lines such as \". IN DNSKEY 257 3 8 AwEAA...\", \
         as unbound and the Debian package dns-root-data keep them"
    )]
    NoKey(String),
}

impl RootKeys {
    /// Those of a file, or of IANA's root where there is none.
    ///
    /// # Errors
    /// [`RootKeysError`].
    pub fn load(path: Option<&Path>) -> Result<Self, RootKeysError> {
        let Some(path) = path else {
            return Ok(Self(Arc::new(TrustAnchors::default())));
        };
        let shown = || clean(path.display().to_string().as_bytes(), 300);
        let text =
            std::fs::read_to_string(path).map_err(|error| RootKeysError::Unreadable(shown(), error))?;
        let keys = text.parse::<TrustAnchors>().ok().filter(|keys| !keys.is_empty());
        keys.map(|keys| Self(Arc::new(keys)))
            .ok_or_else(|| RootKeysError::NoKey(shown()))
    }

    /// The keys themselves.
    pub(super) fn anchors(&self) -> Arc<TrustAnchors> {
        Arc::clone(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_key_is_said_to_have_none() {
        let folder = tempfile::tempdir().unwrap();
        let load = |text: &str| {
            let path = folder.path().join("root.key");
            std::fs::write(&path, text).unwrap();
            RootKeys::load(Some(&path))
                .map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
        };
        let key = ". 172800 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=\n";
        assert!(load(&format!("; of today\n{key}")).is_ok());
        for text in [
            "",
            "; nothing\n",
            "hello",
            &key.replace(". 17", "acme.test. 17"),
            &key.replace("l02", "!!!"),
        ] {
            insta::allow_duplicates! {
                insta::assert_snapshot!(load(text).unwrap_err(), @r#"resolver.trust_anchor: FILE holds no key of the root: it should have lines such as ". IN DNSKEY 257 3 8 AwEAA...", as unbound and the Debian package dns-root-data keep them"#);
            }
        }
        let missing = RootKeys::load(Some(Path::new("/nowhere/root.key"))).unwrap_err();
        assert!(
            missing.to_string().contains("/nowhere/root.key cannot be read"),
            "{missing}"
        );
        assert_eq!(format!("{:?}", RootKeys::load(None).unwrap()), "RootKeys(2)");
    }
}
