//! Signing in and out, by forms that need no JavaScript.

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Extension, Form, Query, State as Shared};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use secrecy::SecretString;
use serde::Deserialize;

use super::admit::Done;
use super::origin::{Peer, neighbourhood, origin};
use super::password::Refused;
use super::{Who, session};
use crate::surface::http::Server;
use crate::surface::http::pages::html;
use crate::surface::page::{self, Login};

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
pub(in crate::surface::http) struct Way {
    #[serde(default)]
    to: String,
}

/// Name and password.
#[derive(Deserialize)]
pub(in crate::surface::http) struct Entry {
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: SecretString,
    #[serde(default)]
    to: String,
}

/// `GET /login`
pub(in crate::surface::http) async fn form(
    Shared(server): Shared<Server>,
    Extension(who): Extension<Who>,
    way: Result<Query<Way>, QueryRejection>,
) -> Response {
    let to = inside(&way.map(|Query(way)| way.to).unwrap_or_default());
    let users = {
        let doors = server.doors.borrow();
        doors.guests.as_ref().map(|guests| !guests.users.is_empty())
    };
    match users {
        // Nobody has to sign in here.
        None => Redirect::to("/").into_response(),
        Some(people) => {
            let page = Login {
                to,
                user: who.user().map(str::to_owned),
                people,
                ..Login::default()
            };
            html(page::login(&page))
        }
    }
}

/// `POST /login`
pub(in crate::surface::http) async fn enter(
    Shared(server): Shared<Server>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    entry: Result<Form<Entry>, FormRejection>,
) -> Response {
    let doors = Arc::clone(&server.doors.borrow());
    let Some(guests) = &doors.guests else {
        return Redirect::to("/").into_response();
    };
    let Ok(Form(entry)) = entry else {
        return again(StatusCode::BAD_REQUEST, "", "/", "Name and password are missing.");
    };
    let (to, now) = (inside(&entry.to), (server.now)());
    let from = origin(peer.map(|Extension(peer)| peer), &headers);
    let pair = (entry.user.trim(), entry.password);
    let checked = server.porter.check(guests, pair, neighbourhood(from), now);
    let name = entry.user.trim().to_owned();
    match checked.await {
        Ok((user, known)) => {
            let Some(cookie) = session::begin(&server.seal, (user, known), doors.secure, now) else {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            };
            let done = Done {
                what: "signed in".into(),
                who: Some(user.to_string()),
            };
            (Extension(done), [(SET_COOKIE, cookie)], Redirect::to(&to)).into_response()
        }
        Err(Refused::Wrong) => {
            let user = crate::surface::http::error::quoted(&name);
            let from = from.map(|from| from.to_string());
            tracing::warn!(user, from, "somebody could not sign in");
            let what = "This name and this password do not belong together.";
            again(StatusCode::UNAUTHORIZED, &name, &to, what)
        }
        Err(Refused::Wait(wait)) => {
            let seconds = wait.as_secs().max(1);
            let what = format!("Too many wrong passwords. Try again in {seconds} seconds.");
            let answer = again(StatusCode::TOO_MANY_REQUESTS, &name, &to, &what);
            ([(RETRY_AFTER, seconds.to_string())], answer).into_response()
        }
        Err(Refused::Busy) => {
            let what = "Too many people sign in at the moment. Try again.";
            again(StatusCode::SERVICE_UNAVAILABLE, &name, &to, what)
        }
    }
}

/// `POST /logout`
pub(in crate::surface::http) async fn leave(Shared(server): Shared<Server>) -> Response {
    let cookie = session::end(server.doors.borrow().secure);
    ([(SET_COOKIE, cookie)], Redirect::to("/login")).into_response()
}

/// The form again, with what was wrong.
fn again(status: StatusCode, user: &str, to: &str, wrong: &str) -> Response {
    let page = Login {
        to: to.to_owned(),
        typed: user.chars().take(100).collect(),
        wrong: Some(wrong.to_owned()),
        people: true,
        ..Login::default()
    };
    (status, html(page::login(&page))).into_response()
}

/// A way that stays here: a path of ours, and nothing that a browser would take for another host.
fn inside(to: &str) -> String {
    let plain = to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let path = to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/login");
    if plain && path && to.len() <= 1000 {
        to.to_owned()
    } else {
        "/".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/incidents/482?x=1", "/incidents/482?x=1")]
    #[case("//evil.example/", "/")]
    #[case("/\\evil.example/", "/")]
    #[case("https://evil.example/", "/")]
    #[case("javascript:alert(1)", "/")]
    #[case("/a\r\nSet-Cookie: x", "/")]
    #[case("/\tevil", "/")]
    #[case("", "/")]
    fn nobody_is_sent_away(#[case] to: &str, #[case] expected: &str) {
        assert_eq!(inside(to), expected);
    }
}
