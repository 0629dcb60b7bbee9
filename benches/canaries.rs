//! A thousand canaries over fifty mailboxes: a real Postfix takes them, a real Dovecot has the mailboxes.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::daemon::{self, Daemon};
use crate::pki::{Flavour, Pki};
use crate::report::Section;
use crate::servers::{NAME_SERVER, Postfix, ZONE, start_dns, start_mailboxes};
use crate::shell;

/// The part's name on the command line.
pub const PART: &str = "canaries";

const MAILBOXES: usize = 50;
/// Canaries that are sent to each mailbox.
const EACH: usize = 20;
const ALL: usize = MAILBOXES * EACH;
/// How often each is sent, and how soon it has to be there.
const INTERVAL: Duration = Duration::from_mins(2);
const DEADLINE: Duration = Duration::from_secs(30);
const PASSWORD: &str = "not-a-secret";

/// Sends each two times, and says how they fared.
pub fn measure() -> Result<Section> {
    let dir = tempfile::tempdir()?;
    // The servers' own users read what lies in it.
    shell::run("chmod", ["755", &dir.path().display().to_string()])?;
    let pki = Pki::create(&dir.path().join("pki"))?;
    let host = format!("mail.{ZONE}");
    let certificate = pki.issue(&[&host], Flavour::Good)?;
    let people: Vec<String> = (0..MAILBOXES).map(|number| format!("box{number}")).collect();
    let _dns = start_dns(dir.path(), &format!("mail A {NAME_SERVER}\n"))?;
    let (mailboxes, _dovecot) = start_mailboxes(dir.path(), &people, PASSWORD, &certificate)?;
    let _postfix = Postfix::start(dir.path(), None, Some((&mailboxes, &people)))?;
    let settings = format!("interval = \"60s\"\nca_file = \"{}\"\n", pki.root().display());
    let daemon = Daemon::start(dir.path(), &settings, &clients(&people))?;

    let began = Instant::now();
    let (mut sessions, mut metrics) = (0, String::new());
    while began.elapsed() < 2 * INTERVAL + DEADLINE {
        std::thread::sleep(Duration::from_secs(1));
        sessions = sessions.max(sessions_now()?);
        if began.elapsed().as_secs().is_multiple_of(10) {
            metrics = daemon::metrics()?.0;
        }
    }
    let sum = |name: &str| -> f64 {
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    };
    let (ended, failed) = (
        sum("mailflow_canaries_total{"),
        sum("mailflow_canaries_failed_total{"),
    );
    ensure!(
        ended >= ALL as f64,
        "only {ended} canaries came to their end: {}",
        daemon.log()
    );
    let took = sum("mailflow_canary_delivery_duration_seconds_sum{");
    let (now, most) = daemon.memory()?;
    let used = daemon.used()?;
    Ok(Section {
        title: format!(
            "{ALL} canaries over {MAILBOXES} mailboxes, every {} s",
            INTERVAL.as_secs()
        ),
        how: format!(
            "Postfix and Dovecot beside it on the same machine; each canary has {} s to be in its mailbox. From the start, for {} s.",
            DEADLINE.as_secs(),
            began.elapsed().as_secs()
        ),
        columns: vec!["what", "figure", "unit"],
        rows: [
            ("canaries that came to their end", ended, ""),
            ("of these, not there in time", failed, ""),
            (
                "from handing in to the mailbox, on average",
                took / (ended - failed),
                "s",
            ),
            (
                "within 5 s",
                100.0 * within(&metrics, "5.0") / (ended - failed),
                "%",
            ),
            ("IMAP sessions at a time, at the most", sessions as f64, ""),
            (
                "processor time a canary",
                used.as_secs_f64() * 1000.0 / ended,
                "ms",
            ),
            ("resident memory", now as f64 / 1e6, "MB"),
            ("resident memory at its highest", most as f64 / 1e6, "MB"),
            (
                "messages that lie in the mailboxes in the end",
                left(&mailboxes)? as f64,
                "",
            ),
        ]
        .map(|(what, figure, unit)| vec![what.to_owned(), format!("{figure:.1}"), unit.to_owned()])
        .to_vec(),
    })
}

/// A client a mailbox.
fn clients(people: &[String]) -> String {
    let mut text = String::new();
    for user in people {
        let _ = writeln!(text, "[[clients]]\nname = \"{user}\"\n");
        for number in 0..EACH {
            let _ = writeln!(
                text,
                "[[clients.canaries]]\nname = \"{user}-{number}\"\nsubmit = {{ server = \"mail.{ZONE}:25\" }}\n\
                 from = \"{user}@{ZONE}\"\nto = \"{user}@{ZONE}\"\n\
                 mailbox = {{ server = \"mail.{ZONE}:993\", username = \"{user}\", password = \"{PASSWORD}\" }}\n\
                 interval = \"{}s\"\ndeadline = \"{}s\"\n",
                INTERVAL.as_secs(),
                DEADLINE.as_secs()
            );
        }
    }
    text
}

/// Connections to the mailboxes' port that are open.
fn sessions_now() -> Result<usize> {
    let open = shell::output(std::process::Command::new("ss").args([
        "-Htn",
        "state",
        "established",
        "( dport = :993 )",
    ]))?;
    Ok(open.lines().count())
}

/// Canaries that took no longer than a bucket's upper end.
fn within(metrics: &str, end: &str) -> f64 {
    let lines = metrics.lines().filter(|line| {
        line.starts_with("mailflow_canary_delivery_duration_seconds_bucket{")
            && line.contains(&format!("le=\"{end}\""))
    });
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// Messages in all folders.
fn left(mailboxes: &std::path::Path) -> Result<usize> {
    let found = shell::output(std::process::Command::new("find").arg(mailboxes).args([
        "-type", "f", "(", "-path", "*/new/*", "-o", "-path", "*/cur/*", ")",
    ]))?;
    Ok(found.lines().count())
}
