//! The command line as people and scripts meet it: exit codes, suggestions, what goes to which stream.

#![allow(clippy::unwrap_used, reason = "tests may")]

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;

use assert_cmd::Command;

/// The program in an environment of its own, without terminal, at 80 columns.
fn mailflow(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("mailflow").unwrap();
    command
        .args(arguments)
        .env_clear()
        .env("COLUMNS", "80")
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// Runs it: exit code, standard output, standard error.
fn told(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Runs it where it must fail with 3 and leave standard output alone.
fn mistake(arguments: &[&str]) -> String {
    let (code, out, err) = told(&mut mailflow(arguments));
    assert_eq!((code, out.as_str()), (3, ""), "{err}");
    err
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn help_names_every_command() {
    let (code, out, err) = told(&mut mailflow(&["--help"]));
    assert_eq!((code, err.as_str()), (0, ""));
    let commands: Vec<&str> = out
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(
        commands,
        [
            "run",
            "check",
            "explain",
            "status",
            "digest",
            "init",
            "approve",
            "ack",
            "note",
            "silence",
            "maintenance",
            "accept",
            "watch",
            "link",
            "audit",
            "notify",
            "config",
            "demo",
            "completions",
            "man",
            "help"
        ]
    );
    assert!(!out.contains('\u{1b}'), "no colours without a terminal");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
}

/// The service manager does not try again what a mistake in the configuration ended.
#[test]
fn run_ends_at_once_where_the_configuration_has_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailflow.toml");
    std::fs::write(&path, "[probes]\nintervall = \"1m\"\n").unwrap();
    let (code, out, err) = told(&mut mailflow(&["run", "--config", path.to_str().unwrap()]));
    assert_eq!((code, out.as_str()), (65, ""));
    assert!(
        err.starts_with("error: ") && err.contains("mailflow.toml:2:1"),
        "{err}"
    );
    assert_eq!(err.matches("error:").count(), 1, "{err}");
}

/// No resolver answers here: that is said of each domain, and what is printed can be used.
#[test]
fn init_prints_a_configuration() {
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let mut init = mailflow(&["init", "-", "b.test", "--resolver", &address]);
    let (code, out, err) = told(init.write_stdin("a.test\n\n# later: c.test\n"));
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("name = \"a.test\"") && out.contains("name = \"b.test\"") && !out.contains("c.test")
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mailflow.toml");
    std::fs::write(&path, out).unwrap();
    let (code, _, err) = told(&mut mailflow(&[
        "config",
        "check",
        "--config",
        path.to_str().unwrap(),
    ]));
    assert_eq!(code, 0, "{err}");
    let said = mistake(&["init", "a b"]);
    assert!(said.contains("\"a b\" is no domain"), "{said}");
    assert!(mistake(&["init"]).contains("<DOMAIN>"));
}

#[test]
fn bad_usage_says_what_was_meant() {
    insta::assert_snapshot!(mistake(&["sttaus"]), @r#"
    error: unrecognized subcommand 'sttaus'

      tip: a similar subcommand exists: 'status'

    Usage: mailflow [OPTIONS] <COMMAND>

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(mistake(&["explain", "gatway.down"]), @r#"error: "gatway.down" is no cause that mailflow knows, and no file; did you mean "gateway.down"?"#);
    insta::assert_snapshot!(mistake(&["status", "--jsn"]), @r#"
    error: unexpected argument '--jsn' found

      tip: a similar argument exists: '--json'

    Usage: mailflow status --json

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(mistake(&["status", "--incident", "the last"]), @r#"
    error: invalid value 'the last' for '--incident <ID>': an incident has a number, such as 482

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(mistake(&["status", "--url", "localhost:9525"]), @r#"
    error: invalid value 'localhost:9525' for '--url <URL>': a daemon's address looks like http://127.0.0.1:9525

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(mistake(&["status", "--url", "https://me:secret@mail.msp.example"]), @r#"
    error: a name or a password has no place in --url or MAILFLOW_URL
    A token goes into MAILFLOW_TOKEN.
    "#);
    insta::assert_snapshot!(mistake(&["approve", "acme..test"]), @r#"
    error: invalid value 'acme..test' for '<DOMAIN>': each part between dots has 1 to 63 characters

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(mistake(&["man", "stauts"]), @r#"error: there is no page of "stauts"; there are run, check, explain, status, digest, init, approve, ack, note, silence, maintenance, accept, watch, link, audit, notify, config, demo, completions, man"#);
    assert!(mistake(&[]).contains("Usage: mailflow"));
}

#[test]
fn a_route_needs_a_client_that_is_known() {
    let err = mistake(&["check", "partner.test", "--from", "ACME"]);
    assert!(err.contains("--config"), "{err}");
    let mut file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    file.write_all(b"[[clients]]\nname = \"ACME Ltd\"\ndomains = [\"acme.test\"]\n")
        .unwrap();
    let config = path(file.path());
    let err = mistake(&["check", "partner.test", "--config", config, "--from", "ACNE"]);
    assert!(
        err.contains("no client \"ACNE\"") && err.contains("acme-ltd"),
        "{err}"
    );
    let err = mistake(&["check", "partner.test", "--rcpt", "postmaster@elsewhere.test"]);
    assert!(err.contains("at none of the domains"), "{err}");
    let err = mistake(&["check", "partner.test", "--rcpt", "postmaster"]);
    assert!(err.contains("NAME@DOMAIN"), "{err}");
}

#[test]
fn explain_at_80_columns() {
    let (code, out, err) = told(&mut mailflow(&["explain", "gateway.down"]));
    assert_eq!((code, err.as_str()), (0, ""));
    insta::assert_snapshot!(out, @r#"
    gateway.down
    The router in front of the mail server does not answer

    Layer  gateway
    Whose  the receiver's: for a watched domain the client or its provider
    State  broken

    What it means
      The router or firewall that leads to the mail server answers none of its
      checks, and nothing behind it can be reached either. The mail server is not
      the suspect: most likely the power, the router or the line at that site has
      failed. Senders keep trying for days, so no mail is lost yet.

    What to do
      Call the line's provider or the contact given here and ask whether the line is
      up. Then have somebody on site check the power and switch the router off and
      on. Do not restart the mail server.

    How it looks
      All pings lost and all ports of the router silent, and no address behind it
      answers.

    What would prove it wrong
      An answer of the router to any of its checks, or of anything behind it, begun
      after the failure.
    "#);
}

#[test]
fn json_is_one_document() {
    let (code, out, err) = told(&mut mailflow(&["explain", "gateway.down", "--json"]));
    assert_eq!((code, err.as_str()), (0, ""));
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["code"], "gateway.down");
    // Where there is nothing to say, nothing is said.
    let url = nobody();
    let err = mistake(&["status", "--json", "--url", &url]);
    assert!(err.contains("no daemon answers"), "{err}");
}

#[test]
fn no_daemon_is_an_error_with_a_remedy() {
    let url = nobody();
    for arguments in [
        &["status"][..],
        &["status", "--incident", "#482"],
        &["approve", "acme.test"],
        &["notify", "test", "oncall"],
    ] {
        let (code, out, err) = told(mailflow(arguments).env("MAILFLOW_URL", &url));
        assert_eq!((code, out.as_str()), (3, ""), "{arguments:?}: {err}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(err.replace(&url, "URL"), @r#"
    error: no daemon answers at URL/: Connection refused (os error 111)
    Start one with `mailflow run`, or say where it is with --url or MAILFLOW_URL.
    "#);
        }
    }
}

#[test]
fn a_token_never_shows() {
    let url = nobody();
    let (_, out, err) = told(
        mailflow(&["status"])
            .env("MAILFLOW_URL", &url)
            .env("MAILFLOW_TOKEN", "s3cret"),
    );
    assert!(!out.contains("s3cret") && !err.contains("s3cret"), "{out}{err}");
    let (code, _, err) = told(
        mailflow(&["status"])
            .env("MAILFLOW_URL", &url)
            .env("MAILFLOW_TOKEN", "s3cret\u{7}"),
    );
    assert_eq!(code, 3);
    insta::assert_snapshot!(err, @"error: MAILFLOW_TOKEN holds what no token has: line breaks or control characters");
}

#[test]
fn the_example_configuration_is_right() {
    let (code, _, err) = told(&mut mailflow(&[
        "config",
        "check",
        "--config",
        "config/mailflow.toml",
    ]));
    assert_eq!(code, 0, "{err}");
}

#[test]
fn a_bad_configuration_exits_65() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    std::fs::write(
        &file,
        "[server]\nlisten = \"nowhere\"\n[probs]\ninterval = \"60s\"\n",
    )
    .unwrap();
    let (code, out, err) = told(&mut mailflow(&["config", "check", "--config", path(&file)]));
    let both = format!("{out}{err}");
    assert_eq!(code, 65, "{both}");
    assert!(both.contains("probs") && both.contains("probes"), "{both}");
    assert!(
        both.contains("bad.toml:2:") && both.contains("bad.toml:3:"),
        "{both}"
    );
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn completions_and_manual_come_from_the_definition() {
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = told(&mut mailflow(&["completions", shell]));
        assert_eq!(code, 0);
        assert!(out.contains("approve") && out.contains("log-format"), "{shell}");
    }
    let (code, out, _) = told(&mut mailflow(&["man"]));
    assert_eq!(code, 0);
    assert!(out.starts_with(".ie") || out.starts_with(".TH"), "{out}");
    let (code, out, _) = told(&mut mailflow(&["man", "config", "check"]));
    assert_eq!(code, 0);
    assert!(out.contains("mailflow\\-config\\-check"), "{out}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_fault() {
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("mailflow"))
        .args(["completions", "bash"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{:?}", output.stderr);
    assert!(output.stderr.is_empty());
}

#[test]
fn a_full_disk_is_one() {
    let Ok(mut full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        return;
    };
    assert!(full.write_all(b"x").is_err());
    let output = std::process::Command::new(assert_cmd::cargo::cargo_bin("mailflow"))
        .args(["completions", "bash"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("standard output")
    );
}

#[test]
fn a_password_in_a_hash_out() {
    let run = |input: &str| {
        let mut command = mailflow(&["config", "hash-password"]);
        told(command.write_stdin(input.to_owned()))
    };
    let (code, out, err) = run("correct horse battery\n");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("$2b$12$") && out.len() == 61, "{out}");
    assert!(!out.contains("horse"));
    let (code, out, err) = run("short\n");
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (3, "", "error: a password has 8 characters at least\n")
    );
    let (code, _, err) = run(&"long ".repeat(20));
    assert_eq!(
        (code, err.as_str()),
        (
            3,
            "error: a password has 72 bytes at most: more would be ignored\n"
        )
    );
}
