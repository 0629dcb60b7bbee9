//! Working hours: days of the week, a time of day and a time zone.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Serialize};

/// Hours in which somebody wants to hear of things: `Mon-Fri 08:00-18:00 Europe/Berlin`.
///
/// Days are ranges or single days joined by commas (`Mon-Thu,Sat`). Hours that end before they begin run
/// over midnight and belong to the day on which they begin; hours that end where they begin are all day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    /// As they were written.
    text: String,
    /// Monday first.
    days: [bool; 7],
    from: Time,
    to: Time,
    zone: TimeZone,
}

/// Why a text gives no hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoursError {
    /// Not three parts.
    #[error("hours are written as days, times and a time zone: \"Mon-Fri 08:00-18:00 Europe/Berlin\"")]
    Shape,
    /// Not three parts, of moments.
    #[error("moments are written as days, a time and a time zone: \"Mon-Fri 08:00 Europe/Berlin\"")]
    Moments,
    /// A day that is none.
    #[error("\"{0}\" is no day: Mon, Tue, Wed, Thu, Fri, Sat and Sun are")]
    Day(String),
    /// A time that is none.
    #[error("times are written as \"08:00-18:00\"")]
    Times,
    /// A time zone that this machine does not know.
    #[error(
        "\"{0}\" is no time zone known here; write an IANA name such as \"Europe/Berlin\" (is tzdata installed?)"
    )]
    Zone(String),
}

impl Hours {
    /// Whether `now` lies within these hours.
    pub fn contains(&self, now: Timestamp) -> bool {
        let local = self.zone.to_datetime(now);
        let today = local.date();
        let yesterday = today.yesterday();
        self.covers(today, now) || yesterday.is_ok_and(|day| self.covers(day, now))
    }

    /// When the hours that `now` lies within end: where some run into others, the end of the last. `None` outside of
    /// all.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let mut end = None;
        // Hours that follow one another without a gap are told as one, up to a week: then they never end.
        for _ in 0..8 {
            let today = self.zone.to_datetime(end.unwrap_or(now)).date();
            let days = [today.yesterday().ok(), Some(today)];
            let at = end.unwrap_or(now);
            let next = days
                .into_iter()
                .flatten()
                .filter_map(|day| self.window(day))
                .filter(|(start, finish)| *start <= at && at < *finish)
                .map(|(_, finish)| finish)
                .max();
            match next {
                Some(_) => end = next,
                None => break,
            }
        }
        end
    }

    /// The next moment, from `now` on, that lies within these hours: `now` itself when it does.
    /// `None` only at the end of the calendar.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        if self.contains(now) {
            return Some(now);
        }
        let today = self.zone.to_datetime(now).date();
        // Eight days reach the same weekday again.
        (0..=8_i64)
            .filter_map(|ahead| today.checked_add(ahead.days()).ok())
            .filter_map(|day| self.window(day))
            .map(|(start, _)| start)
            .find(|start| *start >= now)
    }

    /// The day on which `now` lies there.
    pub(super) fn day_of(&self, now: Timestamp) -> Date {
        self.zone.to_datetime(now).date()
    }

    /// When the hours of a day begin, if it has any.
    pub(super) fn start(&self, day: Date) -> Option<Timestamp> {
        self.window(day).map(|(start, _)| start)
    }

    fn covers(&self, day: Date, now: Timestamp) -> bool {
        self.window(day)
            .is_some_and(|(start, end)| start <= now && now < end)
    }

    /// The hours that begin on `day`, end excluded.
    fn window(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let index = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
        if !*self.days.get(index)? {
            return None;
        }
        let last_day = if self.to > self.from {
            day
        } else {
            day.tomorrow().ok()?
        };
        let start = self.zone.to_ambiguous_zoned(day.to_datetime(self.from));
        let end = self.zone.to_ambiguous_zoned(last_day.to_datetime(self.to));
        Some((
            start.compatible().ok()?.timestamp(),
            end.compatible().ok()?.timestamp(),
        ))
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> Self {
        hours.text
    }
}

impl TryFrom<String> for Hours {
    type Error = HoursError;

    fn try_from(text: String) -> Result<Self, HoursError> {
        text.parse()
    }
}

impl FromStr for Hours {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, HoursError> {
        let mut parts = text.split_whitespace();
        let (Some(days), Some(times), Some(zone), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(HoursError::Shape);
        };
        let (from, to) = times.split_once('-').ok_or(HoursError::Times)?;
        Ok(Self {
            text: [days, times, zone].join(" "),
            days: parse_days(days)?,
            from: parse_time(from)?,
            to: if to == "24:00" {
                Time::midnight()
            } else {
                parse_time(to)?
            },
            zone: TimeZone::get(zone).map_err(|_| HoursError::Zone(zone.to_owned()))?,
        })
    }
}

fn parse_days(text: &str) -> Result<[bool; 7], HoursError> {
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day_index(first)?, day_index(last)?);
        let length = (last + 7 - first) % 7;
        for offset in 0..=length {
            days[(first + offset) % 7] = true;
        }
    }
    Ok(days)
}

fn day_index(text: &str) -> Result<usize, HoursError> {
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        .iter()
        .position(|day| text.eq_ignore_ascii_case(day))
        .ok_or_else(|| HoursError::Day(text.to_owned()))
}

fn parse_time(text: &str) -> Result<Time, HoursError> {
    let (hour, minute) = text.split_once(':').ok_or(HoursError::Times)?;
    if hour.len() != 2 || minute.len() != 2 {
        return Err(HoursError::Times);
    }
    let number = |digits: &str| digits.parse::<i8>().map_err(|_| HoursError::Times);
    Time::new(number(hour)?, number(minute)?, 0, 0).map_err(|_| HoursError::Times)
}
