//! No text makes the loader panic, run away or say what it should not.

use proptest::prelude::*;

use super::{Folder, load_text, report};

/// Pieces of configurations, right and wrong.
fn piece() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "[server]",
        "[[clients]]",
        "[[clients.domains]]",
        "[[clients.gateways]]",
        "[[notifiers]]",
        "[probes.smtp]",
        "[alerting]",
        "[budgets]",
        "name",
        "id",
        "listen",
        "type",
        "url",
        "include",
        "domains",
        "networks",
        "severity",
        "hours",
        "secret",
        "=",
        "= \"a\"",
        "= 'a.test'",
        "= [",
        "]",
        "= {",
        "}",
        "{",
        "= 7",
        "= -1",
        "= 1e99",
        "= true",
        "= 2027-01-31",
        "\"60s\"",
        "\"webhook\"",
        "\"sqlite:x\"",
        "\"",
        "'''",
        "#",
        "\n",
        "\n",
        "\n",
        ".",
        ",",
        "é",
        "\u{202e}",
        "\u{0}",
        "\r\n",
        "\t",
    ];
    prop_oneof![4 => proptest::sample::select(WORDS).prop_map(str::to_owned), 1 => ".{0,6}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_makes_the_loader_panic(pieces in proptest::collection::vec(piece(), 0..40)) {
        let text = pieces.join(" ");
        if let Err(problems) = load_text(&text) {
            prop_assert!(problems.mistakes() > 0);
            let shown = problems.render(true) + &problems.to_string();
            prop_assert!(!shown.is_empty());
        }
    }

    #[test]
    fn no_bytes_make_the_loader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let folder = Folder::with(&[]);
        std::fs::write(folder.path("mailflow.toml"), &bytes).unwrap();
        let _ = folder.report(&[]);
    }

    #[test]
    fn no_variable_makes_the_loader_panic(name in "[A-Z0-9_]{0,20}", value in ".{0,20}") {
        let folder = Folder::with(&[("mailflow.toml", "[[clients]]\nid = \"a\"\n[server]\n")]);
        let _ = folder.report(&[(&format!("MAILFLOW__{name}"), &value)]);
    }
}

#[test]
fn nothing_in_a_report_moves_the_terminal() {
    let text = "[server]\nlisten = \"\\u001b[31m\u{9b}31m\u{202e}\" # \u{202e}\u{9b}\n\"\\u001b[2J\" = 1\n[[clients]]\nid = 'a'\nnotify = ['\u{202e}']\n";
    let report = report(text) + &load_text(text).unwrap_err().to_string();
    let odd: Vec<char> = report
        .chars()
        .filter(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c))
        .collect();
    assert!(odd.is_empty(), "{report}");
}

#[test]
fn depth_and_size_are_bounded() {
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(load_text(&deep).is_err());
    let keys = format!("{}b = 1", "a.".repeat(100_000));
    assert!(load_text(&keys).is_err());
    let folder = Folder::with(&[("mailflow.toml", &"#".repeat(9 * 1024 * 1024))]);
    assert!(folder.report(&[]).contains("larger than 8 MiB"));
}

/// A configuration with thousands of clients is read in the time of one.
#[test]
fn many_clients_are_read_in_linear_time() {
    let client = |n| format!("[[clients]]\nid = \"c{n}\"\ndomains = [\"d{n}.test\"]\nnotify = [\"n{n}\"]\n");
    let clients = (0..5_000).map(client).collect::<Vec<_>>().concat();
    let problems = load_text(&clients).unwrap_err();
    assert_eq!(problems.mistakes(), 5_000);
}

/// A line of a quarter of a mebibyte is shown where it matters only.
#[test]
fn long_lines_are_cut() {
    let long = "x".repeat(1 << 18);
    for text in [
        format!("[server]\nlisten = \"{long}\" # {long}"),
        format!("{long} = 1"),
        format!("a = 1 # {long}"),
    ] {
        let report = report(&text);
        let longest = report.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(
            longest < 500 && report.len() < 5_000,
            "{longest} {}",
            report.len()
        );
    }
}

#[test]
fn fuzzed_configurations_are_loaded_or_refused_with_a_reason() {
    let words = [
        "[[clients]]\n",
        "\n[probes.smtp]\n",
        " = ",
        "\"1s\"",
        "{ env = \"X\" }",
        "true",
        "\u{202e}",
        "[[",
        "]]",
    ];
    crate::fuzzing::feed("config", &words, |bytes| {
        let folder = Folder::with(&[]);
        std::fs::write(folder.path("mailflow.toml"), bytes).unwrap();
        let report = folder.report(&[]);
        let odd = |c: &char| c.is_control() && !['\n', '\t'].contains(c);
        assert!(
            !report.is_empty() && !report.chars().any(|c| odd(&c)),
            "{report:?}"
        );
    });
}

#[test]
fn a_text_is_no_longer_than_anybody_writes() {
    let report = report(&format!("[[clients]]\nname = \"{}\"\n", "x".repeat(4001)));
    assert!(report.contains("longer than 4000 characters"), "{report}");
}
