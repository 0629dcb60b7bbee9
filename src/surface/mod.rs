//! What people and programs look at: metrics, the HTTP API, live events and the status page.
//!
//! Each of them reads one immutable [`Snapshot`](crate::snapshot::Snapshot) and keeps no state of its own, so
//! looking never holds up a probe.

pub(crate) mod bounce;
mod digest;
mod headline;
pub mod http;
mod letter;
pub mod metrics;
pub(crate) mod ours;
mod page;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod words;

pub use letter::{Letter, letter};
