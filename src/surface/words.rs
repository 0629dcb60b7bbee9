//! Times, spans and counts as people say them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A moment: for machines, for people, and how long ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// RFC 3339, for `<time datetime>`.
    pub(crate) machine: String,
    /// `02:14 UTC`, with the day when it is not today.
    pub(crate) human: String,
    /// `6 min`.
    pub(crate) ago: String,
}

impl Moment {
    /// `at`, seen from `now`.
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Self {
        let (at_utc, now_utc) = (at.to_zoned(TimeZone::UTC), now.to_zoned(TimeZone::UTC));
        let form = if at_utc.date() == now_utc.date() {
            "%H:%M UTC"
        } else if at_utc.year() == now_utc.year() {
            "%-d %b %H:%M UTC"
        } else {
            "%-d %b %Y %H:%M UTC"
        };
        Self {
            machine: at_utc.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            human: at_utc.strftime(form).to_string(),
            ago: duration(at, now),
        }
    }
}

/// The time from one moment to another in its two largest units: `6 min`, `1 d 2 h`.
pub(crate) fn duration(from: Timestamp, to: Timestamp) -> String {
    span(u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0))
}

/// So many seconds, in the two largest units.
pub(crate) fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |large: u64, unit: &str, small: u64, smaller: &str| {
        if small == 0 {
            format!("{large} {unit}")
        } else {
            format!("{large} {unit} {small} {smaller}")
        }
    };
    match () {
        () if seconds < 60 => format!("{seconds} s"),
        () if hours < 1 => format!("{minutes} min"),
        () if days < 1 => two(hours, "h", minutes % 60, "min"),
        () if days < 14 => two(days, "d", hours % 24, "h"),
        () => format!("{days} d"),
    }
}

/// A time that something took, given in seconds: `12 ms`, `4.0 s`.
pub(crate) fn elapsed(seconds: f64) -> String {
    if seconds < 0.001 {
        "<1 ms".to_owned()
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}

/// `1 router`, `3 routers`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    let word = if number == 1 { one } else { many };
    format!("{number} {word}")
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn joined(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [start @ .., last] => format!("{} and {last}", start.join(", ")),
    }
}
