//! When the surfaces get a new snapshot: what turned shows at once, and what has only newer times may wait the longer,
//! the more there is to put together.

use jiff::{SignedDuration, Timestamp};

use super::engine::later;

/// The least time between two snapshots: bursts of evidence share one.
const LEAST: SignedDuration = SignedDuration::from_millis(200);

/// What each watched target adds while something has turned: a tenth of a processor, as a snapshot takes a
/// microsecond or two for each.
const TURNED: SignedDuration = SignedDuration::from_micros(10);
/// The most that a turn waits, so that whoever pressed a button sees that it did.
const TURNED_MOST: SignedDuration = SignedDuration::from_secs(1);

/// What each watched target adds while everything is as it was.
const NEWER: SignedDuration = SignedDuration::from_micros(200);
/// The most that new times wait.
const NEWER_MOST: SignedDuration = SignedDuration::from_secs(10);

/// What has changed since the last snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum News {
    /// Evidence that says what was known, or counts.
    Newer,
    /// A verdict, an incident, or what somebody did.
    Turned,
}

/// When the next snapshot is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Publishing {
    news: Option<News>,
    last: Timestamp,
}

impl Publishing {
    /// Nothing has been published.
    pub(super) fn new() -> Self {
        Self {
            news: Some(News::Turned),
            last: Timestamp::MIN,
        }
    }

    /// Something changed.
    pub(super) fn add(&mut self, news: News) {
        self.news = self.news.max(Some(news));
    }

    /// When the next snapshot is due, with so many targets in it; `None` while nothing has changed.
    pub(super) fn due(&self, targets: usize) -> Option<Timestamp> {
        let targets = i32::try_from(targets).unwrap_or(i32::MAX);
        let pause = match self.news? {
            News::Turned => TURNED.saturating_mul(targets).clamp(LEAST, TURNED_MOST),
            News::Newer => NEWER.saturating_mul(targets).clamp(LEAST, NEWER_MOST),
        };
        Some(later(self.last, pause))
    }

    /// A snapshot was published.
    pub(super) fn done(&mut self, now: Timestamp) {
        *self = Self {
            news: None,
            last: now,
        };
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_few_turned(News::Turned, 50, 200)]
    #[case::a_few_only_newer(News::Newer, 50, 200)]
    #[case::a_large_msp_turned(News::Turned, 50_000, 500)]
    #[case::a_large_msp_only_newer(News::Newer, 10_000, 2_000)]
    #[case::as_long_as_it_gets_turned(News::Turned, 1_000_000, 1_000)]
    #[case::as_long_as_it_gets_newer(News::Newer, 1_000_000, 10_000)]
    fn it_waits_by_what_changed_and_by_size(#[case] news: News, #[case] targets: usize, #[case] millis: i64) {
        let mut publishing = Publishing::new();
        assert!(
            publishing.due(targets) < Some(Timestamp::UNIX_EPOCH),
            "the first waits for nothing"
        );
        publishing.done(Timestamp::UNIX_EPOCH);
        assert_eq!(publishing.due(targets), None, "nothing has changed");
        publishing.add(news);
        publishing.add(News::Newer);
        let due = Timestamp::from_millisecond(millis).ok();
        assert_eq!(publishing.due(targets), due);
    }
}
