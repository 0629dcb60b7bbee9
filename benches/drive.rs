//! The monitor and the incidents over a fake net under driven time, as the daemon runs them; and what they cost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mailflow::app;
use mailflow::incident::{Lifecycle, Policy};
use mailflow::model::{Code, Observation, Subject};
use mailflow::monitor::{Mode, Monitor};
use mailflow::net::Net as _;
use mailflow::picture::Learnt;
use mailflow::probe;
use nix::time::{ClockId, clock_gettime};
use tokio::task::JoinSet;

use crate::crowd::Crowd;
use crate::world::Settled;

/// What is driven.
pub struct Drive {
    /// The net.
    pub net: Arc<Crowd>,
    settled: Settled,
    monitor: Monitor,
    life: Lifecycle,
    probes: JoinSet<Observation>,
    /// Counted since they were last taken.
    pub figures: Figures,
}

/// What was counted since they were last taken.
#[derive(Default)]
pub struct Figures {
    /// Processor time of the monitor and the incidents.
    pub used: Duration,
    /// Of it, for what addresses, hosts and our own side showed: what an outage is found out by.
    pub of_outage: Duration,
    /// What was seen.
    pub observations: usize,
    /// Of it, sessions.
    pub sessions: usize,
    /// Verdicts that turned.
    pub turned: usize,
    /// Incidents that opened.
    pub opened: usize,
    /// When the first of these did.
    pub first: Option<Timestamp>,
}

impl Drive {
    /// Begins to watch.
    pub fn new(net: Crowd, settled: Settled) -> Self {
        let monitor = Monitor::new(
            Mode::Watch,
            &settled.inventory,
            Learnt::default(),
            HashMap::new(),
            net.default_routes(),
            net.now(),
        );
        Self {
            net: Arc::new(net),
            settled,
            monitor,
            life: Lifecycle::new(Policy::default()),
            probes: JoinSet::new(),
            figures: Figures::default(),
        }
    }

    /// Goes on for so long.
    pub async fn go_on(&mut self, span: SignedDuration) {
        let end = self.net.now().saturating_add(span).unwrap_or(Timestamp::MAX);
        while self.net.now() < end {
            let now = self.net.now();
            let (due, _) = self.timed(|this| {
                let due = this.monitor.due(now);
                this.monitor.tick(now);
                this.conclude(now);
                due
            });
            for (task, _) in due {
                let (net, context, trust) = (
                    Arc::clone(&self.net),
                    self.settled.context.clone(),
                    Arc::clone(&self.settled.trust),
                );
                self.probes
                    .spawn(async move { probe::run(&*net, &context, &trust, &task).await });
            }
            let wake = self
                .monitor
                .next_wake()
                .into_iter()
                .chain(self.life.next_due())
                .min();
            let left = wake.map_or(end, |wake| wake.min(end)).duration_since(now);
            let left = Duration::try_from(left).unwrap_or_default() + Duration::from_micros(100);
            tokio::select! {
                Some(Ok(seen)) = self.probes.join_next() => self.take_in(seen),
                () = tokio::time::sleep(left) => {}
            }
        }
    }

    /// Takes in an observation, with all that are there too, as the daemon does.
    fn take_in(&mut self, first: Observation) {
        let mut seen = vec![first];
        while let Some(Ok(more)) = self.probes.try_join_next().filter(|_| seen.len() < 256) {
            seen.push(more);
        }
        let now = self.net.now();
        self.figures.observations += seen.len();
        for observation in seen {
            self.figures.sessions += usize::from(matches!(observation.subject, Subject::Smtp(_)));
            let shows = shows_outages(&observation.subject);
            let ((), used) = self.timed(|this| this.monitor.observe(observation, now));
            if shows {
                self.figures.of_outage += used;
            }
        }
        self.timed(|this| this.conclude(now));
    }

    /// How many domains are looked at for the first time.
    pub fn pending(&self) -> usize {
        self.monitor.view().pending
    }

    /// What is open now.
    pub fn open(&self) -> Vec<Code> {
        self.life.open().map(|incident| incident.cause.code).collect()
    }

    fn conclude(&mut self, now: Timestamp) {
        let changes = app::hand_on(&mut self.monitor, &mut self.life, now);
        self.figures.turned += changes.verdicts.len();
        let before = self.life.open().count();
        self.life.settle(now);
        let opened = self.life.open().count().saturating_sub(before);
        if opened > 0 {
            self.figures.first.get_or_insert(now);
            self.figures.opened += opened;
        }
    }

    /// Does something, and says what it took.
    fn timed<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> (T, Duration) {
        let before = thread_time();
        let outcome = work(self);
        let used = thread_time().saturating_sub(before);
        self.figures.used += used;
        (outcome, used)
    }
}

/// Whether what is seen of a subject shows an outage.
fn shows_outages(subject: &Subject) -> bool {
    let beside = matches!(subject, Subject::Smtp(_) | Subject::Host(_) | Subject::Trace(_));
    beside || matches!(subject, Subject::Anchor(_) | Subject::Resolver(_))
}

/// Processor time of this thread.
pub fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
