//! What Prometheus itself makes of the daemon's metrics: whether it takes them, what the dashboards' questions give, and
//! whether an alert of the rules reaches an Alertmanager.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nix::unistd::Pid;
use serde_json::Value;

use crate::hosts::Host;
use crate::monitor::API;
use crate::shell;
use crate::watch::inside;
use crate::world::World;

const LISTEN: &str = "127.0.0.1:9090";
/// Where an Alertmanager listens, inside the monitor's namespace.
pub const ALERTMANAGER: &str = "127.0.0.1:9093";
/// How long anything here may take to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to leave a busy machine alone before asking again.
const PAUSE: Duration = Duration::from_millis(250);
/// How many scrapes it takes before rates mean anything.
const SCRAPES: f64 = 3.0;

/// `promtool check metrics` on the classic text, which must be silent.
pub fn promtool(world: &World) -> Result<()> {
    let metrics = fetch(world, &format!("http://{API}/metrics"), Some("text/plain"))?;
    ensure!(
        metrics.contains("mailflow_domain_state"),
        "there is no mailflow_domain_state in /metrics"
    );
    let mut promtool = std::process::Command::new("promtool");
    let (success, said) = shell::feed(promtool.args(["check", "metrics"]), &metrics)?;
    ensure!(
        success && said.trim().is_empty(),
        "promtool check metrics says: {said}"
    );
    Ok(())
}

/// A program beside the daemon, that ends with this.
struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    fn start(world: &World, home: &Path, program: &str, arguments: &[String]) -> Result<Self> {
        let log = home.join(format!("{program}.log"));
        let file = std::fs::File::create(&log)?;
        let child = world
            .on(Host::Mon, program)
            .args(arguments)
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        Ok(Self { child, log })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = shell::end(Pid::from_raw(pid));
        }
        let _ = self.child.wait();
    }
}

/// A real Alertmanager.
pub struct Alertmanager {
    _program: Program,
}

impl Alertmanager {
    /// Starts it in a folder that is there.
    pub fn start(world: &World, home: &Path) -> Result<Self> {
        let config = home.join("alertmanager.yml");
        std::fs::write(&config, include_str!("templates/alertmanager.yml"))?;
        let arguments = [
            format!("--config.file={}", config.display()),
            format!("--storage.path={}", home.join("alerts").display()),
            format!("--web.listen-address={ALERTMANAGER}"),
            "--cluster.listen-address=".to_owned(),
        ];
        let program = Program::start(world, home, "prometheus-alertmanager", &arguments)?;
        Ok(Self { _program: program })
    }
}

/// A real Prometheus with the rules of `dashboards/`, and an Alertmanager that it tells.
pub struct Prometheus<'world> {
    world: &'world World,
    program: Program,
    _alertmanager: Alertmanager,
}

impl<'world> Prometheus<'world> {
    /// Starts both, from nothing.
    pub fn start(world: &'world World) -> Result<Self> {
        let home = world.home(Host::Mon).join("prometheus");
        if home.exists() {
            std::fs::remove_dir_all(&home)?;
        }
        std::fs::create_dir_all(&home)?;
        for rules in ["mailflow-self.rules.yml", "mailflow-domains.rules.yml"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("dashboards/prometheus")
                .join(rules);
            std::fs::write(home.join(rules), at_once(&std::fs::read_to_string(path)?))?;
        }
        let config = home.join("prometheus.yml");
        let text = include_str!("templates/prometheus.yml")
            .replace("{api}", API)
            .replace("{alertmanager}", ALERTMANAGER);
        std::fs::write(&config, text)?;
        let alertmanager = Alertmanager::start(world, &home)?;
        let program = Program::start(
            world,
            &home,
            "prometheus",
            &[
                format!("--config.file={}", config.display()),
                format!("--storage.tsdb.path={}", home.join("data").display()),
                format!("--web.listen-address={LISTEN}"),
            ],
        )?;
        Ok(Self {
            world,
            program,
            _alertmanager: alertmanager,
        })
    }

    /// Waits until a few scrapes went well.
    pub fn wait_for_scrapes(&self) -> Result<()> {
        self.until(|prometheus| {
            let targets = prometheus.get("targets", &[])?;
            let target = &targets["activeTargets"][0];
            let (health, error) = (target["health"].as_str(), target["lastError"].as_str());
            ensure!(
                health == Some("up") && error == Some(""),
                "the target is {health:?}, last error {error:?}"
            );
            let count = prometheus.number("count_over_time(up[1m])")?;
            ensure!(count >= SCRAPES, "only {count} scrapes so far");
            Ok(())
        })
    }

    /// Asks again until it is as wanted, or tells what is missing.
    pub fn until(&self, wanted: impl Fn(&Self) -> Result<()>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut outcome = wanted(self);
        while outcome.is_err() && Instant::now() < deadline {
            std::thread::sleep(PAUSE);
            outcome = wanted(self);
        }
        outcome.with_context(|| shell::tail(&self.program.log, 5))
    }

    /// Nothing that it said of scrapes or rules was a complaint.
    pub fn must_not_complain(&self) -> Result<()> {
        let text = std::fs::read_to_string(&self.program.log)?;
        let complaints: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("level=warn") || line.contains("level=error"))
            .filter(|line| line.contains("scrape") || line.contains("rule"))
            .collect();
        ensure!(
            complaints.is_empty(),
            "Prometheus complains: {}",
            complaints.join("\n")
        );
        Ok(())
    }

    /// The series that a question gives now.
    pub fn ask(&self, question: &str) -> Result<Vec<Value>> {
        let answer = self.get("query", &[("query", question)])?;
        let result = answer["result"].as_array();
        Ok(result.with_context(|| format!("no result in {answer}"))?.clone())
    }

    /// The one number that a question gives now.
    pub fn number(&self, question: &str) -> Result<f64> {
        let series = self.ask(question)?;
        let value = series.first().and_then(|series| series["value"][1].as_str());
        let value = value.with_context(|| format!("{question} gives nothing"))?;
        value.parse().map_err(|error| anyhow!("{error}"))
    }

    /// `data` of what its API says.
    pub fn get(&self, what: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let url = reqwest::Url::parse_with_params(&format!("http://{LISTEN}/api/v1/{what}"), parameters)?;
        let answer: Value = serde_json::from_str(&fetch(self.world, url.as_str(), None)?)?;
        ensure!(answer["status"] == "success", "{what} {parameters:?}: {answer}");
        Ok(answer["data"].clone())
    }

    /// What the Alertmanager was told and what goes on.
    pub fn alerts(&self) -> Result<Vec<Value>> {
        let text = fetch(self.world, &format!("http://{ALERTMANAGER}/api/v2/alerts"), None)?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// The rules, with nothing left to wait for: a lab has no half hour.
fn at_once(rules: &str) -> String {
    let lines = rules.lines().map(|line| {
        let waits = line.trim_start().starts_with("for: ");
        let indent = &line[..line.len() - line.trim_start().len()];
        if waits {
            format!("{indent}for: 0s\n")
        } else {
            format!("{line}\n")
        }
    });
    lines.collect()
}

/// Gets a page as the monitor sees it. What went wrong is in the answer, so that its status is not looked at here.
fn fetch(world: &World, url: &str, accept: Option<&'static str>) -> Result<String> {
    let url = url.to_owned();
    let thread = inside(&world.namespace(Host::Mon), move |runtime| {
        runtime.block_on(async {
            let client = reqwest::Client::builder()
                .timeout(Duration::from_secs(5))
                .no_proxy()
                .build()?;
            let mut request = client.get(&url);
            if let Some(accept) = accept {
                request = request.header("accept", accept);
            }
            anyhow::Ok(request.send().await?.text().await?)
        })
    })?;
    match thread.join() {
        Ok(text) => text?,
        Err(_) => bail!("the thread that fetches panicked"),
    }
}
