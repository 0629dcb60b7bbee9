//! The vocabulary as types: names, subjects, observations, evidence, causes, verdicts and incidents.
//!
//! No I/O, no clocks, no async. Times are [`jiff::Timestamp`] (UTC); spans are [`std::time::Duration`].

mod name;

pub use name::{ClientId, DomainName, NameError};
