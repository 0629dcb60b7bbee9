//! Restraint: who refuses us is left alone for a while, and a provider as a whole once half of it does.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use super::{Mode, Monitor, freshness};
use crate::model::Subject;
use crate::picture::{Health, Settled};

/// Where the pause after a refusal starts (`semantics` 12).
const FIRST_BACKOFF: Duration = Duration::from_mins(10);

impl Monitor {
    /// How long an address that refused us is left alone: ten minutes, doubling, bounded. One look does not come
    /// back, and so waits for nothing.
    pub(super) fn backoff(&mut self, subject: &Subject, health: Health) -> Option<Duration> {
        if self.mode == Mode::OneLook
            || !matches!(
                subject,
                Subject::Smtp(_) | Subject::Service(_) | Subject::Recipient(_)
            )
        {
            return None;
        }
        if health != Health::Refused {
            if health == Health::Good {
                self.refusals.remove(subject);
            }
            return None;
        }
        let times = self.refusals.entry(subject.clone()).or_default();
        let most = self.picture.inventory.budgets.refused_backoff;
        let pause = FIRST_BACKOFF
            .min(most)
            .saturating_mul(1 << (*times).min(16))
            .min(most);
        *times = times.saturating_add(1);
        Some(pause)
    }

    /// Once half of a recognised provider's addresses refuse us, all of them are left alone: it is not one server
    /// that has had enough of us (`semantics` 12).
    pub(super) fn spare_provider(&mut self, refused: SocketAddr, pause: Duration, now: Timestamp) {
        let Some(provider) = self.picture.provider_of_address(refused).cloned() else {
            return;
        };
        let probed: Vec<(Subject, bool)> = self
            .picture
            .users_of(&provider)
            .keys()
            .filter_map(|address| {
                let subject = Subject::Smtp(*address);
                let settled = self.picture.track(&subject)?.settled.as_ref()?;
                let refuses = settled.health == Health::Refused;
                Some((subject, refuses))
            })
            .collect();
        let refusing = probed.iter().filter(|(_, refuses)| *refuses).count();
        if 2 * refusing < probed.len() {
            return;
        }
        for (subject, _) in probed.into_iter().filter(|(_, refuses)| !refuses) {
            self.agenda.leave_alone(&subject, pause, now);
            let settings = self.settings(&subject);
            let fresh_until = |settled: &Settled| freshness(&settled.observation, &settings, pause);
            self.picture.stretch_freshness(&subject, fresh_until);
        }
    }
}
