//! What was written arrives as types.

use std::time::Duration;

use super::load_text;
use crate::config::{
    Alerting, Check, Config, ExpectMx, MailDirection, NotifierKind, PageAfter, Scope, Snmp, SnmpAuth,
    SnmpPrivacy, TlsPolicy,
};
use crate::model::{Anchor, Code, Endpoint, Severity};

#[test]
fn an_empty_file_gives_the_defaults_and_says_that_nothing_is_watched() {
    let mut loaded = load_text("").unwrap();
    loaded.config.store = Config::default().store;
    assert_eq!(loaded.config, Config::default());
    let warnings: Vec<&str> = loaded
        .warnings
        .iter()
        .map(|warning| warning.message.as_str())
        .collect();
    assert_eq!(warnings, ["no client has a domain: nothing is watched"]);
}

#[test]
fn a_client_arrives_whole() {
    let text = r#"
[vantage]
anchors = ["ping:192.0.2.200", "smtp:mail.example", "smtp:[2001:db8::1]:26"]
[[clients]]
name = "ACME Ltd"
domains = ["a.example", { name = "Bücher.example", mail = "none", expect_mx = ["."] }]
[[clients.gateways]]
name = "hq-router"
address = "router.acme.test"
networks = ["198.51.100.0/26", "2001:db8::/48"]
checks = ["tcp:443"]
snmp = { version = "2c", community = { env = "PATH" } }
[[clients.gateways]]
name = "plain"
address = "2001:db8::2"
"#;
    let config = load_text(text).unwrap().config;
    let client = &config.clients[0];
    assert_eq!(
        (client.id.as_str(), client.name.as_str()),
        ("acme-ltd", "ACME Ltd")
    );
    assert_eq!(client.domains[0].tls, TlsPolicy::Opportunistic);
    let parked = &client.domains[1];
    assert_eq!(parked.name.as_str(), "xn--bcher-kva.example");
    assert_eq!(
        (parked.mail, &parked.expect_mx),
        (MailDirection::None, &Some(ExpectMx::Null))
    );
    let [router, plain] = client.gateways.as_slice() else {
        panic!()
    };
    assert_eq!(
        router.address,
        Endpoint::Name("router.acme.test".parse().unwrap())
    );
    assert!(router.networks[0].contains("198.51.100.63".parse().unwrap()));
    assert_eq!(router.checks, [Check::Tcp(443)]);
    assert!(matches!(router.snmp, Some(Snmp::V2c { .. })));
    assert_eq!(plain.checks, [Check::Ping]);
    let anchors: Vec<String> = config.vantage.anchors.iter().map(Anchor::to_string).collect();
    assert_eq!(
        anchors,
        [
            "ping:192.0.2.200",
            "smtp:mail.example:25",
            "smtp:[2001:db8::1]:26"
        ]
    );
}

#[test]
fn the_port_of_a_mail_server_follows_its_tls() {
    for (tls, port) in [("starttls", 587), ("implicit", 465), ("none", 25)] {
        let text = format!(
            "[[notifiers]]\nname = 'a'\ntype = 'email'\nserver = 'mx.example'\ntls = '{tls}'\nfrom = 'a@b.example'\nto = ['c@d.example']"
        );
        let config = load_text(&text).unwrap().config;
        let NotifierKind::Email(email) = &config.notifiers[0].kind else {
            panic!()
        };
        assert_eq!(email.server.port, port);
    }
}

#[test]
fn page_after_is_one_duration_or_by_cause() {
    let page_after = |text: &str| {
        load_text(&format!("[alerting]\npage_after = {text}"))
            .unwrap()
            .config
            .alerting
            .page_after
    };
    let minutes = |minutes| Some(Duration::from_mins(minutes));
    let (critical, warning) = (Severity::Critical, Severity::Warning);

    let built_in = PageAfter::default();
    assert_eq!(built_in.of(Code::GatewayDown, critical), minutes(5));
    assert_eq!(built_in.of(Code::GatewayLossy, warning), minutes(30));
    assert_eq!(built_in.of(Code::GatewayUnproven, Severity::Info), None);

    let everything = page_after("'0s'");
    assert_eq!(everything.of(Code::GatewayDown, critical), minutes(0));
    assert_eq!(everything.of(Code::GatewayLossy, warning), minutes(0));

    let by_code = page_after("{ default = '2m', 'gateway.*' = '10m', 'gateway.down' = '1m' }");
    assert_eq!(by_code.of(Code::HostRefused, critical), minutes(2));
    assert_eq!(by_code.of(Code::TlsNotOffered, warning), minutes(30));
    assert_eq!(by_code.of(Code::GatewayLossy, warning), minutes(10));
    assert_eq!(by_code.of(Code::GatewayDown, critical), minutes(1));
}

#[test]
fn severities_are_set_by_code() {
    let text = "[alerting]\nseverity = { 'dns.*' = 'warning', 'dns.mx-changed' = 'critical' }";
    let alerting: Alerting = load_text(text).unwrap().config.alerting;
    assert_eq!(alerting.severity_of(Code::DnsMxChanged), Some(Severity::Critical));
    assert_eq!(alerting.severity_of(Code::DnsServfail), Some(Severity::Warning));
    assert_eq!(alerting.severity_of(Code::GatewayDown), None);
}

/// The settings of the laboratory, which are as quick as any.
#[test]
fn quick_settings_are_taken() {
    let text = "
        [server]
        listen = '0.0.0.0:9525'
        allow_insecure = true
        [probes]
        interval = '5s'
        timeout = '4s'
        greeting_timeout = '8s'
        confirm = 2
        confirm_interval = '1s'
        [budgets]
        per_address = { interval = '1s' }
        per_provider = { per_minute = 600 }
        refused_backoff = '5s'
        [alerting]
        page_after = '0s'
        reopen_within = '0s'
        group_wait = '0s'
        [[clients]]
        id = 'a'
        domains = ['a.test']";
    let loaded = load_text(text).unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.config.budgets.per_provider.concurrent.get(), 2);
}

#[test]
fn alert_paths_that_stand_on_what_they_report_are_warned_about() {
    let base = "
        [[clients]]
        id = 'a'
        domains = [{ name = 'a.test', expect_mx = ['mx.provider.test'] }]
        [[clients.gateways]]
        name = 'router'
        address = '203.0.113.1'
        networks = ['198.51.100.0/26']\n";
    let email = |server: &str, to: &str| {
        format!(
            "[[notifiers]]\nname = 'n'\ntype = 'email'\nserver = '{server}'\nfrom = 'a@msp.test'\nto = ['{to}']\n"
        )
    };
    let webhook =
        |host: &str| format!("[[notifiers]]\nname = 'n'\ntype = 'webhook'\nurl = 'http://{host}/x'\n");
    for (notifier, why) in [
        (
            email("mx.a.test", "x@msp.test"),
            Some("mx.a.test belongs to a.test, which is watched"),
        ),
        (
            email("mx.provider.test", "x@msp.test"),
            Some("mx.provider.test belongs to a.test, which is watched"),
        ),
        (
            email("198.51.100.9", "x@msp.test"),
            Some("198.51.100.9 lies behind the gateway \"router\""),
        ),
        (
            email("mx.msp.test", "x@a.test"),
            Some("x@a.test lies in a.test, which is watched"),
        ),
        (email("mx.msp.test", "x@msp.test"), None),
        (
            webhook("hooks.a.test"),
            Some("hooks.a.test belongs to a.test, which is watched"),
        ),
        (
            webhook("203.0.113.1"),
            Some("203.0.113.1 lies behind the gateway \"router\""),
        ),
        (webhook("hooks.msp.test"), None),
        (
            webhook("hooks.a.test") + "fallback = 'm'\n" + &webhook("hooks.msp.test").replace("'n'", "'m'"),
            None,
        ),
    ] {
        let loaded = load_text(&format!("{base}{notifier}")).unwrap();
        let warnings: Vec<_> = loaded
            .warnings
            .iter()
            .map(|warning| warning.help.clone())
            .collect();
        let remedy = "give it a `fallback` that takes another way";
        let expected: Vec<_> = why.iter().map(|why| Some(format!("{why}: {remedy}"))).collect();
        assert_eq!(warnings, expected);
    }
}

#[test]
fn snmp_version_3_has_a_user_and_may_encrypt() {
    let snmp = |line: &str| {
        let text = format!(
            "[[clients]]\nname = \"A\"\ndomains = [\"a.test\"]\n[[clients.gateways]]\nname = \"r\"\n\
             address = \"198.51.100.1\"\n{line}\n"
        );
        let config = load_text(&text).unwrap().config;
        config.clients[0].gateways[0].snmp.clone().unwrap()
    };
    let signed = "user = \"m\", auth = { protocol = \"sha256\", password = { env = \"PATH\" } }";
    let plain = snmp(&format!("snmp = {{ version = \"3\", {signed} }}"));
    assert!(matches!(
        plain,
        Snmp::V3 {
            auth: (SnmpAuth::Sha256, _),
            privacy: None,
            ..
        }
    ));
    let sealed = "privacy = { protocol = \"aes256\", password = { env = \"PATH\" } }";
    let sealed = snmp(&format!("snmp = {{ version = \"3\", {signed}, {sealed} }}"));
    assert!(matches!(
        sealed,
        Snmp::V3 {
            privacy: Some((SnmpPrivacy::Aes256, _)),
            ..
        }
    ));
}

#[test]
fn beyond_loopback_takes_a_lock_and_a_key() {
    let hash = "$2b$12$abcdefghijklmnopqrstuuJ1QD8Lw4vGxXo1VqCkXh0m4sQzR7bXS";
    let tls = "tls = { certificate = 'a.pem', key = 'a.key' }";
    let auth = format!(
        "auth = {{ users = {{ a = {{ bcrypt = '{hash}', scope = 'read' }}, b = {{ bcrypt = '{hash}' }} }} }}"
    );
    let listen = |address: &str, rest: &str| {
        load_text(&format!("[server]\nlisten = '{address}'\n{rest}")).map(|loaded| loaded.config)
    };
    let config = listen("0.0.0.0:9525", &format!("{tls}\n{auth}")).unwrap();
    let users = config.server.auth.unwrap().users;
    assert_eq!((users["a"].scope, users["b"].scope), (Scope::Read, Scope::Write));
    for rest in ["", tls, &auth] {
        assert!(listen("[::]:9525", rest).is_err(), "{rest}");
    }
    assert!(listen("[::]:9525", "allow_insecure = true").is_ok());
    for address in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
        assert!(listen(address, "").is_ok(), "{address}");
    }
}
