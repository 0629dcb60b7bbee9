//! What people have the daemon do: acknowledge, note, keep quiet, accept.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::engine::{Engine, Lines};
use super::watches;
use crate::incident::NotOpen;
use crate::model::{Accepted, DomainName, Hand, HandError, HandId, HandKind, Incident, IncidentId, Measure};
use crate::net::Net;
use crate::store::Batch;

/// The most ways that are watched by hand at a time.
const MOST_WATCHED: usize = 200;

/// What somebody asks for.
pub enum Wish {
    /// Take an incident on.
    Acknowledge(
        IncidentId,
        String,
        oneshot::Sender<Result<Arc<Incident>, NotOpen>>,
    ),
    /// Write a line into an incident's log; whether it is at hand.
    Note(IncidentId, String, oneshot::Sender<bool>),
    /// Set something by hand: what, who, why.
    Set(Measure, String, String, oneshot::Sender<Result<Hand, HandError>>),
    /// Lift what was set by hand, if it is of this kind and has not ended.
    Lift(HandId, HandKind, oneshot::Sender<Option<Hand>>),
}

impl<N: Net> Engine<N> {
    /// Does as somebody wishes, and answers once that is written down.
    pub(super) async fn grant(&mut self, wish: Wish, lines: &Lines, now: Timestamp) {
        match wish {
            Wish::Acknowledge(id, by, done) => {
                let answer = self.life.acknowledge(id, &by, now);
                self.conclude(lines, Vec::new(), now).await;
                let _ = done.send(answer);
            }
            Wish::Note(id, text, done) => {
                let known = self.life.note(id, now, &text);
                self.conclude(lines, Vec::new(), now).await;
                let _ = done.send(known);
            }
            Wish::Set(measure, by, reason, done) => {
                let made = self
                    .room_for(&measure, now)
                    .and_then(|()| Hand::new(HandId(self.next_hand), measure, &by, &reason, now));
                if let Ok(hand) = &made {
                    self.next_hand = self.next_hand.saturating_add(1);
                    tracing::info!("set by hand: {}", hand.in_words());
                    self.hands.push(hand.clone());
                    self.keep_hand(hand.clone(), now).await;
                }
                let _ = done.send(made);
            }
            Wish::Lift(id, kind, done) => {
                let lifted = self
                    .hands
                    .iter_mut()
                    .find(|hand| hand.id == id && hand.kind() == kind && !hand.is_over(now));
                let lifted = lifted.map(|hand| {
                    hand.lifted = Some(now);
                    hand.clone()
                });
                if let Some(hand) = lifted.clone() {
                    tracing::info!("lifted: {}", hand.in_words());
                    self.keep_hand(hand, now).await;
                }
                let _ = done.send(lifted);
            }
        }
    }

    /// Each way that is watched by hand costs somebody else's servers sessions.
    fn room_for(&self, measure: &Measure, now: Timestamp) -> Result<(), HandError> {
        let watched = watches::watched(&self.hands, now).len();
        if matches!(measure, Measure::Watch { .. }) && watched >= MOST_WATCHED {
            return Err(HandError::TooManyWatches(watched));
        }
        Ok(())
    }

    async fn keep_hand(&mut self, hand: Hand, now: Timestamp) {
        self.use_hands(now);
        let batch = Batch {
            hands: vec![hand],
            ..Batch::default()
        };
        // What cannot be written now is tried again; it holds meanwhile.
        let _ = self.keeper.commit(batch).await;
    }

    /// Puts into force what is set by hand, and forgets what has ended.
    pub(super) fn use_hands(&mut self, now: Timestamp) {
        self.hands.retain(|hand| !hand.is_over(now));
        let mut accepted: HashMap<DomainName, Vec<Accepted>> = HashMap::new();
        for hand in &self.hands {
            if let Measure::Acceptance { code, domain, until } = &hand.measure {
                accepted.entry(domain.clone()).or_default().push(Accepted {
                    code: *code,
                    until: *until,
                    reason: hand.reason.clone(),
                });
            }
        }
        self.monitor.set_accepted(accepted, now);
        self.use_watches(now);
        self.pipeline.set_hands(self.hands.clone());
        self.life.reconsider();
    }

    /// Forgets what has ended by itself; what it held back comes free by its own time.
    pub(super) fn expire_hands(&mut self, now: Timestamp) {
        if self.hands.iter().any(|hand| hand.is_over(now)) {
            self.hands.retain(|hand| !hand.is_over(now));
            self.pipeline.set_hands(self.hands.clone());
            self.use_watches(now);
        }
    }
}
