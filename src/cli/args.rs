//! The arguments: help, completions and the manual page come from this one definition.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use reqwest::Url;

use crate::config::MailAddress;
use crate::model::DomainName;

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
    /// Say what became of a message, or what a cause means.
    Explain(Explain),
    /// Show what a running daemon knows, worst first.
    Status(Status),
    /// Say what happened meanwhile, for whoever comes back.
    Digest(Digest),
    /// Print a first configuration, from what DNS says of some domains.
    Init(Init),
    /// Take the mail servers that a domain has now for the right ones.
    Approve(Approve),
    /// Take an incident on: nobody is told of it again, and nobody else.
    Ack(Ack),
    /// Write a line into an incident's log.
    Note(Note),
    /// Keep quiet about what begins, for a while.
    Silence(Silence),
    /// Keep quiet about what begins while somebody works on it.
    Maintenance(Maintenance),
    /// Have a known condition of a domain count no longer, until a day.
    Accept(Accept),
    /// Watch for a week whether a client can mail somebody.
    Watch(Watch),
    /// Make a link to a client's own page.
    Link(Link),
    /// Show who changed what by hand, the latest first.
    Audit(Audit),
    /// Look at the ways to tell people.
    Notify(Notify),
    /// Look at the configuration.
    Config(Config),
    /// Look around in a small made-up world; it needs nothing else.
    Demo,
    /// Print completions for a shell.
    Completions(Completions),
    /// Print the manual page.
    Man(Man),
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
    /// Judge mail from this client of the configuration: the route, with the sender's side. Its id or its name.
    #[arg(long, value_name = "CLIENT", requires = "config")]
    pub from: Option<String>,
    /// Ask the domain's server whether it would take mail for this address, whose owner has agreed to it. Nothing is
    /// sent.
    #[arg(long, value_name = "ADDRESS", value_parser = recipient)]
    pub rcpt: Option<MailAddress>,
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

/// `mailflow init`
#[derive(Debug, Args)]
pub struct Init {
    /// The domains, the part after @; `-` is a list on standard input, one a line.
    #[arg(required_unless_present = "csv", value_name = "DOMAIN")]
    pub domains: Vec<String>,
    /// A table with clients and domains, by columns `client` and `domain`.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Ask this resolver instead of the system's.
    #[arg(long, value_name = "ADDRESS", value_parser = resolver)]
    pub resolver: Option<SocketAddr>,
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
    /// A message in a file (.eml) or, with `-`, on standard input; or a cause's code, such as `gateway.down`.
    #[arg(value_name = "FILE|-|CODE", required_unless_present = "all")]
    pub what: Option<String>,
    /// Every cause, as a page of Markdown.
    #[arg(long, conflicts_with = "what")]
    pub all: bool,
    /// A daemon that is handed the message, and says what it sees itself of where it was to go. A token, where it wants one,
    /// comes from `MAILFLOW_TOKEN`.
    #[arg(long, env = "MAILFLOW_URL", hide_env_values = true, value_name = "URL", value_parser = url)]
    pub url: Option<Url>,
    /// One JSON document on standard output.
    #[arg(long)]
    pub json: bool,
}

/// Which daemon a command asks.
#[derive(Debug, Args)]
pub struct Daemon {
    /// Where the daemon is. A token, where it wants one, comes from `MAILFLOW_TOKEN`.
    #[arg(long, env = "MAILFLOW_URL", hide_env_values = true, default_value = "http://127.0.0.1:9525", value_name = "URL", value_parser = url)]
    pub url: Url,
}

/// `mailflow status`
#[derive(Debug, Args)]
pub struct Status {
    /// Only this incident, with its evidence and its log.
    #[arg(long, value_name = "ID", value_parser = incident)]
    pub incident: Option<u64>,
    /// One JSON document on standard output.
    #[arg(long)]
    pub json: bool,
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
}

/// `mailflow digest`
#[derive(Debug, Args)]
pub struct Digest {
    /// Since when: a day (2026-11-20), a time (2026-11-20T18:00), or how long ago (3d, 12h).
    #[arg(long, value_name = "DATE", value_parser = super::digest::moment)]
    pub since: super::digest::Moment,
    /// Until when, in the same forms; without it, until now.
    #[arg(long, value_name = "DATE", value_parser = super::digest::moment)]
    pub until: Option<super::digest::Moment>,
    /// Only what touched this client, by its id.
    #[arg(long, value_name = "ID")]
    pub client: Option<String>,
    /// One JSON document on standard output.
    #[arg(long)]
    pub json: bool,
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
}

/// `mailflow approve`
#[derive(Debug, Args)]
pub struct Approve {
    /// The domain, the part after @.
    #[arg(value_name = "DOMAIN", value_parser = domain)]
    pub domain: DomainName,
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
}

/// `mailflow ack`
#[derive(Debug, Args)]
pub struct Ack {
    /// The incident's number.
    #[arg(value_name = "ID", value_parser = incident)]
    pub id: u64,
    /// Who does it.
    #[command(flatten)]
    pub doer: Doer,
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
}

/// `mailflow note`
#[derive(Debug, Args)]
pub struct Note {
    /// The incident's number.
    #[arg(value_name = "ID", value_parser = incident)]
    pub id: u64,
    /// What is worth knowing.
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// Who does it.
    #[command(flatten)]
    pub doer: Doer,
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
}

/// Who does something.
#[derive(Debug, Args)]
pub struct Doer {
    /// Your name, for whoever reads the log; without it the name that you are logged in by.
    #[arg(long, env = "USER", hide_env = true, default_value = "", value_name = "NAME")]
    pub by: String,
}

/// What is meant; whatever fits all that is named.
#[derive(Debug, Args)]
pub struct About {
    /// What belongs to this client, by its id.
    #[arg(long, value_name = "ID")]
    pub client: Option<String>,
    /// This domain.
    #[arg(long, value_name = "DOMAIN", value_parser = domain)]
    pub domain: Option<DomainName>,
    /// This gateway, and what fails because of it.
    #[arg(long, value_name = "NAME")]
    pub gateway: Option<String>,
    /// This cause (`gateway.down`), or all of a layer (`tls.*`).
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,
}

/// `mailflow silence`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Silence {
    /// Show or lift silences.
    #[command(subcommand)]
    pub command: Option<HandCommand>,
    /// About what.
    #[command(flatten)]
    pub about: About,
    /// For how long: `4h`, `1h30m`, `2d`.
    #[arg(long = "for", value_name = "TIME", conflicts_with = "until")]
    pub lasting: Option<String>,
    /// Until when: `2027-01-31T18:00:00Z`, or the end of a day (UTC): `2027-01-31`.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Why: whoever is on call later wants to know.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub reason: String,
    /// Who does it.
    #[command(flatten)]
    pub doer: Doer,
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
}

/// `mailflow maintenance`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Maintenance {
    /// Show or lift maintenance windows.
    #[command(subcommand)]
    pub command: Option<HandCommand>,
    /// On what.
    #[command(flatten)]
    pub about: About,
    /// From when: `2027-01-31T22:00:00Z`, or the beginning of a day (UTC); without it from now.
    #[arg(long, value_name = "TIME", conflicts_with = "recurring")]
    pub from: Option<String>,
    /// For how long: `4h`, `1h30m`, `2d`.
    #[arg(long = "for", value_name = "TIME", conflicts_with = "until")]
    pub lasting: Option<String>,
    /// Until when; with `--recurring` never again after that.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// At the same hours again and again, as the clock there shows them: `Sun 02:00-04:00 Europe/Berlin`.
    #[arg(long, value_name = "HOURS")]
    pub recurring: Option<String>,
    /// Why: whoever is on call later wants to know.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub reason: String,
    /// Who does it.
    #[command(flatten)]
    pub doer: Doer,
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
}

/// `mailflow accept`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Accept {
    /// Show or lift what is accepted.
    #[command(subcommand)]
    pub command: Option<HandCommand>,
    /// The condition, such as `policy.dkim-missing`.
    #[arg(value_name = "CODE", required = true)]
    pub code: Option<String>,
    /// Of which domain.
    #[arg(long, value_name = "DOMAIN", value_parser = domain, required = true)]
    pub domain: Option<DomainName>,
    /// Until when: the end of a day (UTC), `2027-01-31`, or a moment.
    #[arg(long, value_name = "DATE", required = true)]
    pub until: Option<String>,
    /// Why.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub reason: String,
    /// Who does it.
    #[command(flatten)]
    pub doer: Doer,
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
}

/// `mailflow watch`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Watch {
    /// Show or end what is watched by hand.
    #[command(subcommand)]
    pub command: Option<HandCommand>,
    /// To whom: a domain, the part after @.
    #[arg(value_name = "DOMAIN", required = true)]
    pub domain: Option<String>,
    /// Whose mail: a client, by its id or name.
    #[arg(long, value_name = "CLIENT", required = true)]
    pub from: Option<String>,
    /// For how long: `3d`, `12h`; without it a week.
    #[arg(long = "for", value_name = "TIME", conflicts_with = "until")]
    pub lasting: Option<String>,
    /// Until when: the end of a day (UTC), `2027-01-31`, or a moment.
    #[arg(long, value_name = "DATE")]
    pub until: Option<String>,
    /// Why: whoever is on call later wants to know.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub reason: String,
    /// Who does it.
    #[command(flatten)]
    pub doer: Doer,
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
}

/// What else there is to do with silences, maintenance windows, acceptances and what is watched by hand.
#[derive(Debug, Subcommand)]
pub enum HandCommand {
    /// Show those that have not ended.
    List {
        /// One JSON document on standard output.
        #[arg(long)]
        json: bool,
        /// Which daemon.
        #[command(flatten)]
        daemon: Daemon,
    },
    /// End one now.
    Lift {
        /// Its number.
        #[arg(value_name = "ID", value_parser = incident)]
        id: u64,
        /// Which daemon.
        #[command(flatten)]
        daemon: Daemon,
    },
}

/// `mailflow link`
#[derive(Debug, Args)]
pub struct Link {
    /// The client, by its id: whoever has the link sees how its mail is doing, and nothing else.
    #[arg(value_name = "CLIENT", required_unless_present = "revoke_all")]
    pub client: Option<String>,
    /// Until when it can be used: the end of a day (UTC), `2027-01-31`, or a moment.
    #[arg(long, value_name = "DATE", conflicts_with = "lasting")]
    pub until: Option<String>,
    /// For how long it can be used: `30d`, `12h`; without either, a year.
    #[arg(long = "for", value_name = "TIME")]
    pub lasting: Option<String>,
    /// End all links and all sessions that there are: whoever has one has to get a new one.
    #[arg(long, conflicts_with_all = ["client", "until", "lasting"])]
    pub revoke_all: bool,
    /// One JSON document on standard output.
    #[arg(long)]
    pub json: bool,
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
}

/// `mailflow audit`
#[derive(Debug, Args)]
pub struct Audit {
    /// How many lines at the most.
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// One JSON document on standard output.
    #[arg(long)]
    pub json: bool,
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
}

/// `mailflow notify`
#[derive(Debug, Args)]
pub struct Notify {
    /// What to do with it.
    #[command(subcommand)]
    pub command: NotifyCommand,
}

/// `mailflow notify ...`
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a test alert, and wait for what becomes of it.
    Test {
        /// The notifier's name, as configured.
        #[arg(value_name = "NAME")]
        name: String,
        /// Which daemon.
        #[command(flatten)]
        daemon: Daemon,
    },
}

/// `mailflow completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell.
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// `mailflow man`
#[derive(Debug, Args)]
pub struct Man {
    /// The page of one command, such as `config check`; without it the page of the whole.
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
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
    /// Ask for a password, and print the hash that goes into `server.auth.users`.
    HashPassword,
}

/// An address of a resolver, with or without port.
fn recipient(text: &str) -> Result<MailAddress, String> {
    text.parse::<MailAddress>().map_err(|error| error.to_string())
}

fn resolver(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse::<SocketAddr>();
    let bare = text.trim_start_matches('[').trim_end_matches(']').parse();
    with_port
        .or_else(|_| bare.map(|address| SocketAddr::new(address, 53)))
        .map_err(|_| "a resolver is an IP address, with a port where it is not 53".to_owned())
}

/// Where a daemon answers.
fn url(text: &str) -> Result<Url, String> {
    let wanted = "a daemon's address looks like http://127.0.0.1:9525";
    let url = Url::parse(text.trim()).map_err(|error| format!("{error}; {wanted}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wanted.to_owned());
    }
    Ok(url)
}

/// An incident's number, with or without its sign.
fn incident(text: &str) -> Result<u64, String> {
    let number = text.trim().trim_start_matches('#');
    number
        .parse()
        .map_err(|_| "an incident has a number, such as 482".to_owned())
}

/// A domain; people paste addresses.
fn domain(text: &str) -> Result<DomainName, String> {
    let name = text.rsplit_once('@').map_or(text, |(_, domain)| domain);
    DomainName::parse(name).map_err(|error| error.to_string())
}
