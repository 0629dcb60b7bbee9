//! The command line: one file a command, none of them with logic of its own.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where we talk to people"
)]

mod ack;
mod approve;
mod args;
mod audit;
mod check;
mod completions;
mod config;
mod daemon;
mod demo;
mod digest;
mod explain;
mod hands;
mod init;
mod layout;
mod link;
mod log;
mod man;
mod notify;
mod output;
mod password;
mod run;
mod status;
mod style;

use std::process::ExitCode;

use clap::Parser;

pub use args::{Arguments, Command};

/// Bad usage, and faults of our own (`contract`: unknown).
const FAULT: u8 = 3;

/// Reads the arguments and does what they say.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no mistakes.
            let code = if error.use_stderr() { FAULT } else { 0 };
            let _ = error.print();
            return code.into();
        }
    };
    let result = match &arguments.command {
        Command::Run(run) => self::run::run(run, &arguments),
        Command::Check(check) => self::check::run(check, &arguments),
        Command::Explain(explain) => self::explain::run(explain),
        Command::Status(status) => self::status::run(status),
        Command::Digest(digest) => self::digest::run(digest),
        Command::Init(init) => self::init::run(init, &arguments),
        Command::Approve(approve) => self::approve::run(approve),
        Command::Ack(ack) => self::ack::run(ack),
        Command::Note(note) => self::ack::note(note),
        Command::Silence(silence) => self::hands::silence(silence),
        Command::Maintenance(maintenance) => self::hands::maintenance(maintenance),
        Command::Accept(accept) => self::hands::accept(accept),
        Command::Watch(watch) => self::hands::watch(watch),
        Command::Link(link) => self::link::run(link),
        Command::Audit(audit) => self::audit::run(audit),
        Command::Notify(notify) => self::notify::run(notify),
        Command::Config(config) => self::config::run(config),
        Command::Demo => self::demo::run(&arguments),
        Command::Completions(completions) => self::completions::run(completions),
        Command::Man(man) => self::man::run(man),
    };
    match result {
        Ok(code) => code.into(),
        // It says "error" itself, and trying again is of no use: the service manager is to know that.
        Err(error) if error.is::<crate::app::Mistakes>() => {
            eprintln!("{}", error.to_string().trim_end());
            crate::config::check::MISTAKES.into()
        }
        Err(error) => {
            eprintln!(
                "{}error:{} {error:#}",
                style::on_stderr(style::BAD),
                style::on_stderr_reset()
            );
            FAULT.into()
        }
    }
}

/// A runtime for commands that talk to the network.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}
