//! One DKIM key record as it is written (RFC 6376 3.6.1, RFC 8301, RFC 8463).

use x509_parser::prelude::FromDer;
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

use super::tags::{find, read, short};
use crate::model::base64;

/// A key that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DkimKey {
    /// What it is, such as `RSA 2048`.
    pub kind: String,
    /// Bits of an RSA key.
    pub rsa_bits: Option<usize>,
    /// `t=y`: the domain is only trying out, and its signatures do not count.
    pub testing: bool,
}

/// Fewer bits than this are no key (RFC 8301 3.2).
const FEWEST_BITS: usize = 1024;

impl DkimKey {
    /// Reads a record.
    ///
    /// # Errors
    /// Why it cannot be used to check signatures, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let tags = read(text)?;
        if let Some(at) = tags.iter().position(|(name, _)| name == "v")
            && (at != 0 || tags.first().is_some_and(|(_, value)| *value != "DKIM1"))
        {
            return Err("its version is not v=DKIM1 at the start".into());
        }
        let data: String = find(&tags, "p")
            .ok_or("p, the key itself, is missing")?
            .split_whitespace()
            .collect();
        if data.is_empty() {
            return Err("the key has been revoked: p is empty".into());
        }
        let services = find(&tags, "s").unwrap_or("*");
        if !services.split(':').any(|one| matches!(one.trim(), "*" | "email")) {
            return Err(format!("it is not for mail: s={}", short(services)));
        }
        let bytes = base64::decode(&data).ok_or("p is no base64: the key is cut off or mistyped")?;
        let (kind, rsa_bits) = match find(&tags, "k").unwrap_or("rsa") {
            "rsa" => {
                let bits = rsa_bits(&bytes).ok_or("p is no RSA key: it is cut off or mistyped")?;
                if bits < FEWEST_BITS {
                    return Err(format!(
                        "its RSA key has {bits} bits; receivers take no fewer than {FEWEST_BITS}"
                    ));
                }
                (format!("RSA {bits}"), Some(bits))
            }
            "ed25519" if bytes.len() == 32 => ("Ed25519".to_owned(), None),
            "ed25519" => return Err("p is no Ed25519 key, which has 32 bytes".into()),
            other => {
                return Err(format!(
                    "k={} is no kind of key that receivers know",
                    short(other)
                ));
            }
        };
        let flags = find(&tags, "t").unwrap_or_default();
        Ok(Self {
            kind,
            rsa_bits,
            testing: flags.split(':').any(|flag| flag.trim() == "y"),
        })
    }

    /// Whether it is an RSA key as short as may be (RFC 8301 wants 2048 bits).
    pub fn is_short(&self) -> bool {
        self.rsa_bits.is_some_and(|bits| bits < 2048)
    }
}

/// The size of an RSA key: in a `SubjectPublicKeyInfo`, or bare as some publish it (RFC 6376 3.6.1 and its errata).
fn rsa_bits(der: &[u8]) -> Option<usize> {
    if let Ok((_, wrapped)) = SubjectPublicKeyInfo::from_der(der) {
        return match wrapped.parsed() {
            Ok(PublicKey::RSA(key)) => Some(modulus_bits(key.modulus)),
            _ => None,
        };
    }
    let (_, bare) = RSAPublicKey::from_der(der).ok()?;
    Some(modulus_bits(bare.modulus))
}

/// The bits of a number, rounded up to whole bytes as people name key sizes.
fn modulus_bits(bytes: &[u8]) -> usize {
    8 * bytes.iter().skip_while(|byte| **byte == 0).count()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const SHORT: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCne2NBjxvPImjIeqAF16LZySyHF9o0EDdzhhDd/f5O/v2wdoC/m5A6HE00VuVqoHzGlK8S3ERQZzi4lJeeR8yTr4eSFrJ4DZkKE12lJBjIIgG/R6w6u9W/hN3eVuA+lRito8/X2aN1KnGfUo3cdn+oeoirAymqDyNdezFZ9u4tTQIDAQAB";

    #[test]
    fn keys_are_read() {
        let key = DkimKey::parse(SHORT).unwrap();
        assert_eq!(
            (key.kind.as_str(), key.is_short(), key.testing),
            ("RSA 1024", true, false)
        );
        let ed = "v=DKIM1;k=ed25519;t=y:s;p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let key = DkimKey::parse(ed).unwrap();
        assert_eq!(
            (key.kind.as_str(), key.is_short(), key.testing),
            ("Ed25519", false, true)
        );
    }

    #[rstest]
    #[case("v=DKIM1; k=rsa; p=", "revoked")]
    #[case("v=DKIM1; k=rsa", "missing")]
    #[case("k=rsa; v=DKIM1; p=AAAA", "version")]
    #[case("v=DKIM2; p=AAAA", "version")]
    #[case("v=DKIM1; p=!!!!", "base64")]
    #[case("v=DKIM1; p=AAAA", "no RSA key")]
    #[case("v=DKIM1; k=dsa; p=AAAA", "k=dsa")]
    #[case("v=DKIM1; k=ed25519; p=AAAA", "32 bytes")]
    #[case("v=DKIM1; s=tlsrpt; p=AAAA", "not for mail")]
    #[case(
        "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKd7Y0GPG88iaMh6oAXXotnJLIcX2jQQN3OGEN39/k7+/bB2gL+bkDocTTRW5WqgfMaUrxLcRFBnOLiUl55HzJMCAwEAAQ==",
        "512 bits"
    )]
    fn what_cannot_be_used_is_said(#[case] text: &str, #[case] why: &str) {
        let said = DkimKey::parse(text).unwrap_err();
        assert!(said.contains(why), "{said}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_read(text in "(v=DKIM1; p=)?.*") {
            let _ = DkimKey::parse(&text);
        }

        #[test]
        fn a_key_with_one_wrong_letter_is_survived(at in 20_usize..200, letter in "[A-Za-z0-9+/]") {
            let mut text = SHORT.to_owned();
            let at = at.min(text.len() - 1);
            text.replace_range(at..=at, &letter);
            let _ = DkimKey::parse(&text);
        }
    }
}
