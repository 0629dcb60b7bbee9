//! What a judgement still waits for. A verdict turns for the worse only when everything that could explain it
//! has evidence newer than the first failure (`semantics` 3).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::ResolvedProbe;
use crate::model::{Anchor, Subject};
use crate::picture::Picture;

/// Collects what is not known yet while a judgement is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doubt {
    until: Option<Timestamp>,
}

impl Doubt {
    /// Until when to hold the judgement back at most, where something is still missing.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| now < *until)
    }

    /// Wants evidence of `subject` that began at or after `since`. An explanation that nobody gathers (a server
    /// that refused us, the slow lane) is waited for no longer than it usually takes; one that has begun to fail
    /// later, or that has to be heard anew, is waited for from then on.
    pub fn want(&mut self, picture: &Picture, subject: &Subject, since: Timestamp, settings: &ResolvedProbe) {
        self.want_for(picture, subject, since, usual_patience(settings));
    }

    /// Likewise where a budget may have it wait its turn, but no longer than an interval.
    pub fn want_in_turn(
        &mut self,
        picture: &Picture,
        subject: &Subject,
        since: Timestamp,
        settings: &ResolvedProbe,
    ) {
        let patience = usual_patience(settings).max(settings.interval);
        self.want_for(picture, subject, since, patience);
    }

    /// Likewise of somebody whose answer would settle the matter, and whose silence says nothing: no longer than from `since`
    /// on, however late that silence is certain.
    pub fn want_answer(
        &mut self,
        picture: &Picture,
        subject: &Subject,
        since: Timestamp,
        settings: &ResolvedProbe,
    ) {
        let track = picture.track(subject);
        if track.is_none_or(|track| !track.is_settled_after(since)) {
            self.wait(end_of(usual_patience(settings), since));
        }
    }

    fn want_for(&mut self, picture: &Picture, subject: &Subject, since: Timestamp, patience: Duration) {
        let track = picture.track(subject);
        if track.is_some_and(|track| track.is_settled_after(since)) {
            return;
        }
        let from = track
            .and_then(crate::picture::Track::being_found_out_since)
            .map_or(since, |later| later.max(since));
        self.wait(end_of(patience, from));
    }

    /// Wants a first look at `subject`, which somebody has only just come to lead to.
    pub fn want_first_look(&mut self, picture: &Picture, subject: &Subject, settings: &ResolvedProbe) {
        if let Some(since) = picture.leads().since(subject) {
            self.want(picture, subject, since, settings);
        }
    }

    /// Waits for whatever the other waits for as well.
    pub fn join(&mut self, other: &Self) {
        self.until = self.until.max(other.until);
    }

    /// Holds the judgement back until then.
    pub fn wait(&mut self, until: Timestamp) {
        self.until = self.until.max(Some(until));
    }

    /// Wants evidence of everything that could show our whole line to be at fault: one anchor that has answered
    /// since, and has not failed again, is enough to clear it.
    pub fn want_line(&mut self, picture: &Picture, since: Timestamp) {
        self.want_anchors(picture, since, |_| true);
    }

    /// Wants evidence of everything that could show our line or our port 25 to be at fault.
    pub fn want_port25(&mut self, picture: &Picture, since: Timestamp) {
        self.want_anchors(picture, since, |anchor| matches!(anchor, Anchor::Smtp { .. }));
    }

    /// Wants evidence of every resolver of ours: whether it answers at all.
    pub fn want_resolvers(&mut self, picture: &Picture, since: Timestamp) {
        let inventory = &picture.inventory;
        for resolver in inventory.resolvers.iter() {
            let subject = Subject::Resolver(*resolver);
            self.want(picture, &subject, since, &inventory.vantage_settings);
        }
    }

    fn want_anchors(&mut self, picture: &Picture, since: Timestamp, clears: fn(&Anchor) -> bool) {
        let inventory = &picture.inventory;
        let anchors = || inventory.anchors.iter().chain(&inventory.witnesses);
        let answered = |anchor: &Anchor| {
            let track = picture.track(&Subject::Anchor(anchor.clone()));
            track
                .filter(|track| track.streak().is_none())
                .and_then(|track| track.last_good())
                .is_some_and(|good| good.at >= since)
        };
        if anchors().any(|anchor| clears(anchor) && answered(anchor)) {
            return;
        }
        for anchor in anchors() {
            self.want(
                picture,
                &Subject::Anchor(anchor.clone()),
                since,
                &inventory.vantage_settings,
            );
        }
    }
}

/// When patience from a time on is at its end.
fn end_of(patience: Duration, from: Timestamp) -> Timestamp {
    let most = SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX);
    from.checked_add(most)
        .and_then(|at| at.checked_add(SignedDuration::from_secs(1)))
        .unwrap_or(from)
}

/// How long it usually takes until a failure is confirmed.
fn usual_patience(settings: &ResolvedProbe) -> Duration {
    let tries = settings.confirm + 1;
    (settings.timeout + settings.confirm_interval).saturating_mul(tries)
}
