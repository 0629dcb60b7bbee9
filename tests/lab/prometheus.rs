//! What Prometheus itself thinks of the daemon's metrics.

use std::process::Stdio;
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

/// Starts a real Prometheus beside the daemon and lets it scrape a few times.
pub fn scrape(world: &World) -> Result<()> {
    let home = world.home(Host::Mon).join("prometheus");
    std::fs::create_dir_all(&home)?;
    let config = home.join("prometheus.yml");
    std::fs::write(
        &config,
        format!(include_str!("templates/prometheus.yml"), api = API),
    )?;
    let log = home.join("prometheus.log");
    let file = std::fs::File::create(&log)?;
    let mut child = world
        .on(Host::Mon, "prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", home.join("data").display()))
        .arg(format!("--web.listen-address={LISTEN}"))
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()?;
    let outcome = judge(world);
    let ended = shell::end(Pid::from_raw(i32::try_from(child.id())?));
    child.wait()?;
    outcome.and(ended)?;
    let text = std::fs::read_to_string(&log)?;
    let complaints: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("level=warn") || line.contains("level=error"))
        .filter(|line| line.contains("scrape"))
        .collect();
    ensure!(
        complaints.is_empty(),
        "Prometheus complains: {}",
        complaints.join("\n")
    );
    Ok(())
}

/// Three scrapes that went well, and the series of every domain.
fn judge(world: &World) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let outcome = scraped(world);
        if outcome.is_ok() || Instant::now() > deadline {
            return outcome;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn scraped(world: &World) -> Result<()> {
    let targets = query(world, "targets")?;
    let target = &targets["data"]["activeTargets"][0];
    let (health, error) = (target["health"].as_str(), target["lastError"].as_str());
    ensure!(
        health == Some("up") && error == Some(""),
        "the target is {health:?}, last error {error:?}"
    );
    let scrapes = query(world, "query?query=count_over_time(up[1m])")?;
    let count: f64 = value(&scrapes)?;
    ensure!(count >= 3.0, "only {count} scrapes so far");
    let flowing = query(world, "query?query=sum(mailflow_domain_state)")?;
    let domains: f64 = value(&flowing)?;
    let expected = crate::monitor::DOMAINS.len();
    ensure!(
        domains.round().to_string() == expected.to_string(),
        "{domains} domains are in a state, not {expected}"
    );
    Ok(())
}

fn value(answer: &Value) -> Result<f64> {
    let value = answer["data"]["result"][0]["value"][1].as_str();
    value
        .with_context(|| format!("no value in {answer}"))?
        .parse()
        .map_err(|error| anyhow!("{error}"))
}

fn query(world: &World, what: &str) -> Result<Value> {
    Ok(serde_json::from_str(&fetch(
        world,
        &format!("http://{LISTEN}/api/v1/{what}"),
        None,
    )?)?)
}

/// Gets a page as the monitor sees it.
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
            anyhow::Ok(request.send().await?.error_for_status()?.text().await?)
        })
    })?;
    match thread.join() {
        Ok(text) => text?,
        Err(_) => bail!("the thread that fetches panicked"),
    }
}
