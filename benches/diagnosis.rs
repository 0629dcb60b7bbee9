//! Diagnosis alone: observations of a fake net, the monitor and the incidents, and nothing of probes, sockets, store or
//! surfaces. Time is driven; what is measured is the processor time of the calls into them.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use jiff::SignedDuration;
use mailflow::model::Code;
use mailflow::net::Net as _;
use mailflow::net::fake::{DnsMode, FakeNet, Peer, Reach};

use crate::crowd::Crowd;
use crate::drive::{Drive, Figures};
use crate::report::Section;
use crate::world;

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
            hosts: None,
        };
        let mut drive = Drive::new(net, settled);
        drive.go_on(INTERVAL * 2).await;
        if !drive.open().is_empty() {
            bail!("something is wrong before anything is");
        }
        let mut rows = vec![phase(&mut drive, "all is well", INTERVAL, None).await?];
        for number in 1..=ADDRESSES {
            drive.net.inner.set_reach([198, 51, 100, number], Reach::Silent);
        }
        rows.push(
            phase(
                &mut drive,
                "the provider fails",
                INTERVAL,
                Some(Code::ProviderOutage),
            )
            .await?,
        );
        rows.push(
            phase(
                &mut drive,
                "it goes on failing",
                INTERVAL,
                Some(Code::ProviderOutage),
            )
            .await?,
        );
        for number in 1..=ADDRESSES {
            drive.net.inner.set_reach([198, 51, 100, number], Reach::Answers);
        }
        rows.push(phase(&mut drive, "it is back", INTERVAL * 3, None).await?);
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

/// Goes on for a while, and gives a row of the table; at its end exactly this cause is open, or none.
async fn phase(
    drive: &mut Drive,
    name: &str,
    span: SignedDuration,
    open: Option<Code>,
) -> Result<Vec<String>> {
    drive.figures = Figures::default();
    let began = drive.net.now();
    drive.go_on(span).await;
    let causes: Vec<Code> = drive.open();
    if causes != Vec::from_iter(open) {
        bail!("{name}: open at the end: {causes:?}");
    }
    let figures = &drive.figures;
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
