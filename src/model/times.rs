//! Times of the week: days, a time of day and a time zone.

use std::fmt;
use std::str::FromStr;

use jiff::{Timestamp, ToSpan as _};

use super::{Hours, HoursError};

/// Moments that come again each week: `Mon-Fri 08:00 Europe/Berlin`. Days are written as in [`Hours`].
#[derive(Debug, Clone, PartialEq)]
pub struct Times(Hours);

impl Times {
    /// The last of these moments that is not after `now`; `None` only at the beginning of the calendar.
    pub fn last(&self, now: Timestamp) -> Option<Timestamp> {
        let today = self.0.day_of(now);
        // Eight days reach the same weekday again.
        (0..=8_i64)
            .filter_map(|back| today.checked_sub(back.days()).ok())
            .filter_map(|day| self.0.start(day))
            .find(|moment| *moment <= now)
    }

    /// The one before the last: from there to the last is one period.
    pub fn before_last(&self, now: Timestamp) -> Option<Timestamp> {
        let last = self.last(now)?;
        self.last(last.checked_sub(1.second()).ok()?)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string().replacen("-24:00", "", 1))
    }
}

impl FromStr for Times {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            [days, time, zone] if !time.contains('-') => {
                Ok(Self(format!("{days} {time}-24:00 {zone}").parse()?))
            }
            _ => Err(HoursError::Moments),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[rstest]
    #[case::on_the_dot(
        "Mon-Sun 08:00 UTC",
        "2026-11-24T08:00:00Z",
        "2026-11-24T08:00:00Z",
        "2026-11-23T08:00:00Z"
    )]
    #[case::a_moment_earlier(
        "Mon-Sun 08:00 UTC",
        "2026-11-24T07:59:59Z",
        "2026-11-23T08:00:00Z",
        "2026-11-22T08:00:00Z"
    )]
    #[case::over_a_weekend(
        "Mon-Fri 08:00 UTC",
        "2026-11-23T09:00:00Z",
        "2026-11-23T08:00:00Z",
        "2026-11-20T08:00:00Z"
    )]
    #[case::weekly(
        "Mon 08:00 UTC",
        "2026-11-22T23:00:00Z",
        "2026-11-16T08:00:00Z",
        "2026-11-09T08:00:00Z"
    )]
    #[case::where_clocks_go_back(
        "Sun 08:00 Europe/Berlin",
        "2026-10-25T08:00:00Z",
        "2026-10-25T07:00:00Z",
        "2026-10-18T06:00:00Z"
    )]
    #[case::an_hour_that_is_skipped(
        "Sun 02:30 Europe/Berlin",
        "2026-03-29T12:00:00Z",
        "2026-03-29T01:30:00Z",
        "2026-03-22T01:30:00Z"
    )]
    fn the_last_two(#[case] times: &str, #[case] now: &str, #[case] last: &str, #[case] before: &str) {
        let times: Times = times.parse().unwrap();
        assert_eq!(times.last(time(now)), Some(time(last)));
        assert_eq!(times.before_last(time(now)), Some(time(before)));
    }

    #[rstest]
    #[case("Mon-Fri 08:00-09:00 UTC")]
    #[case("Mon 08:00")]
    #[case("Mon 8:00 UTC")]
    #[case("Mon 25:00 UTC")]
    #[case("Mon 08:00 Nowhere/At-all")]
    #[case("Someday 08:00 UTC")]
    fn what_is_no_moment_is_said(#[case] text: &str) {
        text.parse::<Times>().unwrap_err();
        assert_eq!(
            "Mon 08:00 UTC".parse::<Times>().unwrap().to_string(),
            "Mon 08:00 UTC"
        );
    }
}
