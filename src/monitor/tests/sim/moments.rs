//! How much is tried: when in the schedule's round something happens, and for how long it is watched afterwards.

/// Whether everything is to be tried, as `MAILFLOW_TESTS=thorough` asks for, and not just what there is time for at each
/// run.
pub fn is_thorough() -> bool {
    std::env::var_os("MAILFLOW_TESTS").is_some_and(|how| how == "thorough")
}

/// Moments of a round to try, by number: every fifth of so many from one in the middle on, or all of them.
pub fn moments(all: u32) -> impl Iterator<Item = u32> {
    const STEP: u32 = 5;
    let (first, step) = if is_thorough() {
        (0, 1)
    } else {
        (all / 2 % STEP, STEP)
    };
    (first..all).step_by(step as usize)
}
