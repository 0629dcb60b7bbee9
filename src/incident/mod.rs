//! The lifecycle of incidents: which verdicts form one, when it begins and ends, and when somebody is to be told.
//!
//! Pure, under driven time: [`Lifecycle::judge`] takes each changed verdict, [`Lifecycle::settle`] draws the
//! conclusions of all that was judged since and of the time that has passed, and says what is due to be told.
//! Who is told, and how, is for `notify`; what is written down, for `store`.
//!
//! The rules are those of `semantics` 21 to 26:
//! - Each target contributes to at most one incident, that of its cause's root. Broken and degraded contribute;
//!   flowing leaves; unknown changes nothing, but for what says that we ourselves are blind or refused.
//! - What was wrong when a target was first seen sends nothing, until it gets worse or comes back after flowing.
//! - A message is due when what it says has held for long enough, and is proposed until somebody says that it
//!   was taken care of ([`Lifecycle::told`]).

mod contribution;
mod flapping;
mod hands;
mod lifecycle;
mod policy;
mod record;
#[cfg(test)]
pub(crate) mod sample;
mod settle;
mod telling;
#[cfg(test)]
mod tests;

pub use flapping::Flapping;
pub use hands::NotOpen;
pub use lifecycle::{Announcement, Lifecycle, Restored, Rows};
pub use policy::Policy;
