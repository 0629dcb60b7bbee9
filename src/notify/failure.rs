//! Why a message was not taken.

use std::time::Duration;

use crate::model::text::clean;

/// The most characters that are kept of a reason; half of them may come from the other side.
const REASON: usize = 300;

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It is worth trying again.
    #[error("{reason}")]
    Passing {
        /// In words.
        reason: String,
        /// How long the other side asks us to wait, whatever we send.
        retry_after: Option<Duration>,
    },
    /// The same message will never be taken.
    #[error("{reason}")]
    Permanent {
        /// In words.
        reason: String,
    },
}

impl Failure {
    /// A failure that may pass.
    pub fn passing(reason: impl AsRef<str>) -> Self {
        Self::Passing {
            reason: clean(reason.as_ref().as_bytes(), REASON),
            retry_after: None,
        }
    }

    /// The same, the other side asking us to wait before we send anything else.
    pub(super) fn asking_to_wait(self, wait: Option<Duration>) -> Self {
        match self {
            Self::Passing { reason, .. } => Self::Passing {
                reason,
                retry_after: wait,
            },
            permanent @ Self::Permanent { .. } => permanent,
        }
    }

    /// A failure for good.
    pub fn permanent(reason: impl AsRef<str>) -> Self {
        Self::Permanent {
            reason: clean(reason.as_ref().as_bytes(), REASON),
        }
    }
}

/// Why a notifier cannot be made from its settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(pub(super) String);
