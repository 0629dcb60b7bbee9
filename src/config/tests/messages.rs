//! What people read when something is wrong.

use rstest::rstest;

use super::{Folder, mistakes, report};

#[test]
fn every_mistake_is_told_at_once() {
    insta::assert_snapshot!(report(
        r#"[server]
listn = "127.0.0.1:9525"
probe_any = "yes"

[probes]
interval = 60
timeout = "30x"

[[clients]]
name = "ACME Ltd"
notify = ["oncal"]
domains = ["acme.test", "not a name"]

[[clients.gateways]]
address = "198.51.100.1"
networks = ["198.51.100.1/26"]

[[notifiers]]
name = "oncall"
type = "webhok"
url = "http://127.0.0.1:9000/hook"
"#
    ), @r##"
        error: unknown key `listn`
         --> mailflow.toml:2:1
          |
        2 | listn = "127.0.0.1:9525"
          | ^^^^^
          |
          = help: did you mean `listen`?

        error: true or false belongs here, not text
         --> mailflow.toml:3:13
          |
        3 | probe_any = "yes"
          |             ^^^^^

        error: a duration needs a unit
         --> mailflow.toml:6:12
          |
        6 | interval = 60
          |            ^^
          |
          = help: write "60s" for seconds, "60m" for minutes, in quotes

        error: "x" is no unit of time: ms, s, m, h, d and w are
         --> mailflow.toml:7:11
          |
        7 | timeout = "30x"
          |           ^^^^^

        error: there is no notifier "oncal"
          --> mailflow.toml:11:11
           |
        11 | notify = ["oncal"]
           |           ^^^^^^^
           |
           = help: did you mean "oncall"?

        error: " " cannot stand in a name
          --> mailflow.toml:12:25
           |
        12 | domains = ["acme.test", "not a name"]
           |                         ^^^^^^^^^^^^

        error: `name` is missing here
          --> mailflow.toml:14:1
           |
        14 | [[clients.gateways]]
           | ^^^^^^^^^^^^^^^^^^^^

        error: this address has bits beyond its prefix
          --> mailflow.toml:16:13
           |
        16 | networks = ["198.51.100.1/26"]
           |             ^^^^^^^^^^^^^^^^^
           |
           = help: did you mean "198.51.100.0/26"?

        error: "webhok" is not known here
          --> mailflow.toml:20:8
           |
        20 | type = "webhok"
           |        ^^^^^^^^
           |
           = help: did you mean "webhook"?

        9 mistakes, 0 warnings
        "##);
}

#[test]
fn warnings_come_with_what_the_configuration_amounts_to() {
    insta::assert_snapshot!(report(
        r#"[resolver]
dnssec = "validate"
trust_anchor = "/nowhere/root.key"

[[clients]]
name = "ACME"
[[clients.domains]]
name = "acme.test"
tls = "required"
services = ["imaps:mail.acme.test"]

[[notifiers]]
name = "mail"
type = "email"
server = "mx.acme.test"
username = "mailflow"
password = "hunter2"
from = "mailflow@msp.example"
to = ["oncall@msp.example"]
"#
    ), @r##"
        warning: the notifier "mail" stands on what it reports
          --> mailflow.toml:13:8
           |
        13 | name = "mail"
           |        ^^^^^^
           |
           = help: mx.acme.test belongs to acme.test, which is watched: give it a
                   `fallback` that takes another way

        warning: this secret stands in the configuration
          --> mailflow.toml:17:12
           |
        17 | password = *********
           |            ^^^^^^^^^
           |
           = help: write { env = "NAME" }, { file = "PATH" } or { command = ["..."] }
                   instead

        warning: the file /nowhere/root.key of `resolver.trust_anchor` cannot be
                 read: No such file or directory (os error 2)
        --> configuration

        mailflow.toml: 1 client, 1 domain, 0 gateways, 1 notifier
        no mistakes, 3 warnings
        "##);
}

#[test]
fn a_name_that_comes_twice_is_shown_in_both_places() {
    let folder = Folder::with(&[
        (
            "mailflow.toml",
            "include = [\"a.toml\"]\n[[notifiers]]\nname = \"n\"\ntype = \"slack\"\nurl = { env = \"HOOK\" }\n\n[[notifiers]]\nname = \"n\"\ntype = \"slack\"\nurl = { env = \"HOOK\" }\n[[clients]]\nname = \"ACME\"\n",
        ),
        ("a.toml", "[[clients]]\nid = \"acme\"\n"),
    ]);
    insta::assert_snapshot!(folder.report(&[("HOOK", "x")]), @r#"
    error: there are two notifiers "n"
     --> mailflow.toml:8:8
      |
    3 | name = "n"
      |        --- first here
    ...
    8 | name = "n"
      |        ^^^ again here

    error: there are two clients "acme"
      --> a.toml:2:6
       |
     2 | id = "acme"
       |      ^^^^^^ again here
       |
      ::: mailflow.toml:12:8
       |
    12 | name = "ACME"
       |        ------ first here

    2 mistakes, 0 warnings
    "#);
}

#[test]
fn a_text_that_is_no_toml_is_shown_with_what_else_is_wrong() {
    insta::assert_snapshot!(report(
        "[server\nlisten = \"127.0.0.1:1\"\n[probes]\ninterval = \nconfirm = -1\n[[clients]]\nnotify = [\"nobody\"]\n"
    ), @r##"
        error: this is no TOML: unclosed table, expected `]`
         --> mailflow.toml:1:8
          |
        1 | [server
          |        ^

        error: this is no TOML: string values must be quoted, expected literal
               string
         --> mailflow.toml:4:12
          |
        4 | interval = 
          |            ^

        error: this number must lie between 0 and 1000000
         --> mailflow.toml:5:11
          |
        5 | confirm = -1
          |           ^^

        3 mistakes, 0 warnings
        "##);
}

#[rstest]
// Types.
#[case("server = 7", "1:10 a table belongs here, not a whole number")]
#[case("clients = 'a'", "1:11 a list belongs here, not text")]
#[case(
    "[metrics]\nper_host = 1",
    "2:12 true or false belongs here, not a whole number"
)]
#[case("[probes]\nconfirm = 1.5", "2:11 a whole number belongs here, not a number")]
#[case("[probes]\nconfirm = -1", "2:11 this number must lie between 0 and 1000000")]
#[case(
    "[probes]\nconfirm = 999999999999999999999999",
    "2:11 this number is far too large"
)]
#[case("[vantage]\nname = ''", "2:8 this must not be empty")]
#[case("[vantage]\nname = \"a\\u001b\"", "2:8 '\\u{1b}' cannot stand here")]
// Keys.
#[case("[sever]", "1:2 unknown key `sever` (did you mean `server`?)")]
#[case("[vantage]\nHELO = 'a'", "2:1 unknown key `HELO` (did you mean `helo`?)")]
#[case("[metrics]\nxyz = 1", "2:1 unknown key `xyz` (known here: `per_host`)")]
#[case("[[vantages]]\nname = 'a'", "1:3 `vantages` is reserved for a later version")]
#[case("[diagnosis]\nquorum = 2", "1:2 `diagnosis` is reserved for a later version")]
#[case(
    "[[clients]]\nid = 'a'\nreports = true",
    "3:1 `reports` is reserved for a later version"
)]
// Server and store.
#[case(
    "[server]\nlisten = ':9525'",
    "2:10 an address and a port belong here, such as \"127.0.0.1:9525\" or \"[::1]:9525\""
)]
#[case(
    "[server]\nlisten = '0.0.0.0:9525'",
    "2:10 listening beyond loopback takes `tls` and `auth` (listen on 127.0.0.1 behind a proxy, or say `allow_insecure = true` where only the right people reach it)"
)]
#[case(
    "[server]\nauth = { type = 'oauth2' }",
    "2:17 `oauth2` is reserved for a later version"
)]
#[case(
    "[server]\nauth = { users = { a = { bcrypt = 'x' } } }",
    "2:35 this is no bcrypt hash; `mailflow config hash-password` makes one"
)]
#[case(
    "[server]\nauth = {}",
    "2:8 nobody could come in: `auth` needs `users` or `tokens`"
)]
#[case(
    "[server]\nauth = { tokens = [{ name = 't', token = { env = 'PATH' }, scope = 'admin' }] }",
    "2:68 \"admin\" is not known here (these are known: \"metrics\", \"read\", \"write\")"
)]
#[case("[server]\ntls = { certificate = 'a' }", "2:7 `key` is missing here")]
#[case(
    "[store]\nurl = 'postgres://u:p@h/d'",
    "2:7 `postgres` is reserved for a later version"
)]
#[case(
    "[store]\nurl = 'sqlite:///var/x.db'",
    "2:7 a store is written as \"sqlite:PATH\", without a double slash: \"sqlite:/var/x.db\", or \"sqlite:var/x.db\" beside this file"
)]
#[case("[store]\nurl = 'data/x.db'", "2:7 a store is written as \"sqlite:PATH\"")]
// Durations.
#[case(
    "[probes]\ninterval = 60",
    "2:12 a duration needs a unit (write \"60s\" for seconds, \"60m\" for minutes, in quotes)"
)]
#[case(
    "[probes]\ninterval = '60'",
    "2:12 a duration needs a unit: \"60s\" are seconds, \"60m\" minutes"
)]
#[case("[probes]\ninterval = '0s'", "2:12 this must be at least 100ms")]
#[case(
    "[probes]\nconfirm = 1000",
    "2:11 more than 100 confirmations would confirm nothing in time"
)]
// Vantage and resolver.
#[case(
    "[vantage]\nanchors = ['192.0.2.1']",
    "2:12 an anchor is \"ping:HOST\" or \"smtp:HOST:PORT\""
)]
#[case(
    "[vantage]\nanchors = ['smtp:a b']",
    "2:12 \" \" cannot stand in a name; an anchor is \"ping:HOST\" or \"smtp:HOST:PORT\""
)]
#[case(
    "[resolver]\nservers = ['dns.example']",
    "2:12 a resolver is an address, such as \"192.0.2.53\", \"192.0.2.53:5353\" or \"2001:db8::53\""
)]
#[case(
    "[resolver]\ndnssec = 'of'",
    "2:10 \"of\" is not known here (did you mean \"off\"?)"
)]
// Clients.
#[case(
    "[[clients]]\ncontact = 'a'",
    "1:1 a client needs a `name`, or at least an `id`"
)]
#[case(
    "[[clients]]\nid = 'Acme'",
    "2:6 'A' cannot stand in an id: a to z, 0 to 9, \"-\", \"_\" and \".\" can"
)]
#[case(
    "[[clients]]\nname = '???'",
    "2:8 no id can be made from this name; write an `id`"
)]
#[case(
    "[[clients]]\nid = 'a'\ndomains = ['a.test', 'A.test']",
    "3:22 there are two domains \"a.test\""
)]
#[case(
    "[[clients]]\nid = 'a'\n[[clients.domains]]\nname = 'a.test'\nexpect_mx = ['.', 'a.test']",
    "5:13 \".\" says that there is no mail host: it stands alone"
)]
#[case(
    "[[clients]]\nid = 'a'\n[[clients.domains]]\nname = 'a.test'\nexpect_mx = []",
    "5:13 leave `expect_mx` out to have it learnt; [\".\"] expects a null MX"
)]
#[case(
    "[[clients]]\nid = 'a'\n[[clients.domains]]\nname = 'a.test'\nservices = ['imapd:a.test']",
    "5:13 \"imapd\" is no service; these are: submission, submissions, smtps, smtp, imap, imaps, pop3, pop3s, https"
)]
#[case(
    "[[clients]]\nid = 'a'\n[[clients.domains]]\nname = 'a.test'\naccept = [{ code = 'gateway.don', until = 2027-02-30, reason = 'x' }]",
    "5:43 this is no TOML"
)]
#[case(
    "[[clients]]\nid = 'a'\n[[clients.domains]]\nname = 'a.test'\naccept = [{ code = 'gateway.don', until = 2027-01-31, reason = 'x' }]",
    "5:20 there is no such cause (did you mean \"gateway.down\"?)"
)]
#[case(
    "[[clients]]\nid = 'a'\n[[clients.gateways]]\nname = 'g'\naddress = '192.0.2.1'\nnetworks = ['0.0.0.0/0']",
    "6:13 the whole internet does not lie behind one gateway"
)]
#[case(
    "[[clients]]\nid = 'a'\n[[clients.gateways]]\nname = 'g'\naddress = '192.0.2.1'\nnetworks = ['192.0.2.1/24']",
    "6:13 this address has bits beyond its prefix (did you mean \"192.0.2.0/24\"?)"
)]
#[case(
    "[[clients]]\nid = 'a'\n[[clients.gateways]]\nname = 'g'\naddress = '192.0.2.1'\nnetworks = ['192.0.2.0/33']",
    "6:13 the prefix of this network is a number from 0 to 32"
)]
#[case(
    "[[clients]]\nid = 'a'\n[[clients.gateways]]\nname = 'g'\naddress = '192.0.2.1'\nchecks = ['udp:1']",
    "6:11 a check is \"ping\" or \"tcp:PORT\""
)]
#[case(
    "[[clients]]\nid = 'a'\n[[clients.routes]]\nto = 'b.test'\nrecipient = 'postmaster'",
    "5:13 a mail address is NAME@DOMAIN"
)]
#[case(
    "[[clients]]\nid = 'a'\n[[clients.routes]]\nto = 'b.test'\n[[clients.routes]]\nto = 'B.test'",
    "6:6 there are two routes \"b.test\""
)]
#[case(
    "[[mail_logs]]\nclient = 'acme'\npath = 'a'\nformat = 'exim'",
    "2:10 there is no client \"acme\""
)]
// Notifiers and alerting.
#[case(
    "[[notifiers]]\nname = 'a'\ntype = 'webhook'\nurl = 'ftp://a'",
    "4:7 a URL here begins with http:// or https:// and a host"
)]
#[case(
    "[[notifiers]]\nname = 'a'\ntype = 'webhook'\nurl = 'http://u:p@a/'",
    "4:7 a URL must not hold a user name or password; send them in `headers` or as a `token`"
)]
#[case(
    "[[notifiers]]\nname = 'a'\ntype = 'email'\nserver = 'a.test'\nusername = 'u'\nfrom = 'a@b.test'\nto = ['a@c.test']",
    "5:1 `username` needs a `password` beside it"
)]
#[case(
    "[[notifiers]]\nname = 'a'\ntype = 'slack'\nurl = {}",
    "4:7 a secret says where it comes from: { env = ... }, { file = ... } or { command = [...] }"
)]
#[case(
    "[[notifiers]]\nname = 'a'\ntype = 'slack'\nurl = { env = 'A', file = 'b' }",
    "4:7 a secret comes from one place: env, file or command"
)]
#[case(
    "[[notifiers]]\nname = 'a'\ntype = 'slack'\nfallback = 'a'\nurl = { env = 'A' }",
    "2:8 the fallbacks of \"a\" go in a circle"
)]
#[case(
    "[alerting]\nescalate = [{ after = '0s', notify = ['a'] }]",
    "2:39 there is no notifier \"a\""
)]
#[case(
    "[alerting]\npage_after = { 'gatewy.*' = '1m' }",
    "2:16 there is no such cause (a cause is written as \"gateway.down\"; a layer, where one can stand, as \"gateway.*\")"
)]
#[case(
    "[alerting]\nseverity = { 'dns.mx-changed' = 'high' }",
    "2:33 \"high\" is not known here (these are known: \"info\", \"warning\", \"critical\")"
)]
#[case(
    "[alerting]\nhours = { warning = 'Mon-Fri 8-18 Europe/Berlin' }",
    "2:21 times are written as \"08:00-18:00\""
)]
#[case(
    "[alerting]\ndigest = { at = 'Mon-Fri 08:00-09:00 UTC', notify = ['a'] }\n[[notifiers]]\nname = 'a'\ntype = 'slack'\nurl = { env = 'A' }",
    "2:17 moments are written as days, a time and a time zone: \"Mon-Fri 08:00 Europe/Berlin\""
)]
#[case(
    "[alerting]\ndigest = { at = 'Mon 08:00 UTC', notify = ['a'] }\n[[notifiers]]\nname = 'a'\ntype = 'slack'\nurl = { env = 'A' }",
    "4:8 alerting.digest goes by e-mail, and \"a\" is of type slack (name a notifier of type email)"
)]
#[case(
    "[alerting]\nheartbeat = { url = 'http://a.test', require = ['loops'] }",
    "2:49 \"loops\" is not known here (did you mean \"loop\"?)"
)]
fn each_mistake_says_where_and_what(#[case] text: &str, #[case] told: &str) {
    let mistakes = mistakes(text);
    assert!(mistakes[0].starts_with(told), "told {mistakes:?}");
    let exact = mistakes.len() == 1 && mistakes[0] == told;
    assert!(exact || told.ends_with("no TOML"), "told {mistakes:?}");
}

#[test]
fn steps_of_an_escalation_rise() {
    let notifier = "[[notifiers]]\nname = 'a'\ntype = 'slack'\nurl = { env = 'A' }\n[alerting]\n";
    let text = format!(
        "{notifier}escalate = [{{ after = '5m', notify = ['a'] }}, {{ after = '5m', notify = ['a'] }}, {{ after = '6m', notify = [] }}]"
    );
    assert_eq!(
        mistakes(&text),
        [
            "6:47 each step comes later than the one before",
            "6:106 a step tells at least one notifier"
        ]
    );
}

#[test]
fn circles_of_fallbacks_are_told_once() {
    let notifier = |name: &str, fallback: &str| {
        format!(
            "[[notifiers]]\nname = '{name}'\ntype = 'slack'\nurl = {{ env = 'A' }}\nfallback = '{fallback}'\n"
        )
    };
    let text = [notifier("a", "b"), notifier("b", "c"), notifier("c", "b")].concat();
    assert_eq!(
        mistakes(&text),
        ["7:8 the fallbacks of \"b\" and \"c\" go in a circle"]
    );
}

#[test]
fn a_budget_that_stretches_intervals_is_put_in_numbers() {
    use std::time::Duration;
    let warning = |addresses, per_minute: u32, interval| {
        crate::config::budget_warning(addresses, per_minute.try_into().unwrap(), interval)
    };
    insta::assert_snapshot!(
        warning(212, 30, Duration::from_mins(5)).unwrap(),
        @"212 addresses at 30 a minute: one round takes 7m04s"
    );
    assert_eq!(warning(150, 30, Duration::from_mins(5)), None);
    insta::assert_snapshot!(
        warning(10_000, 60, Duration::from_mins(5)).unwrap(),
        @"10000 addresses at 60 a minute: one round takes 2h46m40s"
    );
}

#[test]
fn with_colour_the_text_is_the_same() {
    let problems = super::load_text("[sever]").unwrap_err();
    let coloured = problems.render(true);
    assert!(coloured.contains("\u{1b}["));
    let mut plain = String::new();
    let mut in_escape = false;
    for c in coloured.chars() {
        match c {
            '\u{1b}' => in_escape = true,
            'm' if in_escape => in_escape = false,
            _ if in_escape => {}
            c => plain.push(c),
        }
    }
    assert_eq!(plain, problems.render(false));
}

#[rstest]
#[case(
    r#"{ version = "1", community = "x" }"#,
    &["6:20 \"2c\" and \"3\" are the versions of SNMP that are known here"],
)]
#[case(r#"{ version = "2c", user = "m" }"#, &["6:8 `community` is missing here", "6:26 unknown key `user`"])]
#[case(
    r#"{ version = "3", user = "m", auth = { protocol = "md5", password = "x" }, privacy = { protocol = "aes256", password = "y" } }"#,
    &["6:92 aes256 needs a longer digest than md5: use sha256, or aes128"],
)]
fn a_wrong_snmp_login_is_told(#[case] snmp: &str, #[case] expected: &[&str]) {
    let text = format!(
        "[[clients]]\nname = \"A\"\n[[clients.gateways]]\nname = \"r\"\naddress = \"198.51.100.1\"\nsnmp = {snmp}\n"
    );
    let told: Vec<String> = mistakes(&text)
        .into_iter()
        .map(|mistake| mistake.split(" (").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(told, expected);
}
