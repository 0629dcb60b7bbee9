//! `mailflow man`: the manual, from the definition of the arguments.

use anyhow::{Context as _, bail};
use clap::CommandFactory;

use super::args::{Arguments, Man};
use super::output;

/// Prints a page of the manual, for `man -l -` or a package.
pub fn run(man: &Man) -> anyhow::Result<u8> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command(&man.command)?)
        .manual("mailflow")
        .render(&mut page)?;
    output::show(&String::from_utf8(page)?)?;
    Ok(0)
}

/// The command of these names, called as its page is: `mailflow-config-check`.
fn command(names: &[String]) -> anyhow::Result<clap::Command> {
    let mut whole = Arguments::command().disable_help_subcommand(true);
    // Hands the options that hold everywhere down to where they are shown.
    whole.build();
    let mut found = &whole;
    for name in names {
        if found.find_subcommand(name).is_none() {
            let typed = crate::model::text::clean(name.as_bytes(), 80);
            let known: Vec<&str> = found.get_subcommands().map(clap::Command::get_name).collect();
            bail!("there is no page of \"{typed}\"; there are {}", known.join(", "));
        }
        found = found.find_subcommand(name).context("just found")?;
    }
    Ok(found.clone())
}
