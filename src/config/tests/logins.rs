//! Logins by tokens, and what their mistakes are called.

use rstest::rstest;

use super::{load_text, mistakes};
use crate::config::{Credential, Grant, Login, OAuth2};

/// A canary that logs in at its mailbox with these keys, and hands in without a login.
fn with(keys: &str) -> String {
    format!(
        "[[clients]]\nid = 'a'\n[[clients.canaries]]\nname = 'c'\nfrom = 'c@a.test'\nto = 'c@a.test'\n\
         submit = {{ server = 'a.test:587' }}\nmailbox = {{ server = 'a.test:993', username = 'c@a.test', {keys} }}\n"
    )
}

fn mailbox(keys: &str) -> Login {
    let config = load_text(&with(keys)).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    config.config.clients[0].canaries[0].mailbox.clone()
}

fn oauth(keys: &str) -> OAuth2 {
    match mailbox(&format!("auth = {{ type = 'oauth2', {keys} }}")).credential {
        Credential::OAuth2(oauth) => oauth,
        Credential::Password(_) => panic!("a password"),
    }
}

#[test]
fn each_provider_has_its_place_and_scope() {
    let microsoft =
        oauth("tenant = 'acme.onmicrosoft.com', client_id = '1-a', client_secret = { env = 'HOME' }");
    assert_eq!(
        (microsoft.token_url.as_str(), microsoft.scope.as_deref()),
        (
            "https://login.microsoftonline.com/acme.onmicrosoft.com/oauth2/v2.0/token",
            Some("https://outlook.office365.com/.default")
        )
    );
    assert!(matches!(&microsoft.grant, Grant::Application { id, tenant: Some(_), .. } if id == "1-a"));
    let google = oauth("service_account = { file = 'key.json' }");
    assert_eq!(
        (google.token_url.as_str(), google.scope.as_deref()),
        (
            "https://oauth2.googleapis.com/token",
            Some("https://mail.google.com/")
        )
    );
    let other = oauth(
        "token_url = 'https://sso.test:8443/t?realm=a', client_id = 'x', client_secret = { env = 'HOME' }",
    );
    assert_eq!(
        (other.token_url.as_str(), other.scope),
        ("https://sso.test:8443/t?realm=a", None)
    );
    let own =
        oauth("service_account = { file = 'key.json' }, token_url = 'https://sso.test/', scope = 'a b'");
    assert_eq!(
        (own.token_url.as_str(), own.scope.as_deref()),
        ("https://sso.test/", Some("a b"))
    );
}

#[rstest]
#[case::nothing("", "`password` is missing here, or `auth` for OAuth 2.0")]
#[case::both(
    "password = 'x', auth = { type = 'oauth2' }",
    "a login has a `password` or `auth`, not both"
)]
#[case::kind(
    "auth = { type = 'password', token_url = 'https://a.test', client_id = 'x', client_secret = 'y' }",
    "\"oauth2\" is the only kind here; a password stands as `password` beside `username`"
)]
#[case::nobody(
    "auth = { type = 'oauth2', client_id = 'x', client_secret = 'y' }",
    "who gives tokens out is missing here: `tenant` (Microsoft 365), `service_account` (Google) or `token_url`"
)]
#[case::two(
    "auth = { type = 'oauth2', tenant = 'a.test', token_url = 'https://a.test', client_id = 'x', client_secret = 'y' }",
    "the `tenant` says already where tokens are given out: leave one of them out"
)]
#[case::everybodys(
    "auth = { type = 'oauth2', tenant = 'common', client_id = 'x', client_secret = 'y' }",
    "an application gets its tokens from its own tenant, not from \"common\": write the tenant's id or domain"
)]
#[case::odd_tenant(
    "auth = { type = 'oauth2', tenant = 'a/b', client_id = 'x', client_secret = 'y' }",
    "a tenant is its id (1b2c...) or a domain of it, such as \"acme.onmicrosoft.com\""
)]
#[case::in_the_clear(
    "auth = { type = 'oauth2', token_url = 'http://a.test', client_id = 'x', client_secret = 'y' }",
    "our secret is posted there: this takes https://"
)]
#[case::no_secret(
    "auth = { type = 'oauth2', tenant = 'a.test', client_id = 'x' }",
    "`client_secret` is missing here"
)]
#[case::account_and_application(
    "auth = { type = 'oauth2', service_account = { env = 'HOME' }, client_id = 'x' }",
    "the key of a service account says all of it: `client_id` does not stand beside `service_account`"
)]
#[case::odd_id(
    "auth = { type = 'oauth2', tenant = 'a.test', client_id = 'x y', client_secret = 'y' }",
    "an application's id has no spaces, and only ASCII characters"
)]
#[case::odd_scope(
    "auth = { type = 'oauth2', tenant = 'a.test', client_id = 'x', client_secret = 'y', scope = 'a\"b' }",
    "a scope is words with spaces between them, without quotes"
)]
#[case::slip(
    "auth = { type = 'oauth2', tenat = 'a.test', client_id = 'x', client_secret = 'y' }",
    "unknown key `tenat` (did you mean `tenant`?)"
)]
fn mistakes_are_told(#[case] keys: &str, #[case] expected: &str) {
    let told = mistakes(&with(keys).replace(", }", " }"));
    assert!(
        told.iter().any(|one| one.split_once(' ').unwrap().1 == expected),
        "{told:#?}"
    );
}

#[test]
fn a_submission_takes_one_too_and_a_user_alone_is_none() {
    let text = with("password = { env = 'HOME' }");
    let submit = |keys: &str| text.replace("'a.test:587' }", &format!("'a.test:587', {keys} }}"));
    let google = "auth = { type = 'oauth2', service_account = { file = 'key.json' } }";
    assert!(load_text(&submit(&format!("username = 'c', {google}"))).is_ok());
    for alone in ["username = 'c'", google] {
        let told = mistakes(&submit(alone));
        assert!(
            told.len() == 1
                && told[0].ends_with("a login is a `username` and a `password`, or `auth` for OAuth 2.0"),
            "{told:?}"
        );
    }
}

#[test]
fn no_secret_of_a_login_is_ever_shown() {
    for keys in [
        "auth = { type = 'oauth2', tenat = 'a.test', client_id = 'x', client_secret = 'hunter2' }",
        "auth = { type = 'oauth2', tenant = 'a.test', client_id = 'x', client_secrt = 'hunter2' }",
        "auth = { type = 'oauth2', service_account = 'hunter2', client_secret = 'hunter2' }",
        "auth = { type = 'oauth2', service_acount = 'hunter2' }",
        "password = 'hunter2', auth = { type = 'oauth2' }",
    ] {
        let report = super::report(&with(keys));
        assert!(
            !report.contains("hunter2") && report.contains("*******"),
            "{report}"
        );
    }
    let loaded = load_text(&with(
        "auth = { type = 'oauth2', tenant = 'a.test', client_id = 'x', client_secret = 'hunter2' }",
    ));
    assert!(!format!("{:?}", loaded.unwrap()).contains("hunter2"));
}
