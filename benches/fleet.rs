//! A whole fleet on one machine: real sockets, a real name server with the zone, a real resolver, a real SMTP server.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bare;
use crate::daemon::{self, Daemon, probes};
use crate::report::Section;
use crate::servers::{ZONE, start_dns, start_sink};

/// So many domains on so many addresses, looked at so often.
pub struct Fleet {
    domains: usize,
    addresses: usize,
    /// Also how long it is watched, once everything was looked at: whatever comes once in it is counted then.
    interval: Duration,
}

const fn fleet(domains: usize, addresses: usize, interval: u64) -> Fleet {
    Fleet {
        domains,
        addresses,
        interval: Duration::from_secs(interval),
    }
}

/// The fleets that are measured, small ones first.
pub const FLEETS: [Fleet; 6] = [
    fleet(1_000, 200, 60),
    fleet(1_000, 10, 60),
    fleet(10_000, 2_000, 60),
    fleet(10_000, 10, 60),
    fleet(100_000, 20_000, 300),
    fleet(100_000, 10, 300),
];

impl Fleet {
    /// What it is called on the command line: `fleet-10000-2000`.
    pub fn name(&self) -> String {
        format!("fleet-{}-{}", self.domains, self.addresses)
    }

    /// Watches it.
    pub fn measure(&self) -> Result<Section> {
        let dir = tempfile::tempdir()?;
        let _sink = start_sink(dir.path())?;
        let _dns = start_dns(dir.path(), &self.records())?;
        let began = Instant::now();
        let interval = self.interval.as_secs();
        let daemon = Daemon::start(
            dir.path(),
            &format!("interval = \"{interval}s\"\n"),
            &self.clients(),
        )?;
        let seen_all = self.wait_for_all(began)?;
        // A round more, so that what the first looks piled up is gone.
        std::thread::sleep(self.interval.min(Duration::from_mins(1)));

        let (before, used) = (daemon::metrics()?.0, daemon.used()?);
        let started = Instant::now();
        let (mut scrapes, mut pages, mut scraped) = (Vec::new(), Vec::new(), Duration::ZERO);
        while started.elapsed() < self.interval {
            std::thread::sleep(Duration::from_secs(10));
            let before = daemon.used()?;
            scrapes.push(daemon::metrics()?.1);
            scraped += daemon.used()? - before;
            pages.push(daemon::page("/")?);
        }
        let used = daemon.used()? - used;
        let elapsed = started.elapsed();
        let after = daemon::metrics()?.0;
        daemon::sound(&after)?;
        let (now, most) = daemon.memory()?;
        let worst = |all: &[Duration]| all.iter().max().copied().unwrap_or_default().as_secs_f64() * 1000.0;
        let done = |kind: &str| probes(&after, kind) - probes(&before, kind);
        let per_minute = 60.0 / elapsed.as_secs_f64();
        Ok(Section {
            title: format!(
                "{} domains on {} addresses, every {interval} s",
                self.domains, self.addresses
            ),
            how: format!(
                "BIND, unbound and smtp-sink beside it on the same machine. Watched for {} s after every domain had a verdict.",
                elapsed.as_secs()
            ),
            columns: vec!["what", "figure", "unit"],
            rows: [
                ("every domain has a verdict after", seen_all.as_secs_f64(), "s"),
                ("processor time a minute", used.as_secs_f64() * per_minute, "s"),
                (
                    "without what it used during scrapes",
                    (used - scraped).as_secs_f64() * per_minute,
                    "s",
                ),
                ("SMTP probes a minute", done("smtp") * per_minute, ""),
                (
                    "DNS probes a minute",
                    (done("dns") + done("nameserver")) * per_minute,
                    "",
                ),
                ("resident memory", now as f64 / 1e6, "MB"),
                ("resident memory at its highest", most as f64 / 1e6, "MB"),
                (
                    "start lag, 99th percentile below",
                    lag(&before, &after, 0.99),
                    "s",
                ),
                ("a scrape, the slowest", worst(&scrapes), "ms"),
                ("its size", after.len() as f64 / 1e6, "MB"),
                ("the page, the slowest", worst(&pages), "ms"),
                ("domains that flow", flowing(&after) as f64, ""),
            ]
            .map(|(what, figure, unit)| vec![what.to_owned(), format!("{figure:.3}"), unit.to_owned()])
            .to_vec(),
        })
    }

    fn records(&self) -> String {
        let mut records = String::new();
        for number in 0..self.addresses {
            let _ = writeln!(records, "h{number} A {}", bare::address(number).ip());
        }
        for number in 0..self.domains {
            let _ = writeln!(records, "d{number} MX 10 h{}", number % self.addresses);
        }
        records
    }

    /// Some three hundred clients.
    fn clients(&self) -> String {
        let mut text = String::new();
        let each = self.domains.div_ceil(300);
        for (client, first) in (0..self.domains).step_by(each).enumerate() {
            let last = self.domains.min(first + each);
            let domains: Vec<String> = (first..last)
                .map(|number| format!("\"d{number}.{ZONE}\""))
                .collect();
            let _ = writeln!(
                text,
                "[[clients]]\nname = \"C{client}\"\ndomains = [{}]",
                domains.join(", ")
            );
        }
        text
    }

    /// Waits until no domain is unknown any more, and says how long that took.
    fn wait_for_all(&self, began: Instant) -> Result<Duration> {
        let limit = 4 * self.interval + Duration::from_mins(2);
        loop {
            let (metrics, _) = daemon::metrics()?;
            let flowing = flowing(&metrics);
            if flowing == self.domains || began.elapsed() > limit {
                return Ok(began.elapsed());
            }
            std::thread::sleep(Duration::from_secs(2));
        }
    }
}

fn flowing(metrics: &str) -> usize {
    let of_domains = metrics
        .lines()
        .filter(|line| line.starts_with("mailflow_domain_state{"));
    of_domains
        .filter(|line| line.contains("state=\"flowing\"") && line.ends_with(" 1"))
        .count()
}

/// The upper end of the bucket that holds this share of all starts between two scrapes, in seconds.
fn lag(before: &str, after: &str, share: f64) -> f64 {
    let counts = |metrics: &str| {
        let mut counts = std::collections::BTreeMap::<u64, (f64, f64)>::new();
        for line in metrics.lines() {
            let Some((labels, value)) = line
                .strip_prefix("mailflow_probe_lag_seconds_bucket{")
                .and_then(|rest| rest.split_once("} "))
            else {
                continue;
            };
            let end = labels
                .split("le=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .unwrap_or_default();
            let end = if end == "+Inf" {
                f64::INFINITY
            } else {
                end.parse().unwrap_or(f64::NAN)
            };
            counts.entry(end.to_bits()).or_insert((end, 0.0)).1 += value.parse::<f64>().unwrap_or_default();
        }
        counts
    };
    let (before, after) = (counts(before), counts(after));
    let grown: Vec<(f64, f64)> = after
        .iter()
        .map(|(key, (end, count))| (*end, count - before.get(key).map_or(0.0, |(_, count)| *count)))
        .collect();
    let all = grown.last().map_or(0.0, |(_, count)| *count);
    grown
        .iter()
        .find(|(_, count)| *count >= share * all)
        .map_or(f64::NAN, |(end, _)| *end)
}
