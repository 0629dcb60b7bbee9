//! What only shows once everything has been read: names that lead nowhere, and what is allowed but doubtful.

use std::collections::{BTreeMap, BTreeSet};

use super::problem::{Draft, Level};
use super::reader::{Findings, Kind, nearest};
use super::schema::{Config, DnssecMode, Domain, ExpectMx, Gateway, Notifier, NotifierKind};
use super::secret::SecretSource;
use super::source::Spot;
use super::value::IpNet;
use crate::model::{DomainName, Endpoint};

/// Adds what is wrong between the parts of a configuration to `findings`. `config` is there unless even its
/// root could not be read.
pub(super) fn audit(config: Option<&Config>, env: &BTreeMap<String, String>, findings: &mut Findings) {
    references(findings);
    if let Some(config) = config {
        fallback_circles(config, findings);
        digest(config, findings);
        if !findings.drafts.iter().any(|draft| draft.level == Level::Error) {
            nothing_watched(config, findings);
            needed_files(config, findings);
            alert_paths(config, findings);
        }
    }
    secrets(env, findings);
}

/// The most names that are compared with a wrong one.
const MOST_COMPARED: usize = 1000;

/// Every name that is used must be given somewhere.
fn references(findings: &mut Findings) {
    let mut names: BTreeMap<Kind, BTreeSet<&str>> = BTreeMap::new();
    for (kind, _, name) in findings.defined.keys() {
        names.entry(*kind).or_default().insert(name);
    }
    let none = BTreeSet::new();
    let unknown = |kind: Kind, name: &str, spot: &Spot| {
        let known = names.get(&kind).unwrap_or(&none);
        if known.contains(name) {
            return None;
        }
        let draft = Draft::error(spot.clone(), format!("there is no {} \"{name}\"", kind.as_str()));
        let some: Vec<String> = known.iter().take(8).map(|name| format!("\"{name}\"")).collect();
        Some(match nearest(name, known.iter().take(MOST_COMPARED).copied()) {
            Some(other) => draft.help(format!("did you mean \"{other}\"?")),
            None if some.is_empty() => draft,
            None => draft.help(format!("known here: {}", some.join(", "))),
        })
    };
    let referred = findings.referred.iter();
    let mut drafts: Vec<Draft> = referred
        .filter_map(|(kind, name, spot)| unknown(*kind, name, spot))
        .collect();
    findings.drafts.append(&mut drafts);
}

/// The place that gives a notifier its name.
fn notifier_spot(findings: &Findings, name: &str) -> Spot {
    let key = (Kind::Notifier, String::new(), name.to_owned());
    findings.defined.get(&key).cloned().unwrap_or(Spot::Nowhere)
}

/// A look back is for reading: what rings, or wants somebody to act, is no place for it.
fn digest(config: &Config, findings: &mut Findings) {
    let named = config.alerting.digest.iter().flat_map(|digest| &digest.notify);
    let others = named
        .filter_map(|name| config.notifier(name))
        .filter(|notifier| !matches!(notifier.kind, NotifierKind::Email(_)));
    for notifier in others {
        let message = format!(
            "alerting.digest goes by e-mail, and \"{}\" is of type {}",
            notifier.name,
            notifier.kind.as_str()
        );
        let help = "name a notifier of type email";
        let spot = notifier_spot(findings, &notifier.name);
        findings.drafts.push(Draft::error(spot, message).help(help));
    }
}

/// A message that falls back in a circle reaches nobody.
fn fallback_circles(config: &Config, findings: &mut Findings) {
    for start in &config.notifiers {
        let mut path = vec![start.name.as_str()];
        let mut next = start.fallback.as_deref();
        while let Some(notifier) = next.and_then(|name| config.notifier(name)) {
            if notifier.name == start.name {
                let message = format!("the fallbacks of \"{}\" go in a circle", path.join("\" and \""));
                // Once for each circle: by the first of its members.
                if path.iter().all(|name| *name >= start.name.as_str()) {
                    let spot = notifier_spot(findings, &start.name);
                    findings.drafts.push(Draft::error(spot, message));
                }
                break;
            }
            if path.contains(&notifier.name.as_str()) {
                break;
            }
            path.push(&notifier.name);
            next = notifier.fallback.as_deref();
        }
    }
}

fn nothing_watched(config: &Config, findings: &mut Findings) {
    let nothing = config
        .clients
        .iter()
        .all(|client| client.domains.is_empty() && client.gateways.is_empty() && client.routes.is_empty());
    if nothing {
        findings.drafts.push(
            Draft::warning(Spot::Nowhere, "no client has a domain: nothing is watched")
                .help("add `[[clients]]` with a `name` and `domains = [\"a.example\"]`"),
        );
    }
}

/// Files that are needed and not where they are said to be: of the server's own certificate, and the root's keys.
fn needed_files(config: &Config, findings: &mut Findings) {
    let tls = config.server.tls.iter();
    let tls = tls.flat_map(|tls| [(&tls.certificate, "server.tls"), (&tls.key, "server.tls")]);
    let resolver = &config.resolver;
    let anchor = resolver.trust_anchor.iter();
    let anchor = anchor.filter(|_| resolver.dnssec == DnssecMode::Validate);
    for (path, key) in tls.chain(anchor.map(|path| (path, "resolver.trust_anchor"))) {
        if let Err(error) = std::fs::File::open(path) {
            let path = super::render::shown_path(path);
            let message = format!("the file {path} of `{key}` cannot be read: {error}");
            findings.drafts.push(Draft::warning(Spot::Nowhere, message));
        }
    }
}

/// A message about a failed server must not need that server.
fn alert_paths(config: &Config, findings: &mut Findings) {
    for notifier in config
        .notifiers
        .iter()
        .filter(|notifier| notifier.fallback.is_none())
    {
        let Some(why) = stands_on(config, notifier) else {
            continue;
        };
        let message = format!("the notifier \"{}\" stands on what it reports", notifier.name);
        let draft = Draft::warning(notifier_spot(findings, &notifier.name), message)
            .help(format!("{why}: give it a `fallback` that takes another way"));
        findings.drafts.push(draft);
    }
}

/// What of the watched things a notifier needs, if any.
fn stands_on(config: &Config, notifier: &Notifier) -> Option<String> {
    match &notifier.kind {
        NotifierKind::Email(email) => {
            let recipient_domain = |domain: &Domain| {
                let address = email.to.iter().find(|to| *to.domain() == domain.name)?;
                Some(format!("{address} lies in {}, which is watched", domain.name))
            };
            watched_host(config, &email.server.host)
                .or_else(|| config.domains().find_map(|(_, domain)| recipient_domain(domain)))
        }
        NotifierKind::Webhook(webhook) => watched_host(config, &webhook.url.host()?),
        NotifierKind::Ntfy(ntfy) => watched_host(config, &ntfy.url.host()?),
        NotifierKind::Pagerduty(pagerduty) => watched_host(config, &pagerduty.url.as_ref()?.host()?),
        // One instance that lives is enough.
        NotifierKind::Alertmanager(alertmanager) => {
            let mut reasons = alertmanager
                .urls
                .iter()
                .map(|url| watched_host(config, &url.host()?));
            let first = reasons.next()??;
            reasons.all(|reason| reason.is_some()).then_some(first)
        }
        NotifierKind::Slack(_) | NotifierKind::Teams(_) => None,
    }
}

/// Why a host is one of those that are watched.
fn watched_host(config: &Config, host: &Endpoint) -> Option<String> {
    match host {
        Endpoint::Name(name) => config
            .domains()
            .find(|(_, domain)| serves(domain, name))
            .map(|(_, domain)| format!("{name} belongs to {}, which is watched", domain.name)),
        Endpoint::Address(address) => config
            .gateways()
            .find(|(_, gateway)| fronts(gateway, *address))
            .map(|(_, gateway)| format!("{address} lies behind the gateway \"{}\"", gateway.name)),
    }
}

fn serves(domain: &Domain, host: &DomainName) -> bool {
    let expected = match &domain.expect_mx {
        Some(ExpectMx::Hosts(hosts)) => hosts.contains(host),
        Some(ExpectMx::Null) | None => false,
    };
    expected || host.is_within(&domain.name)
}

fn fronts(gateway: &Gateway, address: std::net::IpAddr) -> bool {
    let own = match gateway.address {
        Endpoint::Address(own) => IpNet::single(own).contains(address),
        Endpoint::Name(_) => false,
    };
    own || gateway.networks.iter().any(|network| network.contains(address))
}

/// Secrets in the open, and secrets that are not where they are said to be.
fn secrets(env: &BTreeMap<String, String>, findings: &mut Findings) {
    for (secret, spot) in &findings.secrets {
        let draft = match secret.source() {
            SecretSource::Plain(_) => Draft::warning(spot.clone(), "this secret stands in the configuration")
                .help("write { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"...\"] } instead"),
            SecretSource::Env(name) if !env.contains_key(name) => Draft::warning(
                spot.clone(),
                format!("the environment variable {name} is not set here"),
            ),
            SecretSource::File(path) => match std::fs::metadata(path) {
                Ok(_) => continue,
                Err(error) => {
                    let path = super::render::shown_path(path);
                    Draft::warning(
                        spot.clone(),
                        format!("the secret's file {path} cannot be read: {error}"),
                    )
                }
            },
            SecretSource::Env(_) | SecretSource::Command(_) => continue,
        };
        findings.drafts.push(draft);
    }
}

/// What to say when a round over all addresses of a provider takes longer than the interval; `None` while the
/// budget suffices. `per_minute` sessions may begin in a minute.
pub fn budget_warning(
    addresses: usize,
    per_minute: std::num::NonZeroU32,
    interval: std::time::Duration,
) -> Option<String> {
    let seconds = (addresses as u64)
        .saturating_mul(60)
        .div_ceil(u64::from(per_minute.get()));
    let round = std::time::Duration::from_secs(seconds);
    (round > interval).then(|| {
        format!(
            "{addresses} addresses at {per_minute} a minute: one round takes {}",
            super::value::duration::clock(round)
        )
    })
}
