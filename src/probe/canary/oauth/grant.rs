//! What a token is asked for with: a form, and in it for service accounts a signed word (RFC 7515, RFC 7519, RFC 7523).

use std::fmt::Write as _;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::{Grant, Issuer};
use crate::model::base64::encode_url;
use crate::model::text::percent;
use crate::probe::canary::login::reveal;
use crate::probe::canary::reach::Trouble;

/// How long our word holds: Google takes an hour at the most.
const HOLDS: SignedDuration = SignedDuration::from_mins(10);
/// How far the issuer's clock may be behind ours.
const BEHIND: SignedDuration = SignedDuration::from_secs(60);
/// Our word as a grant (RFC 7523 2.1).
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// What Google gives of a service account, of which these are the parts that we need.
#[derive(Deserialize)]
struct Account {
    client_email: String,
    private_key: SecretString,
    private_key_id: Option<String>,
}

/// The form to be posted; `None`: the key is none that can be used.
pub(super) async fn form(issuer: &Issuer, now: Timestamp) -> Result<Option<SecretString>, Trouble> {
    match &issuer.grant {
        Grant::Application { id, secret, .. } => {
            let secret = reveal(secret).await.map_err(Trouble::Ours)?;
            let mut fields = vec![
                ("grant_type", "client_credentials"),
                ("client_id", id),
                ("client_secret", secret.expose_secret().trim()),
            ];
            fields.extend(issuer.scope.iter().map(|scope| ("scope", &**scope)));
            Ok(Some(written(&fields)))
        }
        Grant::ServiceAccount { user, key } => {
            let key = reveal(key).await.map_err(Trouble::Ours)?;
            let claims = (&**user, issuer.scope.as_deref(), issuer.url());
            let word = word(&key, (claims.0, claims.1, &claims.2), now);
            Ok(word.map(|word| {
                let fields = [("grant_type", BEARER), ("assertion", word.expose_secret())];
                written(&fields)
            }))
        }
    }
}

fn written(fields: &[(&str, &str)]) -> SecretString {
    let mut form = String::new();
    for (name, value) in fields {
        let and = if form.is_empty() { "" } else { "&" };
        let _ = write!(form, "{and}{name}={}", percent(value, b""));
    }
    form.into()
}

/// A service account's word that it asks in the name of `user`, signed by RS256.
fn word(
    key: &SecretString,
    (user, scope, audience): (&str, Option<&str>, &str),
    now: Timestamp,
) -> Option<SecretString> {
    let key: Account = serde_json::from_str(key.expose_secret()).ok()?;
    let pem = key.private_key.expose_secret().as_bytes();
    let private = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
    let pair = RsaKeyPair::from_pkcs8(private.secret_pkcs8_der()).ok()?;
    let mut header = json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(id) = key.private_key_id {
        header["kid"] = id.into();
    }
    let mut claims = json!({
        "iss": key.client_email,
        "sub": user,
        "aud": audience,
        "iat": (now - BEHIND).as_second(),
        "exp": (now + HOLDS).as_second(),
    });
    if let Some(scope) = scope {
        claims["scope"] = scope.into();
    }
    let part = |value: &serde_json::Value| encode_url(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&header), part(&claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = SystemRandom::new();
    pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)
        .ok()?;
    Some(format!("{signed}.{}", encode_url(&signature)).into())
}

#[cfg(test)]
pub(super) mod tests {
    use ::base64::Engine as _;
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;
    use crate::model::base64;

    /// A key as Google gives it, and what checks its signatures.
    pub(in crate::probe::canary::oauth) fn key() -> (String, Vec<u8>) {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = pair.as_der().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            base64::encode(der.as_ref())
        );
        let file = json!({
            "type": "service_account",
            "client_email": "canary@project.iam.gserviceaccount.test",
            "private_key_id": "4711",
            "private_key": pem,
        });
        (file.to_string(), pair.public_key().as_ref().to_vec())
    }

    #[test]
    fn a_service_accounts_word_is_signed_and_short_lived() {
        let (file, public) = key();
        let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        let scope = Some("https://mail.google.com/");
        let claims = ("canary@acme.test", scope, "https://oauth2.test/token");
        let word = word(&file.into(), claims, now).unwrap();
        let (signed, signature) = word.expose_secret().rsplit_once('.').unwrap();
        let plain = |text: &str| {
            let engine = ::base64::engine::general_purpose::URL_SAFE_NO_PAD;
            engine.decode(text).unwrap()
        };
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(signed.as_bytes(), &plain(signature))
            .unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let header: serde_json::Value = serde_json::from_slice(&plain(header)).unwrap();
        assert_eq!(header, json!({ "alg": "RS256", "typ": "JWT", "kid": "4711" }));
        let claims: serde_json::Value = serde_json::from_slice(&plain(claims)).unwrap();
        assert_eq!(
            claims,
            json!({
                "iss": "canary@project.iam.gserviceaccount.test",
                "sub": "canary@acme.test",
                "scope": "https://mail.google.com/",
                "aud": "https://oauth2.test/token",
                "iat": 1_780_271_940,
                "exp": 1_780_272_600,
            })
        );
    }

    #[test]
    fn what_is_no_key() {
        let claims = ("a@acme.test", None, "https://oauth2.test/token");
        for text in [
            "hunter2",
            "{}",
            r#"{"client_email": "a@b.test", "private_key": "hunter2"}"#,
            r#"{"client_email": "a@b.test", "private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}"#,
        ] {
            assert!(
                word(&text.into(), claims, Timestamp::UNIX_EPOCH).is_none(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_form_holds_whatever_stands_in_a_secret() {
        let form = written(&[("client_id", "a b"), ("client_secret", "x&y=z+~")]);
        assert_eq!(
            form.expose_secret(),
            "client_id=a%20b&client_secret=x%26y%3Dz%2B~"
        );
    }
}
