//! Ninety days of history, a bar a day.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::words;
use crate::model::State;

/// How many days are shown.
const DAYS: i64 = 90;
/// The states that are worth a bar's colour, the worst first.
const WORST_FIRST: [State; 4] = [State::Broken, State::Degraded, State::Unknown, State::Flowing];

/// The bars, and what they come to.
pub(super) struct Bars {
    pub(super) days: Vec<Day>,
    /// `99.87%`: of the time that is known, how much was not broken.
    pub(super) passable: Option<String>,
    /// The days on which something was wrong, in words, the newest first.
    pub(super) troubles: Vec<String>,
}

/// One day (UTC).
pub(super) struct Day {
    /// The worst state of the day; `None`: it was not watched.
    pub(super) state: Option<State>,
    /// How tall its colour stands, of 100: a short trouble is seen, a long one is tall.
    pub(super) height: u32,
    /// Where it stands, from the left, of 900.
    pub(super) left: i64,
    /// `10 Nov: broken for 1 h 30 min`.
    pub(super) label: String,
}

impl Bars {
    /// From the turns of a target, the oldest first, up to now.
    pub(super) fn new(turns: &[(Timestamp, State)], now: Timestamp) -> Self {
        let today = now.to_zoned(TimeZone::UTC).date();
        let (mut known, mut broken) = (SignedDuration::ZERO, SignedDuration::ZERO);
        let mut days = Vec::new();
        let mut troubles = Vec::new();
        for number in 0..DAYS {
            let date = today.saturating_sub((DAYS - 1 - number).days());
            let spent = spent(turns, date, now);
            for (state, time) in &spent {
                known += *time;
                if *state == State::Broken {
                    broken += *time;
                }
            }
            let day = Day::new(number, date, &spent);
            if day.state.is_some_and(|state| state != State::Flowing) {
                troubles.insert(0, day.label.clone());
            }
            days.push(day);
        }
        let passable = (known > SignedDuration::ZERO).then(|| share(known - broken, known));
        Self {
            days,
            passable,
            troubles,
        }
    }
}

impl Day {
    fn new(number: i64, date: Date, spent: &[(State, SignedDuration)]) -> Self {
        let shown = date.strftime("%-d %b");
        let time_in = |state: State| {
            let times = spent.iter().filter(|(of, _)| *of == state);
            times.fold(SignedDuration::ZERO, |sum, (_, time)| sum + *time)
        };
        let state = WORST_FIRST
            .into_iter()
            .find(|state| time_in(*state) > SignedDuration::ZERO);
        let (height, label) = match state {
            None => (100, format!("{shown}: not watched")),
            Some(State::Flowing) => (100, format!("{shown}: flowing")),
            Some(state) => {
                let time = time_in(state);
                let hours = u32::try_from(time.as_hours()).unwrap_or(24);
                let span = words::duration(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + time);
                ((35 + hours * 5).min(100), format!("{shown}: {state} for {span}"))
            }
        };
        Self {
            state,
            height,
            left: number * 10,
            label,
        }
    }
}

/// How long each state held on a day, as far as is known.
fn spent(turns: &[(Timestamp, State)], date: Date, now: Timestamp) -> Vec<(State, SignedDuration)> {
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).map(|day| day.timestamp());
    let (Ok(begin), Ok(end)) = (midnight(date), midnight(date.saturating_add(1.day()))) else {
        return Vec::new();
    };
    let end = end.min(now);
    // The turn that was in force when the day began, and those within it.
    let first = turns.partition_point(|(at, _)| *at <= begin).saturating_sub(1);
    let mut spent = Vec::new();
    for (index, (at, state)) in turns.iter().enumerate().skip(first) {
        if *at >= end {
            break;
        }
        let until = turns.get(index + 1).map_or(end, |(next, _)| (*next).min(end));
        let from = (*at).max(begin);
        if until > from {
            spent.push((*state, until.duration_since(from)));
        }
    }
    spent
}

/// A part of a whole as a percentage, rounded down: "100%" is all of it.
fn share(part: SignedDuration, whole: SignedDuration) -> String {
    let hundredths = part.as_secs().saturating_mul(10_000) / whole.as_secs().max(1);
    if hundredths >= 10_000 {
        "100%".to_owned()
    } else {
        format!("{}.{:02}%", hundredths / 100, hundredths % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const NOW: &str = "2026-11-22T12:00:00Z";

    #[test]
    fn a_day_shows_its_worst_and_for_how_long() {
        let turns = [
            (at("2026-11-09T12:00:00Z"), State::Flowing),
            (at("2026-11-10T10:00:00Z"), State::Broken),
            (at("2026-11-10T11:30:00Z"), State::Degraded),
            (at("2026-11-10T11:40:00Z"), State::Flowing),
            (at("2026-11-20T23:00:00Z"), State::Degraded),
            (at("2026-11-22T01:00:00Z"), State::Flowing),
        ];
        let bars = Bars::new(&turns, at(NOW));
        assert_eq!(bars.days.len(), 90);
        let told = |back: usize| bars.days[89 - back].label.as_str();
        assert_eq!(told(0), "22 Nov: degraded for 1 h");
        assert_eq!(told(1), "21 Nov: degraded for 1 d");
        assert_eq!(told(2), "20 Nov: degraded for 1 h");
        assert_eq!(told(3), "19 Nov: flowing");
        assert_eq!(told(12), "10 Nov: broken for 1 h 30 min");
        assert_eq!(told(13), "9 Nov: flowing");
        assert_eq!(told(14), "8 Nov: not watched");
        assert_eq!(bars.troubles.len(), 4);
        assert_eq!(bars.passable.as_deref(), Some("99.51%"));
        assert!(bars.days[89 - 1].height > bars.days[89].height);
    }

    #[test]
    fn what_never_turned_is_what_it_was_and_what_was_never_seen_is_nothing() {
        let bars = Bars::new(&[(at("2025-01-01T00:00:00Z"), State::Flowing)], at(NOW));
        assert!(bars.days.iter().all(|day| day.state == Some(State::Flowing)));
        assert_eq!(bars.passable.as_deref(), Some("100%"));
        let bars = Bars::new(&[], at(NOW));
        assert!(bars.days.iter().all(|day| day.state.is_none()));
        assert_eq!((bars.passable, bars.troubles.len()), (None, 0));
    }
}
