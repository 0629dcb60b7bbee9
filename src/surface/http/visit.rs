//! When whoever asks looked last: kept by their browser in a cookie, so that it works without a login and without
//! JavaScript.
//!
//! A visit goes on as long as looks follow each other within half an hour. "Since one last looked" is then since the end
//! of the visit before this one, however often the page refreshes itself meanwhile.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};

/// The cookie: `LAST.BEFORE`, in seconds since 1970; `0` where there was no visit before.
const COOKIE_NAME: &str = "mailflow-seen";
/// What the page's script sends along while nobody looks at the page.
const UNSEEN: &str = "x-mailflow-unseen";
/// After so long without a look the next one is a new visit.
const BREAK: SignedDuration = SignedDuration::from_mins(30);
/// What a first visit looks back at, and how far any looks back at most.
const FIRST: SignedDuration = SignedDuration::from_hours(24);
const FURTHEST: SignedDuration = SignedDuration::from_hours(24 * 400);

/// A visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    /// The last look.
    last: Timestamp,
    /// The last look of the visit before.
    before: Option<Timestamp>,
    /// Whether somebody looks now.
    seen: bool,
}

impl Visit {
    /// The visit that a request at `now` belongs to. A cookie that makes no sense is none.
    pub(super) fn of(headers: &HeaderMap, now: Timestamp) -> Self {
        let seen = !headers.contains_key(UNSEEN);
        let Some((last, before)) = remembered(headers, now) else {
            return Self {
                last: now,
                before: None,
                seen,
            };
        };
        let anew = now.duration_since(last) > BREAK;
        Self {
            last: now,
            before: if anew { Some(last) } else { before },
            seen,
        }
    }

    /// When they looked last before this visit, where that is known.
    pub(super) fn before(&self) -> Option<Timestamp> {
        self.before
    }

    /// Since when there may be something new to them.
    pub(super) fn since(&self) -> Timestamp {
        let first = || self.last.checked_sub(FIRST).unwrap_or(self.last);
        self.before.unwrap_or_else(first)
    }

    /// Has the browser remember it with an answer.
    pub(super) fn keep(&self, mut answer: Response) -> Response {
        let before = self.before.map_or(0, Timestamp::as_second);
        let cookie = format!(
            "{COOKIE_NAME}={}.{before}; Path=/; Max-Age=34560000; SameSite=Strict; HttpOnly",
            self.last.as_second()
        );
        if self.seen
            && let Ok(cookie) = HeaderValue::from_str(&cookie)
        {
            answer.headers_mut().append(SET_COOKIE, cookie);
        }
        answer
    }
}

fn remembered(headers: &HeaderMap, now: Timestamp) -> Option<(Timestamp, Option<Timestamp>)> {
    let cookies = headers.get_all(COOKIE).into_iter();
    let value = cookies
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))?;
    let (last, before) = value.split_once('.')?;
    let moment = |text: &str| {
        let at = Timestamp::from_second(text.parse().ok()?).ok()?;
        let gone = now.duration_since(at);
        (!gone.is_negative() && gone <= FURTHEST).then_some(at)
    };
    Some((moment(last)?, moment(before)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NOW: i64 = 1_795_314_031;

    fn visit(cookie: &str) -> Visit {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.parse().unwrap());
        Visit::of(&headers, Timestamp::from_second(NOW).unwrap())
    }

    #[rstest]
    #[case::never_here("", None)]
    #[case::a_minute_ago_for_the_first_time("mailflow-seen=1795313971.0", None)]
    #[case::a_minute_ago_and_before_that(
        "a=b; mailflow-seen=1795313971.1795200000; c=d",
        Some(1_795_200_000)
    )]
    #[case::an_hour_ago("mailflow-seen=1795310431.1795200000", Some(1_795_310_431))]
    #[case::from_the_future("mailflow-seen=1895310431.1795200000", None)]
    #[case::years_ago("mailflow-seen=1495310431.0", None)]
    #[case::nonsense("mailflow-seen=<script>.-1", None)]
    #[case::too_long("mailflow-seen=99999999999999999999999999.1", None)]
    #[case::another_cookie("mailflow-seen-too=1795310431.0", None)]
    fn a_look_back_starts_where_the_visit_before_ended(#[case] cookie: &str, #[case] before: Option<i64>) {
        let visit = visit(cookie);
        assert_eq!(visit.before().map(Timestamp::as_second), before);
        let since = visit.since().as_second();
        assert_eq!(since, before.unwrap_or(NOW - 86_400));
    }

    #[test]
    fn only_who_looks_is_remembered_to_have_looked() {
        let answer = || Response::new(axum::body::Body::empty());
        let kept = visit("mailflow-seen=1795310431.0").keep(answer());
        let cookie = kept.headers()[SET_COOKIE].to_str().unwrap();
        assert!(
            cookie.starts_with("mailflow-seen=1795314031.1795310431; "),
            "{cookie}"
        );
        let mut headers = HeaderMap::new();
        headers.insert(UNSEEN, "1".parse().unwrap());
        let unseen = Visit::of(&headers, Timestamp::from_second(NOW).unwrap());
        assert!(!unseen.keep(answer()).headers().contains_key(SET_COOKIE));
    }
}
