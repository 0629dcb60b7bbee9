//! Scenarios: files that say what breaks, what must be said of it, and who must be told.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::faults::Fault;
use crate::monitor::{CONFIRM, CONFIRM_INTERVAL, INTERVAL};
use crate::setting::Setting;

/// Seconds that a canary takes that nothing holds up: there is a look every two.
const CANARY: u64 = 3;

/// One file under `scenarios/`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    /// What it is about, in one line.
    pub title: String,
    /// In which worlds it is played.
    #[serde(default)]
    pub setting: Setting,
    /// What happens, in order.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    /// What is special about the end, when everything is healed.
    #[serde(default)]
    pub heal: Heal,
}

/// One thing that happens, and what must follow from it. What a step does not name stays as it was.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What happens, for people.
    pub does: String,
    /// Seconds to wait before it happens.
    #[serde(default)]
    pub after: u64,
    /// What breaks.
    #[serde(default)]
    pub inject: Vec<Fault>,
    /// What is put right again.
    #[serde(default)]
    pub heal: Vec<Fault>,
    /// What is done to the daemon, after the faults.
    pub daemon: Option<DaemonAction>,
    /// What is done to the receiver of its webhooks.
    pub receiver: Option<ReceiverAction>,
    /// Whether to go on at once, without waiting for anything.
    #[serde(default)]
    pub at_once: bool,
    /// Seconds that one probe takes to fail here.
    #[serde(default)]
    pub fail_time: u64,
    /// Whether the change is one of DNS, which may be remembered for a while.
    #[serde(default)]
    pub dns: bool,
    /// Seconds until the verdict, where the formula of the semantics does not tell; `why` has to.
    pub within: Option<u64>,
    /// Why `within` differs from the formula.
    pub why: Option<String>,
    /// Seconds to watch for more after everything expected has come.
    pub hold: Option<u64>,
    /// Domains that turn.
    #[serde(default, rename = "domain")]
    pub domains: Vec<Turn>,
    /// Gateways that turn.
    #[serde(default, rename = "gateway")]
    pub gateways: Vec<Turn>,
    /// Routes that turn.
    #[serde(default, rename = "route")]
    pub routes: Vec<Turn>,
    /// Canaries that turn.
    #[serde(default, rename = "canary")]
    pub canaries: Vec<Turn>,
    /// How our own vantage looks; it is judged only where it is named.
    #[serde(default, rename = "vantage")]
    pub vantages: Vec<Turn>,
    /// Exactly the messages that arrive.
    #[serde(default)]
    pub notify: Vec<Message>,
    /// What else is looked at.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// What is done to the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DaemonAction {
    /// SIGKILL, then a new start.
    Kill,
    /// SIGTERM, then a new start.
    Restart,
    /// SIGTERM, then a new start with nothing that it ever learnt.
    Forget,
    /// Half a minute of sleep, as a machine that is suspended.
    Suspend,
    /// It is told, by a reload, to tell a real Alertmanager and a real mailbox as well.
    Tell,
    /// And no longer.
    Hush,
    /// It is told, by a reload, to log in by tokens; until everything is healed.
    ByToken,
    /// It is told, by a reload, to check DNSSEC signatures itself; until everything is healed.
    Validate,
}

/// What is done to the receiver of webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiverAction {
    /// Nobody listens any more.
    Down,
    /// Somebody listens again.
    Up,
}

/// Something besides verdicts and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// `promtool check metrics` is silent on the classic text.
    Promtool,
    /// A real Prometheus scrapes without a complaint, holds what the step says, and has an answer for every panel of the
    /// dashboards.
    Panels,
    /// An alert of the rules reaches a real Alertmanager, with the cause that the step names in its text.
    Alerts,
    /// The Alertmanager and the mailbox have all that was told since the reload, well-formed.
    Received,
    /// Tokens were given out, and believed by a mail server.
    Tokens,
    /// The mail servers' own logs show a polite prober: whole sessions, few of them.
    Manners,
    /// `mailflow check` agrees with the daemon about each domain that the step names.
    Cli,
}

/// How domains, gateways, routes or canaries turn.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Which; `"*"` is all that are watched.
    pub names: Vec<String>,
    /// The state that they reach.
    pub state: State,
    /// The cause that is named for it; none when flowing.
    pub code: Option<String>,
    /// What the cause's subject contains.
    pub subject: Option<String>,
    /// Whose the cause is, where it matters.
    pub owner: Option<String>,
    /// What is said in detail contains this.
    pub detail: Option<String>,
    /// What the cause explains, where it matters: exactly these codes.
    pub symptoms: Option<Vec<String>>,
    /// Warnings that must stand beside it.
    #[serde(default)]
    pub also: Vec<String>,
    /// Warnings that must not stand beside it.
    #[serde(default)]
    pub not_also: Vec<String>,
    /// Causes that may be seen on the way; none by default, for there is no right wrong verdict.
    #[serde(default)]
    pub via: Vec<String>,
}

/// A verdict's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Mail flows.
    Flowing,
    /// It flows, with something impaired.
    Degraded,
    /// It does not.
    Broken,
    /// Nobody knows.
    Unknown,
}

impl State {
    /// As in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Flowing => "flowing",
            Self::Degraded => "degraded",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
        }
    }
}

/// A message that must arrive.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// `opened`, `updated`, `resolved` and so on.
    pub event: String,
    /// The cause's code.
    pub code: String,
    /// Exactly the domains that it names; left out where the incident is not about domains.
    pub domains: Option<Vec<String>>,
}

/// What is special about the end of a scenario.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heal {
    /// Causes that may be seen on the way back.
    #[serde(default)]
    pub via: Vec<String>,
    /// Messages that may come besides the `resolved` of each incident that is still open: where two things heal
    /// one after the other, what is true in between may be told.
    #[serde(default)]
    pub maybe: Vec<Message>,
    /// Seconds until everything flows, where it takes longer than a turn for the worse.
    pub within: Option<u64>,
    /// Why it takes longer.
    pub why: Option<String>,
}

impl Turn {
    /// The names that are meant, of all that there are.
    pub fn of(&self, all: &[&str]) -> Vec<String> {
        if self.names == ["*"] {
            all.iter().map(ToString::to_string).collect()
        } else {
            self.names.clone()
        }
    }
}

impl Step {
    /// The time within which everything expected must have come (`semantics.md` 5).
    pub fn bound(&self) -> Duration {
        if let Some(seconds) = self.within {
            return Duration::from_secs(seconds);
        }
        let ttl = if self.dns { u64::from(crate::dns::TTL) } else { 0 };
        if !self.canaries.is_empty() {
            // One that is on its way ends, one fails, and one more confirms it.
            return Duration::from_secs(CANARY + 2 * (INTERVAL + self.fail_time) + CANARY + ttl);
        }
        let confirm = u64::from(CONFIRM);
        // Whoever asks for a recipient shares the server's budget with those who only greet.
        let shared = if self.routes.is_empty() { 0 } else { 2 * confirm };
        Duration::from_secs(
            INTERVAL + (confirm + 1) * self.fail_time + confirm * CONFIRM_INTERVAL + 1 + ttl + shared,
        )
    }
}

impl Scenario {
    /// Everything that turns in it.
    pub fn names(&self) -> BTreeSet<String> {
        let watched = self.setting.watched();
        let turns = self.steps.iter().flat_map(|step| {
            let domains = step.domains.iter().flat_map(|turn| turn.of(watched.domains));
            let gateways = step.gateways.iter().flat_map(|turn| turn.of(watched.gateways));
            let routes = step.routes.iter().flat_map(|turn| turn.of(watched.routes));
            let canaries = step.canaries.iter().flat_map(|turn| turn.of(watched.canaries));
            domains.chain(gateways).chain(routes).chain(canaries)
        });
        turns.collect()
    }

    /// The time within which everything must flow again after healing. One good observation is enough, but it
    /// comes only after the probe that is still failing, and after the resolver has forgotten.
    pub fn heal_bound(&self) -> Duration {
        let usual = self.steps.iter().map(Step::bound).max().unwrap_or_default();
        self.heal.within.map_or(usual, Duration::from_secs)
    }
}

/// Reads every scenario of a folder, by name. A file that does not say exactly what this module knows is an
/// error: a misspelt expectation must not pass for one that holds.
pub fn load(dir: &Path) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let mut scenario: Scenario =
            toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        scenario.name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        judge(&scenario).with_context(|| format!("in {}", path.display()))?;
        scenarios.push(scenario);
    }
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(scenarios)
}

fn judge(scenario: &Scenario) -> Result<()> {
    if scenario.steps.is_empty() {
        bail!("a scenario needs a step");
    }
    for step in &scenario.steps {
        if step.within.is_some() && step.why.is_none() {
            bail!("step {:?} sets `within` but does not say `why`", step.does);
        }
        if let Some(turn) = step
            .domains
            .iter()
            .chain(&step.gateways)
            .chain(&step.routes)
            .chain(&step.canaries)
            .chain(&step.vantages)
            .find(|turn| (turn.state == State::Flowing) != turn.code.is_none())
        {
            bail!(
                "step {:?}: {:?} needs a code unless flowing, and none then",
                step.does,
                turn.names
            );
        }
    }
    if scenario.heal.within.is_some() && scenario.heal.why.is_none() {
        bail!("[heal] sets `within` but does not say `why`");
    }
    Ok(())
}
