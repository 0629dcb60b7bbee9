//! What DNS blocklists say of addresses (RFC 5782).

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::dns::Lookup;

/// What one answer of a blocklist means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// The address is on the list.
    Listed,
    /// It is not.
    NotListed,
    /// The list turns our questions away (127.255.255.x): a mistyped zone, a public resolver, too many questions.
    RefusesUs,
    /// Nobody could tell.
    Untold,
}

/// The answer to one question of a blocklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListAnswer {
    /// The A records at the reversed address, or why there are none.
    pub answer: Lookup<Vec<Ipv4Addr>>,
}

impl ListAnswer {
    /// What it means. Only documented answers count: 127.0.0.2 and above within 127.0.0.0/24 (RFC 5782 2.1). An
    /// address of a web server, where a zone has been sold or a resolver rewrites answers, lists nobody.
    pub fn listing(&self) -> Listing {
        let Some(records) = self.answer.records() else {
            return if self.answer.is_definite() {
                Listing::NotListed
            } else {
                Listing::Untold
            };
        };
        let octets = || records.iter().map(Ipv4Addr::octets);
        if octets().any(|octets| octets[..3] == [127, 255, 255]) {
            Listing::RefusesUs
        } else if octets().any(|octets| octets[..3] == [127, 0, 0] && octets[3] > 1) {
            Listing::Listed
        } else {
            Listing::NotListed
        }
    }

    /// In a few words: the addresses that came, or the outcome.
    pub fn outcome(&self) -> String {
        match self.answer.records() {
            Some(records) => {
                let list: Vec<String> = records.iter().take(5).map(ToString::to_string).collect();
                list.join(", ")
            }
            None => self.answer.outcome(),
        }
    }
}

/// The self-test of a list for one family of addresses (RFC 5782 5): what must be on it and what must not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTest {
    /// 127.0.0.2, or `::FFFF:7F00:2`: always on it.
    pub listed: ListAnswer,
    /// 127.0.0.1, or `::FFFF:7F00:1`: never on it.
    pub clean: ListAnswer,
}

impl SelfTest {
    /// Whether the list does what a list does.
    pub fn passes(&self) -> bool {
        self.listed.listing() == Listing::Listed && self.clean.listing() == Listing::NotListed
    }

    /// Whether nobody could tell.
    pub fn is_untold(&self) -> bool {
        [&self.listed, &self.clean]
            .iter()
            .any(|answer| answer.listing() == Listing::Untold)
    }

    /// Whether the list turns our questions away.
    pub fn refuses_us(&self) -> bool {
        [&self.listed, &self.clean]
            .iter()
            .any(|answer| answer.listing() == Listing::RefusesUs)
    }
}

/// What a blocklist showed of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlocklistEvidence {
    /// Its self-test for IPv4.
    pub v4: SelfTest,
    /// Its self-test for IPv6; most lists have none of these.
    pub v6: SelfTest,
}

impl BlocklistEvidence {
    /// Whether what it says of `address` can be believed.
    pub fn is_believed_of(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => self.v4.passes(),
            IpAddr::V6(_) => self.v6.passes(),
        }
    }

    /// What is wrong with it, where it is not to be believed at all; in one line, for ourselves.
    pub fn complaint(&self) -> Option<String> {
        if self.v4.passes() || self.v6.passes() {
            return None;
        }
        let said = |answer: &ListAnswer| answer.outcome();
        Some(if self.v4.refuses_us() {
            format!(
                "it turns our questions away ({}); ask it through a resolver of your own, or register with it",
                said(&self.v4.listed)
            )
        } else if self.v4.clean.listing() == Listing::Listed {
            format!(
                "it lists everything, 127.0.0.1 too ({}): it has probably been closed",
                said(&self.v4.clean)
            )
        } else {
            format!(
                "its test address 127.0.0.2 is not on it ({}): check the zone's spelling",
                said(&self.v4.listed)
            )
        })
    }
}

/// What a blocklist said of one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingEvidence {
    /// The answer.
    pub answer: ListAnswer,
    /// Why it is listed, in the list's own words (its TXT record), cleaned; asked only for what is listed.
    pub reason: Option<String>,
}
