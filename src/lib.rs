//! mailflow watches whether mail can reach, and leave, the domains that somebody looks after, and when it
//! cannot, says which part broke, whose it is and what to do.
//!
//! Evidence flows one way: `config` → `inventory` → `schedule` → `probe` → `picture` → `diagnosis` →
//! `incident` → `store` and the surfaces. Each module's own documentation says what lives there.

pub mod config;
pub mod diagnosis;
pub mod inventory;
pub mod incident;
pub mod model;
pub mod monitor;
pub mod net;
pub mod picture;
pub mod notify;
pub mod probe;
pub mod schedule;
pub mod snapshot;
pub mod surface;
pub mod store;
