//! Real receivers of the daemon's messages: an Alertmanager, asked by its own `amtool`, and the mailbox of whoever is on
//! call, on a Postfix that takes the mail by STARTTLS.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::hosts::Host;
use crate::mail;
use crate::prometheus::{ALERTMANAGER, Alertmanager};
use crate::shell;
use crate::watch::Hook;
use crate::world::World;

/// Whose Postfix takes the mail.
const SERVER: Host = Host::BigMx1;
/// How long a message may take to lie where it belongs, after the webhook about the same.
const PATIENCE: Duration = Duration::from_secs(10);

/// A configuration that tells these receivers as well.
pub fn added(config: &str) -> String {
    let notifiers = format!(
        r#"
[[notifiers]]
name = "alerts"
type = "alertmanager"
urls = ["http://{ALERTMANAGER}"]

[[notifiers]]
name = "mail"
type = "email"
server = "{server}:25"
tls = "starttls"
from = "mailflow@msp.test"
to = ["oncall@oncall.test"]
"#,
        server = SERVER.facts().mail_name
    );
    config.replace(r#"notify = ["lab"]"#, r#"notify = ["lab", "alerts", "mail"]"#) + &notifiers
}

/// The receivers of one world.
pub struct Receivers {
    _alertmanager: Alertmanager,
    /// How many mails lay there before.
    before: usize,
}

impl Receivers {
    /// Starts them with nothing told yet.
    pub fn start(world: &World) -> Result<Self> {
        let home = world.home(Host::Mon).join("alertmanager");
        if home.exists() {
            std::fs::remove_dir_all(&home)?;
        }
        std::fs::create_dir_all(&home)?;
        Ok(Self {
            _alertmanager: Alertmanager::start(world, &home)?,
            before: mail::mailbox(world, SERVER)?.len(),
        })
    }

    /// They have all of what the webhook was told, of one incident, and nothing else.
    pub fn judge(&self, world: &World, told: &[Hook]) -> Result<()> {
        until(|| alert(world, told))?;
        until(|| mails(&mail::mailbox(world, SERVER)?[self.before..], told))
    }
}

fn until(wanted: impl Fn() -> Result<()>) -> Result<()> {
    let mut outcome = wanted();
    let _ = shell::wait_for("the receivers", PATIENCE, || {
        outcome = wanted();
        outcome.is_ok()
    });
    outcome
}

/// One alert is active, as it was told last; none once it is over.
fn alert(world: &World, told: &[Hook]) -> Result<()> {
    let mut amtool = world.on(Host::Mon, "amtool");
    let url = format!("--alertmanager.url=http://{ALERTMANAGER}");
    let said = shell::output(amtool.args([
        &url,
        "--output=json",
        "alert",
        "query",
        "alertname=MailflowIncident",
    ]))?;
    let alerts: Vec<Value> = serde_json::from_str(&said).with_context(|| format!("amtool says {said}"))?;
    let last = told.last().context("nothing was told")?;
    if last.event == "resolved" {
        ensure!(alerts.is_empty(), "still alerts: {said}");
        return Ok(());
    }
    ensure!(alerts.len() == 1, "{} alerts: {said}", alerts.len());
    let (labels, annotations) = (&alerts[0]["labels"], &alerts[0]["annotations"]);
    ensure!(
        labels["dedup_key"] == last.key.as_str() && labels["severity"] == "critical",
        "{labels}"
    );
    ensure!(
        annotations["code"] == last.code.as_str() && annotations["event"] == last.event.as_str(),
        "{annotations}"
    );
    ensure!(annotations["description"] == last.text.as_str(), "{annotations}");
    Ok(())
}

/// Each message is one mail, in order, all of them one thread.
fn mails(mails: &[String], told: &[Hook]) -> Result<()> {
    ensure!(
        mails.len() == told.len(),
        "{} mails for {} messages",
        mails.len(),
        told.len()
    );
    let thread = format!("<{}@msp.test>", told[0].key);
    for (mail, told) in mails.iter().zip(told) {
        let header = |name: &str| header(mail, name).unwrap_or_default();
        let (subject, body) = (header("Subject"), plain(mail));
        let begins = match told.event.as_str() {
            "updated" => "Changed: ",
            "resolved" => "Resolved: ",
            _ => "ACME Ltd: ",
        };
        ensure!(subject.starts_with(begins), "{}: Subject: {subject}", told.event);
        if told.event == "opened" {
            ensure!(header("Message-ID") == thread, "{}", header("Message-ID"));
        } else {
            ensure!(
                header("References") == thread && header("In-Reply-To") == thread,
                "{mail}"
            );
        }
        ensure!(
            header("Received").contains("with ESMTPS id"),
            "not by TLS: {}",
            header("Received")
        );
        ensure!(header("Auto-Submitted") == "auto-generated", "{mail}");
        ensure!(header("To") == "oncall@oncall.test", "{}", header("To"));
        let says_all = body.contains("acme.test") && body.contains("http://");
        ensure!(says_all && mail.contains("text/html"), "{mail}");
    }
    Ok(())
}

/// A header, unfolded.
fn header(mail: &str, name: &str) -> Option<String> {
    let (head, _) = mail.split_once("\n\n")?;
    let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
    let start = format!("{}:", name.to_ascii_lowercase());
    let mut lines = unfolded.lines();
    let line = lines.find(|line| line.to_ascii_lowercase().starts_with(&start))?;
    Some(line[start.len()..].trim().to_owned())
}

/// The plain text, as far as it need not be decoded.
fn plain(mail: &str) -> &str {
    mail.split_once("text/plain").map_or("", |(_, rest)| rest)
}
