//! Times in eight bytes, for what a fleet has a million of: [`jiff::Timestamp`] takes sixteen, and twenty-four where there
//! may be none.

use std::num::NonZeroU64;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// A time, to the nanosecond. What lies before 1678 or after 2261 is the beginning or the end of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(NonZeroU64);

/// The least that can be held; one less would be zero, which says that there is none.
const EARLIEST: i64 = i64::MIN + 1;

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        let nanos = time
            .as_nanosecond()
            .clamp(i128::from(EARLIEST), i128::from(i64::MAX));
        let nanos = i64::try_from(nanos).unwrap_or(EARLIEST);
        // From the earliest on, so that the order stays.
        Self(NonZeroU64::MIN.saturating_add(nanos.abs_diff(EARLIEST)))
    }
}

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Self {
        let nanos = EARLIEST.saturating_add_unsigned(moment.0.get() - 1);
        match nanos {
            EARLIEST => Self::MIN,
            i64::MAX => Self::MAX,
            nanos => Self::from_nanosecond(i128::from(nanos)).unwrap_or(Self::MAX),
        }
    }
}

/// A length of time, to the nanosecond; more than 584 years are so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Length(NonZeroU64);

impl From<Duration> for Length {
    fn from(length: Duration) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }
}

/// In seconds.
impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(Duration::from(*self).as_secs_f64())
    }
}

impl From<Length> for Duration {
    fn from(length: Length) -> Self {
        Self::from_nanos(length.0.get() - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[test]
    fn one_that_may_be_none_takes_no_more() {
        assert_eq!(size_of::<Option<Moment>>(), 8);
        assert_eq!(size_of::<Option<Length>>(), 8);
    }

    #[rstest]
    #[case(Timestamp::MIN)]
    #[case(Timestamp::MAX)]
    #[case(Timestamp::UNIX_EPOCH)]
    fn the_ends_of_time_stay_so(#[case] time: Timestamp) {
        assert_eq!(Timestamp::from(Moment::from(time)), time);
    }

    #[rstest]
    #[case("1600-01-01T00:00:00Z", Timestamp::MIN)]
    #[case("2300-01-01T00:00:00Z", Timestamp::MAX)]
    fn what_is_too_far_away_is_an_end_of_time(#[case] time: Timestamp, #[case] end: Timestamp) {
        assert_eq!(Timestamp::from(Moment::from(time)), end);
    }

    #[rstest]
    #[case(Duration::ZERO, Duration::ZERO)]
    #[case(Duration::from_nanos(1), Duration::from_nanos(1))]
    #[case(Duration::MAX, Duration::from_nanos(u64::MAX - 1))]
    fn lengths_stay_as_long(#[case] length: Duration, #[case] kept: Duration) {
        assert_eq!(Duration::from(Length::from(length)), kept);
    }

    proptest! {
        #[test]
        fn times_stay_as_they_are_and_in_order(one in EARLIEST + 1..i64::MAX, other in EARLIEST + 1..i64::MAX) {
            let time = |nanos: i64| Timestamp::from_nanosecond(i128::from(nanos)).unwrap();
            let (one, other) = (time(one), time(other));
            prop_assert_eq!(Timestamp::from(Moment::from(one)), one);
            prop_assert_eq!(Moment::from(one).cmp(&Moment::from(other)), one.cmp(&other));
        }
    }
}
