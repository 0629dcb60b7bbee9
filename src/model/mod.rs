//! The vocabulary as types: names, subjects, observations, evidence, causes, verdicts and incidents.
//!
//! No I/O, no clocks, no async. Times are [`jiff::Timestamp`] (UTC); spans are [`std::time::Duration`]. Where a fleet has a
//! million of them, they are kept as a [`Moment`] and a [`Length`].

pub mod base64;
pub mod blocklist;
pub mod by_subject;
mod canary;
pub mod catalogue;
mod code;
mod deed;
pub mod dns;
mod hand;
mod hours;
mod incident;
mod json;
pub mod links;
mod message;
mod moment;
mod name;
mod observation;
pub mod policy;
pub mod reach;
mod report;
mod seal;
pub mod sender;
pub mod service;
pub mod smtp;
pub mod snmp;
mod subject;
pub mod template;
pub mod text;
mod times;
pub mod tls;
pub mod trace;
mod verdict;

pub use by_subject::{BySubject, OfSubject};
pub use canary::{CanaryEvidence, CanaryOutcome, CanaryStage, LateCanary, MethodResult};
pub use code::{Code, UnknownCode};
pub use deed::{Deed, Entry};
pub use hand::{Accepted, Hand, HandError, HandId, HandKind, Matchers, Measure, When};
pub use hours::{Hours, HoursError};
pub use incident::{
    Acknowledgement, Affected, Event, Flaps, Held, HeldBy, Incident, IncidentId, IncidentState, LogEntry,
    Severity, Told,
};
pub use message::{Message, MessageId, Notice, Outcome};
pub use moment::{Length, Moment};
pub use name::{ClientId, DomainName, NameError};
pub use observation::{Evidence, Observation, Obstacle, StageTiming};
pub use report::{Fate, Report, ReportSource};
pub use seal::{Broken, Seal};
pub use service::{Service, ServiceKind};
pub use smtp::{DialError, EnhancedCode, Reply, SmtpStage};
pub use subject::{Anchor, Endpoint, ProbeKind, Recipient, Subject};
pub use times::Times;
pub use verdict::{
    Cause, Confidence, EvidenceNote, Hop, HopKind, Owner, Proof, Root, RootKind, State, Target, Verdict,
    Warning,
};
