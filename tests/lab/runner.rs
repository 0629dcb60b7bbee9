//! Plays scenarios in one world and judges what the daemon says meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::dashboards;
use crate::faults::Active;
use crate::issuer::Issuer;
use crate::manners;
use crate::monitor::{Daemon, VANTAGE, panics};
use crate::prometheus;
use crate::receivers::Receivers;
use crate::scenario::{Check, DaemonAction, Message, ReceiverAction, Scenario, State, Step, Turn};
use crate::setting::Setting;
use crate::shell;
use crate::verdicts::{self, Expectation, Path};
use crate::watch::{Kind, Seen, Watch};
use crate::world::World;

/// How much later than the latest time of its verdict a message may arrive: there is no `group_wait` here.
const DELIVERY: Duration = Duration::from_secs(1);
/// How long a step is watched after everything expected has come: more than an interval, so that a verdict
/// which does not last is seen.
const HOLD: Duration = Duration::from_secs(6);
/// The same after healing.
const SETTLE: Duration = Duration::from_secs(2);
/// How long a daemon that starts from nothing watches a healthy world: two rounds, so that it has learnt what is usual.
const LEARN: Duration = Duration::from_secs(11);
/// How long a machine sleeps that is suspended: longer than what it knows stays fresh.
const SLEEP: Duration = Duration::from_secs(30);
/// How long a world may take to be calm before a scenario.
const CALM: Duration = Duration::from_mins(1);

/// How long something took, and how long it might have taken.
pub struct Timing {
    /// Of what.
    pub label: &'static str,
    /// So long.
    pub took: Duration,
    /// At most.
    pub bound: Duration,
}

/// What became of a scenario.
pub struct Report {
    /// Its name.
    pub name: String,
    /// The timings of its steps.
    pub timings: Vec<Timing>,
    /// What went wrong, if something did.
    pub failure: Option<String>,
}

/// One world with its daemon.
pub struct Runner<'world> {
    world: &'world World,
    daemon: Daemon<'world>,
    watch: Watch,
    active: Active,
    receivers: Option<Receivers>,
    issuer: Option<Issuer>,
    /// Whether the daemon checks signatures itself.
    validates: bool,
    lost: bool,
}

/// A scenario that is being played.
struct Play {
    began: Instant,
    /// How everything should look now.
    expected: BTreeMap<(Kind, String), Expectation>,
    /// From which change and webhook on the current step counts.
    mark: Mark,
    /// What happened, for people.
    notes: Vec<(Instant, String)>,
    /// The first change and webhook of the scenario.
    first: Mark,
    /// How often the daemon was killed.
    kills: usize,
    receiving: bool,
    /// Messages that may come, and need not.
    maybe: Vec<verdicts::Wanted>,
    /// Only looks after this one count: earlier ones saw a daemon that has ended since.
    looks: u64,
    timings: Vec<Timing>,
}

#[derive(Clone, Copy)]
struct Mark {
    changes: usize,
    hooks: usize,
}

impl<'world> Runner<'world> {
    /// Starts the daemon of a world, and waits until it finds everything well.
    pub fn start(world: &'world World) -> Result<Self> {
        let mut daemon = Daemon::new(world)?;
        daemon.start()?;
        let watch = Watch::start(&world.namespace(crate::hosts::Host::Mon))?;
        let mut runner = Self {
            world,
            daemon,
            watch,
            active: Active::default(),
            receivers: None,
            issuer: None,
            validates: false,
            lost: false,
        };
        runner.wait_for_calm()?;
        std::thread::sleep(LEARN);
        Ok(runner)
    }

    /// Plays one scenario to its end, and leaves the world healed.
    pub fn play(&mut self, scenario: &Scenario) -> Report {
        let mut play = Play::new(&self.watch, self.world.setting);
        let outcome = self.try_play(scenario, &mut play);
        let healed = if outcome.is_err() { self.recover() } else { Ok(()) };
        let failure = outcome.err().map(|error| {
            let mut text = format!("{error:#}\n{}", self.timeline(&play));
            if let Err(error) = healed {
                self.lost = true;
                text += &format!("\nand the world could not be healed: {error:#}\n");
            }
            text
        });
        Report {
            name: scenario.name.clone(),
            timings: play.timings,
            failure,
        }
    }

    /// Whether the world could not be healed, so that nothing more can be played in it.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    fn try_play(&mut self, scenario: &Scenario, play: &mut Play) -> Result<()> {
        self.wait_for_calm().context("before the scenario")?;
        *play = Play::new(&self.watch, self.world.setting);
        self.watch.forgive();
        for step in &scenario.steps {
            self.step(step, play)
                .with_context(|| format!("{:?}", step.does))?;
        }
        self.finish(scenario, play).context("after healing")
    }

    fn step(&mut self, step: &Step, play: &mut Play) -> Result<()> {
        std::thread::sleep(Duration::from_secs(step.after));
        self.act(step, play)?;
        if step.at_once {
            return Ok(());
        }
        let before = play.expected.clone();
        play.expect(step, self.world.setting);
        let open_before = self.watch.read(|seen| seen.open.clone());
        let messages: Vec<_> = step.notify.iter().map(verdicts::Wanted::from).collect();
        let path = Path {
            before,
            restarted: step.daemon.is_some(),
            via_back: &[],
        };
        let label = if step.inject.is_empty() { "step" } else { "verdict" };
        self.await_and_judge(play, &path, &messages, label, step.bound(), hold_of(step))?;
        self.judge_sharing(step)?;
        // What a daemon that knows nothing finds wrong at first sight is an incident that nobody is told of.
        if play.receiving && step.daemon != Some(DaemonAction::Forget) {
            self.judge_incidents(play, &open_before)?;
        }
        for check in &step.checks {
            self.check(*check, step, play)
                .with_context(|| format!("check {check:?}"))?;
        }
        play.mark = mark(&self.watch);
        Ok(())
    }

    /// Does what a step does.
    fn act(&mut self, step: &Step, play: &mut Play) -> Result<()> {
        play.note(format!("{} ...", step.does));
        for fault in &step.inject {
            self.active.inject(self.world, fault)?;
        }
        for fault in &step.heal {
            self.active.heal(self.world, fault)?;
        }
        match step.daemon {
            Some(DaemonAction::Kill) => {
                play.kills += 1;
                self.daemon.kill()?;
                self.daemon.start()?;
            }
            Some(DaemonAction::Restart) => {
                self.daemon.stop()?;
                self.daemon.start()?;
            }
            Some(DaemonAction::Forget) => {
                self.daemon.stop()?;
                self.daemon.forget()?;
                self.daemon.start()?;
            }
            Some(DaemonAction::Suspend) => self.daemon.suspend(SLEEP)?,
            Some(DaemonAction::Tell) => {
                self.receivers = Some(Receivers::start(self.world)?);
                self.daemon.tell(true)?;
            }
            Some(DaemonAction::Hush) => {
                self.daemon.tell(false)?;
                self.receivers = None;
            }
            Some(DaemonAction::ByToken) => {
                self.issuer = Some(Issuer::start(self.world)?);
                self.daemon.log_in_by_token()?;
            }
            Some(DaemonAction::Validate) => {
                self.validates = true;
                self.daemon.check_signatures()?;
            }
            None => {}
        }
        if step.daemon.is_some() {
            play.looks = self.watch.read(|seen| seen.looks);
        }
        if let Some(action) = step.receiver {
            play.receiving = action == ReceiverAction::Up;
            self.watch.receive(play.receiving)?;
        }
        play.note("... done".to_owned());
        Ok(())
    }

    fn finish(&mut self, scenario: &Scenario, play: &mut Play) -> Result<()> {
        // What ends while the last fault is still being healed has ended rightly.
        let open = self
            .watch
            .read(|seen| verdicts::unresolved(&seen.hooks[play.first.hooks..]));
        self.active.heal_all(self.world)?;
        play.note("everything healed".to_owned());
        let before = std::mem::replace(&mut play.expected, all_flowing(self.world.setting));
        play.maybe = scenario.heal.maybe.iter().map(verdicts::Wanted::from).collect();
        let messages: Vec<_> = open.into_iter().map(verdicts::Wanted::resolution).collect();
        let path = Path {
            before,
            restarted: false,
            via_back: &scenario.heal.via,
        };
        self.await_and_judge(play, &path, &messages, "healed", scenario.heal_bound(), SETTLE)?;
        ensure!(
            self.watch.read(|seen| seen.open.is_empty()),
            "an incident is still open"
        );
        self.configure_as_before()
    }

    /// As before, where a scenario has had it otherwise.
    fn configure_as_before(&mut self) -> Result<()> {
        let by_token = self.issuer.take().is_some();
        if by_token || std::mem::take(&mut self.validates) {
            self.daemon.tell(false)?;
        }
        Ok(())
    }

    /// Waits for everything expected, watches on for a while, then judges all that was seen since the mark.
    fn await_and_judge(
        &mut self,
        play: &mut Play,
        path: &Path,
        messages: &[verdicts::Wanted],
        label: &'static str,
        bound: Duration,
        hold: Duration,
    ) -> Result<()> {
        let start = Instant::now();
        let reached = self.watch.until(start + bound, |seen| play.reached(seen));
        let took = start.elapsed();
        play.note(if reached {
            "as expected".to_owned()
        } else {
            format!("not as expected within {bound:?}")
        });
        let told = reached
            && self.watch.until(start + bound + DELIVERY, |seen| {
                play.deviation(seen, messages).is_none()
            });
        let told_after = start.elapsed();
        if told {
            std::thread::sleep(hold);
        }
        self.daemon.must_run()?;
        ensure!(panics(&self.daemon.log()) == 0, "the daemon panicked");
        self.watch.read(|seen| {
            let mut wrong = seen.complaints.iter().cloned().collect::<Vec<_>>();
            wrong.extend(verdicts::missing(seen, &play.expected));
            wrong.extend(verdicts::detours(
                &seen.changes[play.mark.changes..],
                path,
                &play.expected,
            ));
            wrong.extend(play.deviation(seen, messages));
            wrong.extend(verdicts::disorder(&seen.hooks[play.first.hooks..]));
            if !seen.answering {
                wrong.push("the API does not answer".to_owned());
            }
            if !wrong.is_empty() {
                bail!("{}", wrong.join("\n"));
            }
            Ok(())
        })?;
        play.timings.push(Timing { label, took, bound });
        if !messages.is_empty() {
            play.timings.push(Timing {
                label: "told",
                took: told_after,
                bound: bound + DELIVERY,
            });
        }
        Ok(())
    }

    /// The incidents that are open are those from before, those that opened, less those that resolved.
    fn judge_incidents(&self, play: &Play, before: &BTreeSet<String>) -> Result<()> {
        self.watch.read(|seen| {
            let mut expected = before.clone();
            for hook in &seen.hooks[play.mark.hooks..] {
                match hook.event.as_str() {
                    "resolved" => expected.remove(&hook.incident),
                    "opened" | "reopened" => expected.insert(hook.incident.clone()),
                    _ => false,
                };
            }
            // An incident that opened between the mark and the first look stands in both.
            ensure!(
                seen.open == expected,
                "incidents open: {:?}, expected {expected:?}",
                seen.open
            );
            Ok(())
        })
    }

    /// Domains that turn together for one cause share one incident.
    fn judge_sharing(&self, step: &Step) -> Result<()> {
        for turn in &step.domains {
            if !matches!(turn.state, State::Broken | State::Degraded) {
                continue;
            }
            let incidents: BTreeSet<Option<String>> = self.watch.read(|seen| {
                turn.of(self.world.setting.watched().domains)
                    .into_iter()
                    .map(|name| {
                        seen.now
                            .get(&(Kind::Domain, name))
                            .and_then(|sight| sight.incident.clone())
                    })
                    .collect()
            });
            ensure!(
                incidents.len() == 1 && !incidents.contains(&None),
                "{:?} should share one incident, but have {incidents:?}",
                turn.names
            );
        }
        Ok(())
    }

    fn check(&self, check: Check, step: &Step, play: &Play) -> Result<()> {
        match check {
            Check::Promtool => prometheus::promtool(self.world),
            Check::Panels => dashboards::panels(self.world, step),
            Check::Alerts => dashboards::alerts(self.world, step),
            Check::Received => {
                let receivers = self.receivers.as_ref().context("no real receiver is told")?;
                let told = self.watch.read(|seen| seen.hooks[play.first.hooks..].to_vec());
                receivers.judge(self.world, &told)
            }
            Check::Tokens => {
                let issuer = self.issuer.as_ref().context("nobody logs in by a token")?;
                issuer.judge()
            }
            Check::Manners => manners::judge(self.world),
            Check::Cli => {
                for turn in &step.domains {
                    crate::monitor::check_agrees(self.world, turn)?;
                }
                Ok(())
            }
        }
    }

    fn wait_for_calm(&mut self) -> Result<()> {
        let looks = self.watch.read(|seen| seen.looks);
        let expected = all_flowing(self.world.setting);
        let calm = |seen: &Seen| {
            seen.looks > looks
                && seen.answering
                && seen.open.is_empty()
                && verdicts::missing(seen, &expected).is_empty()
        };
        let deadline = Instant::now() + CALM;
        while !self.watch.until(Instant::now() + Duration::from_secs(1), calm) {
            self.daemon
                .must_run()
                .with_context(|| shell::tail(&self.daemon.log(), 30))?;
            if Instant::now() > deadline {
                let wrong = self.watch.read(|seen| verdicts::missing(seen, &expected));
                let open = self.watch.read(|seen| seen.open.clone());
                bail!(
                    "the world was not calm within {CALM:?}; open incidents {open:?}\n{}\n{}",
                    wrong.join("\n"),
                    shell::tail(&self.daemon.log(), 30)
                );
            }
        }
        Ok(())
    }

    /// Puts the world in order after a failure; a daemon that does not calm down starts from nothing.
    fn recover(&mut self) -> Result<()> {
        self.active.heal_all(self.world)?;
        self.watch.receive(true)?;
        if self.receivers.take().is_some() {
            self.daemon.tell(false)?;
        }
        self.configure_as_before()?;
        if self.daemon.must_run().is_ok() && self.wait_for_calm().is_ok() {
            return Ok(());
        }
        let _ = self.daemon.kill();
        self.daemon.forget()?;
        self.daemon.start()?;
        self.wait_for_calm()?;
        std::thread::sleep(LEARN);
        Ok(())
    }

    fn timeline(&self, play: &Play) -> String {
        let mut lines: Vec<(Instant, String)> = play.notes.clone();
        self.watch.read(|seen| {
            for change in &seen.changes[play.first.changes..] {
                lines.push((change.at, verdicts::describe_change(change)));
            }
            for hook in &seen.hooks[play.first.hooks..] {
                lines.push((hook.at, verdicts::describe_hook(hook)));
            }
        });
        lines.sort_by_key(|(at, _)| *at);
        let mut text = String::from("timeline:\n");
        for (at, line) in lines {
            let seconds = at.saturating_duration_since(play.began).as_secs_f64();
            text += &format!("  {seconds:6.1} s  {line}\n");
        }
        text + &format!("the daemon's log:\n{}\n", shell::tail(&self.daemon.log(), 40))
    }
}

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        let _ = self.active.heal_all(self.world);
    }
}

impl Play {
    fn new(watch: &Watch, setting: Setting) -> Self {
        let mark = mark(watch);
        Self {
            began: Instant::now(),
            expected: all_flowing(setting),
            mark,
            notes: Vec::new(),
            first: mark,
            kills: 0,
            receiving: true,
            maybe: Vec::new(),
            looks: 0,
            timings: Vec::new(),
        }
    }

    fn note(&mut self, text: String) {
        self.notes.push((Instant::now(), text));
    }

    fn expect(&mut self, step: &Step, setting: Setting) {
        let watched = setting.watched();
        for (kind, turns, all) in [
            (Kind::Domain, &step.domains, watched.domains),
            (Kind::Gateway, &step.gateways, watched.gateways),
            (Kind::Route, &step.routes, watched.routes),
            (Kind::Canary, &step.canaries, watched.canaries),
            (Kind::Vantage, &step.vantages, &[VANTAGE]),
        ] {
            for turn in turns {
                for name in turn.of(all) {
                    self.expected.insert((kind, name), Expectation::from(turn));
                }
            }
        }
    }

    fn reached(&self, seen: &Seen) -> bool {
        seen.answering && seen.looks > self.looks && verdicts::missing(seen, &self.expected).is_empty()
    }

    /// How the messages of this step differ from the wanted ones. A kill may have fallen between sending and
    /// committing: then, and only then, one message may come twice.
    fn deviation(&self, seen: &Seen, wanted: &[verdicts::Wanted]) -> Option<String> {
        let earlier = &seen.hooks[self.first.hooks..self.mark.hooks];
        verdicts::deviation(
            earlier,
            &seen.hooks[self.mark.hooks..],
            wanted,
            &self.maybe,
            self.kills,
        )
    }
}

fn mark(watch: &Watch) -> Mark {
    watch.read(|seen| Mark {
        changes: seen.changes.len(),
        hooks: seen.hooks.len(),
    })
}

fn hold_of(step: &Step) -> Duration {
    step.hold.map_or(HOLD, Duration::from_secs)
}

fn all_flowing(setting: Setting) -> BTreeMap<(Kind, String), Expectation> {
    let watched = setting.watched();
    let kinds = [
        (Kind::Domain, watched.domains),
        (Kind::Gateway, watched.gateways),
        (Kind::Route, watched.routes),
        (Kind::Canary, watched.canaries),
    ];
    let keys = kinds
        .into_iter()
        .flat_map(|(kind, names)| names.iter().map(move |name| (kind, (*name).to_owned())));
    keys.map(|key| (key, Expectation::flowing())).collect()
}

impl From<&Message> for verdicts::Wanted {
    fn from(message: &Message) -> Self {
        Self {
            event: message.event.clone(),
            code: Some(message.code.clone()),
            domains: message
                .domains
                .as_ref()
                .map(|names| names.iter().cloned().collect()),
            key: None,
        }
    }
}

impl From<&Turn> for Expectation {
    fn from(turn: &Turn) -> Self {
        Self {
            state: turn.state,
            code: turn.code.clone(),
            subject: turn.subject.clone(),
            owner: turn.owner.clone(),
            detail: turn.detail.clone(),
            symptoms: turn
                .symptoms
                .as_ref()
                .map(|codes| codes.iter().cloned().collect()),
            also: turn.also.iter().cloned().collect(),
            not_also: turn.not_also.iter().cloned().collect(),
            via: turn.via.clone(),
        }
    }
}

impl Expectation {
    /// As it is when nothing is wrong.
    pub fn flowing() -> Self {
        Self {
            state: State::Flowing,
            code: None,
            subject: None,
            owner: None,
            detail: None,
            symptoms: None,
            also: BTreeSet::new(),
            not_also: BTreeSet::new(),
            via: Vec::new(),
        }
    }
}
