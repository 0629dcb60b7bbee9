//! The documented example is right, and so is everything in it that is commented out.

use super::super::problem::Level;
use super::{Folder, load_first, repository};
use crate::config::{NotifierKind, StoreUrl};

#[test]
fn the_example_has_no_problems() {
    let path = repository().join("config/mailflow.toml");
    let loaded = load_first(Some(&path), &[], []).unwrap();
    assert_eq!(loaded.warnings, []);
    let names: Vec<&str> = loaded
        .config
        .domains()
        .map(|(_, domain)| domain.name.as_str())
        .collect();
    assert_eq!(names, ["gmail.com", "outlook.com", "fastmail.com"]);
    assert_eq!(loaded.config.gateways().count(), 0);
    let StoreUrl::Sqlite(store) = loaded.config.store.url;
    assert_eq!(store, repository().join("config/../data/mailflow.db"));
}

#[test]
fn everything_that_the_example_comments_out_is_right_as_well() {
    let text = std::fs::read_to_string(repository().join("config/mailflow.toml")).unwrap();
    let uncommented: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(example) if !example.is_empty() && !example.starts_with(' ') => example,
            _ => line,
        })
        .collect();
    let folder = Folder::with(&[("mailflow.toml", &uncommented.join("\n"))]);
    let loaded = folder
        .load(&[])
        .unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    assert!(
        loaded
            .warnings
            .iter()
            .all(|warning| warning.level == Level::Warning)
    );
    let config = loaded.config;
    assert_eq!(config.clients.len(), 2);
    let acme = &config.clients[1];
    assert_eq!(
        (
            acme.gateways.len(),
            acme.domains.len(),
            acme.senders.len(),
            acme.routes.len(),
            acme.canaries.len()
        ),
        (1, 1, 1, 1, 2)
    );
    let types: Vec<&str> = config
        .notifiers
        .iter()
        .map(|n| NotifierKind::as_str(&n.kind))
        .collect();
    assert_eq!(
        types,
        [
            "webhook",
            "webhook",
            "email",
            "ntfy",
            "alertmanager",
            "pagerduty",
            "slack",
            "teams"
        ]
    );
    assert!(
        config.alerting.heartbeat.is_some() && config.server.auth.is_some() && config.server.tls.is_some()
    );
}

/// A default that the example names in a comment must be the one that holds.
#[test]
fn the_defaults_that_the_example_names_are_those_of_the_code() {
    let text = std::fs::read_to_string(repository().join("config/mailflow.toml")).unwrap();
    let defaults = [
        "retention",
        "name = \"local\"",
        "dnssec",
        "timeout = \"30s\"",
        "greeting_timeout",
        "confirm =",
        "confirm_interval",
        "per_address",
        "per_provider",
        "per_nameserver",
        "refused_backoff",
        "per_host",
        "group_wait",
        "repeat_interval",
        "reopen_within",
    ];
    let kept: Vec<&str> = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(example) if defaults.iter().any(|start| example.starts_with(start)) => example,
            _ => line,
        })
        .collect();
    let load = |text: &str| Folder::with(&[("mailflow.toml", text)]).load(&[]).unwrap().config;
    let (written, mut implied) = (load(&kept.join("\n")), load(&text));
    // Their files lie in two folders.
    implied.store.url = written.store.url.clone();
    let probe = |config: &crate::config::Config| config.probes.resolve(crate::model::ProbeKind::Smtp, &[]);
    assert_eq!(probe(&written), probe(&implied));
    implied.probes = written.probes.clone();
    assert_eq!(written, implied);
}
