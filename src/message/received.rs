//! The way that a message took, by the stamps that servers put on it (RFC 5321 4.4): which server it waited at, and whose
//! clock is wrong.
//!
//! Clocks differ, so a gap between two stamps proves nothing by itself. Only stamps that lie between our own two moments
//! and that agree with most of the others count.

use jiff::{SignedDuration, Timestamp};

use crate::model::text::clean;

/// Stamps that are read; a message that has more goes round in circles.
const MOST_STAMPS: usize = 50;
/// Characters of a server's name that are kept.
const LONGEST_NAME: usize = 120;
/// No stamp that matters is older, in seconds since 1970.
const YEAR_2000: i64 = 946_684_800;
/// Stamps count whole seconds, so that honest clocks may seem to differ by this much.
const TOLERATED: SignedDuration = SignedDuration::from_secs(2);

/// One server's stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// When, by the server's own clock (UTC).
    pub at: Timestamp,
    /// Who put it there, as it calls itself.
    pub by: Option<String>,
}

/// The way that a message took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journey {
    /// Each server on the way whose clock can be believed, and how long the message took to come there from the one
    /// before.
    pub hops: Vec<(String, SignedDuration)>,
    /// Servers whose clocks disagree with the others'.
    pub skewed: Vec<String>,
}

impl Journey {
    /// Where it took longest to come to, and how long.
    pub fn slowest(&self) -> Option<(&str, SignedDuration)> {
        let slowest = self.hops.iter().max_by_key(|(_, took)| *took)?;
        Some((&slowest.0, slowest.1))
    }
}

/// Reads one Received header; `None` where it holds no date that can be read.
pub fn stamp(value: &str) -> Option<Stamp> {
    let (clauses, date) = value.rsplit_once(';')?;
    // The parser takes what is no date for the beginning of time.
    let seconds = mailparse::dateparse(date.trim())
        .ok()
        .filter(|seconds| *seconds >= YEAR_2000)?;
    let at = Timestamp::from_second(seconds).ok()?;
    let words = without_comments(clauses);
    let mut words = words.split_ascii_whitespace();
    let by = words
        .by_ref()
        .find(|word| word.eq_ignore_ascii_case("by"))
        .and_then(|_| words.next())
        .map(|name| clean(name.as_bytes(), LONGEST_NAME));
    Some(Stamp { at, by })
}

/// The stamps among a message's Received headers, which stand newest first; the oldest comes first here.
pub fn stamps<'a>(values: impl DoubleEndedIterator<Item = &'a str>) -> Vec<Stamp> {
    let mut stamps: Vec<Stamp> = values.filter_map(stamp).take(MOST_STAMPS).collect();
    stamps.reverse();
    stamps
}

/// Works out the way of a message that was handed in at `sent` and lay in its mailbox at `arrived`, both by our clock. A
/// stamp outside of that time is wrong, and so is one that most of the others contradict.
pub fn journey(sent: Timestamp, stamps: &[Stamp], arrived: Timestamp) -> Journey {
    let name = |stamp: &Stamp| {
        let name = stamp.by.clone();
        name.unwrap_or_else(|| "a server without a name".to_owned())
    };
    let trusted = in_order(sent, stamps, arrived);
    let mut journey = Journey::default();
    let mut latest = sent;
    for (index, stamp) in stamps.iter().enumerate() {
        if trusted.contains(&index) {
            let took = stamp.at.duration_since(latest).max(SignedDuration::ZERO);
            journey.hops.push((name(stamp), took));
            latest = stamp.at.max(latest);
        } else {
            journey.skewed.push(name(stamp));
        }
    }
    let took = arrived.duration_since(latest).max(SignedDuration::ZERO);
    journey.hops.push(("the mailbox".to_owned(), took));
    journey
}

/// The most stamps that lie between `sent` and `arrived` and follow one another, by their places.
fn in_order(sent: Timestamp, stamps: &[Stamp], arrived: Timestamp) -> Vec<usize> {
    let follows = |one: Timestamp, other: Timestamp| one.duration_since(other) <= TOLERATED;
    let mut best: Vec<Vec<usize>> = Vec::with_capacity(stamps.len());
    for (index, stamp) in stamps.iter().enumerate() {
        let mut row = Vec::new();
        if follows(sent, stamp.at) && follows(stamp.at, arrived) {
            let earlier = best
                .iter()
                .enumerate()
                .filter(|(before, row)| row.last() == Some(before) && follows(stamps[*before].at, stamp.at));
            let longest = earlier.map(|(_, row)| row).max_by_key(|row| row.len());
            row = longest.cloned().unwrap_or_default();
            row.push(index);
        }
        best.push(row);
    }
    // Of several that are as long, the first: later servers stand nearer to our own clock, but nothing proves that.
    let mut longest = Vec::new();
    for row in best {
        if row.len() > longest.len() {
            longest = row;
        }
    }
    longest
}

/// The text without what stands in brackets, nested or not (RFC 5322 3.2.2).
fn without_comments(text: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(one),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn stamps_at(seconds: &[i64]) -> Vec<Stamp> {
        let stamp = |(index, seconds): (usize, &i64)| Stamp {
            at: at(*seconds),
            by: Some(format!("mx{index}")),
        };
        seconds.iter().enumerate().map(stamp).collect()
    }

    #[rstest]
    #[case(
        "from a (b [192.0.2.1]) by mx.acme.test (Postfix) with ESMTPS id 1 for <x@acme.test>; Thu, 26 Nov 2026 01:00:00 +0100 (CET)",
        Some("mx.acme.test")
    )]
    #[case(
        "by 2002:a05:6402 with SMTP id x; Wed, 25 Nov 2026 16:00:00 -0800 (PST)",
        Some("2002:a05:6402")
    )]
    #[case("from by by mx.by.test; Thu, 26 Nov 2026 00:00:00 GMT", Some("by"))]
    #[case("(qmail 123 invoked by uid 89); 26 Nov 2026 00:00:00 -0000", None)]
    fn stamps_are_read(#[case] value: &str, #[case] by: Option<&str>) {
        let stamp = stamp(value).unwrap();
        assert_eq!(stamp.at.to_string(), "2026-11-26T00:00:00Z");
        assert_eq!(stamp.by.as_deref(), by);
    }

    #[test]
    fn what_has_no_date_is_no_stamp() {
        assert_eq!(stamp("from a by b with SMTP"), None);
        assert_eq!(stamp("by b; yesterday"), None);
    }

    #[rstest]
    #[case::quick(&[1, 2, 3], 4, ("mx0", 1), &[])]
    #[case::held_at_the_second(&[1, 300, 301], 302, ("mx1", 299), &[])]
    #[case::held_before_the_mailbox(&[1, 2], 400, ("the mailbox", 398), &[])]
    #[case::a_clock_ahead_proves_no_wait(&[1, 305, 3], 4, ("mx2", 2), &["mx1"])]
    #[case::a_clock_behind_neither(&[1, -600, 2], 3, ("mx0", 1), &["mx1"])]
    #[case::a_wait_beside_a_wrong_clock(&[1, 900, 300], 301, ("mx2", 299), &["mx1"])]
    #[case::most_of_them_agree(&[1, 250, 3, 4], 300, ("the mailbox", 296), &["mx1"])]
    fn the_slow_hop_is_named(
        #[case] seconds: &[i64],
        #[case] arrived: i64,
        #[case] slowest: (&str, i64),
        #[case] skewed: &[&str],
    ) {
        let journey = journey(at(0), &stamps_at(seconds), at(arrived));
        let named = journey.hops.iter().find(|(name, _)| name == slowest.0).unwrap();
        assert_eq!(named.1.as_secs(), slowest.1, "{journey:?}");
        assert_eq!(journey.slowest().unwrap().1.as_secs(), slowest.1, "{journey:?}");
        assert_eq!(journey.skewed, skewed, "{journey:?}");
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_whole(seconds in proptest::collection::vec(-10_000_i64..10_000, 0..8), arrived in 0_i64..10_000) {
            let journey = journey(at(0), &stamps_at(&seconds), at(arrived));
            let sum: i64 = journey.hops.iter().map(|(_, took)| took.as_secs()).sum();
            prop_assert!(sum <= arrived + 2 * 9);
        }

        #[test]
        fn any_text_can_be_read(text in ".*") {
            let _ = stamp(&text);
        }
    }
}
