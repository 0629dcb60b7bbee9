//! The page at the door: signing in and out. It tells nothing of what is inside, and has no script.

use askama::Template;

use super::STYLE;
use crate::model::State;

/// What the page at the door shows.
#[derive(Debug, Default)]
pub(in crate::surface) struct Login {
    /// Where to go afterwards.
    pub(in crate::surface) to: String,
    /// Who is signed in.
    pub(in crate::surface) user: Option<String>,
    /// What was typed for the name.
    pub(in crate::surface) typed: String,
    /// Why it did not work.
    pub(in crate::surface) wrong: Option<String>,
    /// Whether people can sign in at all, or programs only.
    pub(in crate::surface) people: bool,
}

#[derive(Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage<'a> {
    title: &'static str,
    tone: State,
    style: &'static str,
    script: Option<&'static str>,
    login: &'a Login,
}

impl<'a> LoginPage<'a> {
    pub(super) fn new(login: &'a Login) -> Self {
        Self {
            title: "Sign in · mailflow",
            tone: State::Unknown,
            style: STYLE,
            script: None,
            login,
        }
    }
}
