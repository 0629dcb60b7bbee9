//! Lets each request in as far as whoever sends it may go, and writes down what was changed.

use std::sync::Arc;

use aws_lc_rs::{constant_time, digest};
use axum::extract::{Request, State as Shared};
use axum::http::header::{ACCEPT, AUTHORIZATION, HOST, LOCATION, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret as _;

use super::origin::{Peer, neighbourhood, origin};
use super::password::Refused;
use super::{Access, By, Doors, Guests, Who, session};
use crate::model::text::{clean, percent};
use crate::model::{Deed, base64};
use crate::surface::http::Server;
use crate::surface::http::error::{ApiError, quoted};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a handler did, for the book; without it the book has the request.
#[derive(Debug, Clone)]
pub(in crate::surface::http) struct Done {
    /// What, in words.
    pub(in crate::surface::http) what: String,
    /// Who, where the request's own signature says it better.
    pub(in crate::surface::http) who: Option<String>,
}

impl Done {
    pub(in crate::surface::http) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            who: None,
        }
    }
}

/// Whether a method changes nothing (RFC 9110 9.2.1).
fn looks(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What it takes to ask for something. What is not named here takes the most.
fn needed(method: &Method, path: &str) -> Access {
    let looks = looks(method);
    match path {
        "/-/healthy" | "/-/ready" if looks => Access::Nothing,
        "/login" | "/logout" => Access::Nothing,
        "/metrics" | "/probe" | "/sd" if looks => Access::Metrics,
        // It reads what it is sent, and keeps nothing.
        "/api/v1/explain" | "/explain" => Access::Read,
        "/api/v1/audit" => Access::Write,
        // These look at their own signature.
        _ if path.starts_with("/take/") => Access::Nothing,
        _ if looks && path.starts_with("/clients/") => Access::Nothing,
        _ if looks => Access::Read,
        _ => Access::Write,
    }
}

/// Why somebody is not let in.
enum Shut {
    /// Nothing says who asks.
    Unknown,
    /// What says who asks is wrong.
    Wrong,
    /// Too many tries.
    Wait(i64),
    /// Too many others.
    Busy,
    /// A browser sends it that may have been sent by somebody else.
    Unsure,
    /// Not for this one.
    Beyond(Access),
}

/// Finds out who asks, lets the request go on if that one may, and writes down what it changed.
pub(in crate::surface::http) async fn admit(
    Shared(server): Shared<Server>,
    request: Request,
    next: Next,
) -> Response {
    let doors = Arc::clone(&server.doors.borrow());
    let (mut head, body) = request.into_parts();
    let (method, uri) = (head.method.clone(), head.uri.clone());
    let from = origin(head.extensions.get::<Peer>().copied(), &head.headers);
    let needed = needed(&method, uri.path());
    let who = match who(&server, &doors, &head, neighbourhood(from)).await {
        Ok(who) if who.may >= needed => who,
        Ok(who) if who.by != By::Nothing => return shut(&Shut::Beyond(who.may), &head),
        Ok(_) => return shut(&Shut::Unknown, &head),
        // Whoever has something wrong in hand still gets in where everybody does.
        Err(_) if needed == Access::Nothing => Who::nobody(Access::Nothing),
        Err(why) => return shut(&why, &head),
    };
    head.extensions.insert(who.clone());
    let mut response = next.run(Request::from_parts(head, body)).await;
    let done = response.extensions_mut().remove::<Done>();
    let worked = response.status().is_success() || response.status().is_redirection();
    let what = match done {
        Some(done) => Some((done.who.unwrap_or_else(|| who.to_string()), done.what)),
        // A handler that tells nothing of itself is told of all the same.
        None if needed == Access::Write && worked && !looks(&method) => {
            Some((who.to_string(), format!("{method} {}", uri.path())))
        }
        None => None,
    };
    if let Some((who, what)) = what {
        let (who, what) = (clean(who.as_bytes(), 200), clean(what.as_bytes(), 500));
        let from = from.map(|from| from.to_string());
        tracing::info!(who, from, "by hand: {what}");
        let at = (server.now)();
        server.clerk.record(Deed { at, who, from, what });
    }
    response
}

/// Who sends a request.
async fn who(server: &Server, doors: &Doors, request: &Parts, from: u64) -> Result<Who, Shut> {
    let Some(guests) = &doors.guests else {
        return Ok(Who::nobody(Access::Write));
    };
    let (headers, now) = (&request.headers, (server.now)());
    if let Some(value) = headers.get(AUTHORIZATION) {
        let value = value.to_str().map_err(|_| Shut::Wrong)?;
        let (scheme, rest) = value.trim().split_once(' ').ok_or(Shut::Wrong)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return by_token(guests, rest.trim()).ok_or(Shut::Wrong);
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let pair = name_and_password(rest.trim()).ok_or(Shut::Wrong)?;
            let checked = server
                .porter
                .check(guests, (&pair.0, pair.1.into()), from, now)
                .await;
            let (name, user) = checked.map_err(|refused| match refused {
                Refused::Wrong => Shut::Wrong,
                Refused::Wait(wait) => Shut::Wait(wait.as_secs().max(1)),
                Refused::Busy => Shut::Busy,
            })?;
            sent_on_purpose(request)?;
            return Ok(password(name, user.may));
        }
        return Err(Shut::Wrong);
    }
    match session::of(headers, &server.seal, guests, doors.secure, now) {
        Some((name, user)) => {
            sent_on_purpose(request)?;
            Ok(password(name, user.may))
        }
        None => Ok(Who::nobody(Access::Nothing)),
    }
}

fn password(name: &Arc<str>, may: Access) -> Who {
    Who {
        by: By::Password(Arc::clone(name)),
        may,
    }
}

/// A browser sends cookies, and passwords that it knows, along with whatever any page has it send; so what changes
/// something must say which page that was. All browsers of the last years do, and the guard before us has looked at it.
fn sent_on_purpose(request: &Parts) -> Result<(), Shut> {
    let headers = &request.headers;
    let looks = looks(&request.method);
    let says = headers.contains_key(ORIGIN) || headers.contains_key(FETCH_SITE);
    // Programs send a password with each request of their own accord, and no cookie.
    let program = headers.contains_key(AUTHORIZATION) && !is_browser(headers);
    if looks || says || program {
        Ok(())
    } else {
        Err(Shut::Unsure)
    }
}

fn is_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(axum::http::header::USER_AGENT);
    agent.is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"))
}

/// Whose token it is. Every token is compared, and each in the same time, whatever was sent.
fn by_token(guests: &Guests, sent: &str) -> Option<Who> {
    let sent = digest::digest(&digest::SHA256, sent.as_bytes());
    let mut found = None;
    for token in &guests.tokens {
        let Some(known) = (token.token.0)() else { continue };
        let known = digest::digest(&digest::SHA256, known.expose_secret().trim().as_bytes());
        let same = constant_time::verify_slices_are_equal(sent.as_ref(), known.as_ref()).is_ok();
        if same && found.is_none() {
            found = Some(Who {
                by: By::Token(Arc::clone(&token.name)),
                may: token.may,
            });
        }
    }
    found
}

/// What stands in a Basic authorization (RFC 7617 2).
fn name_and_password(encoded: &str) -> Option<(String, String)> {
    if encoded.len() > 1024 {
        return None;
    }
    let text = String::from_utf8(base64::decode(encoded)?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// Says why, in the form that whoever asks can use: a page for people, an error for programs.
fn shut(why: &Shut, request: &Parts) -> Response {
    let (status, message) = match why {
        Shut::Unknown => (
            StatusCode::UNAUTHORIZED,
            "who asks? Send a token (Authorization: Bearer), or sign in at /login".to_owned(),
        ),
        Shut::Wrong => (
            StatusCode::UNAUTHORIZED,
            "this token, or name and password, is not known here".to_owned(),
        ),
        Shut::Wait(seconds) => (
            StatusCode::TOO_MANY_REQUESTS,
            format!("too many wrong passwords: try again in {seconds} seconds"),
        ),
        Shut::Busy => (
            StatusCode::SERVICE_UNAVAILABLE,
            "too many passwords to check at the moment: try again".to_owned(),
        ),
        Shut::Unsure => (
            StatusCode::FORBIDDEN,
            "this browser does not say which page sent this: update it, or use a token".to_owned(),
        ),
        Shut::Beyond(may) => (
            StatusCode::FORBIDDEN,
            format!("this takes more than the scope \"{}\" allows", scope(*may)),
        ),
    };
    let person = request.method == Method::GET && is_read_by_people(request);
    if matches!(why, Shut::Unknown) && person {
        let to = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let to = format!("/login?to={}", percent(to, b"/"));
        if let Ok(to) = HeaderValue::from_str(&to) {
            return (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response();
        }
    }
    let mut response = ApiError::new(status, message).into_response();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        // Not "Basic", though it works: a browser would ask for a password in a window of its own at every turn.
        headers.insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"mailflow\""),
        );
    }
    if let Shut::Wait(seconds) = why {
        headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
    }
    response
}

fn scope(may: Access) -> &'static str {
    match may {
        Access::Nothing | Access::Metrics => "metrics",
        Access::Read => "read",
        Access::Write => "write",
    }
}

fn is_read_by_people(request: &Parts) -> bool {
    let path = request.uri.path();
    let accept = request.headers.get(ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html")) && !path.starts_with("/metrics")
}

/// Lets only those in who call us by a name of ours, where nothing else protects us: a page of somebody else whose name
/// was made to lead here, to this machine, would be taken for one of our own.
pub(in crate::surface::http) async fn answers_to_us(
    Shared(server): Shared<Server>,
    request: Request,
    next: Next,
) -> Response {
    let unguarded = {
        let doors = server.doors.borrow();
        doors.local && doors.guests.is_none()
    };
    let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
    let host = host.or_else(|| Some(request.uri().authority()?.as_str().as_bytes()));
    let ours = |host: &[u8]| {
        std::str::from_utf8(host).is_ok_and(|host| is_ours(host, server.external_url.as_deref()))
    };
    if !unguarded || host.is_none_or(ours) {
        return next.run(request).await;
    }
    let name = quoted(&String::from_utf8_lossy(host.unwrap_or_default()));
    let message = format!(
        "mailflow does not know itself by the name \"{name}\": set server.external_url to the address that people use"
    );
    ApiError::new(StatusCode::MISDIRECTED_REQUEST, message).into_response()
}

/// Whether a host, with or without its port, is this machine, or what people reach us by.
fn is_ours(host: &str, external_url: Option<&str>) -> bool {
    let bare = |text: &str| {
        let port = text.rfind(':').filter(|at| !text[*at..].contains(']'));
        let name = port.map_or(text, |at| &text[..at]);
        name.trim_end_matches('.').to_ascii_lowercase()
    };
    let name = bare(host);
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    if name == "localhost" || name.ends_with(".localhost") || literal.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    let external = external_url.and_then(|url| url.split_once("://")?.1.split('/').next());
    external.is_some_and(|external| bare(external) == name)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("127.0.0.1:9525", true)]
    #[case("[::1]:9525", true)]
    #[case("[::1]", true)]
    #[case("localhost:9525", true)]
    #[case("LOCALHOST.", true)]
    #[case("mail.msp.example", true)]
    #[case("Mail.MSP.example:443", true)]
    #[case("evil.example:9525", false)]
    #[case("mail.msp.example.evil.example", false)]
    #[case("127.0.0.1.evil.example", false)]
    #[case("", false)]
    fn names_that_are_ours(#[case] host: &str, #[case] expected: bool) {
        assert_eq!(is_ours(host, Some("https://mail.msp.example:8443/x")), expected);
    }

    #[test]
    fn what_nobody_thought_of_takes_the_most() {
        assert_eq!(needed(&Method::POST, "/whatever"), Access::Write);
        assert_eq!(needed(&Method::POST, "/clients/acme"), Access::Write);
        assert_eq!(needed(&Method::POST, "/metrics"), Access::Write);
        assert_eq!(needed(&Method::DELETE, "/-/healthy"), Access::Write);
        assert_eq!(needed(&Method::GET, "/whatever"), Access::Read);
    }
}
