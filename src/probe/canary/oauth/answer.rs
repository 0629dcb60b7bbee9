//! What a token endpoint answers (RFC 6749 5), and what is to be done where it gives no token. Pure.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::model::text::clean;
use crate::net::Fetched;

/// Bytes of a token.
const LONGEST_TOKEN: usize = 16 * 1024;
/// Characters of what is said that are kept.
const WORDS: usize = 300;
/// Characters of an error's name.
const NAME: usize = 60;

/// What a token endpoint answers.
#[derive(Debug)]
pub(super) enum Answer {
    /// A token.
    Token {
        /// The token itself.
        text: SecretString,
        /// How long it lasts, where that is said.
        lasts: Option<Duration>,
    },
    /// None for us, and trying again changes nothing: what to do, and what was said.
    Refused(String),
    /// None now: what was said.
    None(String),
}

/// RFC 6749 5.1. Some write the seconds as text.
#[derive(Deserialize)]
struct Given {
    access_token: SecretString,
    token_type: Option<String>,
    expires_in: Option<serde_json::Value>,
}

/// RFC 6749 5.2.
#[derive(Deserialize)]
struct Denied {
    error: String,
    error_description: Option<String>,
}

/// Reads an answer, whatever it is.
pub(super) fn read(fetched: &Fetched) -> Answer {
    let status = fetched.status;
    match status {
        _ if fetched.cut => Answer::None("its answer is far longer than any token's".to_owned()),
        200 => given(&fetched.body),
        408 | 429 | 500.. => Answer::None(match denied(&fetched.body) {
            Some(denied) => format!("it answers {status}, \"{}\"", denied.words()),
            None => format!("it answers {status}"),
        }),
        _ => match denied(&fetched.body) {
            Some(denied) if denied.may_pass() => Answer::None(format!("it says \"{}\"", denied.words())),
            Some(denied) => Answer::Refused(format!("{} (\"{}\")", denied.advice(), denied.words())),
            None => Answer::Refused(format!(
                "it answers {status} and no token endpoint's words: see that `token_url` is right"
            )),
        },
    }
}

fn given(body: &[u8]) -> Answer {
    let Ok(given) = serde_json::from_slice::<Given>(body) else {
        return Answer::None("its answer holds no token".to_owned());
    };
    // RFC 6750 2.1; anything else could end the line or the field in which it is shown.
    let token = given.access_token.expose_secret();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || token.len() > LONGEST_TOKEN || !token.bytes().all(plain) {
        return Answer::None("what it gives is no token".to_owned());
    }
    let bearer = given.token_type.as_deref().unwrap_or("Bearer");
    if !bearer.eq_ignore_ascii_case("bearer") {
        let kind = clean(bearer.as_bytes(), NAME);
        return Answer::None(format!(
            "what it gives is a token of the kind \"{kind}\", not \"Bearer\""
        ));
    }
    let seconds = given.expires_in.and_then(|value| match value {
        serde_json::Value::Number(number) => number.as_u64(),
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    });
    Answer::Token {
        text: given.access_token,
        lasts: seconds.map(Duration::from_secs),
    }
}

fn denied(body: &[u8]) -> Option<Denied> {
    serde_json::from_slice(body).ok()
}

/// What Entra ID's numbers mean: what is to be done, by Microsoft's list of AADSTS error codes.
const ENTRA: [(&str, &str); 9] = [
    (
        "AADSTS7000222",
        "its secret has expired: make a new one in Entra ID (App registrations, Certificates & secrets) and put its value \
         where `client_secret` leads",
    ),
    (
        "AADSTS7000215",
        "its secret is wrong: where `client_secret` leads belongs the secret's value, not its id",
    ),
    (
        "AADSTS700016",
        "there is no such application in this tenant: see that `client_id` and `tenant` are right",
    ),
    (
        "AADSTS7000112",
        "the application is disabled: enable it in Entra ID",
    ),
    (
        "AADSTS90002",
        "there is no such tenant: see that `tenant` is right",
    ),
    (
        "AADSTS900023",
        "there is no such tenant: see that `tenant` is right",
    ),
    (
        "AADSTS53003",
        "a rule of Conditional Access blocks it: exclude the application from that rule, or allow our address",
    ),
    (
        "AADSTS1002012",
        "the scope is wrong: for an application it ends in `/.default`",
    ),
    (
        "AADSTS500011",
        "the resource that the scope names is not in this tenant",
    ),
];

/// What the errors of RFC 6749 and of Google mean: part of the description, where it takes one, and what is to be done.
const PLAIN: [(&str, &str, &str); 9] = [
    (
        "invalid_grant",
        "short-lived",
        "our clock is wrong, or theirs: see that this machine's time is right",
    ),
    (
        "invalid_grant",
        "signature",
        "the service account's key is no longer valid: make a new one in Google Cloud (IAM, Service accounts, Keys) and put \
         it where `service_account` leads",
    ),
    (
        "invalid_grant",
        "user id",
        "Google knows no such user: see that `username` is a user of the Workspace that has allowed the service account",
    ),
    (
        "invalid_grant",
        "",
        "what we prove ourselves with is not valid: see that the account and its key, or the application, still exist",
    ),
    (
        "invalid_client",
        "",
        "the application or its secret is not known: see that `client_id` and `client_secret` are right, and that the secret \
         has not expired",
    ),
    (
        "unauthorized_client",
        "retrieve access tokens",
        "the Workspace has not allowed it: add the service account's id with the scope https://mail.google.com/ in the admin \
         console (Security, API controls, Domain-wide delegation)",
    ),
    (
        "unauthorized_client",
        "",
        "it may not have tokens this way: allow it the client credentials grant",
    ),
    (
        "invalid_scope",
        "",
        "the scope is not known there: see that `scope` is right",
    ),
    ("access_denied", "", "an administrator has to allow it first"),
];

impl Denied {
    /// Whether it says that it cannot now (RFC 6749 4.1.2.1, which Microsoft uses here too).
    fn may_pass(&self) -> bool {
        matches!(
            self.error.as_str(),
            "temporarily_unavailable" | "server_error" | "slow_down"
        )
    }

    /// What was said, without the lines in which Entra ID numbers its own logs.
    fn words(&self) -> String {
        let said = self.error_description.as_deref().unwrap_or_default();
        let said = said.lines().next().unwrap_or_default();
        let said = said.split(" Trace ID:").next().unwrap_or_default();
        match said.trim() {
            "" => clean(self.error.as_bytes(), NAME),
            said => format!(
                "{}: {}",
                clean(self.error.as_bytes(), NAME),
                clean(said.as_bytes(), WORDS)
            ),
        }
    }

    /// What is to be done.
    fn advice(&self) -> &'static str {
        let said = self.error_description.as_deref().unwrap_or_default();
        // The number ends where no digit follows.
        let number = said.split(|one: char| !one.is_ascii_alphanumeric()).next();
        let by_number = ENTRA.iter().find(|(known, _)| number == Some(*known));
        let said = said.to_ascii_lowercase();
        let by_name = || {
            let mut known = PLAIN.iter();
            known.find(|(error, part, _)| *error == self.error && said.contains(part))
        };
        by_number
            .map(|(_, advice)| *advice)
            .or_else(|| by_name().map(|(_, _, advice)| *advice))
            .unwrap_or("see what it says")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        read(&Fetched {
            status,
            content_type: None,
            body: body.into(),
            cut: false,
        })
    }

    #[rstest]
    #[case(
        r#"{"token_type":"Bearer","expires_in":3599,"access_token":"ey.J-0_~+/="}"#,
        Some(3599)
    )]
    #[case(
        r#"{"token_type":"bearer","expires_in":"60","access_token":"ey.J-0_~+/="}"#,
        Some(60)
    )]
    #[case(r#"{"access_token":"ey.J-0_~+/="}"#, None)]
    fn tokens_are_read(#[case] body: &str, #[case] seconds: Option<u64>) {
        let Answer::Token { text, lasts } = answer(200, body) else {
            panic!("{body}")
        };
        assert_eq!(
            (text.expose_secret(), lasts),
            ("ey.J-0_~+/=", seconds.map(Duration::from_secs))
        );
    }

    #[rstest]
    #[case::no_json(200, "hello", "its answer holds no token")]
    #[case::none(200, "{}", "its answer holds no token")]
    #[case::a_line_more(200, "{\"access_token\":\"a\\r\\nb\"}", "what it gives is no token")]
    #[case::nothing(200, r#"{"access_token":""}"#, "what it gives is no token")]
    #[case::another(
        200,
        r#"{"access_token":"a","token_type":"mac"}"#,
        "what it gives is a token of the kind \"mac\", not \"Bearer\""
    )]
    #[case::busy(503, "<html>", "it answers 503")]
    #[case::too_many(429, r#"{"error":"slow_down"}"#, "it answers 429, \"slow_down\"")]
    #[case::later(
        400,
        r#"{"error":"temporarily_unavailable","error_description":"AADSTS90033: A transient error"}"#,
        "it says \"temporarily_unavailable: AADSTS90033: A transient error\""
    )]
    fn what_may_pass_is_told(#[case] status: u16, #[case] body: &str, #[case] expected: &str) {
        match answer(status, body) {
            Answer::None(why) => assert_eq!(why, expected),
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case::expired(
        r#"{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys for app '1f' are expired. Visit the Azure portal.\r\nTrace ID: 4\r\nCorrelation ID: 5","error_codes":[7000222]}"#,
        "its secret has expired: make a new one in Entra ID (App registrations, Certificates & secrets) and put its value where `client_secret` leads (\"invalid_client: AADSTS7000222: The provided client secret keys for app '1f' are expired. Visit the Azure portal.\")"
    )]
    #[case::another_number(
        r#"{"error":"invalid_client","error_description":"AADSTS70002229: Something else."}"#,
        "the application or its secret is not known: see that `client_id` and `client_secret` are right, and that the secret has not expired (\"invalid_client: AADSTS70002229: Something else.\")"
    )]
    #[case::not_delegated(
        r#"{"error":"unauthorized_client","error_description":"Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested."}"#,
        "the Workspace has not allowed it: add the service account's id with the scope https://mail.google.com/ in the admin console (Security, API controls, Domain-wide delegation) (\"unauthorized_client: Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.\")"
    )]
    #[case::key_deleted(
        r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#,
        "the service account's key is no longer valid: make a new one in Google Cloud (IAM, Service accounts, Keys) and put it where `service_account` leads (\"invalid_grant: Invalid JWT Signature.\")"
    )]
    #[case::something_new(r#"{"error":"org\u001b[2J"}"#, "see what it says (\"org\\x1b[2J\")")]
    #[case::no_endpoint(
        "<html>",
        "it answers 400 and no token endpoint's words: see that `token_url` is right"
    )]
    fn a_refusal_says_what_to_do(#[case] body: &str, #[case] expected: &str) {
        match answer(400, body) {
            Answer::Refused(why) => assert_eq!(why, expected),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_too_long_is_no_token() {
        let given = |length: usize| format!(r#"{{"access_token":"{}"}}"#, "a".repeat(length));
        assert!(matches!(answer(200, &given(LONGEST_TOKEN)), Answer::Token { .. }));
        assert!(matches!(answer(200, &given(LONGEST_TOKEN + 1)), Answer::None(_)));
        let cut = Fetched {
            status: 200,
            content_type: None,
            body: given(10).into(),
            cut: true,
        };
        assert!(matches!(read(&cut), Answer::None(_)));
    }

    proptest! {
        #[test]
        fn any_answer_can_be_read_and_is_safe_to_show(
            status in 100..600_u16,
            error in ".{0,500}",
            said in ".{0,2000}",
        ) {
            let body = serde_json::json!({ "error": error, "error_description": said }).to_string();
            let why = match answer(status, &body) {
                Answer::Refused(why) | Answer::None(why) => why,
                Answer::Token { .. } => String::new(),
            };
            prop_assert!(why.chars().count() < 800 && why.chars().all(|one| !one.is_control()));
        }
    }
}
