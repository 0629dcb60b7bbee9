//! Judgement: pure functions of the picture and the time.
//!
//! [`classify()`] says what one observation means by itself; [`explainers`] who is to be asked when it is a
//! failure; then [`own_side`], [`outage`], [`gateway()`], [`domain()`] and [`route()`] judge, each standing on the ones
//! before. What they would still have to know is collected as [`Doubt`].

mod accept;
mod address;
mod agent;
mod ask;
mod canary;
mod classify;
mod control;
mod dns;
mod domain;
mod doubt;
mod finding;
mod gateway;
mod host;
mod line;
mod note;
mod offers;
mod path;
mod policy;
mod provider;
mod records;
mod refusal;
mod reputation;
mod route;
mod service;
mod tls;
mod trace;
mod vantage;
mod zone;

pub use address::{AddressState, AddressView, address};
pub use agent::gateway_warnings;
pub use ask::{explainers, siblings};
pub use canary::{CanaryJudgement, canary};
pub use classify::classify;
pub use domain::{Judgement, domain};
pub use doubt::Doubt;
pub use finding::Finding;
pub use gateway::{GatewayState, gateway};
pub use line::impairment;
pub use note::{brief, note, summary};
pub use path::stages;
pub use provider::outage;
pub use route::{Others, route};
pub use service::ServiceView;
pub use trace::{is_traced, unreachable};
pub use vantage::{OwnSide, Suspicion, own_side, refuters};
