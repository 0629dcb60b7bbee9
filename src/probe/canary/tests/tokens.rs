//! Logins by tokens of OAuth 2.0: asked for, shown, kept, renewed, and refused.

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use secrecy::SecretString;

use super::post::{Endpoint, Manner, Post, SERVER};
use super::{acme, between, place, send};
use crate::model::{CanaryOutcome, Evidence};
use crate::probe::Context;
use crate::probe::canary::oauth::test_key;
use crate::probe::canary::{Grant, Identity, Issuer, Place, Tokens, run};

const GIVEN: Endpoint = (
    200,
    r#"{"token_type":"Bearer","expires_in":600,"access_token":"t{n}"}"#,
);
const EXPIRED: Endpoint = (
    401,
    r#"{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys are expired."}"#,
);

fn issuer(grant: Grant) -> Issuer {
    Issuer {
        host: "192.0.2.80".parse().unwrap(),
        port: 8443,
        path: "/acme/token".into(),
        scope: Some("https://outlook.office365.com/.default".into()),
        grant,
    }
}

fn application() -> Arc<Tokens> {
    Arc::new(Tokens::new(issuer(Grant::Application {
        id: "app-1".into(),
        tenant: Some("acme.test".into()),
        secret: Arc::new(|| Ok(SecretString::from("hunter2"))),
    })))
}

fn by(tokens: &Arc<Tokens>, port: u16) -> Place {
    Place {
        host: SERVER.parse().unwrap(),
        port,
        identity: Some(Identity::with_tokens("canary", tokens)),
    }
}

/// Ourselves, with a login by tokens at both ends.
fn ourselves(tokens: &Arc<Tokens>) -> Context {
    between(&["round-trip"], by(tokens, 587), by(tokens, 993))
}

/// An office where both ways are known.
fn office(endpoint: Option<Endpoint>) -> Post {
    Post::new(Manner {
        auth: "AUTH LOGIN XOAUTH2",
        imap: " AUTH=PLAIN AUTH=XOAUTH2",
        endpoint,
        ..Manner::default()
    })
}

fn asked(post: &Post) -> Vec<String> {
    post.state.lock().unwrap().asked.clone()
}

fn logins(post: &Post) -> usize {
    let heard = post.heard();
    heard.iter().filter(|line| line.starts_with("AUTH")).count()
}

async fn outcome(post: &Post, context: &Context) -> CanaryOutcome {
    send(post, context, "round-trip").await.outcome
}

#[rstest]
#[case::older(587, "AUTH LOGIN XOAUTH2", " AUTH=XOAUTH2")]
#[case::standard(465, "AUTH XOAUTH2 OAUTHBEARER", " AUTH=OAUTHBEARER AUTH=XOAUTH2")]
#[tokio::test(start_paused = true)]
async fn a_canary_arrives_by_one_token(
    #[case] port: u16,
    #[case] auth: &'static str,
    #[case] imap: &'static str,
) {
    let post = Post::new(Manner {
        auth,
        imap,
        endpoint: Some(GIVEN),
        ..Manner::default()
    });
    let tokens = application();
    let context = between(&["round-trip"], by(&tokens, port), by(&tokens, 993));
    let evidence = send(&post, &context, "round-trip").await;
    assert!(
        matches!(evidence.outcome, CanaryOutcome::Arrived { .. }),
        "{evidence:?}"
    );
    assert!(post.left().is_empty());
    assert_eq!(
        asked(&post),
        [
            "https://192.0.2.80:8443/acme/token grant_type=client_credentials&client_id=app-1&client_secret=hunter2&\
             scope=https%3A%2F%2Foutlook.office365.com%2F.default"
        ]
    );
    let told = format!("{evidence:?}");
    assert!(told.contains("C: AUTH") && told.contains(" ...\""), "{told}");
    for secret in ["hunter2", "Bearer t1", "dXNlcj1jYW5hcn", "bixhPWNhbmFyeS"] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_kept_until_shortly_before_it_lapses() {
    let post = office(Some(GIVEN));
    let context = ourselves(&application());
    for (wait, good, times) in [(0, "t1", 1), (300, "t1", 1), (180, "t2", 2)] {
        tokio::time::sleep(Duration::from_secs(wait)).await;
        post.manner.lock().unwrap().good = good;
        let outcome = outcome(&post, &context).await;
        assert!(matches!(outcome, CanaryOutcome::Arrived { .. }), "{outcome:?}");
        assert_eq!(asked(&post).len(), times, "after {wait} s more");
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_token_that_is_refused_is_renewed_once() {
    let post = office(Some(GIVEN));
    let context = ourselves(&application());
    outcome(&post, &context).await;
    post.manner.lock().unwrap().good = "t2";
    let renewed = outcome(&post, &context).await;
    assert!(matches!(renewed, CanaryOutcome::Arrived { .. }), "{renewed:?}");
    assert_eq!((asked(&post).len(), logins(&post)), (2, 2 + 3));
    post.manner.lock().unwrap().good = "none";
    let refused = outcome(&post, &context).await;
    let CanaryOutcome::LoginRefused { said, token, .. } = &refused else {
        panic!("{refused:?}")
    };
    assert!(
        said.ends_with("(400, it wants the scope https://mail.google.com/)"),
        "{said}"
    );
    assert!(token.as_ref().unwrap().contains("IMAP.AccessAsApp"), "{token:?}");
    assert_eq!((asked(&post).len(), logins(&post)), (3, 2 + 3 + 2));
}

/// A new token that is refused is not asked for again; at the mailbox, too.
#[tokio::test(start_paused = true)]
async fn a_mailbox_that_takes_no_token_says_why() {
    let post = office(Some(GIVEN));
    post.manner.lock().unwrap().good = "none";
    let context = between(&["round-trip"], place(587), by(&application(), 993));
    post.manner.lock().unwrap().auth = "AUTH PLAIN";
    let refused = outcome(&post, &context).await;
    let CanaryOutcome::LoginRefused {
        at_mailbox: true,
        said,
        token: Some(_),
    } = &refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(
        said,
        "[AUTHENTICATIONFAILED] Invalid credentials (400, it wants the scope https://mail.google.com/)"
    );
    assert_eq!(asked(&post).len(), 1);
    let tries = post
        .heard()
        .iter()
        .filter(|line| line.starts_with("AUTHENTICATE"))
        .count();
    assert_eq!(tries, 1);
}

#[rstest]
#[case::at_submission("AUTH PLAIN", " AUTH=XOAUTH2", false)]
#[case::at_the_mailbox("AUTH XOAUTH2", " AUTH=PLAIN", true)]
#[tokio::test(start_paused = true)]
async fn a_server_that_knows_no_tokens_is_told(
    #[case] auth: &'static str,
    #[case] imap: &'static str,
    #[case] there: bool,
) {
    let post = office(Some(GIVEN));
    {
        let mut manner = post.manner.lock().unwrap();
        (manner.auth, manner.imap) = (auth, imap);
    }
    let refused = outcome(&post, &ourselves(&application())).await;
    assert!(
        matches!(&refused, CanaryOutcome::LoginRefused { at_mailbox, said, .. }
            if *at_mailbox == there && said == "it offers neither OAUTHBEARER nor XOAUTH2"),
        "{refused:?}"
    );
}

/// Whoever gives tokens out is asked once for all who wait, and its refusal says which secret it is and what to do.
#[tokio::test(start_paused = true)]
async fn a_refused_application_is_ours() {
    let post = office(Some(EXPIRED));
    let tokens = application();
    let names = ["one", "two", "three"];
    let context = between(&names, by(&tokens, 587), by(&tokens, 993));
    let all = names.iter().map(|name| send(&post, &context, name));
    for evidence in futures_util::future::join_all(all).await {
        let CanaryOutcome::NoToken {
            refused: true,
            reason,
        } = &evidence.outcome
        else {
            panic!("{evidence:?}")
        };
        assert!(
            reason.starts_with(
                "192.0.2.80 gives no token to the application app-1 in the tenant acme.test: its secret has \
                                expired: make a new one"
            ),
            "{reason}"
        );
        assert!(!reason.contains("hunter2"));
    }
    assert_eq!((asked(&post).len(), logins(&post)), (1, 0));
    post.manner.lock().unwrap().endpoint = Some((
        200,
        r#"{"token_type":"Bearer","expires_in":600,"access_token":"t1"}"#,
    ));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let healed = send(&post, &context, "one").await.outcome;
    assert!(matches!(healed, CanaryOutcome::Arrived { .. }), "{healed:?}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_away_is_nobodys_outage() {
    let post = office(None);
    let away = outcome(&post, &ourselves(&application())).await;
    assert_eq!(
        away,
        CanaryOutcome::NoToken {
            refused: false,
            reason: "no token from 192.0.2.80: no answer over HTTPS in time".into()
        }
    );
    // What is handed in is looked for again and again.
    post.manner.lock().unwrap().auth = "AUTH PLAIN";
    let context = between(&["round-trip"], place(587), by(&application(), 993));
    let comes_back = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        post.manner.lock().unwrap().endpoint = Some(GIVEN);
    };
    let (arrived, ()) = futures_util::join!(outcome(&post, &context), comes_back);
    assert!(matches!(arrived, CanaryOutcome::Arrived { .. }), "{arrived:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_account_asks_in_the_name_of_its_user() {
    let account = |key: String| {
        let key = SecretString::from(key);
        Arc::new(Tokens::new(issuer(Grant::ServiceAccount {
            user: "canary".into(),
            key: Arc::new(move || Ok(key.clone())),
        })))
    };
    let post = office(Some(GIVEN));
    let arrived = outcome(&post, &ourselves(&account(test_key()))).await;
    assert!(matches!(arrived, CanaryOutcome::Arrived { .. }), "{arrived:?}");
    let form = &asked(&post)[0];
    assert!(
        form.contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=ey"),
        "{form}"
    );
    let refused = outcome(&post, &ourselves(&account("{}".into()))).await;
    assert!(
        matches!(&refused, CanaryOutcome::NoToken { refused: true, reason } if reason.contains("JSON file")),
        "{refused:?}"
    );
    assert_eq!(asked(&post).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cannot_be_had_is_our_own_side() {
    let post = office(Some(GIVEN));
    let tokens = Arc::new(Tokens::new(issuer(Grant::Application {
        id: "app-1".into(),
        tenant: None,
        secret: Arc::new(|| Err("secrets/app: no such file".into())),
    })));
    let seen = run(
        &post,
        &ourselves(&tokens),
        &post.trust,
        &acme(),
        &"round-trip".into(),
    )
    .await;
    assert_eq!(seen.evidence, Evidence::unrunnable("secrets/app: no such file"));
    assert!(asked(&post).is_empty());
}
