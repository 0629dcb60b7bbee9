//! What `mailflow check` says of a small internet in memory, under driven time: the whole way from a question to
//! resolvers up to the verdict, with the very probes that run against the real one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod dane;
mod faults;
mod hostile;
mod own_side;
mod policy;
mod round_trips;
mod world;
