//! Our own side: the uplink, port 25, the resolver. It masks only what it blocks, and one success refutes it
//! (`semantics` 11).

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Anchor, Code, Observation, Root, RootKind, Subject};
use crate::picture::{Health, Picture, Track};

use super::doubt::Doubt;
use super::finding::Finding;
use super::note::summary;

/// What is wrong on our own side.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnSide {
    /// We reach nothing at all.
    pub offline: Option<Finding>,
    /// Port 25 is closed for us, and for us alone.
    pub port25_blocked: Option<Finding>,
    /// None of our resolvers answers.
    pub resolver_failed: Option<Finding>,
    /// What may be wrong, whether it is called so yet or not.
    pub suspected: Suspicion,
    /// Whether anything shows that we do reach the outside.
    pub proven: bool,
}

impl OwnSide {
    /// The one that explains most.
    pub fn worst(&self) -> Option<&Finding> {
        self.offline
            .as_ref()
            .or(self.port25_blocked.as_ref())
            .or(self.resolver_failed.as_ref())
    }

    /// What makes answers to DNS questions worthless.
    pub fn masks_dns(&self) -> Option<&Finding> {
        self.offline.as_ref().or(self.resolver_failed.as_ref())
    }

    /// What makes failures of SMTP sessions worthless.
    pub fn masks_smtp(&self) -> Option<&Finding> {
        self.offline.as_ref().or(self.port25_blocked.as_ref())
    }
}

/// Since when every witness is silent and nothing has answered us: whether we come to call it our own fault or
/// not, what fails meanwhile says nothing about anybody else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Suspicion {
    /// The whole line.
    pub line: Option<Timestamp>,
    /// Port 25.
    pub port25: Option<Timestamp>,
}

impl Suspicion {
    /// The same suspicion, dated no later than before: while it lasts, it began when it began.
    #[must_use]
    pub fn dated_no_later_than(self, before: Self) -> Self {
        let earlier = |now: Option<Timestamp>, before: Option<Timestamp>| {
            now.map(|now| before.map_or(now, |before| before.min(now)))
        };
        Self {
            line: earlier(self.line, before.line),
            port25: earlier(self.port25, before.port25),
        }
    }
}

/// What the anchors of one kind say together.
struct Witnesses {
    /// The failures, when every one that could be asked has failed.
    failed: Vec<Arc<Observation>>,
    /// When the last of them had begun to fail.
    since: Option<Timestamp>,
    /// Whether any has answered, as far as is settled.
    answered: bool,
}

impl Witnesses {
    fn all_failed(&self) -> bool {
        !self.answered && !self.failed.is_empty()
    }

    /// Whether they failed and nothing has answered us since.
    fn stand(&self, last_success: Option<Timestamp>) -> bool {
        self.all_failed()
            && self
                .since
                .is_some_and(|since| last_success.is_none_or(|success| success < since))
    }
}

/// Judges our own side.
pub fn own_side(picture: &Picture, now: Timestamp, doubt: &mut Doubt) -> OwnSide {
    let inventory = &picture.inventory;
    let anchors = || inventory.anchors.iter().chain(&inventory.witnesses);
    let pings = ask(
        picture,
        now,
        anchors().filter(|anchor| matches!(anchor, Anchor::Ping { .. })),
    );
    let smtp = ask(
        picture,
        now,
        anchors().filter(|anchor| matches!(anchor, Anchor::Smtp { .. })),
    );
    let proven = pings.answered || smtp.answered || picture.last_outside_success().is_some();

    let no_route = !picture.routes.v4 && !picture.routes.v6;
    let silent = (pings.all_failed() || no_route) && !smtp.answered && !pings.answered;
    let since = pings.since.max(smtp.since);
    let refuted = match (since, picture.last_outside_success()) {
        (Some(since), Some(success)) => success >= since,
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let mut own = OwnSide {
        proven,
        ..OwnSide::default()
    };
    if silent && !refuted {
        let evidence = pings.failed.iter().chain(&smtp.failed).cloned();
        own.offline = Some(offline(picture, no_route, anchors().count()).on(evidence));
    } else if smtp.stand(picture.last_smtp_success()) && proven_by_other_than_smtp(picture, &pings, &smtp) {
        own.port25_blocked = Some(port25_blocked(picture, &smtp).on(smtp.failed.iter().cloned()));
    }
    let of = |anchor: &&Anchor| matches!(anchor, Anchor::Smtp { .. });
    own.suspected = Suspicion {
        line: silent_since(picture, anchors(), picture.last_outside_success())
            .or((no_route && silent && !refuted).then(|| picture.last_outside_success().unwrap_or(now))),
        port25: silent_since(picture, anchors().filter(of), picture.last_smtp_success()),
    };
    own.resolver_failed = resolver_failed(picture, now, doubt);
    if let Some(since) = since.filter(|_| own.offline.is_some() || own.port25_blocked.is_some()) {
        wait_for_refutation(picture, since, doubt);
    }
    for anchor in anchors() {
        let subject = Subject::Anchor(anchor.clone());
        if let Some(track) = picture.track(&subject)
            && let Some(since) = track.in_doubt_since()
        {
            doubt.want(picture, &subject, since, &inventory.vantage_settings);
        }
    }
    own
}

/// Since when nothing has answered, if these anchors are all silent and nothing has answered since the last of
/// them fell silent.
fn silent_since<'a>(
    picture: &Picture,
    anchors: impl Iterator<Item = &'a Anchor>,
    last_success: Option<Timestamp>,
) -> Option<Timestamp> {
    let mut seen = Vec::new();
    for anchor in anchors {
        let Some(track) = picture.track(&Subject::Anchor(anchor.clone())) else {
            continue;
        };
        // One that could never be asked, for want of its address, is no witness at all.
        if track.streak().is_none() && track.settled.is_none() {
            continue;
        }
        seen.push(track.streak()?.first_seen());
    }
    let (first, last) = (seen.iter().min()?, seen.iter().max()?);
    let refuted = last_success.is_some_and(|success| success >= *last);
    // What was seen before the last success was seen over a line that worked.
    (!refuted).then(|| last_success.unwrap_or(*first))
}

/// That port 25 alone is closed needs proof that other ports are not.
fn proven_by_other_than_smtp(picture: &Picture, pings: &Witnesses, smtp: &Witnesses) -> bool {
    let since_then = match (smtp.since, picture.last_outside_success()) {
        (Some(since), Some(success)) => success >= since,
        _ => false,
    };
    pings.answered || since_then
}

fn ask<'a>(picture: &Picture, now: Timestamp, anchors: impl Iterator<Item = &'a Anchor>) -> Witnesses {
    let mut told = Witnesses {
        failed: Vec::new(),
        since: None,
        answered: false,
    };
    for anchor in anchors {
        let Some(track) = picture.track(&Subject::Anchor(anchor.clone())) else {
            continue;
        };
        // Not settled: it neither testifies against the line nor, unless it answered, for it.
        let Some(settled) = track.fresh(now) else { continue };
        match settled.health {
            Health::Good => told.answered = true,
            Health::Failed(_) => {
                told.failed.push(Arc::clone(&settled.observation));
                told.since = told.since.max(Some(settled.since()));
            }
            _ => {}
        }
    }
    told
}

/// Before we call ourselves blind, those who could prove otherwise are heard.
fn wait_for_refutation(picture: &Picture, since: Timestamp, doubt: &mut Doubt) {
    for subject in refuters(picture) {
        let settings = match &subject {
            Subject::Smtp(address) => picture.smtp_settings(*address),
            _ => picture.inventory.vantage_settings.clone(),
        };
        doubt.want_answer(picture, &subject, since, &settings);
    }
}

/// Addresses that spoke to us until nobody did any more: the first three. They stay the same while they are found silent, or
/// one would wait for all that there are.
pub fn refuters(picture: &Picture) -> Vec<Subject> {
    let last_success = picture.last_outside_success();
    let spoke = |track: &Track| match track.streak() {
        Some(streak) => last_success.is_some_and(|success| streak.first_seen() >= success),
        None => track
            .settled
            .as_ref()
            .is_some_and(|settled| settled.health == Health::Good),
    };
    picture
        .leads()
        .addresses()
        .map(|address| Subject::Smtp(*address))
        .filter(|subject| picture.track(subject).is_some_and(spoke))
        .take(3)
        .collect()
}

fn root(picture: &Picture) -> Root {
    Root {
        kind: RootKind::Vantage,
        client: None,
        name: Arc::clone(&picture.inventory.vantage),
    }
}

fn offline(picture: &Picture, no_route: bool, anchors: usize) -> Finding {
    let detail = if no_route {
        "This machine has no default route: it is cut off from the network.".to_owned()
    } else {
        format!("None of {anchors} anchors answers, and nothing else outside does.")
    };
    Finding::new(Code::VantageOffline, root(picture), subject(picture), detail).seen_from(picture)
}

fn port25_blocked(picture: &Picture, smtp: &Witnesses) -> Finding {
    let detail = format!(
        "None of {} SMTP anchors answers on its port, while other traffic passes.",
        smtp.failed.len()
    );
    Finding::new(
        Code::VantagePort25Blocked,
        root(picture),
        subject(picture),
        detail,
    )
    .seen_from(picture)
}

fn subject(picture: &Picture) -> String {
    format!("our vantage {}", picture.inventory.vantage)
}

fn resolver_failed(picture: &Picture, now: Timestamp, doubt: &mut Doubt) -> Option<Finding> {
    let mut evidence = Vec::new();
    for resolver in picture.inventory.resolvers.iter() {
        let settled = picture.track(&Subject::Resolver(*resolver))?.fresh(now)?;
        if settled.health == Health::Good {
            return None;
        }
        evidence.push(Arc::clone(&settled.observation));
        // A resolver beyond a dead line does not answer either: first the line is heard.
        doubt.want_line(picture, settled.doubted());
    }
    if evidence.is_empty() && !picture.inventory.resolvers.is_empty() {
        return None;
    }
    let name: Vec<String> = picture
        .inventory
        .resolvers
        .iter()
        .map(|resolver| resolver.ip().to_string())
        .collect();
    let detail = match evidence.first() {
        None => "No resolver is configured, and the system has none.".to_owned(),
        Some(observation) => format!("{}: {}", name.join(", "), summary(observation)),
    };
    let label = format!("our resolver {}", name.join(", "));
    let root = Root {
        kind: RootKind::Resolver,
        client: None,
        name: Arc::clone(&picture.inventory.vantage),
    };
    Some(Finding::new(Code::VantageResolverFailed, root, label.trim_end(), detail).on(evidence))
}
