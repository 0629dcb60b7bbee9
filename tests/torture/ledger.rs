//! What must be true of a store after each death, whatever happened before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use mailflow::model::{Incident, Target};
use mailflow::store::{IncidentFilter, SqliteStore, Store as _};
use rusqlite::Connection;

use crate::hook::Receipt;

/// How many deaths in a row an incident may go on without a message about it: some lives are too short for one.
const UNTOLD: u32 = 4;

/// What is known of the store from the deaths before.
#[derive(Default)]
pub struct Ledger {
    incidents: BTreeMap<u64, Incident>,
    /// How many deaths in a row each incident was open.
    open_for: BTreeMap<u64, u32>,
    /// When the daemon was killed, rather than stopped.
    pub kills: Vec<Instant>,
    /// Messages that came twice, with the same key.
    pub repeated: usize,
}

impl Ledger {
    /// Looks at the store of a daemon that is no more, and at what was received.
    pub fn check(&mut self, store: &Path, receipts: &[Receipt]) -> Result<()> {
        intact(store)?;
        let mut store = SqliteStore::open(store)?;
        let found = store.incidents(&IncidentFilter::default(), None, usize::MAX >> 1)?;
        let found: BTreeMap<u64, Incident> = found.into_iter().map(|one| (one.id.0, one)).collect();
        self.nothing_is_lost(&found)?;
        for (id, incident) in &found {
            let deaths = if incident.is_open() {
                self.open_for.get(id).copied().unwrap_or(0) + 1
            } else {
                0
            };
            self.open_for.insert(*id, deaths);
            let told = incident.announced.is_some() || incident.affected.iter().all(|one| one.first_sight);
            ensure!(
                deaths < UNTOLD || told,
                "#{id} went on for {deaths} lives and nobody was told"
            );
        }
        self.incidents = found;
        self.every_message_has_its_incident(receipts)?;
        self.none_is_repeated(receipts)
    }

    /// The open incident about a domain, by its number, if there is one.
    pub fn open_about(&self, domain: &str) -> Option<u64> {
        let about = |one: &&Incident| {
            one.affected
                .iter()
                .any(|affected| matches!(&affected.target, Target::Domain(name) if name.as_str() == domain))
        };
        self.incidents
            .values()
            .filter(|one| one.is_open())
            .find(about)
            .map(|one| one.id.0)
    }

    /// How many incidents there have been.
    pub fn incidents(&self) -> usize {
        self.incidents.len()
    }

    fn nothing_is_lost(&self, found: &BTreeMap<u64, Incident>) -> Result<()> {
        let keys: BTreeSet<&str> = found.values().map(|one| one.dedup_key.as_str()).collect();
        ensure!(keys.len() == found.len(), "two incidents have one key");
        for (id, before) in &self.incidents {
            let now = found.get(id).with_context(|| format!("#{id} is lost"))?;
            ensure!(now.dedup_key == before.dedup_key, "#{id} has another key");
            ensure!(now.opened == before.opened, "#{id} was opened at another time");
            ensure!(before.is_open() || !now.is_open(), "#{id} was reopened");
            ensure!(
                before.announced.is_none() || now.announced == before.announced,
                "#{id} was announced again"
            );
        }
        Ok(())
    }

    fn every_message_has_its_incident(&self, receipts: &[Receipt]) -> Result<()> {
        let keys: BTreeSet<&str> = self
            .incidents
            .values()
            .map(|one| one.dedup_key.as_str())
            .collect();
        for receipt in receipts {
            ensure!(
                keys.contains(receipt.key.as_str()),
                "{receipt:?} was sent, and its incident is lost"
            );
        }
        Ok(())
    }

    /// A message may come twice only if the daemon was killed in between.
    fn none_is_repeated(&mut self, receipts: &[Receipt]) -> Result<()> {
        let mut last: BTreeMap<(&str, &str), Instant> = BTreeMap::new();
        self.repeated = 0;
        for receipt in receipts {
            // Only these come once: the scope of an incident may change more than once.
            if !["opened", "resolved"].contains(&receipt.event.as_str()) {
                continue;
            }
            if let Some(before) = last.insert((&receipt.key, &receipt.event), receipt.at) {
                let killed = self.kills.iter().any(|kill| *kill > before && *kill < receipt.at);
                ensure!(killed, "{receipt:?} came twice, and nobody was killed in between");
                self.repeated += 1;
            }
        }
        Ok(())
    }

    /// At the end, all being well for a while: every incident is over, and whatever was decided to be told has arrived.
    pub fn settle(&self, store: &Path, receipts: &[Receipt]) -> Result<()> {
        let mut store = SqliteStore::open(store)?;
        let arrived: BTreeSet<(&str, &str)> = receipts
            .iter()
            .map(|one| (one.key.as_str(), one.event.as_str()))
            .collect();
        for incident in self.incidents.values() {
            ensure!(
                !incident.is_open(),
                "#{} is not over: {:?} {:?}",
                incident.id.0,
                incident.cause,
                incident.log
            );
            let mut events = BTreeSet::new();
            for delivery in store.deliveries(incident.id)? {
                let (id, event) = (incident.id.0, delivery.event.as_str());
                ensure!(
                    delivery.done.is_some(),
                    "`{event}` of #{id} still waits at the end"
                );
                ensure!(delivery.failed.is_none(), "`{event}` of #{id} failed");
                ensure!(
                    arrived.contains(&(incident.dedup_key.as_str(), event)),
                    "`{event}` of #{id} is lost"
                );
                events.insert(delivery.event);
            }
            ensure!(
                incident.announced.is_none() || events.contains("opened") && events.contains("resolved"),
                "#{} was announced and its messages are lost: {events:?}",
                incident.id.0
            );
        }
        Ok(())
    }
}

/// Asks SQLite itself whether the file is whole.
fn intact(store: &Path) -> Result<()> {
    let connection = Connection::open(store)?;
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(verdict == "ok", "the store is damaged: {verdict}");
    let misfits: i64 = connection.query_row("SELECT count(*) FROM misfit", [], |row| row.get(0))?;
    ensure!(misfits == 0, "the store refused {misfits} rows");
    Ok(())
}
