//! `mailflow completions`: for the shell, from the definition of the arguments.

use clap::CommandFactory;

use super::args::{Arguments, Completions};
use super::output;

/// Prints a shell's completions.
pub fn run(completions: &Completions) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(
        completions.shell,
        &mut Arguments::command(),
        "mailflow",
        &mut script,
    );
    output::show(&String::from_utf8(script)?)?;
    Ok(0)
}
