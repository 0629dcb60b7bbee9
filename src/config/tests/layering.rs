//! Defaults, the file, its includes, and variables over all.

use std::time::Duration;

use super::{Folder, load_first};
use crate::config::{ProbeOverrides, ResolvedProbe, StoreUrl};
use crate::model::ProbeKind;

#[test]
fn included_files_come_after_the_file_and_variables_after_all() {
    let folder = Folder::with(&[
        (
            "mailflow.toml",
            "include = [\"clients/*.toml\"]\n[server]\nlisten = \"127.0.0.1:1\"\n[vantage]\nname = \"a\"\n[store]\nretention = \"1d\"",
        ),
        (
            "clients/b.toml",
            "[vantage]\nname = \"c\"\n[[clients]]\nid = \"b\"",
        ),
        (
            "clients/a.toml",
            "[vantage]\nname = \"b\"\n[[clients]]\nid = \"a\"\ndomains = [\"a.test\"]",
        ),
    ]);
    let loaded = folder
        .load(&[("MAILFLOW__SERVER__LISTEN", "127.0.0.1:2"), ("OTHER", "x")])
        .unwrap();
    let config = loaded.config;
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!(config.vantage.name, "c");
    assert_eq!(config.store.retention, Duration::from_hours(24));
    let ids: Vec<&str> = config.clients.iter().map(|client| client.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    let files: Vec<_> = ["mailflow.toml", "clients/a.toml", "clients/b.toml"]
        .map(|name| folder.path(name))
        .into();
    assert_eq!(loaded.files, files);
}

#[test]
fn variables_are_numbers_flags_and_lists_where_those_belong() {
    let folder = Folder::with(&[("mailflow.toml", "[[clients]]\nid = \"a\"\ndomains = [\"a.test\"]")]);
    let config = folder
        .load(&[
            ("MAILFLOW__METRICS__PER_HOST", "true"),
            ("MAILFLOW__PROBES__CONFIRM", "4"),
            ("MAILFLOW__PROBES__SMTP__TIMEOUT", "7s"),
            ("MAILFLOW__RESOLVER__SERVERS", "192.0.2.1, 192.0.2.2:54"),
            ("MAILFLOW__BUDGETS__PER_ADDRESS__INTERVAL", "1s"),
            // A name that looks like a number is still a name; an empty variable is none.
            ("MAILFLOW__VANTAGE__NAME", "007"),
            ("MAILFLOW__STORE__RETENTION", ""),
            // Those of the command line are none of ours.
            ("MAILFLOW_URL", "http://127.0.0.1"),
        ])
        .unwrap()
        .config;
    assert!(config.metrics.per_host);
    assert_eq!(config.probes.all.confirm, Some(4));
    let smtp = config.probes.resolve(ProbeKind::Smtp, &[]);
    assert_eq!((smtp.timeout, smtp.confirm), (Duration::from_secs(7), 4));
    assert_eq!(
        config.resolver.servers,
        ["192.0.2.1:53".parse().unwrap(), "192.0.2.2:54".parse().unwrap()]
    );
    assert_eq!(config.budgets.per_address.interval, Duration::from_secs(1));
    assert_eq!(config.vantage.name, "007");
    assert_eq!(config.store.retention, Duration::from_hours(400 * 24));
}

#[test]
fn mistakes_in_variables_name_the_variable() {
    let folder = Folder::with(&[("mailflow.toml", "[[clients]]\nid = \"a\"\ndomains = [\"a.test\"]")]);
    insta::assert_snapshot!(folder.report(&[
        ("MAILFLOW__SERVER__LISTN", "127.0.0.1:1"),
        ("MAILFLOW__PROBES__CONFIRM", "often"),
        ("MAILFLOW__CLIENTS__0__NAME", "x"),
        ("MAILFLOW__INCLUDE", "x.toml"),
        ("MAILFLOW__SERVER__PROBE_ANY", "yes"),
        ("MAILFLOW__A-B", "yes"),
    ]), @r##"
        error: '-' cannot stand in the name of a variable
        --> environment variable MAILFLOW__A-B

        error: a list belongs here, not a table
        --> environment variable MAILFLOW__CLIENTS__0__NAME

        error: `include` stands in a file
        --> environment variable MAILFLOW__INCLUDE

        error: a whole number belongs here
        --> environment variable MAILFLOW__PROBES__CONFIRM

        error: unknown key `listn`
        --> environment variable MAILFLOW__SERVER__LISTN
         = help: did you mean `listen`?

        error: write true or false
        --> environment variable MAILFLOW__SERVER__PROBE_ANY

        6 mistakes, 0 warnings
        "##);
}

#[test]
fn an_include_that_comes_round_again_is_a_mistake() {
    let folder = Folder::with(&[
        ("mailflow.toml", "include = [\"*.toml\"]\n[[clients]]\nid = \"a\""),
        ("other.toml", "include = [\"mailflow.toml\"]"),
    ]);
    insta::assert_snapshot!(folder.report(&[]), @r##"
        error: mailflow.toml includes itself
         --> mailflow.toml:1:12
          |
        1 | include = ["*.toml"]
          |            ^^^^^^^^
          |
          = help: let the pattern name a folder that this file does not lie in

        error: mailflow.toml includes itself
         --> other.toml:1:12
          |
        1 | include = ["mailflow.toml"]
          |            ^^^^^^^^^^^^^^^
          |
          = help: let the pattern name a folder that this file does not lie in

        2 mistakes, 0 warnings
        "##);
}

#[test]
fn a_file_that_two_patterns_name_is_read_once() {
    let folder = Folder::with(&[
        ("mailflow.toml", "include = [\"a/*.toml\", \"a/x.toml\"]"),
        ("a/x.toml", "[[clients]]\nid = \"x\"\ndomains = [\"x.test\"]"),
    ]);
    assert_eq!(folder.load(&[]).unwrap().config.clients.len(), 1);
}

#[test]
fn what_is_included_and_cannot_be_read_is_a_mistake() {
    let folder = Folder::with(&[
        (
            "mailflow.toml",
            "include = [\"missing.toml\", \"none/*.toml\", \"a**\", 7, \"folder.toml\"]",
        ),
        ("folder.toml/x", ""),
    ]);
    insta::assert_snapshot!(folder.report(&[]), @r##"
        error: cannot read missing.toml: there is no such file
         --> mailflow.toml:1:12
          |
        1 | include = ["missing.toml", "none/*.toml", "a**", 7, "folder.toml"]
          |            ^^^^^^^^^^^^^^

        error: this pattern is wrong: recursive wildcards must form a single path
               component
         --> mailflow.toml:1:43
          |
        1 | include = ["missing.toml", "none/*.toml", "a**", 7, "folder.toml"]
          |                                           ^^^^^

        error: text belongs here, not a whole number
         --> mailflow.toml:1:50
          |
        1 | include = ["missing.toml", "none/*.toml", "a**", 7, "folder.toml"]
          |                                                  ^

        error: cannot read folder.toml: this is a folder
         --> mailflow.toml:1:53
          |
        1 | include = ["missing.toml", "none/*.toml", "a**", 7, "folder.toml"]
          |                                                     ^^^^^^^^^^^^^

        4 mistakes, 0 warnings
        "##);
}

#[test]
fn a_file_that_is_not_there_or_no_text_is_a_mistake() {
    let folder = Folder::with(&[]);
    insta::assert_snapshot!(folder.report(&[]), @r##"
        error: cannot read mailflow.toml: No such file or
               directory (os error 2)
        --> mailflow.toml

        1 mistake, 0 warnings
        "##);
    std::fs::write(folder.path("mailflow.toml"), b"[server]\nlisten = \"\xff\"\n").unwrap();
    insta::assert_snapshot!(folder.report(&[]), @r##"
        error: this byte is no UTF-8 text
         --> mailflow.toml:2:11
          |
        2 | listen = "�"
          |           ^
          |
          = help: save the file as UTF-8

        1 mistake, 0 warnings
        "##);
    let nowhere = load_first(None, &["/nonexistent/a.toml", "/nonexistent/b.toml"], []).unwrap_err();
    insta::assert_snapshot!(nowhere.render(false), @r##"
        error: there is no configuration: neither /nonexistent/a.toml nor
               /nonexistent/b.toml exists
        --> configuration
         = help: name one with --config FILE
        "##);
}

#[test]
fn without_a_path_the_first_default_that_exists_is_read() {
    let folder = Folder::with(&[("b.toml", "[vantage]\nname = \"b\"")]);
    let defaults = ["a.toml", "b.toml"].map(|name| folder.path(name).to_string_lossy().into_owned());
    let loaded = load_first(None, &defaults.each_ref().map(String::as_str), []).unwrap();
    assert_eq!(loaded.config.vantage.name, "b");
}

#[test]
fn relative_paths_start_at_the_file_that_names_them() {
    let folder = Folder::with(&[
        (
            "mailflow.toml",
            "include = [\"sub/a.toml\"]\n[probes]\nca_file = \"roots.pem\"",
        ),
        (
            "sub/a.toml",
            "[store]\nurl = \"sqlite:x.db\"\n[resolver]\ntrust_anchor = \"/abs/key\"",
        ),
    ]);
    let config = folder.load(&[]).unwrap().config;
    assert_eq!(config.probes.all.ca_file, Some(folder.path("roots.pem")));
    assert_eq!(config.store.url, StoreUrl::Sqlite(folder.path("sub/x.db")));
    assert_eq!(config.resolver.trust_anchor, Some("/abs/key".into()));
    let config = folder
        .load(&[("MAILFLOW__STORE__URL", "sqlite:here.db")])
        .unwrap()
        .config;
    assert_eq!(config.store.url, StoreUrl::Sqlite("here.db".into()));
    // The store that nobody names lies beside the main file.
    let folder = Folder::with(&[("mailflow.toml", "")]);
    let store = folder.load(&[]).unwrap().config.store;
    assert_eq!(store.url, StoreUrl::Sqlite(folder.path("data/mailflow.db")));
}

#[test]
fn probe_settings_go_from_the_outermost_level_to_the_innermost() {
    let text = "
        [probes]
        timeout = '1s'
        confirm = 3
        [probes.smtp]
        timeout = '2s'
        [probes.blocklist]
        timeout = '9s'
        [[clients]]
        id = 'a'
        interval = '10s'
        timeout = '3s'
        [[clients.domains]]
        name = 'a.test'
        timeout = '4s'
        [[clients.gateways]]
        name = 'g'
        address = '192.0.2.1'
        confirm = 0";
    let config = super::load_text(text).unwrap().config;
    let client = &config.clients[0];
    let levels = [&client.probes, &client.domains[0].probes];
    let seconds = Duration::from_secs;
    let resolved = |kind, levels: &[&ProbeOverrides]| config.probes.resolve(kind, levels);

    let dns = resolved(ProbeKind::Dns, &[]);
    assert_eq!(
        (dns.timeout, dns.interval, dns.interval_explicit),
        (seconds(1), seconds(60), false)
    );
    let smtp = resolved(ProbeKind::Smtp, &[]);
    assert_eq!((smtp.timeout, smtp.confirm), (seconds(2), 3));
    let smtp = resolved(ProbeKind::Smtp, &levels);
    assert_eq!(
        (smtp.timeout, smtp.interval, smtp.interval_explicit),
        (seconds(4), seconds(10), true)
    );
    let gateway = resolved(ProbeKind::Gateway, &[&client.probes, &client.gateways[0].probes]);
    assert_eq!((gateway.timeout, gateway.confirm), (seconds(3), 0));
    assert_eq!(gateway.greeting_timeout, Duration::from_mins(5));
    // Only its own section changes the interval of a policy or blocklist probe.
    let policy = resolved(ProbeKind::Policy, &levels);
    assert_eq!(
        (policy.timeout, policy.interval, policy.interval_explicit),
        (seconds(4), Duration::from_mins(15), false)
    );

    let own = super::load_text("[probes]\ninterval = '5s'\n[probes.policy]\ninterval = '1h'")
        .unwrap()
        .config
        .probes;
    let policy = own.resolve(ProbeKind::Policy, &[]);
    assert_eq!(
        (policy.interval, policy.interval_explicit),
        (Duration::from_hours(1), true)
    );
    assert_eq!(
        own.resolve(ProbeKind::Blocklist, &[]),
        ResolvedProbe::built_in(ProbeKind::Blocklist)
    );
    assert!(own.resolve(ProbeKind::Vantage, &[]).interval_explicit);
}
