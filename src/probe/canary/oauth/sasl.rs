//! How a token is shown to a mail server: by OAUTHBEARER (RFC 7628), or XOAUTH2, which Microsoft and Google had before.
//! Of a token that it does not take a server says so in a challenge, and refuses once that is answered.

use std::fmt::Write as _;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::model::Endpoint;
use crate::model::text::clean;

/// Characters of a word of an error.
const WORD: usize = 100;

/// A way to show a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::probe::canary) enum Mechanism {
    /// RFC 7628.
    OauthBearer,
    /// As Microsoft and Google describe it.
    Xoauth2,
}

impl Mechanism {
    /// The one to use of those that are offered, by their names in any case.
    pub(in crate::probe::canary) fn of(offered: &[String]) -> Option<Self> {
        let is_offered = |one: &Self| offered.iter().any(|name| name.eq_ignore_ascii_case(one.as_str()));
        [Self::OauthBearer, Self::Xoauth2].into_iter().find(is_offered)
    }

    /// Its name in SASL.
    pub(in crate::probe::canary) fn as_str(self) -> &'static str {
        match self {
            Self::OauthBearer => "OAUTHBEARER",
            Self::Xoauth2 => "XOAUTH2",
        }
    }

    /// What shows the token, before it is written as base64.
    pub(in crate::probe::canary) fn first(
        self,
        user: &str,
        (host, port): (&Endpoint, u16),
        token: &SecretString,
    ) -> SecretString {
        let token = token.expose_secret();
        let shown = match self {
            Self::OauthBearer => {
                // A comma would end the name (RFC 5801 4).
                let user = user.replace('=', "=3D").replace(',', "=2C");
                format!("n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01")
            }
            Self::Xoauth2 => format!("user={user}\x01auth=Bearer {token}\x01\x01"),
        };
        shown.into()
    }

    /// What answers the challenge that says what is wrong (RFC 7628 3.2.3).
    pub(in crate::probe::canary) fn last(self) -> &'static str {
        match self {
            Self::OauthBearer => "\x01",
            Self::Xoauth2 => "",
        }
    }
}

/// RFC 7628 3.2.2.
#[derive(Deserialize)]
struct Failure {
    status: Option<serde_json::Value>,
    scope: Option<String>,
}

/// What is wrong with a token, as a challenge says it; `None` where that says nothing.
pub(in crate::probe::canary) fn wrong_with(challenge: &[u8]) -> Option<String> {
    let failure: Failure = serde_json::from_slice(challenge).ok()?;
    let status = match failure.status? {
        serde_json::Value::String(text) => text,
        serde_json::Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let mut said = clean(status.as_bytes(), WORD);
    if let Some(scope) = failure.scope.filter(|scope| !scope.is_empty()) {
        let _ = write!(said, ", it wants the scope {}", clean(scope.as_bytes(), WORD));
    }
    Some(said)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// The examples of RFC 7628 4.1 and of Google's description of XOAUTH2.
    #[test]
    fn a_token_is_shown_as_the_standards_have_it() {
        let host = "server.example.com".parse().unwrap();
        let token = SecretString::from("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        let bearer = Mechanism::OauthBearer.first("user@example.com", (&host, 143), &token);
        assert_eq!(
            bearer.expose_secret(),
            "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01\
             auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
        );
        let token = SecretString::from("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
        let older = Mechanism::Xoauth2.first("someuser@example.com", (&host, 143), &token);
        assert_eq!(
            older.expose_secret(),
            "user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"
        );
        let odd = Mechanism::OauthBearer.first("a,b=c", (&host, 143), &token);
        assert!(odd.expose_secret().starts_with("n,a=a=2Cb=3Dc,\x01"));
    }

    #[rstest]
    #[case("PLAIN LOGIN XOAUTH2 OAUTHBEARER", Some(Mechanism::OauthBearer))]
    #[case("LOGIN xoauth2", Some(Mechanism::Xoauth2))]
    #[case("PLAIN", None)]
    fn what_is_offered_is_used(#[case] offered: &str, #[case] expected: Option<Mechanism>) {
        let offered: Vec<String> = offered.split(' ').map(str::to_owned).collect();
        assert_eq!(Mechanism::of(&offered), expected);
    }

    #[rstest]
    #[case(
        r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#,
        Some("400, it wants the scope https://mail.google.com/")
    )]
    #[case(r#"{"status":"invalid_token"}"#, Some("invalid_token"))]
    #[case(r#"{"status":401}"#, Some("401"))]
    #[case("{}", None)]
    #[case("hello", None)]
    fn what_is_wrong_with_a_token(#[case] challenge: &str, #[case] expected: Option<&str>) {
        assert_eq!(wrong_with(challenge.as_bytes()).as_deref(), expected);
    }

    proptest! {
        #[test]
        fn any_challenge_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = wrong_with(&bytes);
            let text = String::from_utf8_lossy(&bytes);
            let challenge = serde_json::json!({ "status": text, "scope": text }).to_string();
            let said = wrong_with(challenge.as_bytes()).unwrap();
            // Each character may be shown as an escape.
            proptest::prop_assert!(said.chars().count() < 2 * 10 * WORD && said.chars().all(|one| !one.is_control()));
        }
    }
}
