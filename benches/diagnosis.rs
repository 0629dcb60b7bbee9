//! Diagnosis alone: observations of a fake net, the monitor and the incidents, and nothing of probes, sockets, store or
//! surfaces. Time is driven; what is measured is the processor time of the calls into them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use jiff::{SignedDuration, Timestamp};
use mailflow::incident::{Lifecycle, Policy};
use mailflow::model::{Code, Observation, Subject};
use mailflow::monitor::{Mode, Monitor};
use mailflow::net::Net as _;
use mailflow::net::fake::{DnsMode, FakeNet, Peer, Reach};
use mailflow::picture::Learnt;
use mailflow::probe;
use nix::time::{ClockId, clock_gettime};
use tokio::task::JoinSet;

use crate::crowd::Crowd;
use crate::report::Section;
use crate::world::{self, Settled};

/// What the part is called; `diagnosis-600` is one of so many domains.
pub const PART: &str = "diagnosis";
/// All of them at one provider.
const DOMAINS: usize = 50_000;
/// The provider's addresses.
const ADDRESSES: u8 = 10;
const CLIENTS: usize = 300;
const INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// How many domains a part's name asks for.
pub fn domains(part: &str) -> Option<usize> {
    match part.strip_prefix(PART)? {
        "" => Some(DOMAINS),
        rest => rest.strip_prefix('-')?.parse().ok(),
    }
}

/// Measures an outage of one provider, and its end.
pub fn measure(domains: usize) -> Result<Section> {
    world::driven(async {
        let dir = tempfile::tempdir()?;
        let net = fleet()?;
        let settled = world::settle(dir.path(), &net, &config(domains))?;
        let net = Crowd {
            inner: net,
            faces: usize::from(ADDRESSES),
        };
        let mut bench = Bench::new(net, settled);
        bench.go_on(INTERVAL * 2).await;
        if bench.life.open().count() > 0 {
            bail!("something is wrong before anything is");
        }
        let mut rows = vec![bench.phase("all is well", INTERVAL, None).await?];
        for number in 1..=ADDRESSES {
            bench.net.inner.set_reach([198, 51, 100, number], Reach::Silent);
        }
        rows.push(
            bench
                .phase("the provider fails", INTERVAL, Some(Code::ProviderOutage))
                .await?,
        );
        rows.push(
            bench
                .phase("it goes on failing", INTERVAL, Some(Code::ProviderOutage))
                .await?,
        );
        for number in 1..=ADDRESSES {
            bench.net.inner.set_reach([198, 51, 100, number], Reach::Answers);
        }
        rows.push(bench.phase("it is back", INTERVAL * 3, None).await?);
        Ok(Section {
            title: format!("Diagnosis of an outage of one provider with {domains} domains"),
            how: format!(
                "{domains} domains of {CLIENTS} clients, all at one provider with {ADDRESSES} addresses, in the fake net under \
                 driven time, every {} minutes. Processor time of the monitor and the incidents alone, one phase after the other; \
                 of addresses: of it, for what addresses, hosts and our own side showed, the rest being what DNS says of each domain.",
                INTERVAL.as_mins()
            ),
            columns: vec![
                "phase",
                "driven s",
                "observations",
                "verdicts turned",
                "processor s",
                "of addresses",
                "verdicts a s",
                "incidents opened",
                "told after s",
            ],
            rows,
        })
    })
}

struct Bench {
    net: Arc<Crowd>,
    settled: Settled,
    monitor: Monitor,
    life: Lifecycle,
    probes: JoinSet<Observation>,
    figures: Figures,
}

/// What was counted since they were last taken.
#[derive(Default)]
struct Figures {
    used: Duration,
    /// Of it, for what addresses, hosts and our own side showed: what an outage is found out by.
    of_outage: Duration,
    observations: usize,
    turned: usize,
    opened: usize,
    /// When the first incident of the phase opened.
    first: Option<Timestamp>,
}

impl Bench {
    fn new(net: Crowd, settled: Settled) -> Self {
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

    /// Goes on for a while, and gives a row of the table; at its end exactly this cause is open, or none.
    async fn phase(&mut self, name: &str, span: SignedDuration, open: Option<Code>) -> Result<Vec<String>> {
        self.figures = Figures::default();
        let began = self.net.now();
        self.go_on(span).await;
        let causes: Vec<Code> = self.life.open().map(|incident| incident.cause.code).collect();
        if causes != Vec::from_iter(open) {
            bail!("{name}: open at the end: {causes:?}");
        }
        let figures = &self.figures;
        let (used, of_outage) = (figures.used.as_secs_f64(), figures.of_outage.as_secs_f64());
        let told = figures.first.map(|at| at.duration_since(began).as_secs_f64());
        Ok(vec![
            name.to_owned(),
            span.as_secs().to_string(),
            figures.observations.to_string(),
            figures.turned.to_string(),
            format!("{used:.3}"),
            format!("{of_outage:.3}"),
            format!("{:.0}", figures.turned as f64 / of_outage),
            figures.opened.to_string(),
            told.map_or_else(|| "-".to_owned(), |told| format!("{told:.0}")),
        ])
    }

    async fn go_on(&mut self, span: SignedDuration) {
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
            let shows = shows_outages(&observation.subject);
            let ((), used) = self.timed(|this| this.monitor.observe(observation, now));
            if shows {
                self.figures.of_outage += used;
            }
        }
        self.timed(|this| this.conclude(now));
    }

    fn conclude(&mut self, now: Timestamp) {
        let changes = self.monitor.take_changes();
        self.figures.turned += changes.verdicts.len();
        for verdict in changes.verdicts.iter().chain(&changes.refreshed) {
            let pace = self.monitor.pace(&verdict.target);
            self.life.judge_paced(verdict, pace, now);
        }
        for target in self.life.held() {
            let observations = self.monitor.well_in_a_row(&target);
            self.life.found_well(&target, observations);
        }
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
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn fleet() -> Result<FakeNet> {
    let net = FakeNet::new();
    let mut zones =
        "fleet.test. 3600 SOA 1 300\nfleet.test. NS ns.fleet.test.\nns.fleet.test. A 192.0.2.53\n\
         bigmail.test. 3600 SOA 1 300\nbigmail.test. NS ns.fleet.test.\n"
            .to_owned();
    net.set_dns([192, 0, 2, 53], DnsMode::Authoritative);
    net.resolver([192, 0, 2, 52]);
    net.host([192, 0, 2, 200]);
    for number in 1..=ADDRESSES {
        let address = [198, 51, 100, number];
        let _ = writeln!(zones, "mx{number}.bigmail.test. A 198.51.100.{number}");
        net.listen((address, 25), Peer::mail(&format!("mx{number}.bigmail.test")));
    }
    for number in 0..ADDRESSES {
        let host = number + 1;
        let _ = writeln!(zones, "d{number}.fleet.test. MX 10 mx{host}.bigmail.test.");
    }
    net.load(&zones)?;
    Ok(net)
}

fn config(domains: usize) -> String {
    let mut config = format!(
        "[vantage]\nname = \"bench\"\nhelo = \"probe.fleet.test\"\nanchors = [\"ping:192.0.2.200\"]\n\
         [resolver]\nservers = [\"192.0.2.52\"]\n[budgets]\nper_nameserver = {{ per_second = 100000 }}\n\
         [probes]\ninterval = \"{}s\"\n[[providers]]\nname = \"BIGMAIL\"\nmx = [\"*.bigmail.test\"]\n",
        INTERVAL.as_secs()
    );
    let each = domains.div_ceil(CLIENTS);
    for (client, first) in (0..domains).step_by(each).enumerate() {
        let names: Vec<String> = (first..domains.min(first + each))
            .map(|number| format!("\"d{number}.fleet.test\""))
            .collect();
        let _ = writeln!(
            config,
            "[[clients]]\nname = \"C{client}\"\ndomains = [{}]",
            names.join(", ")
        );
    }
    config
}
