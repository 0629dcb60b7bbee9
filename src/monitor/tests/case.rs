//! Cases: files that say what is wrong in the simulated world, what must be said of it, and what must not.
//!
//! A file that does not say exactly what this module knows is an error: a misspelt expectation must not pass for one
//! that holds. `cases/README.md` tells how to write one.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::sim::{Fault, World, start};
use crate::model::{Code, State};

/// Where the cases are.
pub const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/monitor/tests/cases");

/// One file under `cases/`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The file's name below `cases/`.
    #[serde(skip)]
    pub name: String,
    /// What it is about, in one line.
    pub title: String,
    /// The code that it shows to be found; none where nothing must be found.
    pub finds: Option<Code>,
    /// The codes that might be taken for it, and why it is none of them. They must never be shown on the way.
    #[serde(default)]
    pub instead_of: BTreeMap<Code, String>,
    /// Why no real server in the lab can show it, where that is so.
    pub why_not_lab: Option<String>,
    /// Which configuration is watched: a file under `worlds/`.
    #[serde(default = "plain")]
    pub world: String,
    /// For how many seconds before the first step: what is usual takes two minutes to be known.
    #[serde(default = "a_minute")]
    pub watched: f64,
    /// What is so from before the start, and stays so.
    #[serde(default)]
    pub given: Vec<Fault>,
    /// What happens, in order.
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
    /// What is special about the end, when everything is healed.
    #[serde(default)]
    pub heal: Heal,
}

fn plain() -> String {
    "plain".to_owned()
}

fn a_minute() -> f64 {
    60.0
}

/// One thing that happens, and what must follow from it. What a step does not name stays as it was.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What happens, for people.
    pub does: String,
    /// What becomes so. Nothing: then only what the first look showed is told of.
    #[serde(default)]
    pub inject: Vec<Fault>,
    /// What is so no longer.
    #[serde(default)]
    pub heal: Vec<Fault>,
    /// Seconds that one probe takes to fail here.
    #[serde(default)]
    pub fail_time: f64,
    /// Whether the change is one of DNS, which may be remembered for a while.
    #[serde(default)]
    pub dns: bool,
    /// Seconds until the verdict, where the formula of the semantics does not tell; `why` has to.
    pub within: Option<f64>,
    /// Why `within` differs from the formula.
    pub why: Option<String>,
    /// Domains and what becomes of them.
    #[serde(default, rename = "domain")]
    pub domains: Vec<Turn>,
    /// Likewise gateways, by their names alone.
    #[serde(default, rename = "gateway")]
    pub gateways: Vec<Turn>,
    /// Likewise providers.
    #[serde(default, rename = "provider")]
    pub providers: Vec<Turn>,
    /// Likewise our own side.
    #[serde(default, rename = "vantage")]
    pub vantages: Vec<Turn>,
    /// Likewise routes: `acme to partner.test`.
    #[serde(default, rename = "route")]
    pub routes: Vec<Turn>,
    /// Likewise canaries, by their names alone.
    #[serde(default, rename = "canary")]
    pub canaries: Vec<Turn>,
    /// Likewise services, as they are configured: `imaps:mail.acme.test:993`. They have a state of their own and no
    /// turns: only how they are in the end is looked at.
    #[serde(default, rename = "service")]
    pub services: Vec<Turn>,
}

/// How something turns, or that it stays as it is, with these warnings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Which; `"*"` is all domains that are watched.
    pub names: Vec<String>,
    /// The state that they are in afterwards.
    pub state: State,
    /// The cause that is named for it; none when flowing.
    pub code: Option<Code>,
    /// What the cause's subject contains.
    pub subject: Option<String>,
    /// What the sentence on what was seen contains.
    pub detail: Option<String>,
    /// What the cause explains, where it matters: exactly these codes.
    pub symptoms: Option<Vec<Code>>,
    /// Warnings that must stand beside it.
    #[serde(default)]
    pub also: Vec<Code>,
    /// Causes that may be seen on the way; none by default, for there is no right wrong verdict.
    #[serde(default)]
    pub via: Vec<Code>,
}

/// What is special about the end.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heal {
    /// Seconds until everything is as it was, where it takes longer than half a minute.
    pub within: Option<f64>,
    /// Why it takes longer.
    pub why: Option<String>,
    /// Causes that may be seen on the way back, where several things heal one after the other.
    #[serde(default)]
    pub via: Vec<Code>,
}

impl Step {
    /// The time within which everything expected must have come (`semantics` 5): interval, confirm + 1 failures,
    /// confirm pauses, one second; and for DNS the time to live.
    pub fn bound(&self) -> f64 {
        let ttl = if self.dns { 5.0 } else { 0.0 };
        self.within
            .unwrap_or(5.0 + 3.0 * self.fail_time + 2.0 * 1.0 + 1.0 + ttl)
    }
}

impl Case {
    /// The folders of cases.
    pub fn folders() -> Vec<String> {
        let entries = std::fs::read_dir(CASES).unwrap().map(Result::unwrap);
        let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
        let mut names: Vec<String> = folders
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The cases of a folder, by name.
    pub fn all_of(folder: &str) -> Vec<Self> {
        let entries = std::fs::read_dir(Path::new(CASES).join(folder)).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut case: Self =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        case.name = path.strip_prefix(CASES).unwrap().display().to_string();
        let faults = case.faults();
        assert!(faults.is_empty(), "{}: {}", case.name, faults.join("; "));
        case
    }

    /// The world as it is before anything happens, and when everything is healed.
    pub fn world_at_rest(&self) -> World {
        let mut world = World::healthy();
        for fault in &self.given {
            fault.inject(&mut world, start());
        }
        world
    }

    /// The configuration that is watched.
    pub fn config(&self) -> String {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/monitor/tests/worlds");
        let path = Path::new(folder).join(&self.world).with_extension("toml");
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Every code that it expects, as a cause or as a warning.
    pub fn expects(&self) -> impl Iterator<Item = Code> {
        let turns = self.steps.iter().flat_map(Step::turns);
        turns.flat_map(|turn| turn.code.into_iter().chain(turn.also.iter().copied()))
    }

    /// What it does not say, or says of itself that cannot be.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.steps.is_empty() {
            faults.push("a case needs a step".to_owned());
        }
        if let Some(code) = self.finds.filter(|code| self.expects().all(|one| one != *code)) {
            faults.push(format!("it finds {code}, but no step expects that"));
        }
        if let Some(code) = self
            .instead_of
            .keys()
            .find(|code| self.expects().any(|one| one == **code))
        {
            faults.push(format!(
                "{code} is expected by a step, so it cannot be found instead of it"
            ));
        }
        for step in &self.steps {
            if step.within.is_some() != step.why.is_some() {
                faults.push(format!("{:?}: `within` and `why` go together", step.does));
            }
            let odd = step
                .turns()
                .find(|turn| (turn.state == State::Flowing) != turn.code.is_none());
            if let Some(turn) = odd {
                faults.push(format!(
                    "{:?} needs a code unless flowing, and none then",
                    turn.names
                ));
            }
        }
        if self.heal.within.is_some() != self.heal.why.is_some() {
            faults.push("[heal]: `within` and `why` go together".to_owned());
        }
        faults
    }
}

impl Step {
    fn turns(&self) -> impl Iterator<Item = &Turn> {
        let own = self.vantages.iter().chain(&self.services);
        let theirs = self.domains.iter().chain(&self.gateways).chain(&self.providers);
        let theirs = theirs.chain(&self.routes).chain(&self.canaries);
        theirs.chain(own)
    }
}
