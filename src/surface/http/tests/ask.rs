//! What people ask on the page: can they mail, what does this bounce mean, what happened, what is kept quiet.

use axum::http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};

use super::*;

async fn fill_in(world: &World, path: &str, form: &str) -> (StatusCode, String, String) {
    let request = Request::post(path)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()));
    let response = world.send(request.unwrap()).await;
    let to = response.headers().get(LOCATION);
    let to = to.map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
    (response.status(), to, text(response).await)
}

async fn api_check(world: &World, body: &str) -> (StatusCode, Value) {
    let request = Request::post("/api/v1/check").body(Body::from(body.to_owned()));
    let response = world.send(request.unwrap()).await;
    let status = response.status();
    (status, serde_json::from_str(&text(response).await).unwrap())
}

#[tokio::test]
async fn a_check_is_of_a_domain_or_of_a_clients_way_there() {
    let world = world(sample::fleet());
    let (status, answer) = api_check(&world, r#"{"domain":"Partner.test."}"#).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["verdicts"][0]["domain"], "partner.test");
    // An address, and a client by its name.
    let (_, answer) = api_check(&world, r#"{"domain":"Bo <bo@partner.test>","from":"acme ltd"}"#).await;
    assert_eq!(
        answer["verdicts"][0]["route"],
        serde_json::json!({"from": "acme", "to": "partner.test"})
    );
    // What is watched is known, and not looked at again.
    let (_, answer) = api_check(&world, r#"{"domain":"acme.test"}"#).await;
    assert_eq!(answer["verdicts"][0]["state"], "broken");
}

#[tokio::test]
async fn a_check_that_cannot_be_says_why() {
    let world = world(sample::fleet());
    for (body, wanted) in [
        ("{}", "which domain?"),
        (r#"{"domain":"not a domain"}"#, "is no domain"),
        (
            r#"{"domain":"partner.test","from":"nobody"}"#,
            "no client \"nobody\"",
        ),
    ] {
        let (status, answer) = api_check(&world, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer["error"].as_str().unwrap().contains(wanted), "{answer}");
    }
    let (status, _) = api_check(&world, r#"{"domain":"busy.test"}"#).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_box_asks_by_a_post_only() {
    let world = world(sample::fleet());
    let (status, page) = world.get("/check?domain=busy.test&from=acme").await;
    assert_eq!(status, StatusCode::OK, "a link fills in, and looks at nothing");
    assert!(page.contains("value=\"busy.test\"") && page.contains("value=\"acme\""));
    let (status, _, page) = fill_in(&world, "/check", "from=acme&domain=partner.test").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("ACME Ltd can mail partner.test"), "{page}");
    let (status, _, page) = fill_in(&world, "/check", "domain=%3Cscript%3E").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(page.contains("is no domain"));
}

/// What was looked at once can be watched for a week; what is watched already cannot be twice.
#[tokio::test]
async fn what_was_looked_at_can_be_watched_for_a_week() {
    let world = world(sample::fleet());
    let (_, _, page) = fill_in(&world, "/check", "from=acme&domain=stranger.test").await;
    let button = "action=\"/check/watch\"";
    assert!(
        page.contains(button) && page.contains("Watch it for a week"),
        "{page}"
    );
    let (_, _, alone) = fill_in(&world, "/check", "domain=stranger.test").await;
    assert!(
        !alone.contains(button),
        "there is no client whose mail it would be"
    );
    let form = "from=acme&domain=stranger.test";
    let done = fill_in(&world, "/check/watch", form).await;
    assert_eq!(
        (done.0, done.1.as_str()),
        (StatusCode::SEE_OTHER, "/quiet#watches"),
        "{}",
        done.2
    );
    for (form, wanted) in [
        ("domain=stranger.test", "whose mail?"),
        ("from=nobody&domain=stranger.test", "no client"),
        ("from=acme&domain=", "which domain?"),
    ] {
        let (status, _, page) = fill_in(&world, "/check/watch", form).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{form}");
        assert!(page.contains(wanted), "{form}: {page}");
    }
}

#[tokio::test]
async fn a_pasted_bounce_is_explained() {
    let world = world(sample::fleet());
    assert!(world.get("/explain").await.1.contains("A mail came back?"));
    let bounce = "message=Return-Path:+%3C%3E%0D%0ASubject:+failure+notice%0D%0A%0D%0AThis+is+the+qmail-send+program\
                  %0D%0A%0D%0A%3Cwho@partner.test%3E:%0D%0A550+5.1.1+User+unknown%0D%0A";
    let (status, _, page) = fill_in(&world, "/explain", bounce).await;
    assert_eq!(status, StatusCode::OK);
    for text in [
        "Not delivered: who@partner.test",
        "recipient.unknown",
        "550 5.1.1 User unknown",
        "Nobody has us watch partner.test",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let (status, _, page) = fill_in(&world, "/explain", "message=").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(page.contains("role=\"alert\""));
    let (_, _, page) = fill_in(&world, "/explain", "message=Subject:+hello%0A%0AHow+are+you").await;
    assert!(page.contains("No bounce: a message like any other."));
}

/// The text alone, as a mail program shows it; a text that only looks a little like one is none.
#[tokio::test]
async fn a_bounce_is_known_without_its_headers() {
    let world = world(sample::fleet());
    let seen = "message=This+is+the+mail+system+at+host+mx.acme.test.%0A%0AYour+message+could+not+be+delivered.%0A%0A\
                %3Cwho@partner.test%3E:+host+mx.partner.test[203.0.113.9]+said:+550+5.1.1+User+unknown%0A";
    let (_, _, page) = fill_in(&world, "/explain", seen).await;
    assert!(page.contains("Not delivered: who@partner.test"), "{page}");
    assert!(page.contains("it may have been changed on the way"));
    let letter = "message=Hello,%0A%0Amy+address+is+who@partner.test+and+I+have+550+apples.";
    let (_, _, page) = fill_in(&world, "/explain", letter).await;
    assert!(page.contains("No bounce"), "{page}");
}

#[tokio::test]
async fn a_look_back_begins_where_the_last_visit_ended() {
    let world = world(sample::fleet());
    let before = sample::at("2026-11-22T00:20:31Z").as_second();
    let request = Request::get("/digest")
        .header(COOKIE, format!("mailflow-seen={before}.0"))
        .body(Body::empty());
    let response = world.send(request.unwrap()).await;
    let cookie = response.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    let now = sample::at(sample::NOW).as_second();
    assert!(
        cookie.starts_with(&format!("mailflow-seen={now}.{before};")),
        "{cookie}"
    );
    let page = text(response).await;
    assert!(page.contains("your last visit, 2 h ago"), "{page}");
    let (_, front) = world.get("/").await;
    assert!(front.contains("<a href=\"/digest\">Since"));
}

#[tokio::test(start_paused = true)]
async fn something_is_kept_quiet_on_the_page() {
    let mut snapshot = sample::fleet();
    snapshot.hands = hands::standing();
    let world = world(snapshot);
    let (_, page) = world.get("/quiet?domain=acme.test").await;
    assert!(page.contains("value=\"acme.test\"") && page.contains("action=\"/quiet/"));
    let (_, front) = world.get("/").await;
    assert!(front.contains("<a href=\"/quiet\">Kept quiet</a>"));
    for form in [
        "kind=silence&client=ACME+Ltd&for=4h&reason=new+line&by=anna",
        "kind=maintenance&domain=acme.test&for=1d&reason=new+line&recurring=",
        "kind=maintenance&gateway=hq-router&for=4h&reason=updates&recurring=Sun+02:00-04:00+Europe/Berlin",
    ] {
        let done = fill_in(&world, "/quiet", form).await;
        assert_eq!(
            (done.0, done.1.as_str()),
            (StatusCode::SEE_OTHER, "/quiet"),
            "{form}: {}",
            done.2
        );
    }
    for (form, wanted) in [
        ("kind=silence&for=4h&reason=x", "it needs something to be about"),
        ("kind=silence&client=acme&for=4h&reason=", "it needs a reason"),
        ("kind=silence&client=nobody&for=4h&reason=x", "no client"),
        (
            "kind=maintenance&client=acme&for=4h&reason=x&recurring=now+and+then",
            "recurring",
        ),
    ] {
        let (status, _, page) = fill_in(&world, "/quiet", form).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{form}");
        assert!(page.contains(wanted), "{form}: {page}");
    }
    let lifted = fill_in(&world, "/quiet/1/lift", "").await;
    assert_eq!((lifted.0, lifted.1.as_str()), (StatusCode::SEE_OTHER, "/quiet"));
    assert_eq!(world.get("/quiet/1/lift").await.0, StatusCode::METHOD_NOT_ALLOWED);
}
