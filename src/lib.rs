//! mailflow watches whether mail can reach, and leave, the domains that somebody looks after, and when it
//! cannot, says which part broke, whose it is and what to do.
//!
//! Evidence flows one way: `config` → `inventory` → `schedule` → `probe` → `picture` → `diagnosis` →
//! `incident` → `store` and the surfaces. Each module's own documentation says what lives there.

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod diagnosis;
#[cfg(test)]
mod fuzzing;
pub mod incident;
pub mod inventory;
pub mod message;
pub mod model;
pub mod monitor;
pub mod net;
pub mod notify;
pub mod picture;
pub mod probe;
pub mod schedule;
pub mod snapshot;
pub mod store;
pub mod surface;
