//! Spans of time as people write them: `"60s"`, `"5m"`, `"1h30m"`, `"400d"`.

use std::fmt;
use std::time::Duration;

/// The longest span that the configuration takes: a hundred years, so that sums of a few never overflow.
pub const MAX: Duration = Duration::from_hours(100 * 366 * 24);

/// Units from the largest to the smallest, in milliseconds.
const UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Why a text is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing was given.
    #[error("a duration is a number and a unit, such as \"60s\", \"5m\" or \"1h30m\"")]
    Empty,
    /// A number without a unit.
    #[error("a duration needs a unit: \"{0}s\" are seconds, \"{0}m\" minutes")]
    NoUnit(u64),
    /// A unit that is none of ours.
    #[error("\"{0}\" is no unit of time: ms, s, m, h, d and w are")]
    UnknownUnit(String),
    /// Units must fall, each at most once.
    #[error("in a duration the larger unit comes first, each unit once, as in \"1h30m\"")]
    Order,
    /// Something that is neither number nor unit.
    #[error("a duration is a whole number and a unit, such as \"60s\", \"5m\" or \"1h30m\"")]
    Malformed,
    /// Longer than [`MAX`].
    #[error("this is longer than a hundred years")]
    TooLong,
}

/// Reads a span of time: whole numbers, each with a unit (`w`, `d`, `h`, `m`, `s`, `ms`), the largest unit
/// first. A lone `0` needs no unit.
///
/// # Errors
/// [`DurationError`] says what is wrong with it.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = 0_u64;
    let mut allowed = 0;
    while !rest.is_empty() {
        let (number, unit, tail) = split_term(rest)?;
        let index = unit_index(number, unit)?;
        if index < allowed {
            return Err(DurationError::Order);
        }
        allowed = index + 1;
        total = number
            .checked_mul(UNITS[index].1)
            .and_then(|term| total.checked_add(term))
            .ok_or(DurationError::TooLong)?;
        rest = tail;
    }
    let span = Duration::from_millis(total);
    if span > MAX {
        Err(DurationError::TooLong)
    } else {
        Ok(span)
    }
}

/// The first number, its unit (possibly empty), and what follows.
fn split_term(text: &str) -> Result<(u64, &str, &str), DurationError> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if digits == 0 {
        return Err(DurationError::Malformed);
    }
    let number = text[..digits].parse().map_err(|_| DurationError::TooLong)?;
    let after = &text[digits..];
    let letters = after
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(after.len());
    if letters == 0 && !after.is_empty() {
        return Err(DurationError::Malformed);
    }
    Ok((number, &after[..letters], &after[letters..]))
}

fn unit_index(number: u64, unit: &str) -> Result<usize, DurationError> {
    if unit.is_empty() {
        return Err(DurationError::NoUnit(number));
    }
    UNITS
        .iter()
        .position(|(name, _)| *name == unit)
        .ok_or_else(|| DurationError::UnknownUnit(unit.to_owned()))
}

/// Writes a span as [`parse`] reads it, to the millisecond: `1h30m`, `0s`.
pub fn display(span: Duration) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let mut rest = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        // Weeks are read, never written: "400d" stays "400d".
        for (unit, size) in &UNITS[1..] {
            let count = rest / size;
            rest %= size;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    })
}

/// Writes a span for people, to the second, minutes and seconds always with two digits behind a larger unit:
/// `7m04s`, `1h00m30s`, `45s`.
pub fn clock(span: Duration) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let seconds = span.as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        match (hours, minutes) {
            (0, 0) => write!(f, "{seconds}s"),
            (0, _) => write!(f, "{minutes}m{seconds:02}s"),
            _ => write!(f, "{hours}h{minutes:02}m{seconds:02}s"),
        }
    })
}
