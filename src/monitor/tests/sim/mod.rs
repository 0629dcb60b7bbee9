//! A simulated world and a monitor that watches it: hosts with states, faults that come and go, and a clock that is
//! driven. Each probe is answered as the real world would answer it, in the time that it would take.

mod answer;
mod beside;
mod canaries;
mod dns;
mod fault;
mod inject;
mod moments;
pub mod published;
mod reach;
mod routes;
mod run;
mod seen;
mod smtp;
mod world;

pub use fault::{CanaryIs, Fault, SenderIs};
pub use moments::{is_thorough, moments};
pub use run::{CONFIG, Sim, start};
pub use world::{List, NameServers, Server, World};
