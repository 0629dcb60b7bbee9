//! What a mail server offers besides encryption, learnt so that it is seen when it offers less (`semantics` 8).

use serde::{Deserialize, Serialize};

/// What a server offers besides encryption.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// SIZE (RFC 1870): with which limit in bytes; 0 where it states none.
    pub size: Option<u64>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
}

impl Offered {
    /// The most of both.
    fn merged(self, other: Self) -> Self {
        Self {
            size: self.size.max(other.size),
            eight_bit_mime: self.eight_bit_mime || other.eight_bit_mime,
        }
    }
}

/// What an address has offered. One address may lead to several machines that do not offer the same, so only what two
/// answers in a row agree on counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Offers {
    /// The most that it ever offered.
    pub(super) held: Option<Offered>,
    /// What was seen last.
    pub(super) seen: Option<Offered>,
    /// What two answers in a row last agreed on.
    pub(super) agreed: Option<Offered>,
}

impl Offers {
    /// What is held now, where that is more than before.
    pub(super) fn see(&mut self, offered: Offered) -> Option<Offered> {
        if self.seen.replace(offered) != Some(offered) {
            return None;
        }
        self.agreed = Some(offered);
        let most = self.held.map_or(offered, |held| held.merged(offered));
        (self.held.replace(most) != Some(most)).then_some(most)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::picture::Learnt;

    const MB: u64 = 1_000_000;

    fn offered(size: Option<u64>, eight_bit_mime: bool) -> Offered {
        Offered { size, eight_bit_mime }
    }

    #[test]
    fn what_is_offered_counts_once_two_answers_agree_and_only_grows() {
        let address: SocketAddr = "192.0.2.1:25".parse().unwrap();
        let (small, large) = (offered(Some(10 * MB), false), offered(Some(50 * MB), true));
        let mut learnt = Learnt::default();
        assert_eq!(learnt.see_offers(address, small), None);
        assert_eq!(learnt.see_offers(address, large), None);
        assert_eq!(learnt.offers(address), None);
        let fact = learnt.see_offers(address, large).unwrap();
        assert_eq!(learnt.offers(address), Some((large, large)));
        // One answer of another machine at the same address changes nothing.
        assert_eq!(learnt.see_offers(address, small), None);
        assert_eq!(learnt.offers(address), Some((large, large)));
        assert_eq!(learnt.see_offers(address, small), None);
        assert_eq!(learnt.offers(address), Some((large, small)));
        // A restart remembers the most, and waits for two answers again.
        let mut again = Learnt::restore([fact]);
        assert_eq!(again.offers(address), None);
        again.see_offers(address, small);
        again.see_offers(address, small);
        assert_eq!(again.offers(address), Some((large, small)));
        assert!(again.approve_offers(address).is_some());
        assert_eq!(again.offers(address), Some((small, small)));
        assert_eq!(again.approve_offers(address), None);
    }
}
