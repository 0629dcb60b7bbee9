//! `mailflow notify test`: whether a message would arrive.

use super::args::{Notify, NotifyCommand};
use super::daemon::{Daemon, Error};
use super::output;

/// Has the daemon send a test message, and says what became of it.
pub fn run(notify: &Notify) -> anyhow::Result<u8> {
    let NotifyCommand::Test { name, daemon } = &notify.command;
    let daemon = Daemon::at(&daemon.url)?;
    let sent = super::runtime()?.block_on(daemon.post(&["notifiers", name, "test"]));
    let name = crate::model::text::clean(name.as_bytes(), 80);
    match sent {
        Ok(_) => output::show(&format!(
            "\"{name}\" took the test message. Look whether it arrived.\n"
        ))?,
        Err(Error::Refused(reason)) => anyhow::bail!("notifier \"{name}\": {reason}"),
        Err(error) => return Err(error.into()),
    }
    Ok(0)
}
