//! When in the schedule's round something happens.

/// Moments of a round to try, by number: every second of so many, which is what there is time for at each run;
/// all of them where `MAILFLOW_TESTS=thorough` asks for it.
pub fn moments(all: u32) -> impl Iterator<Item = u32> {
    let thorough = std::env::var_os("MAILFLOW_TESTS").is_some_and(|how| how == "thorough");
    (0..all).step_by(if thorough { 1 } else { 2 })
}
