//! A fleet in the fake net: what the daemon's own work comes to where no socket, no system call and no other process takes
//! any time.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use jiff::SignedDuration;
use mailflow::net::fake::{DnsMode, FakeNet, Peer};

use crate::crowd::Crowd;
use crate::drive::{Drive, Figures, thread_time};
use crate::report::Section;
use crate::world;

/// What the part is called.
pub const PART: &str = "own";
const DOMAINS: usize = 100_000;
const ADDRESSES: usize = 20_000;
const INTERVAL: SignedDuration = SignedDuration::from_secs(60);
/// How long first looks may take, in minutes.
const MOST_MINUTES: usize = 20;

/// Measures a minute of a fleet that is well.
pub fn measure() -> Result<Section> {
    world::driven(async {
        let dir = tempfile::tempdir()?;
        let net = fleet()?;
        let settled = world::settle(dir.path(), &net, &config())?;
        let net = Crowd {
            inner: net,
            faces: 1,
            hosts: Some(ADDRESSES),
        };
        let mut drive = Drive::new(net, settled);
        let mut minutes = 0;
        while minutes < MOST_MINUTES && (minutes == 0 || drive.pending() > 0) {
            drive.go_on(INTERVAL).await;
            minutes += 1;
        }
        let first_looks = drive.figures.used.as_secs_f64();
        drive.figures = Figures::default();
        let before = thread_time();
        drive.go_on(INTERVAL).await;
        let all = thread_time().saturating_sub(before).as_secs_f64();
        if !drive.open().is_empty() || drive.pending() > 0 {
            bail!("not all is well: {:?}, {} pending", drive.open(), drive.pending());
        }
        let figures = &drive.figures;
        let rows = [
            ("minutes of first looks", minutes as f64, ""),
            (
                "processor time of monitor and incidents for them",
                first_looks,
                "s",
            ),
            ("SMTP probes", figures.sessions as f64, ""),
            ("observations of all kinds", figures.observations as f64, ""),
            (
                "processor time of monitor and incidents",
                figures.used.as_secs_f64(),
                "s",
            ),
            (
                "processor time of all, with the probes and the fake net",
                all,
                "s",
            ),
        ];
        Ok(Section {
            title: format!("{DOMAINS} domains on {ADDRESSES} addresses, every 60 s, in the fake net"),
            how: "A minute of driven time on one thread, once every domain has a verdict; nothing of sockets, store and surfaces. \
                  The processor time of monitor and incidents is the daemon's own; that of all holds its probes too, and what the \
                  fake net costs."
                .to_owned(),
            columns: vec!["what", "figure", "unit"],
            rows: rows
                .map(|(what, figure, unit)| vec![what.to_owned(), format!("{figure:.3}"), unit.to_owned()])
                .to_vec(),
        })
    })
}

fn fleet() -> Result<FakeNet> {
    let net = FakeNet::new();
    let mut zones =
        "fleet.test. 3600 SOA 1 300\nfleet.test. NS ns.fleet.test.\nns.fleet.test. A 192.0.2.53\n".to_owned();
    net.set_dns([192, 0, 2, 53], DnsMode::Authoritative);
    net.resolver([192, 0, 2, 52]);
    net.host([192, 0, 2, 200]);
    let address = crate::bare::address(0);
    let _ = write!(
        zones,
        "h0.fleet.test. A {}\nd0.fleet.test. MX 10 h0.fleet.test.\n",
        address.ip()
    );
    net.listen(address, Peer::mail("h0.fleet.test"));
    net.load(&zones)?;
    Ok(net)
}

fn config() -> String {
    let mut config =
        "[vantage]\nname = \"bench\"\nhelo = \"probe.fleet.test\"\nanchors = [\"ping:192.0.2.200\"]\n\
         [resolver]\nservers = [\"192.0.2.52\"]\n[budgets]\nper_nameserver = { per_second = 100000 }\n\
         [probes]\ninterval = \"60s\"\n"
            .to_owned();
    let each = DOMAINS / 250;
    for client in 0..250 {
        let names: Vec<String> = (client * each..(client + 1) * each)
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
