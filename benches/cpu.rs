//! Processor time and memory of a process, as Linux accounts for it.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// Ticks of `/proc/PID/stat` in a second: the same on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Processor time that a process has used, in user and kernel mode, with all its threads but without its children.
pub fn used(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before the last parenthesis may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("no process name in stat")?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<f64>);
    let user = times.next().context("no user time in stat")??;
    let system = times.next().context("no system time in stat")??;
    Ok(Duration::from_secs_f64((user + system) / TICKS))
}

/// Resident memory of a process, now and at its highest, in bytes.
pub fn memory(pid: u32) -> Result<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number
            .with_context(|| format!("no {name} in status"))?
            .parse::<u64>()?
            * 1024)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}
