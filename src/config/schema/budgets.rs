//! `[budgets]`: how much we ask of other people's servers.

use std::num::NonZeroU32;
use std::time::Duration;

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
