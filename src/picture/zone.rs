//! For how long a zone's parent and servers have not agreed: a moment of that is how DNS spreads a change.

use foldhash::HashMap;
use jiff::{SignedDuration, Timestamp};

use crate::model::dns::{ZoneCopy, ZoneLook};
use crate::model::{DomainName, Evidence, Observation, Subject};

use super::Picture;

/// A server that has had the same old version of a zone since it was first seen to be behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// What it has.
    pub copy: ZoneCopy,
    /// The newest that another server has.
    pub newest: ZoneCopy,
    /// When it was first seen to be behind.
    pub since: Timestamp,
}

impl Lag {
    /// For how long it may be behind before something is wrong: it has then looked for a newer version, and once more.
    fn patience(&self) -> SignedDuration {
        let version = &self.newest.version;
        SignedDuration::try_from(version.refresh.saturating_add(version.retry)).unwrap_or(SignedDuration::MAX)
    }
}

/// What the closer looks at a zone have shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Zone {
    /// When the last one was.
    looked: Option<Timestamp>,
    /// Since when the parent has not named the servers that the zone names.
    unlike_parent: Option<Timestamp>,
    lags: Vec<Lag>,
}

/// The zones of watched domains of which the last closer look was not even; most are.
pub(super) type Zones = HashMap<DomainName, Zone>;

impl Zone {
    fn hear(&mut self, look: &ZoneLook) {
        // Most observations carry an earlier look along.
        if self.looked.is_some_and(|looked| looked >= look.at) {
            return;
        }
        self.looked = Some(look.at);
        self.unlike_parent = look
            .unlike_parent()
            .next()
            .map(|_| self.unlike_parent.unwrap_or(look.at));
        let before = std::mem::take(&mut self.lags);
        let since = |copy: &ZoneCopy| {
            // A server that moves is not stuck, however far behind a busy zone it stays.
            let stuck = |lag: &&Lag| lag.copy.address == copy.address && lag.copy.version == copy.version;
            before.iter().find(stuck).map_or(look.at, |lag| lag.since)
        };
        let behind = look.copies.iter().filter_map(|copy| {
            Some(Lag {
                copy: copy.clone(),
                newest: look.ahead_of(copy)?.clone(),
                since: since(copy),
            })
        });
        self.lags = behind.collect();
    }

    fn has_lasted(&self, since: Timestamp, patience: SignedDuration) -> bool {
        self.looked
            .is_some_and(|looked| looked.duration_since(since) > patience)
    }
}

impl Picture {
    /// Takes in what an observation tells of a zone, if anything.
    pub fn hear_zone(&mut self, observation: &Observation) {
        let (Subject::NameServers(domain), Evidence::NameServers(evidence)) =
            (&observation.subject, &observation.evidence)
        else {
            return;
        };
        match &evidence.closer {
            Some(look) if look.is_even() => {
                self.zones.remove(domain);
            }
            Some(look) => self.zones.entry(domain.clone()).or_default().hear(look),
            None => {}
        }
    }

    /// The servers of a domain's zone that have kept an old version for longer than they may: another look after the
    /// zone's refresh and retry still found them behind (RFC 1035 3.3.13).
    pub fn stale_servers(&self, domain: &DomainName) -> impl Iterator<Item = &Lag> {
        let zone = self.zones.get(domain);
        zone.into_iter().flat_map(|zone| {
            let lags = zone.lags.iter();
            lags.filter(|lag| zone.has_lasted(lag.since, lag.patience()))
        })
    }

    /// Whether two looks in a row found that the parent does not name the servers which the zone itself names.
    pub fn is_unlike_parent(&self, domain: &DomainName) -> bool {
        let zone = self.zones.get(domain);
        zone.is_some_and(|zone| {
            let since = zone.unlike_parent;
            since.is_some_and(|since| zone.has_lasted(since, SignedDuration::ZERO))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::*;
    use crate::model::dns::{Delegated, ZoneVersion};

    fn name(text: &str) -> DomainName {
        text.parse().unwrap()
    }

    fn copy(server: u8, serial: u32) -> ZoneCopy {
        ZoneCopy {
            server: name(&format!("ns{server}.acme.test")),
            address: IpAddr::from([192, 0, 2, server]),
            version: ZoneVersion {
                origin: Some(name("ns1.acme.test")),
                serial,
                refresh: Duration::from_hours(1),
                retry: Duration::from_mins(10),
            },
            servers: vec![name("ns1.acme.test"), name("ns2.acme.test")],
        }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH
            .checked_add(SignedDuration::from_mins(minutes))
            .unwrap()
    }

    fn look(minutes: i64, first: u32, second: u32) -> ZoneLook {
        ZoneLook {
            at: at(minutes),
            delegation: None,
            copies: vec![copy(1, first), copy(2, second)],
        }
    }

    /// Whether the second server is stale after looks at some minutes that found these serials.
    fn is_stale(looks: &[(i64, u32, u32)]) -> bool {
        let mut zone = Zone::default();
        for (minutes, first, second) in looks {
            zone.hear(&look(*minutes, *first, *second));
        }
        zone.lags
            .iter()
            .any(|lag| zone.has_lasted(lag.since, lag.patience()))
    }

    #[rstest::rstest]
    #[case::first_sight(&[(0, 8, 7)], false)]
    #[case::within_refresh_and_retry(&[(0, 8, 7), (70, 8, 7)], false)]
    #[case::beyond(&[(0, 8, 7), (71, 8, 7)], true)]
    #[case::caught_up(&[(0, 8, 7), (60, 8, 8), (120, 9, 8)], false)]
    #[case::behind_but_moving(&[(0, 8, 7), (60, 9, 8), (120, 10, 9)], false)]
    #[case::stuck_while_the_zone_moves(&[(0, 8, 7), (60, 9, 7), (120, 10, 7)], true)]
    #[case::the_same_look_carried_along(&[(0, 8, 7), (0, 8, 7)], false)]
    #[case::serials_wrap(&[(0, 3, u32::MAX), (71, 3, u32::MAX)], true)]
    #[case::ahead_is_not_behind(&[(0, u32::MAX, 3), (71, u32::MAX, u32::MAX)], false)]
    fn a_server_is_stale_after_refresh_and_retry(#[case] looks: &[(i64, u32, u32)], #[case] stale: bool) {
        assert_eq!(is_stale(looks), stale);
    }

    #[test]
    fn versions_of_different_origins_are_not_compared() {
        let mut zone = Zone::default();
        for minutes in [0, 71] {
            let mut look = look(minutes, 8, 7);
            look.copies[1].version.origin = Some(name("elsewhere.test"));
            zone.hear(&look);
        }
        assert_eq!(zone.lags, []);
    }

    #[test]
    fn a_delegation_is_unlike_the_zone_after_two_looks() {
        let mut zone = Zone::default();
        let lasted = |zone: &Zone| {
            zone.unlike_parent
                .is_some_and(|since| zone.has_lasted(since, SignedDuration::ZERO))
        };
        let delegated = |names: &[&str], minutes| ZoneLook {
            delegation: Some(Delegated {
                by: IpAddr::from([192, 0, 2, 40]),
                servers: names.iter().map(|text| (name(text), vec![])).collect(),
            }),
            ..look(minutes, 7, 7)
        };
        let (other, same) = (["ns1.acme.test", "ns9.test"], ["ns1.acme.test", "ns2.acme.test"]);
        zone.hear(&delegated(&other, 0));
        assert!(!lasted(&zone));
        zone.hear(&delegated(&other, 15));
        assert!(lasted(&zone));
        zone.hear(&delegated(&same, 30));
        zone.hear(&delegated(&other, 90));
        assert!(!lasted(&zone));
    }
}
