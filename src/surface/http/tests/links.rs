//! Signed links: what they open, what they do not, and what their pages tell.

use axum::http::header::{CONTENT_TYPE, LOCATION};
use rstest::rstest;

use super::door::{Guarded, guarded};
use super::*;
use crate::model::{ClientId, links};

const ACME: &str = "acme";

fn soon() -> Timestamp {
    sample::at("2026-11-23T00:00:00Z")
}

fn client_link(guarded: &Guarded, client: &str, until: Timestamp) -> String {
    let client = ClientId::parse(client).unwrap();
    links::client(&guarded.world.surface.seal, &client, until)
}

fn take_link(guarded: &Guarded, incident: u64, until: Timestamp) -> String {
    links::take(
        &guarded.world.surface.seal,
        IncidentId(incident),
        "on/call ü",
        until,
    )
}

#[tokio::test]
async fn a_client_sees_its_own_mail_in_plain_words() {
    let guarded = guarded();
    let (status, page) = guarded.world.get(&client_link(&guarded, ACME, soon())).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Mail of ACME"), "{page}");
    assert!(
        page.contains("is delayed: nothing comes in at the moment."),
        "{page}"
    );
    assert!(page.contains("your internet connection or the router"), "{page}");
    // Nobody else's names, no addresses, no codes, nothing to press, no way further in.
    let fleet = sample::fleet();
    let others = fleet
        .domains
        .values()
        .filter(|verdict| verdict.client.as_ref().is_some_and(|id| id.as_str() != ACME));
    for other in others {
        assert!(!page.contains(&other.target.to_string()), "{}", other.target);
    }
    let others = fleet.clients.iter().filter(|client| client.id.as_str() != ACME);
    for other in others {
        assert!(!page.contains(&other.name), "{}", other.name);
    }
    for secret in [
        "198.51.100",
        "192.0.2",
        "gateway.down",
        "hq-router",
        "4711",
        "<form",
        "<button",
        "href=\"/",
        "/api/",
    ] {
        assert!(!page.contains(secret), "{secret}: {page}");
    }
}

#[rstest]
#[case::acme(ACME)]
#[case::stark("stark")]
#[tokio::test]
async fn every_client_has_its_words(#[case] client: &str) {
    let guarded = guarded();
    let (_, page) = guarded.world.get(&client_link(&guarded, client, soon())).await;
    let start = page.find("<main").unwrap();
    let text: Vec<&str> = page[start..]
        .split('<')
        .filter_map(|part| part.split_once('>'))
        .map(|(_, text)| text.trim())
        .filter(|text| !text.is_empty() && !text.starts_with("//"))
        .collect();
    insta::assert_snapshot!(client, text.join("\n"));
}

#[rstest]
#[case::none("/clients/acme")]
#[case::empty("/clients/acme?link=")]
#[case::twice("/clients/acme?link=1&link=2")]
#[case::nonsense("/clients/acme?link=99999999999-00000000000000000000000000000000")]
#[case::huge("/clients/acme?link=99999999999999999999999999999-00")]
#[case::unknown("/clients/nobody?link=1-00000000000000000000000000000000")]
#[case::traversal("/clients/..%2f..%2fetc?link=1-2")]
#[tokio::test]
async fn a_link_that_is_none_of_ours_opens_nothing(#[case] path: &str) {
    let guarded = guarded();
    let (status, page) = guarded.world.get(path).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(
        page.contains("Ask whoever gave it to you for a new one.") && !page.contains("ACME"),
        "{page}"
    );
}

#[tokio::test]
async fn a_link_opens_nothing_but_what_it_names() {
    let guarded = guarded();
    let link = client_link(&guarded, ACME, soon());
    let mark = link.split_once("?link=").unwrap().1;
    for path in [
        "/clients/stark",
        "/take/482/oncall",
        "/take/482/acme",
        "/clients/ACME",
        "/clients/acme%20",
    ] {
        let (status, _) = guarded.world.get(&format!("{path}?link={mark}")).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    for path in [
        "/",
        "/domains/acme.test",
        "/api/v1/domains/acme.test",
        "/metrics",
        "/api/v1/clients",
    ] {
        let (status, _) = guarded.world.get(&format!("{path}?link={mark}")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let over = client_link(&guarded, ACME, sample::at(sample::NOW));
    let (status, page) = guarded.world.get(&over).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(page.contains("Its time is over."));
    guarded.world.surface.seal.change(&[1; 32]);
    assert_eq!(guarded.world.get(&link).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test(start_paused = true)]
async fn a_link_in_a_message_takes_on_by_post_alone() {
    let guarded = guarded();
    let link = take_link(&guarded, 482, soon());
    assert!(link.starts_with("/take/482/on%2Fcall%20%C3%BC?link="), "{link}");
    for method in ["GET", "HEAD"] {
        let request = Request::builder()
            .method(method)
            .uri(&link)
            .body(Body::empty())
            .unwrap();
        let response = guarded.world.send(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        let page = text(response).await;
        assert!(method == "HEAD" || page.contains("I take it on"), "{page}");
    }
    assert_eq!(guarded.deeds(), [], "looking changes nothing");
    let press = async |link: &str, site: &str| {
        let request = Request::post(link)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site);
        guarded
            .world
            .send(request.body(Body::from("by=anna%1b[31m")).unwrap())
            .await
    };
    assert_eq!(press(&link, "cross-site").await.status(), StatusCode::FORBIDDEN);
    let answer = press(&link, "same-origin").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[LOCATION], link.as_str());
    let deeds = guarded.deeds();
    assert_eq!(deeds.len(), 1);
    assert_eq!(deeds[0].0, "the link in a message by on/call ü");
    assert_eq!(deeds[0].1, "incident #482 taken on, by anna\\x1b[31m");
    for wrong in [
        link.replace("/482/", "/481/"),
        link.replace("on%2F", "off%2F"),
        format!("{link}0"),
        take_link(&guarded, 482, sample::at(sample::NOW)),
    ] {
        assert_eq!(
            press(&wrong, "same-origin").await.status(),
            StatusCode::FORBIDDEN,
            "{wrong}"
        );
    }
    let (status, page) = guarded.world.get(&take_link(&guarded, 7, soon())).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        page.contains("there is nothing to take on") && !page.contains("<button"),
        "{page}"
    );
    let (status, _) = guarded.world.get(&take_link(&guarded, 4000, soon())).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn links_are_made_by_who_may() {
    let guarded = guarded();
    let robot = [("authorization", "Bearer token-of-robot")];
    let reader = [("authorization", "Bearer token-of-grafana")];
    let path = "/api/v1/clients/acme/links";
    assert_eq!(guarded.status("POST", path, &reader).await, StatusCode::FORBIDDEN);
    let (status, _, made) = guarded
        .ask("POST", path, &robot, r#"{"until":"2026-12-31"}"#)
        .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["until"], "2027-01-01T00:00:00Z");
    let url = made["url"].as_str().unwrap();
    let path_of = url.strip_prefix("https://mail.msp.example").unwrap();
    assert_eq!(guarded.world.get(path_of).await.0, StatusCode::OK);
    for (path, body, expected) in [
        (path, r#"{"until":"2020-01-01"}"#, StatusCode::BAD_REQUEST),
        (
            path,
            r#"{"until":"2027-01-01","for":"4h"}"#,
            StatusCode::BAD_REQUEST,
        ),
        (path, r#"{"for":"9999y"}"#, StatusCode::BAD_REQUEST),
        (path, r#"{"whatever":1}"#, StatusCode::BAD_REQUEST),
        ("/api/v1/clients/nobody/links", "", StatusCode::NOT_FOUND),
        (path, "", StatusCode::CREATED),
        ("/api/v1/links/revoke", "", StatusCode::OK),
    ] {
        let (status, _, said) = guarded.ask("POST", path, &robot, body).await;
        assert_eq!(status, expected, "{path} {body}: {said}");
    }
    let words = "link to the page of acme made, until 2027-01-01T00:00:00Z";
    assert!(
        guarded
            .deeds()
            .contains(&("token robot".to_owned(), words.to_owned())),
        "{:?}",
        guarded.deeds()
    );
    // Who may look sees the page without a link.
    assert_eq!(
        guarded.status("GET", "/clients/acme", &reader).await,
        StatusCode::OK
    );
}
