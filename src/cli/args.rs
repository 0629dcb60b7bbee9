//! The arguments: help, completions and the manual page come from this one definition.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Watches whether mail can reach, and leave, the domains you look after; when it cannot, says which part broke,
/// whose it is and what to do.
#[derive(Debug, Parser)]
#[command(
    name = "mailflow",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How log lines are written; they go to standard error. `RUST_LOG` says how many.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
    /// To systemd's journal, with fields.
    Journald,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch without pause: the daemon.
    Run(Run),
    /// Diagnose domains once, now, without daemon or configuration.
    Check(Check),
    /// Say what a cause means and what to do about it.
    Explain(Explain),
    /// Look at the configuration.
    Config(Config),
}

/// `mailflow run`
#[derive(Debug, Args)]
pub struct Run {
    /// The configuration; without it `config/mailflow.toml`, else `/etc/mailflow/mailflow.toml`.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `mailflow check`
#[derive(Debug, Args)]
pub struct Check {
    /// The domains, the part after @.
    #[arg(required = true, value_name = "DOMAIN")]
    pub domains: Vec<String>,
    /// Take settings, gateways and learnt facts from this configuration.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Ask this resolver instead of the system's.
    #[arg(long, value_name = "ADDRESS", value_parser = resolver)]
    pub resolver: Option<SocketAddr>,
    /// Trust these PEM roots besides the system's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// What is still unanswered after this long is unknown.
    #[arg(long, default_value = "50s", value_name = "TIME", value_parser = crate::config::value::duration::parse)]
    pub deadline: Duration,
    /// One JSON document on standard output.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub format: Format,
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// A status line and performance data, for Nagios and Icinga.
    Nagios,
}

/// `mailflow explain`
#[derive(Debug, Args)]
pub struct Explain {
    /// A cause's code, such as `gateway.down`.
    #[arg(value_name = "CODE")]
    pub code: String,
    /// One JSON document on standard output.
    #[arg(long)]
    pub json: bool,
}

/// `mailflow config`
#[derive(Debug, Args)]
pub struct Config {
    /// What to do with it.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// `mailflow config ...`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every mistake at once; exit code 0 or 65.
    Check {
        /// The configuration; without it `config/mailflow.toml`, else `/etc/mailflow/mailflow.toml`.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// An address of a resolver, with or without port.
fn resolver(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse::<SocketAddr>();
    let bare = text.trim_start_matches('[').trim_end_matches(']').parse();
    with_port
        .or_else(|_| bare.map(|address| SocketAddr::new(address, 53)))
        .map_err(|_| "a resolver is an IP address, with a port where it is not 53".to_owned())
}
