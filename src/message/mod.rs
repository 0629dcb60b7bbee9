//! Mail as text: what a canary is made of and known by, and the stamps that servers put on a message on its way.
//!
//! Nothing here waits or connects. Every byte may come from a stranger: what is kept is bounded and cleaned.

pub mod authentication_results;
pub mod canary;
pub mod received;
