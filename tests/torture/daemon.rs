//! The daemon as a process.

use std::fs::OpenOptions;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::world::{API, Home};

/// How long it may take to answer after a start, on a machine that does something else beside.
const START: Duration = Duration::from_secs(20);

/// A process that ends with this.
pub struct Daemon(Child);

impl Daemon {
    /// Starts it, `before` being words in front of its own, and waits until it answers.
    pub async fn start(home: &Home, before: &[&str]) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(home.log())?;
        let words: Vec<&str> = before
            .iter()
            .copied()
            .chain([env!("CARGO_BIN_EXE_mailflow"), "run", "--config"])
            .collect();
        let child = Command::new(words[0])
            .args(&words[1..])
            .arg(home.config())
            .env("RUST_LOG", "warn")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut this = Self(child);
        let began = Instant::now();
        while get("/-/ready").await.is_err() {
            if let Some(status) = this.0.try_wait()? {
                bail!("the daemon ended at its start: {status}\n{}", tail(home));
            }
            if began.elapsed() > START {
                bail!("the daemon does not answer\n{}", tail(home));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(this)
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.0.id()).unwrap_or(i32::MAX))
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid(), signal).context("the daemon is gone")
    }

    /// As by a power cut, but for what the kernel holds.
    pub fn kill(mut self) -> Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.0.wait()?;
        Ok(())
    }

    /// Tells it to stop; how long that took.
    pub async fn stop(mut self) -> Result<Duration> {
        let began = Instant::now();
        self.signal(Signal::SIGTERM)?;
        loop {
            if let Some(status) = self.0.try_wait()? {
                anyhow::ensure!(status.success(), "told to stop, it ended with {status}");
                return Ok(began.elapsed());
            }
            anyhow::ensure!(began.elapsed() < START, "told to stop, it does not");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Resident memory in bytes.
    pub fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("no VmRSS")?.parse::<u64>()? * 1024)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The last of what it logged.
pub fn tail(home: &Home) -> String {
    let log = std::fs::read(home.log()).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// Fetches a path; anything but status 200 is an error.
pub async fn get(path: &str) -> Result<String> {
    let ask = async {
        let mut stream = TcpStream::connect(API).await?;
        let question = format!("GET {path} HTTP/1.0\r\nHost: {API}\r\n\r\n");
        stream.write_all(question.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        anyhow::ensure!(
            head.split(' ').nth(1) == Some("200"),
            "{path}: {}",
            head.lines().next().unwrap_or_default()
        );
        Ok(body.to_owned())
    };
    timeout(Duration::from_secs(10), ask).await?
}

/// What the API says.
pub async fn api(path: &str) -> Result<Value> {
    Ok(serde_json::from_str(&get(path).await?)?)
}

/// The value of a series.
pub async fn metric(series: &str) -> Result<f64> {
    let metrics = get("/metrics").await?;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    Ok(line.with_context(|| format!("no {series}"))?.trim().parse()?)
}

/// Waits until something holds.
pub async fn until<F: Future<Output = bool>>(
    what: &str,
    limit: Duration,
    mut holds: impl FnMut() -> F,
) -> Result<()> {
    let began = Instant::now();
    while !holds().await {
        anyhow::ensure!(began.elapsed() < limit, "it is not so within {limit:?}: {what}");
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}
