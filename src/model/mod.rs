//! The vocabulary as types: names, subjects, observations, evidence, causes, verdicts and incidents.
//!
//! No I/O, no clocks, no async. Times are [`jiff::Timestamp`] (UTC); spans are [`std::time::Duration`].

pub mod dns;
mod name;
mod observation;
pub mod reach;
pub mod smtp;
mod subject;
pub mod text;
pub mod tls;

pub use name::{ClientId, DomainName, NameError};
pub use observation::{Evidence, Observation, StageTiming};
pub use smtp::{DialError, EnhancedCode, Reply, SmtpStage};
pub use subject::{Anchor, Endpoint, ProbeKind, Subject};
