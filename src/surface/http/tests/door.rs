//! The doors, and everything that somebody might try them with.

use axum::Extension;
use axum::http::HeaderMap;
use axum::http::header::{
    AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, RETRY_AFTER, SET_COOKIE, USER_AGENT,
    WWW_AUTHENTICATE,
};
use rstest::rstest;
use secrecy::SecretString;

use super::super::door::Peer;
use super::*;

/// The password of every user here; its hash is as quick as hashes can be.
const PASSWORD: &str = "correct horse";

fn hidden(text: &str) -> Hidden {
    let text = SecretString::from(text.to_owned());
    Hidden(Arc::new(move || Some(text.clone())))
}

fn guests() -> Guests {
    let user = |name: &str, may| {
        let hash = bcrypt::hash(PASSWORD, 4).unwrap();
        (
            Arc::from(name),
            User {
                hash: hidden(&hash),
                may,
            },
        )
    };
    let token = |name: &str, may| Token {
        name: name.into(),
        token: hidden(&format!("token-of-{name}")),
        may,
    };
    Guests {
        users: [user("anna", Access::Write), user("ben", Access::Read)].into(),
        tokens: vec![
            token("prometheus", Access::Metrics),
            token("grafana", Access::Read),
            token("robot", Access::Write),
            Token {
                name: "lost".into(),
                token: Hidden(Arc::new(|| None)),
                may: Access::Write,
            },
        ],
    }
}

pub(super) struct Guarded {
    pub(super) world: World,
    doors: watch::Sender<Arc<Doors>>,
    book: Arc<Book>,
}

/// A world with doors.
pub(super) fn guarded() -> Guarded {
    let (mut surface, snapshots) = surface(sample::fleet());
    let doors = Doors {
        guests: Some(guests()),
        ..Doors::default()
    };
    let (sender, doors) = watch::channel(Arc::new(doors));
    let book = Arc::new(Book::default());
    surface.doors = doors;
    surface.clerk = Arc::clone(&book) as _;
    let stop = CancellationToken::new();
    let world = World {
        router: router(surface.clone(), stop.clone()),
        snapshots,
        surface,
        stop,
    };
    Guarded {
        world,
        doors: sender,
        book,
    }
}

impl Guarded {
    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self
            .world
            .send(request.body(Body::from(body.to_owned())).unwrap())
            .await;
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, text(response).await)
    }

    /// The status alone: an event stream has no end that could be waited for.
    pub(super) async fn status(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> StatusCode {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.world
            .send(request.body(Body::empty()).unwrap())
            .await
            .status()
    }

    /// Signs in, and gives what came of it.
    async fn sign_in(&self, user: &str, password: &str, to: &str) -> (StatusCode, HeaderMap, String) {
        let form = [(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")];
        let body = format!("user={user}&password={}&to={to}", password.replace(' ', "+"));
        self.ask("POST", "/login", &form, &body).await
    }

    /// The cookie of somebody who is signed in.
    async fn cookie(&self, user: &str) -> String {
        let (status, headers, _) = self.sign_in(user, PASSWORD, "/").await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        let cookie = headers[SET_COOKIE].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    pub(super) fn deeds(&self) -> Vec<(String, String)> {
        let entries = self.book.deeds(None, 100).unwrap().into_iter();
        entries.map(|entry| (entry.deed.who, entry.deed.what)).collect()
    }
}

#[rstest]
#[case::nobody("", [200, 401, 401, 401])]
#[case::metrics("prometheus", [200, 200, 403, 403])]
#[case::read("grafana", [200, 200, 200, 403])]
#[case::write("robot", [200, 200, 200, 200])]
#[tokio::test]
async fn a_token_opens_what_its_scope_says(#[case] name: &str, #[case] expected: [u16; 4]) {
    let guarded = guarded();
    let bearer = format!("Bearer token-of-{name}");
    let headers: &[(&str, &str)] = if name.is_empty() {
        &[]
    } else {
        &[(AUTHORIZATION.as_str(), &bearer)]
    };
    let asked = [
        ("GET", "/-/healthy"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/domains"),
        ("POST", "/-/reload"),
    ];
    let mut found = Vec::new();
    for (method, path) in asked {
        found.push(guarded.status(method, path, headers).await.as_u16());
    }
    assert_eq!(found, expected);
    let others = [
        ("GET", "/sd", 1),
        ("GET", "/probe?target=acme.test", 1),
        ("GET", "/-/ready", 0),
        ("GET", "/", 2),
        ("GET", "/incidents/482", 2),
        ("GET", "/api/v1/events", 2),
        ("GET", "/api/openapi.json", 2),
        ("POST", "/api/v1/explain", 2),
        ("GET", "/api/v1/audit", 3),
        ("POST", "/incidents/482/ack", 3),
        ("DELETE", "/api/v1/silences/1", 3),
        ("POST", "/api/v1/notifiers/oncall/test", 3),
        ("POST", "/nothing", 3),
        ("GET", "/nothing", 2),
    ];
    for (method, path, like) in others {
        let status = guarded.status(method, path, headers).await.as_u16();
        let shut = [401, 403].contains(&expected[like]);
        assert_eq!([401, 403].contains(&status), shut, "{method} {path}: {status}");
    }
}

#[rstest]
#[case("Bearer token-of-nobody")]
#[case("Bearer ")]
#[case("Bearer token-of-robot, Bearer x")]
#[case("bearer")]
#[case("Digest token-of-robot")]
#[case("Basic !!!")]
#[case("Basic YW5uYQ==")] // anna, and no colon
#[case("token-of-robot")]
#[tokio::test]
async fn what_is_wrong_opens_nothing(#[case] authorization: &str) {
    let guarded = guarded();
    // A session beside it does not help: whoever sends both means the first.
    let cookie = guarded.cookie("anna").await;
    let headers = [
        (AUTHORIZATION.as_str(), authorization),
        (COOKIE.as_str(), &cookie),
    ];
    let (status, headers, body) = guarded.ask("GET", "/api/v1/domains", &headers, "").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
    assert_eq!(headers[WWW_AUTHENTICATE], "Bearer realm=\"mailflow\"");
    assert!(!body.contains("token-of"));
    let open = [(AUTHORIZATION.as_str(), authorization)];
    assert_eq!(guarded.status("GET", "/-/healthy", &open).await, StatusCode::OK);
}

#[tokio::test]
async fn people_sign_in_and_out() {
    let guarded = guarded();
    let html = [("accept", "text/html")];
    let (status, headers, _) = guarded.ask("GET", "/incidents/482?x=1&y", &html, "").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(headers[LOCATION], "/login?to=/incidents/482%3Fx%3D1%26y");
    let (status, _, page) = guarded
        .ask("GET", "/login?to=/incidents/482%3Fx%3D1%26y", &html, "")
        .await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        page.contains(r#"name="to" value="/incidents/482?x=1&#38;y""#),
        "{page}"
    );
    assert!(!page.contains("acme"), "the door tells nothing of what is inside");

    let (status, headers, _) = guarded.sign_in("anna", PASSWORD, "/incidents/482").await;
    assert_eq!(
        (status, &headers[LOCATION]),
        (StatusCode::SEE_OTHER, &"/incidents/482".parse().unwrap())
    );
    let cookie = headers[SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("mailflow=616e6e61."), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    let session = [(COOKIE.as_str(), cookie), ("accept", "text/html")];
    let (status, _, page) = guarded.ask("GET", "/incidents/482", &session, "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains(r#"<a href="/login">Account</a>"#));
    let (_, _, page) = guarded.ask("GET", "/login", &session, "").await;
    assert!(page.contains("You are signed in as anna"));
    let (_, headers, _) = guarded.ask("POST", "/logout", &session, "").await;
    assert!(
        headers[SET_COOKIE]
            .to_str()
            .unwrap()
            .starts_with("mailflow=; Path=/; Max-Age=0")
    );
    assert_eq!(guarded.deeds(), [("anna".to_owned(), "signed in".to_owned())]);
}

#[tokio::test]
async fn over_https_the_cookie_is_for_https_alone() {
    let guarded = guarded();
    guarded
        .doors
        .send_modify(|doors| Arc::make_mut(doors).secure = true);
    let (_, headers, _) = guarded.sign_in("anna", PASSWORD, "//evil.example/").await;
    assert_eq!(headers[LOCATION], "/");
    let cookie = headers[SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-mailflow=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
}

#[tokio::test]
async fn a_session_ends_with_its_time_the_password_the_user_and_the_key() {
    let guarded = guarded();
    let cookie = guarded.cookie("anna").await;
    let inside = async |cookie: &str| {
        guarded
            .status("GET", "/api/v1/domains", &[("cookie", cookie)])
            .await
            == StatusCode::OK
    };
    assert!(inside(&cookie).await);
    assert!(inside(&format!("a=b; {cookie}; c=d")).await);
    let (name, value) = cookie.split_once('=').unwrap();
    let (user, mark) = value.split_once('.').unwrap();
    let (end, mac) = mark.split_once('-').unwrap();
    let later = end.parse::<i64>().unwrap() + 1;
    let forged = [
        format!("{name}={user}.{later}-{mac}"),
        // Ben's name before Anna's signature.
        format!("{name}=62656e.{mark}"),
        format!("{name}={user}.{end}-{}", "0".repeat(32)),
        format!("{name}={user}.{end}-"),
        format!("{name}={user}.{end}"),
        format!("{name}={user}"),
        format!("{name}="),
        format!("{name}=ff.{mark}"),
        format!("{name}=zz.{mark}"),
        format!("__Host-{cookie}"),
        format!("{name}={}", "a".repeat(5000)),
        "=;;=".to_owned(),
    ];
    for cookie in forged {
        assert!(!inside(&cookie).await, "{cookie}");
    }
    let mut other = guests();
    other.users.remove("anna");
    let doors = |guests| {
        Arc::new(Doors {
            guests: Some(guests),
            ..Doors::default()
        })
    };
    let before = guarded.doors.send_replace(doors(other));
    assert!(!inside(&cookie).await, "she has left");
    let mut other = guests();
    other.users.get_mut("anna").unwrap().hash = hidden(&bcrypt::hash("another", 4).unwrap());
    guarded.doors.send_replace(doors(other));
    assert!(!inside(&cookie).await, "her password is another");
    guarded.doors.send_replace(before);
    assert!(inside(&cookie).await);
    guarded.world.surface.seal.change(&[9; 32]);
    assert!(!inside(&cookie).await, "the key is another");
}

#[tokio::test]
async fn who_guesses_has_to_wait_and_nobody_else() {
    let guarded = guarded();
    let peer = |address: &str| Extension(Peer(format!("{address}:4711").parse().unwrap()));
    let here = router(guarded.world.surface.clone(), CancellationToken::new());
    let from = |address: &str| here.clone().layer(peer(address));
    let sign_in = async |address: &str, user: &str, password: &str| {
        let body = format!("user={user}&password={password}");
        let request = Request::post("/login").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        from(address)
            .oneshot(request.body(Body::from(body)).unwrap())
            .await
            .unwrap()
    };
    for _ in 0..5 {
        let answer = sign_in("203.0.113.9", "anna", "guess").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(
            text(answer)
                .await
                .contains("This name and this password do not belong together.")
        );
    }
    let answer = sign_in("203.0.113.9", "anna", "correct+horse").await;
    assert_eq!(
        answer.status(),
        StatusCode::TOO_MANY_REQUESTS,
        "even with the right one"
    );
    assert_eq!(answer.headers()[RETRY_AFTER], "2");
    let basic = Request::get("/api/v1/domains").header(AUTHORIZATION, "Basic YW5uYTpndWVzcw==");
    let answer = from("203.0.113.9")
        .oneshot(basic.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let answer = sign_in("203.0.113.10", "anna", "correct+horse").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let answer = sign_in("203.0.113.9", "ben", "correct+horse").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_password_with_each_request_works_for_programs_and_is_checked_once() {
    let guarded = guarded();
    // anna:correct horse
    let basic = (AUTHORIZATION.as_str(), "Basic YW5uYTpjb3JyZWN0IGhvcnNl");
    for _ in 0..3 {
        assert_eq!(guarded.status("GET", "/metrics", &[basic]).await, StatusCode::OK);
    }
    assert_eq!(
        guarded.status("POST", "/-/reload", &[basic]).await,
        StatusCode::OK
    );
    let browser = (USER_AGENT.as_str(), "Mozilla/5.0");
    assert_eq!(
        guarded.status("POST", "/-/reload", &[basic, browser]).await,
        StatusCode::FORBIDDEN
    );
}

/// A browser sends the cookie along with whatever any page makes it send.
#[rstest]
#[case::own_form(&[("origin", "https://mail.msp.example"), ("sec-fetch-site", "same-origin")], true)]
#[case::own_origin(&[("origin", "https://mail.msp.example")], true)]
#[case::typed(&[("sec-fetch-site", "none")], true)]
#[case::foreign(&[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")], false)]
#[case::foreign_origin(&[("origin", "https://evil.example")], false)]
#[case::neighbour(&[("origin", "https://x.msp.example"), ("sec-fetch-site", "same-site")], false)]
#[case::other_port(&[("origin", "https://mail.msp.example:8443")], false)]
#[case::hidden_origin(&[("origin", "null")], false)]
#[case::foreign_site(&[("sec-fetch-site", "cross-site")], false)]
#[case::old_browser(&[], false)]
#[tokio::test(start_paused = true)]
async fn only_our_own_pages_change_anything(#[case] said: &[(&str, &str)], #[case] works: bool) {
    let guarded = guarded();
    let cookie = guarded.cookie("anna").await;
    let mut headers = vec![("cookie", cookie.as_str()), ("host", "mail.msp.example")];
    headers.extend(said);
    for path in ["/api/v1/incidents/482/ack", "/incidents/482/ack", "/-/reload"] {
        let status = guarded.status("POST", path, &headers).await;
        let done = status.is_success() || status == StatusCode::SEE_OTHER;
        assert_eq!(done, works, "{path}: {status}");
        assert!(works || status == StatusCode::FORBIDDEN, "{path}: {status}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_book_says_who_changed_what() {
    let guarded = guarded();
    let cookie = guarded.cookie("anna").await;
    let own = [
        ("cookie", cookie.as_str()),
        ("host", "mail.msp.example"),
        ("origin", "https://mail.msp.example"),
    ];
    // Whatever name is typed, it is hers.
    let body = r#"{"by":"the boss"}"#;
    let (_, _, taken) = guarded.ask("POST", "/api/v1/incidents/482/ack", &own, body).await;
    let taken: Value = serde_json::from_str(&taken).unwrap();
    assert_eq!(taken["acknowledged"]["by"], "anna");
    let robot = [("authorization", "Bearer token-of-robot")];
    let silence = r#"{"client":"acme","for":"4h","reason":"parts"}"#;
    let (status, _, silence) = guarded.ask("POST", "/api/v1/silences", &robot, silence).await;
    assert_eq!(status, StatusCode::CREATED, "{silence}");
    guarded
        .ask(
            "POST",
            "/api/v1/incidents/482/note",
            &robot,
            r#"{"text":"x","by":"cron\u001b[31m"}"#,
        )
        .await;
    guarded.ask("POST", "/-/reload", &robot, "").await;
    guarded
        .ask("POST", "/api/v1/notifiers/nobody/test", &robot, "")
        .await;
    guarded.ask("GET", "/api/v1/domains", &robot, "").await;
    let deeds: Vec<String> = guarded
        .deeds()
        .iter()
        .map(|(who, what)| format!("{who}: {what}"))
        .collect();
    // Other tests count up as well.
    insta::with_settings!({filters => vec![(r"silence \d+", "silence N")]}, {
        insta::assert_snapshot!(deeds.join("\n"));
    });
    let (_, _, book) = guarded.ask("GET", "/api/v1/audit?limit=2", &robot, "").await;
    let book: Value = serde_json::from_str(&book).unwrap();
    assert_eq!(book["audit"].as_array().unwrap().len(), 2);
    let next = book["next"].as_str().unwrap();
    let (_, _, more) = guarded
        .ask("GET", &format!("/api/v1/audit?after={next}"), &robot, "")
        .await;
    let more: Value = serde_json::from_str(&more).unwrap();
    assert!(more.get("next").is_none());
    assert_eq!(more["audit"].as_array().unwrap().len(), deeds.len() - 2);
}

/// A page of somebody else, whose name was made to lead to this machine, is taken for one of ours by its browser.
#[rstest]
#[case("127.0.0.1:9525", true)]
#[case("mail.msp.example", true)]
#[case("evil.example:9525", false)]
#[tokio::test]
async fn without_guests_only_names_of_ours_are_answered(#[case] host: &str, #[case] answered: bool) {
    let guarded = guarded();
    guarded.doors.send_replace(Arc::new(Doors {
        local: true,
        ..Doors::default()
    }));
    let origin = format!("http://{host}");
    let headers = [(HOST.as_str(), host), (ORIGIN.as_str(), &origin)];
    for (method, path) in [("GET", "/api/v1/domains"), ("POST", "/-/reload")] {
        let (status, _, body) = guarded.ask(method, path, &headers, "").await;
        let expected = if answered {
            StatusCode::OK
        } else {
            StatusCode::MISDIRECTED_REQUEST
        };
        assert_eq!(status, expected, "{body}");
    }
}
