//! Drawing conclusions: which incidents begin, move, merge and end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::contribution::rank;
use super::lifecycle::{ACCEPTED, Lifecycle, RECOVERED, REMOVED};
use super::record::{Record, cause_in_words, log, names, same_story, within};
use super::telling::outlook;
use crate::model::{Affected, Cause, Incident, IncidentId, IncidentState, Root, Severity, Target};

/// Brings the incidents into line with the contributions.
pub(super) fn regroup(life: &mut Lifecycle, now: Timestamp) {
    let mut touched = std::mem::take(&mut life.touched);
    let emptied: Vec<Root> = touched
        .iter()
        .filter(|root| !life.by_root.contains_key(*root))
        .cloned()
        .collect();
    for root in emptied {
        let Some(record) = life.open.remove(&root) else {
            continue;
        };
        match heir(life, &root, &record) {
            Some(to) => {
                touched.insert(to.clone());
                inherit(life, record, to, now);
            }
            None => end(life, record, now),
        }
    }
    for root in &touched {
        if life.by_root.contains_key(root) {
            if !life.open.contains_key(root) {
                begin(life, root, now);
            }
            refresh(life, root, now);
        }
    }
    life.removed.clear();
    life.accepted.clear();
}

/// The root that most of an emptied incident's targets went to; `None` when they all left.
fn heir(life: &Lifecycle, root: &Root, record: &Record) -> Option<Root> {
    let mut went: BTreeMap<&Root, usize> = BTreeMap::new();
    for target in &record.members {
        if let Some(contribution) = life.contributions.get(target)
            && contribution.root != *root
        {
            *went.entry(&contribution.root).or_default() += 1;
        }
    }
    went.into_iter()
        .max_by_key(|(root, count)| (*count, std::cmp::Reverse(*root)))
        .map(|(root, _)| root.clone())
}

/// Moves an emptied incident to another root. Where that has an incident too, the older of the two lives on.
fn inherit(life: &mut Lifecycle, mut moving: Record, to: Root, now: Timestamp) {
    let Some(mut resident) = life.open.remove(&to) else {
        let text = format!(
            "moved from {} to {to}: the same targets stand on it",
            moving.row.cause.root
        );
        let row = moving.edit();
        log(row, now, text);
        row.cause.root = to.clone();
        life.open.insert(to, moving);
        return;
    };
    let survivor = if moving.age() < resident.age() {
        let row = moving.edit();
        log(row, now, format!("took over {to} from #{}", resident.row.id));
        row.cause = resident.row.cause.clone();
        absorb(life, resident, moving.row.id, now);
        moving
    } else {
        let text = format!("took in the targets of #{}", moving.row.id);
        log(resident.edit(), now, text);
        absorb(life, moving, resident.row.id, now);
        resident
    };
    life.open.insert(to, survivor);
}

fn absorb(life: &mut Lifecycle, record: Record, into: IncidentId, now: Timestamp) {
    close(life, record, format!("merged into #{into}"), now);
}

fn end(life: &mut Lifecycle, record: Record, now: Timestamp) {
    let left = |gone: &BTreeSet<Target>| record.members.iter().any(|target| gone.contains(target));
    let recovered = record
        .members
        .iter()
        .any(|target| !life.removed.contains(target) && !life.accepted.contains(target));
    let reason = if recovered {
        RECOVERED
    } else if left(&life.accepted) {
        ACCEPTED
    } else {
        REMOVED
    };
    close(life, record, reason.to_owned(), now);
}

fn close(life: &mut Lifecycle, mut record: Record, reason: String, now: Timestamp) {
    let untold = !record.row.awaits_resolution();
    let row = record.edit();
    log(row, now, format!("ended: {reason}"));
    if untold {
        log(row, now, "nobody is told of the end, as nobody was told of it");
    }
    row.state = IncidentState::Resolved;
    row.held = None;
    row.resolved = Some(now);
    row.ended_by = Some(reason);
    life.changed.insert(record.row.id, record.row.clone());
    life.keep_ended(record.row);
}

/// Opens an incident at a root that has none, or reopens the one that ended there lately.
fn begin(life: &mut Lifecycle, root: &Root, now: Timestamp) {
    let Some(cause) = shown_cause(life, root) else {
        return;
    };
    let record = match reopenable(life, root, now) {
        Some(row) => reopen(row, now),
        None => open(life, &cause, now),
    };
    life.open.insert(root.clone(), record);
}

fn reopenable(life: &mut Lifecycle, root: &Root, now: Timestamp) -> Option<Arc<Incident>> {
    let id = life.reopenable.remove(root)?;
    let ended = life.ended.get(&id)?.resolved?;
    let span = life.policy.reopen_within;
    if span.is_zero() || !within(ended, span, now) {
        return None;
    }
    life.ended.remove(&id)
}

fn reopen(mut row: Arc<Incident>, now: Timestamp) -> Record {
    let incident = Arc::make_mut(&mut row);
    incident.state = IncidentState::Open;
    incident.reopened = Some(now);
    incident.resolved = None;
    incident.ended_by = None;
    incident.affected.clear();
    incident.acknowledged = None;
    incident.held = None;
    log(incident, now, "reopened: the same root failed again");
    Record::new(row)
}

fn open(life: &mut Lifecycle, cause: &Cause, now: Timestamp) -> Record {
    let id = IncidentId(life.next_id);
    life.next_id = life.next_id.saturating_add(1);
    let mut incident = Incident {
        id,
        dedup_key: format!("mailflow-{id}-{}", now.as_second()),
        state: IncidentState::Open,
        severity: Severity::Info,
        opened: now,
        reopened: None,
        resolved: None,
        ended_by: None,
        cause: cause.clone(),
        affected: Vec::new(),
        announced: None,
        told: None,
        acknowledged: None,
        held: None,
        log: Vec::new(),
    };
    log(&mut incident, now, format!("opened: {}", cause_in_words(cause)));
    Record::new(Arc::new(incident))
}

/// The cause of the contribution that ranks first, where it is known.
fn shown_cause(life: &Lifecycle, root: &Root) -> Option<Arc<Cause>> {
    let top = top_of(life, root)?;
    life.contributions.get(top)?.cause.clone()
}

fn top_of<'a>(life: &'a Lifecycle, root: &Root) -> Option<&'a Target> {
    life.by_root
        .get(root)?
        .iter()
        .filter_map(|target| Some((life.contributions.get(target)?, target)))
        .max_by_key(|(one, target)| rank(root, target, one.state, one.since))
        .map(|(_, target)| target)
}

/// Brings one incident's row into line with its contributions.
fn refresh(life: &mut Lifecycle, root: &Root, now: Timestamp) {
    let cause = shown_cause(life, root);
    let worst = top_of(life, root)
        .and_then(|top| life.contributions.get(top))
        .map(|top| top.state);
    let members = life.by_root.get(root).cloned().unwrap_or_default();
    let affected: Vec<Affected> = members
        .iter()
        .filter_map(|target| Some(life.contributions.get(target)?.affected(target)))
        .collect();
    let Some(record) = life.open.get_mut(root) else {
        return;
    };
    let before = record.row.clone();
    let gathered = std::mem::take(&mut record.members);
    let row = record.edit();
    log_membership(row, &gathered, &members, now);
    log_flapping(row, &before.affected, &affected, now);
    if let Some(cause) = cause.filter(|cause| !same_story(cause, &row.cause)) {
        if cause.code != row.cause.code {
            log(row, now, format!("now {}", cause_in_words(&cause)));
        }
        row.cause = (*cause).clone();
    }
    if let Some(worst) = worst {
        row.severity = life.policy.severity(row.cause.code, worst);
    }
    record.set_affected(affected);
    record.members = members;
    let row = record.edit();
    if row.severity != before.severity || gathered.is_empty() {
        log(row, now, format!("severity {}", row.severity));
        let outlook = outlook(&life.policy, record);
        log(record.edit(), now, outlook);
    }
    if *record.row != *before || gathered.is_empty() {
        // What holds it back was reckoned for what it was.
        record.hold_stands = false;
        life.changed.insert(record.row.id, record.row.clone());
    }
}

fn log_membership(row: &mut Incident, before: &BTreeSet<Target>, after: &BTreeSet<Target>, now: Timestamp) {
    let joined: Vec<&Target> = after.difference(before).collect();
    if !joined.is_empty() {
        log(row, now, format!("joined: {}", names(joined.into_iter())));
    }
    let left: Vec<&Target> = before.difference(after).collect();
    if !left.is_empty() {
        log(row, now, format!("left: {}", names(left.into_iter())));
    }
}

/// Says which targets have begun to come and go.
fn log_flapping(row: &mut Incident, before: &[Affected], after: &[Affected], now: Timestamp) {
    let flaps = |all: &'_ [Affected]| -> BTreeSet<Target> {
        let flapping = all.iter().filter(|one| one.flapping.is_some());
        flapping.map(|one| one.target.clone()).collect()
    };
    let (known, flapping) = (flaps(before), flaps(after));
    let new: Vec<&Target> = flapping.difference(&known).collect();
    if !new.is_empty() {
        let text = format!(
            "flapping: {} comes and goes; held until it has been well for a row of observations",
            names(new.into_iter())
        );
        log(row, now, text);
    }
}
