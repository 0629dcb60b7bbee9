//! No secret is ever shown.

use secrecy::ExposeSecret as _;

use super::{Folder, report};
use crate::config::secret::SecretSource;
use crate::config::{Config, Secret};

fn reveal(source: SecretSource) -> Result<String, String> {
    match Secret::new(source).reveal() {
        Ok(text) => Ok(text.expose_secret().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn words(words: &[&str]) -> SecretSource {
    SecretSource::Command(words.iter().map(|word| (*word).to_owned()).collect())
}

#[test]
fn a_file_is_read_again_when_it_changes_and_loses_one_line_break() {
    let folder = Folder::with(&[("secret", "one\n\n")]);
    let secret = Secret::new(SecretSource::File(folder.path("secret")));
    let reveal = || secret.reveal().unwrap().expose_secret().to_owned();
    assert_eq!(reveal(), "one\n");
    std::fs::write(folder.path("secret"), "two, longer\r\n").unwrap();
    assert_eq!(reveal(), "two, longer");
    std::fs::write(folder.path("secret"), "").unwrap();
    assert!(secret.reveal().unwrap_err().to_string().ends_with("is empty"));
    std::fs::remove_file(folder.path("secret")).unwrap();
    assert!(secret.reveal().is_err());
}

#[test]
fn a_command_prints_its_secret_or_says_why_not() {
    assert_eq!(
        reveal(words(&["printf", "%s", "hunter2"])),
        Ok("hunter2".to_owned())
    );
    let failed = reveal(words(&["sh", "-c", "echo hunter2; exit 3"])).unwrap_err();
    assert_eq!(failed, "the command sh failed (exit status: 3)");
    let endless = reveal(words(&["sh", "-c", "yes hunter2"])).unwrap_err();
    assert!(!endless.contains("hunter2"), "{endless}");
    let missing = reveal(words(&["/nonexistent/program", "hunter2"])).unwrap_err();
    assert!(
        missing.starts_with("the command /nonexistent/program cannot be run"),
        "{missing}"
    );
}

#[test]
fn a_variable_is_read_when_it_is_used() {
    // One that cargo itself sets for every test.
    assert_eq!(
        reveal(SecretSource::Env("CARGO_PKG_NAME".to_owned())),
        Ok("mailflow".to_owned())
    );
    let missing = reveal(SecretSource::Env("MAILFLOW_NO_SUCH_VARIABLE".to_owned())).unwrap_err();
    assert_eq!(
        missing,
        "the environment variable MAILFLOW_NO_SUCH_VARIABLE is not set"
    );
}

const LEAKY: &str = r#"
[server]
allow_insecure = { password = "hunter2" }
auth = { users = { a = { bcrypt = "hunter2" } }, tokens = [{ name = "t", token = "hunter2", scop = "read" }] }
passwort = "hunter2"
[store]
url = "postgres://me:hunter2@db/x"
[[notifiers]]
name = "a"
type = "webhook"
url = "http://me:hunter2@a/"
headers = { Authorization = "Bearer hunter2", "bad name" = "hunter2", Number = 7 }
secret = { plain = "hunter2" }
[[notifiers]]
name = "b"
type = "slack"
url = "hunter2" # is a secret
fallback = "nobody"
[[notifiers]]
name = "c"
type = "pagerduty"
routing_key = ["hunter2"]
[[notifiers]]
name = "d"
type = "emial"
password = "hunter2"
unheard = "hunter2"
[[notifiers]]
name = "e"
type = "email"
server = "a.test"
password = "hunter2
"#;

#[test]
fn no_message_shows_a_secret_wherever_it_was_written() {
    for text in [
        LEAKY.to_owned(),
        LEAKY.replace("password = \"hunter2\n", "password = \"hunter2\"\n"),
    ] {
        let report = report(&text);
        assert!(!report.contains("hunter2"), "{report}");
        assert!(report.contains("*******"), "{report}");
    }
}

#[test]
fn no_debug_output_shows_a_secret() {
    let text = r#"
[[clients]]
id = "a"
domains = ["a.test"]
[[notifiers]]
name = "a"
type = "slack"
url = "hunter2"
[[notifiers]]
name = "b"
type = "webhook"
url = "http://a.example/hunter2"
headers = { Authorization = "hunter2" }
secret = { command = ["pass", "hunter2"] }
"#;
    let loaded = super::load_text(text).unwrap();
    for shown in [format!("{loaded:?}"), format!("{loaded:#?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert_eq!(
        format!("{}", Secret::new(SecretSource::Plain("x".into()))),
        "a secret from the configuration"
    );
    let same: Config = super::load_text(text).unwrap().config;
    assert_eq!(same.notifiers, loaded.config.notifiers);
}

#[test]
fn secrets_that_are_not_where_they_should_be_are_warned_about() {
    let text = "[[clients]]\nid = 'a'\ndomains = ['a.test']\n[[notifiers]]\nname = 'a'\ntype = 'webhook'\nurl = 'http://a.example'\nsecret = { file = 'missing' }\nheaders = { a = { env = 'MISSING' }, b = { env = 'HERE' } }\n";
    let folder = Folder::with(&[("mailflow.toml", text)]);
    insta::assert_snapshot!(folder.report(&[("HERE", "x")]), @r##"
        warning: the secret's file missing cannot be read: No such
                 file or directory (os error 2)
         --> mailflow.toml:8:10
          |
        8 | secret = { file = 'missing' }
          |          ^^^^^^^^^^^^^^^^^^^^

        warning: the environment variable MISSING is not set here
         --> mailflow.toml:9:17
          |
        9 | headers = { a = { env = 'MISSING' }, b = { env = 'HERE' } }
          |                 ^^^^^^^^^^^^^^^^^^^

        mailflow.toml: 1 client, 1 domain, 0 gateways, 1 notifier
        no mistakes, 2 warnings
        "##);
}
