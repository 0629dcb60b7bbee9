//! `mailflow check`: one full diagnosis now, without a daemon and without a configuration.

mod nagios;
mod progress;
mod text;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use serde_json::json;

use crate::app::{self, look};
use crate::config::{Config, StoreUrl};
use crate::inventory::Inventory;
use crate::model::{ClientId, DomainName, State, Target, Verdict};
use crate::monitor::Monitor;
use crate::net::RealNet;
use crate::picture::Learnt;
use crate::store::{SqliteStore, Store};

use super::args::{Arguments, Check, Format};
use super::{log, style};

/// Diagnoses domains once; the exit code is the worst of them all.
pub fn run(check: &Check, arguments: &Arguments) -> anyhow::Result<u8> {
    log::start(arguments.log_format, true)?;
    let names = names(&check.domains)?;
    let (config, learnt) = settings(check)?;
    let runtime = super::runtime()?;
    let verdicts = runtime.block_on(diagnose(check, &config, &names, learnt))?;
    // A probe that is still waiting for somebody keeps nobody else waiting.
    runtime.shutdown_background();
    let worst = verdicts
        .iter()
        .map(|verdict| verdict.state)
        .max_by_key(|state| state.urgency());
    show(check, &config, &verdicts);
    Ok(worst.unwrap_or(State::Unknown).exit_code())
}

fn names(domains: &[String]) -> anyhow::Result<Vec<DomainName>> {
    let mut names = Vec::new();
    for text in domains {
        // People paste addresses.
        let domain = text.rsplit_once('@').map_or(text.as_str(), |(_, domain)| domain);
        let name = DomainName::parse(domain).map_err(|error| {
            anyhow!(
                "\"{}\" is no domain: {error}",
                crate::model::text::clean(text.as_bytes(), 80)
            )
        })?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The configuration that `--config` names, with what the command line says over it, and what its daemon learnt.
fn settings(check: &Check) -> anyhow::Result<(Config, Learnt)> {
    let mut config = Config::default();
    let mut learnt = Learnt::default();
    if let Some(path) = &check.config {
        let loaded = app::read(Some(path))
            .map_err(|problems| anyhow!("{}", problems.render(style::stderr_is_coloured())))?;
        config = loaded.config;
        let StoreUrl::Sqlite(store) = &config.store.url;
        learnt = remembered(store);
    }
    if let Some(resolver) = check.resolver {
        config.resolver.servers = vec![resolver];
    }
    if let Some(file) = &check.ca_file {
        config.probes.all.ca_file = Some(file.clone());
    }
    Ok((config, learnt))
}

/// What a daemon has learnt, read only (`semantics` 18); without one there is nothing to know.
fn remembered(path: &Path) -> Learnt {
    if !path.exists() {
        return Learnt::default();
    }
    let facts = SqliteStore::open_read_only(path).and_then(|mut store| store.load(jiff::Timestamp::MAX));
    match facts {
        Ok(loaded) => Learnt::restore(
            loaded
                .facts
                .into_iter()
                .filter_map(|fact| serde_json::from_value(fact.value).ok()),
        ),
        Err(error) => {
            tracing::warn!(
                "the store {} cannot be read, so nothing learnt is used: {error}",
                path.display()
            );
            Learnt::default()
        }
    }
}

async fn diagnose(
    check: &Check,
    config: &Config,
    names: &[DomainName],
    learnt: Learnt,
) -> anyhow::Result<Vec<Arc<Verdict>>> {
    let net = Arc::new(RealNet::new());
    let (mut inventory, context, trust) = app::vantage(config, &*net).map_err(|reason| anyhow!(reason))?;
    let targets = add_targets(&mut inventory, check, config, names)?;
    look::only(&mut inventory, &targets);
    let trust = Arc::new(trust);
    let wanted = look::Look {
        net: &net,
        context: &context,
        trust: &trust,
        inventory: Arc::new(inventory),
        learnt,
        deadline: check.deadline,
    };
    let live = !check.json && check.format == Format::Text;
    let mut shown = progress::Shown::new(live);
    let monitor = look::once(wanted, |step| shown.step(step)).await;
    shown.end();
    targets.iter().map(|target| verdict(&monitor, target)).collect()
}

/// Takes what is asked for into the inventory: domains, or with `--from` the routes there.
fn add_targets(
    inventory: &mut Inventory,
    check: &Check,
    config: &Config,
    names: &[DomainName],
) -> anyhow::Result<Vec<Target>> {
    let client = check
        .from
        .as_deref()
        .map(|from| client(config, from))
        .transpose()?;
    if let Some(recipient) = &check.rcpt
        && !names.contains(recipient.domain())
    {
        return Err(anyhow!("{recipient} is at none of the domains that are checked"));
    }
    let at = |name: &DomainName| check.rcpt.as_ref().filter(|recipient| recipient.domain() == name);
    let add = |name: &DomainName| {
        if let Some(client) = &client {
            inventory.add_route(config, client, name, at(name));
            return Target::Route(client.clone(), name.clone());
        }
        inventory.add_domain(config, name.clone());
        if let Some(recipient) = at(name) {
            inventory.add_recipient(config, recipient);
        }
        Target::Domain(name.clone())
    };
    Ok(names.iter().map(add).collect())
}

/// The client that is meant, by id or by name.
fn client(config: &Config, wanted: &str) -> anyhow::Result<ClientId> {
    let mut clients = config.clients.iter();
    let found =
        clients.find(|client| client.id.as_str() == wanted || client.name.eq_ignore_ascii_case(wanted));
    found.map(|client| client.id.clone()).ok_or_else(|| {
        let known: Vec<&str> = config
            .clients
            .iter()
            .map(|client| client.id.as_str())
            .take(10)
            .collect();
        let wanted = crate::model::text::clean(wanted.as_bytes(), 80);
        anyhow!(
            "the configuration has no client \"{wanted}\"; it has {}",
            known.join(", ")
        )
    })
}

fn verdict(monitor: &Monitor, target: &Target) -> anyhow::Result<Arc<Verdict>> {
    monitor
        .verdict(target)
        .cloned()
        .with_context(|| format!("{target} got no verdict: this is a fault in mailflow"))
}

/// How a way that nobody configured is watched for a while.
fn how_to_watch(config: &Config, target: &Target) -> Option<String> {
    let Target::Route(client, to) = target else {
        return None;
    };
    let of = config.clients.iter().find(|one| one.id == *client)?;
    let configured = of.routes.iter().any(|route| route.to == *to);
    (!configured).then(|| {
        format!(
            "This was one look. To have the daemon watch it for a week: mailflow watch {to} --from {client}\n"
        )
    })
}

fn show(check: &Check, config: &Config, verdicts: &[Arc<Verdict>]) {
    if check.json {
        println!("{:#}", json!({ "verdicts": verdicts }));
    } else if check.format == Format::Nagios {
        print!("{}", nagios::render(verdicts));
    } else {
        for (index, verdict) in verdicts.iter().enumerate() {
            if index > 0 {
                println!();
            }
            print!(
                "{}",
                text::render(verdict, style::width(), style::stdout_is_coloured())
            );
            if let Some(hint) = how_to_watch(config, &verdict.target) {
                print!("\n{hint}");
            }
        }
    }
}
