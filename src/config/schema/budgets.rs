//! `[budgets]`: how much we ask of other people's servers.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::reader::{Node, Read};

/// `[budgets]`: SMTP sessions that we open; canaries are outside, confirmations inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budgets {
    /// For each address.
    pub per_address: AddressBudget,
    /// For each recognised provider as a whole.
    pub per_provider: ProviderBudget,
    /// For each name server that we ask directly.
    pub per_nameserver: NameserverBudget,
    /// The longest that a server that refused us is left alone.
    pub refused_backoff: Duration,
}

/// `budgets.per_address`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressBudget {
    /// Sessions at once.
    pub concurrent: NonZeroU32,
    /// From the start of one session to the start of the next.
    pub interval: Duration,
}

/// `budgets.per_provider`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderBudget {
    /// Sessions at once.
    pub concurrent: NonZeroU32,
    /// Sessions begun in a minute.
    pub per_minute: NonZeroU32,
}

/// `budgets.per_nameserver`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameserverBudget {
    /// Questions a second.
    pub per_second: NonZeroU32,
}

const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl Default for AddressBudget {
    fn default() -> Self {
        Self {
            concurrent: at_least_one(1),
            interval: Duration::from_secs(10),
        }
    }
}

impl Default for ProviderBudget {
    fn default() -> Self {
        Self {
            concurrent: at_least_one(2),
            per_minute: at_least_one(30),
        }
    }
}

impl Default for NameserverBudget {
    fn default() -> Self {
        Self {
            per_second: at_least_one(5),
        }
    }
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            per_address: AddressBudget::default(),
            per_provider: ProviderBudget::default(),
            per_nameserver: NameserverBudget::default(),
            refused_backoff: Duration::from_hours(2),
        }
    }
}

impl Read for Budgets {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let default = Self::default();
            Some(Self {
                per_address: t.or("per_address", default.per_address),
                per_provider: t.or("per_provider", default.per_provider),
                per_nameserver: t.or("per_nameserver", default.per_nameserver),
                refused_backoff: t.or("refused_backoff", default.refused_backoff),
            })
        })
    }
}

impl Read for AddressBudget {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let default = Self::default();
            Some(Self {
                concurrent: t.or("concurrent", default.concurrent),
                interval: t.or("interval", default.interval),
            })
        })
    }
}

impl Read for ProviderBudget {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            let default = Self::default();
            Some(Self {
                concurrent: t.or("concurrent", default.concurrent),
                per_minute: t.or("per_minute", default.per_minute),
            })
        })
    }
}

impl Read for NameserverBudget {
    fn read(node: Node<'_>) -> Option<Self> {
        node.table(|t| {
            Some(Self {
                per_second: t.or("per_second", Self::default().per_second),
            })
        })
    }
}
