//! Letters that people write, some with a bounce that they forward.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::hosts::Host;
use crate::post;
use crate::shell;
use crate::world::World;

/// How long an answer may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Has somebody write to others by their own Exim. What is forwarded `about` mail to an address must be answered.
pub fn write(world: &World, host: Host, from: &str, to: &[String], about: Option<&str>) -> Result<()> {
    let home = world.home(host);
    let (user, _) = from.split_once('@').context("a letter has a sender")?;
    let inbox = home.join("mail").join(user).join("new");
    let mut send = post::queue_runner(&world.namespace(host), &home)?;
    send.args(["-oi", "-f", from]).args(to);
    let date = shell::output(Command::new("date").arg("-R"))?;
    let text = match about {
        Some(about) => forwarded(from, to, about, date.trim()),
        None => format!(
            "From: <{from}>\nTo: <{}>\nSubject: An offer\n\nSee below.\n",
            to.join(">, <")
        ),
    };
    let before = answers(&inbox);
    let (done, said) = shell::feed(&mut send, &text)?;
    if !done {
        bail!("{} said {said:?}", host.name());
    }
    if about.is_none() {
        return Ok(());
    }
    shell::wait_for("an answer", PATIENCE, || answers(&inbox) > before)
}

/// How many answers of the daemon's lie in an inbox.
fn answers(inbox: &Path) -> usize {
    let files = std::fs::read_dir(inbox).into_iter().flatten().flatten();
    let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
    let is_answer =
        |text: &String| text.contains("Auto-Submitted: auto-replied") && text.contains("blocks the address");
    texts.filter(is_answer).count()
}

fn forwarded(from: &str, to: &[String], about: &str, date: &str) -> String {
    let (_, domain) = from.split_once('@').unwrap_or_default();
    let remote = about.split_once('@').map_or("", |(_, remote)| remote);
    format!(
        "From: <{from}>\nTo: <{}>\nSubject: Fwd: Mail delivery failed\nMessage-ID: <forward@{domain}>\n\
         MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=outer\n\n--outer\n\nWhat does this mean?\n--outer\n\
         Content-Type: message/rfc822\n\nFrom: Mail Delivery System <Mailer-Daemon@mx.{domain}>\nTo: {from}\n\
         Date: {date}\nSubject: Mail delivery failed: returning message to sender\nReturn-Path: <>\n\
         Auto-Submitted: auto-replied\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=inner\n\n--inner\n\n\
         A message could not be delivered.\n--inner\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.{domain}\n\nAction: failed\nFinal-Recipient: rfc822;{about}\nStatus: 5.0.0\n\
         Remote-MTA: dns; mx.{remote}\n\
         Diagnostic-Code: smtp; 554 5.7.1 Service unavailable; Client host blocked using bl.test\n\n--inner\n\
         Content-Type: message/rfc822\n\nFrom: <{from}>\nTo: <{about}>\nSubject: An offer\n\nSee below.\n\
         --inner--\n--outer--\n",
        to.join(">, <")
    )
}
