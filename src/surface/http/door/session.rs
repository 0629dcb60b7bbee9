//! Sessions: a signed cookie that names the user. Nothing is kept here; a session ends with its time, with the user's
//! password, and with the key.

use aws_lc_rs::digest;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;

use std::sync::Arc;

use super::{Guests, User};
use crate::model::Seal;
use crate::model::text::{from_hex, hex};

/// How long a session lasts: a working day, or a night on call.
const LASTS: SignedDuration = SignedDuration::from_hours(12);
/// The longest cookie that is looked at, in bytes.
const LONGEST: usize = 512;

/// A cookie's name: with the prefix that keeps neighbours from setting it where it can be had.
fn name(secure: bool) -> &'static str {
    if secure { "__Host-mailflow" } else { "mailflow" }
}

/// A cookie that begins a session.
pub(super) fn begin(seal: &Seal, user: (&str, &User), secure: bool, now: Timestamp) -> Option<String> {
    let until = now.checked_add(LASTS).ok()?;
    let mark = seal.sign(&["session", user.0, &password_of(user.1)?], until);
    let value = format!("{}.{mark}", hex(user.0.as_bytes()));
    Some(cookie(&value, LASTS.as_secs(), secure))
}

/// A cookie that ends a session.
pub(super) fn end(secure: bool) -> String {
    cookie("", 0, secure)
}

fn cookie(value: &str, seconds: i64, secure: bool) -> String {
    let safely = if secure { "; Secure" } else { "" };
    // Lax, not Strict: whoever follows the link in a message is still signed in. Nothing is changed by a GET.
    format!(
        "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{safely}",
        name(secure)
    )
}

/// Whose session the request's cookies say this is, if it holds.
pub(super) fn of<'a>(
    headers: &HeaderMap,
    seal: &Seal,
    guests: &'a Guests,
    secure: bool,
    now: Timestamp,
) -> Option<(&'a Arc<str>, &'a User)> {
    let cookies = headers.get_all(COOKIE).iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name(secure) && value.len() <= LONGEST).then_some(value)
    });
    let (user, mark) = pairs.next()?.split_once('.')?;
    let user = String::from_utf8(from_hex(user)?).ok()?;
    let (user, entry) = guests.users.get_key_value(user.as_str())?;
    let parts = ["session", &**user, &password_of(entry)?];
    seal.verify(&parts, mark, now).ok()?;
    Some((user, entry))
}

/// What stands for a user's password as it is now: with another one, sessions of before end.
fn password_of(user: &User) -> Option<String> {
    let hash = (user.hash.0)()?;
    let hash = digest::digest(&digest::SHA256, hash.expose_secret().trim().as_bytes());
    Some(hex(hash.as_ref()))
}
