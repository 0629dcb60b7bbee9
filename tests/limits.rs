//! What strangers can make us do, and where that ends: `docs/limits.md`, written from the source and from the tests that
//! show it. A limit that is not told, one of another value, or a test that is gone makes this fail.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// One limit: what it bounds, the constant that says so, and the test that shows it.
struct Limit {
    what: &'static str,
    file: &'static str,
    constant: &'static str,
    test: &'static str,
}

const fn limit(what: &'static str, file: &'static str, constant: &'static str, test: &'static str) -> Limit {
    Limit {
        what,
        file,
        constant,
        test,
    }
}

const HEAD: &str = "# Limits

What strangers send is read up to here and no further: mail servers, name servers, services, routers, senders of mail, and
whoever reaches a door of ours. Beyond a limit of time or size a dialogue ends and counts as a failure of its kind; of what is
too many or too long the rest is dropped and the start is kept. Nothing waits longer than its probe's `timeout`
(`greeting_timeout` for a server that is slow to greet, or to answer EHLO).

`tests/limits.rs` writes this page: `MAILFLOW_WRITE=1 cargo test --test limits`.
";

/// By parser and stage.
#[rustfmt::skip]
const LIMITS: &[(&str, &[Limit])] = &[
    ("SMTP", &[
        limit("bytes of a session, TLS included", "src/probe/smtp/dialogue.rs", "SESSION_MOST", "a_flood_ends_at_the_limit_of_a_session"),
        limit("bytes of a reply", "src/probe/smtp/reply.rs", "REPLY_MOST", "endless_greetings"),
        limit("lines of a reply", "src/probe/smtp/reply.rs", "LINES_MOST", "memory_is_bounded_whatever_comes"),
        limit("keywords of an EHLO", "src/probe/smtp/reply.rs", "KEYWORDS_MOST", "keywords_are_bounded"),
    ]),
    ("Anchors", &[
        limit("bytes of a reply", "src/probe/vantage.rs", "LONGEST_REPLY", "whatever_is_no_smtp_is_silence_within_bounds"),
    ]),
    ("Services (IMAP, POP3, submission)", &[
        limit("bytes of a line", "src/probe/service/lines.rs", "LONGEST_LINE", "whatever_goes_wrong_is_told_by_its_stage"),
        limit("lines of a look", "src/probe/service/lines.rs", "MOST_LINES", "whatever_goes_wrong_is_told_by_its_stage"),
    ]),
    ("DNS messages", &[
        limit("records of a section", "src/net/real/message.rs", "MOST_RECORDS", "an_answer_of_thousands_is_cut"),
        limit("extended errors", "src/net/real/message.rs", "MOST_EXTENDED", "an_answer_of_thousands_is_cut"),
        limit("characters of an extended error", "src/net/real/message.rs", "LONGEST_EXTRA_TEXT", "an_answer_of_thousands_is_cut"),
        limit("packets that are no answer to our question", "src/net/real/dns.rs", "MOST_STRANGERS", "nothing_but_strangers_is_malformed_and_many_end_the_waiting"),
    ]),
    ("DNS evidence", &[
        limit("records of an answer", "src/probe/ask.rs", "MOST_RECORDS", "records_beyond_many_are_left_out"),
        limit("addresses of name servers", "src/probe/nameserver.rs", "MOST_ADDRESSES", "numbers_are_bounded"),
        limit("questions on the way up to a DMARC record", "src/probe/policy/dmarc.rs", "MOST_QUESTIONS", "the_walk_up_is_bounded"),
        limit("terms of SPF that cost a question", "src/probe/policy/spf.rs", "MOST_LOOKUPS", "a_record_that_branches_without_end_is_given_up"),
        limit("records at a name that are kept", "src/probe/policy/mod.rs", "MOST_TEXTS", "texts_are_bounded_in_number_and_length"),
        limit("characters of a record", "src/probe/policy/mod.rs", "LONGEST_TEXT", "texts_are_bounded_in_number_and_length"),
    ]),
    ("MTA-STS policies", &[
        limit("bytes of a policy", "src/probe/policy/sts.rs", "LARGEST", "a_page_is_fetched_and_cut_at_the_limit"),
        limit("patterns of mail hosts", "src/model/policy/sts.rs", "MOST_PATTERNS", "more_patterns_than_anybody_has_are_refused"),
        limit("certificate chains whose judgement is remembered", "src/net/trust/memory.rs", "REMEMBERED", "what_is_remembered_is_bounded"),
    ]),
    ("SNMP", &[
        limit("bytes of a text", "src/net/real/snmp.rs", "LONGEST_TEXT", "a_text_is_cut"),
        limit("seconds for each question", "src/probe/snmp.rs", "PATIENCE", "a_wrong_community_is_silence_and_takes_no_long_time"),
    ]),
    ("Token endpoints (OAuth 2.0)", &[
        limit("bytes of an answer", "src/probe/canary/oauth/mod.rs", "LONGEST_ANSWER", "what_is_too_long_is_no_token"),
        limit("bytes of a token", "src/probe/canary/oauth/answer.rs", "LONGEST_TOKEN", "what_is_too_long_is_no_token"),
        limit("characters of what is said", "src/probe/canary/oauth/answer.rs", "WORDS", "any_answer_can_be_read_and_is_safe_to_show"),
        limit("characters of a word that is wrong with a token", "src/probe/canary/oauth/sasl.rs", "WORD", "any_challenge_can_be_read"),
    ]),
    ("Messages and bounces", &[
        limit("depth of parts", "src/message/mime.rs", "DEEPEST", "nothing_takes_long"),
        limit("parts", "src/message/mime.rs", "MOST_PARTS", "nothing_takes_long"),
        limit("header lines of a part", "src/message/mime.rs", "MOST_HEADERS", "nothing_takes_long"),
        limit("bytes of a header", "src/message/mime.rs", "LONGEST_HEADER", "nothing_takes_long"),
        limit("bytes of a part", "src/message/mime.rs", "LONGEST_TEXT", "nothing_takes_long"),
        limit("depth of attached messages", "src/message/mod.rs", "DEEPEST", "nothing_takes_long"),
        limit("attached messages", "src/message/mod.rs", "MOST_ATTACHED", "nothing_takes_long"),
        limit("recipients of a report", "src/message/delivery_status.rs", "MOST_RECIPIENTS", "nothing_takes_long"),
        limit("lines of a text", "src/message/text.rs", "MOST_LINES", "nothing_takes_long"),
        limit("characters of a line", "src/message/text.rs", "LONGEST_LINE", "nothing_takes_long"),
    ]),
    ("Probes", &[
        limit("probes at a time, besides those of our own side", "src/net/real/machine.rs", "MOST_PLACES", "as_many_probes_run_as_there_are_descriptors_for"),
        limit("the same where a process may have 1,024 descriptors and no more", "src/net/mod.rs", "USUAL_PLACES", "as_many_probes_run_as_there_are_descriptors_for"),
    ]),
    ("Configuration", &[
        limit("bytes of a file", "src/config/layers.rs", "MAX_FILE", "depth_and_size_are_bounded"),
        limit("characters of a text", "src/config/read.rs", "MAX_TEXT", "a_text_is_no_longer_than_anybody_writes"),
    ]),
    ("Templates", &[
        limit("depth of sections", "src/model/template/parse.rs", "DEEPEST", "sections_lie_only_so_deep"),
    ]),
    ("The HTTP server", &[
        limit("bytes of a body", "src/surface/http/guard.rs", "BODY", "a_body_is_no_longer_than_64_kib"),
        limit("connections at a time", "src/surface/http/connections.rs", "CONNECTIONS", "who_comes_when_all_places_are_taken_waits"),
        limit("event streams at a time", "src/surface/http/mod.rs", "STREAMS", "streams_are_bounded"),
        limit("scrapes that are written at a time", "src/surface/http/scrape.rs", "AT_ONCE", "metrics_are_written_as_they_are_taken_and_so_many_at_a_time"),
        limit("pieces of metrics that are written ahead", "src/surface/http/scrape.rs", "AHEAD", "metrics_are_written_as_they_are_taken_and_so_many_at_a_time"),
        limit("seconds that a piece of metrics waits to be taken", "src/surface/http/scrape.rs", "TAKEN_WITHIN", "a_piece_that_nobody_takes_ends_the_writing"),
        limit("messages that are read at a time", "src/surface/http/explain.rs", "AT_ONCE", "a_message_may_be_large_but_neither_endless_nor_empty"),
    ]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What a constant is set to, as it stands in the source.
fn value(file: &str, constant: &str) -> String {
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let line = text
        .lines()
        .find(|line| line.contains(&format!("const {constant}: ")));
    let value = line.and_then(|line| line.split_once(" = "));
    let (_, value) = value.unwrap_or_else(|| panic!("{file} has no constant {constant}"));
    value.trim_end_matches(';').replace("Duration::from_secs", "")
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (part, limits) in LIMITS {
        let _ = writeln!(
            page,
            "\n## {part}\n\n| At most | Value | Set by | Shown by |\n| --- | ---: | --- | --- |"
        );
        for limit in *limits {
            let value = value(limit.file, limit.constant);
            let _ = writeln!(
                page,
                "| {} | {value} | `{}`, `{}` | `{}` |",
                limit.what, limit.file, limit.constant, limit.test
            );
        }
    }
    page
}

const MIXED: &str = "Content-Type: multipart/mixed; boundary=b\n\n";
const REPORT: &str = "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\
    Content-Type: message/delivery-status\n\nReporting-MTA: dns; a.test\n\n";
const RECIPIENT: &str =
    "Final-Recipient: rfc822; who@b.test\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 no\n\n";

/// Shapes of messages: what they are called, how they begin, and what comes then again and again.
#[rustfmt::skip]
const SHAPES: [(&str, &str, &str); 14] = [
    ("one line", "\n", "x"),
    ("empty lines", "\n", "\n"),
    ("header fields", "", "X-A: b\n"),
    ("one folded field", "X-A: b", "\n b"),
    ("stations", "", "Received: from a.test by b.test; Thu, 26 Nov 2026 09:10:00 +0000\n"),
    ("replies", "\n", "<who@b.test>: 550 5.1.1 unknown\n"),
    ("parts", MIXED, "--b\n\nx\n"),
    ("parts within parts", MIXED, "--b\nContent-Type: multipart/mixed; boundary=b\n\n"),
    ("messages within messages", MIXED, "--b\nContent-Type: message/rfc822\n\n"),
    ("recipients of a report", REPORT, RECIPIENT),
    ("base64", "Content-Transfer-Encoding: base64\n\n", "NTUwIDUuMS4xIG5v\n"),
    ("quoted-printable", "Content-Transfer-Encoding: quoted-printable\n\n", "=35=35=30 "),
    ("HTML", "Content-Type: text/html\n\n", "<p>550 <b>no</b>&nbsp;"),
    ("UTF-16", "Content-Type: text/plain; charset=utf-16\n\n", "5\x005\x00"),
];

/// A message of `size` bytes, made in one piece: nothing is given back that could serve whoever reads it.
fn large(head: &str, piece: &str, size: usize) -> Vec<u8> {
    let mut message = Vec::with_capacity(size);
    message.extend(
        b"Return-Path: <>\nFrom: MAILER-DAEMON@a.test\nSubject: Undelivered Mail\nMIME-Version: 1.0\n",
    );
    message.extend(head.bytes());
    while message.len() + piece.len() <= size {
        message.extend(piece.bytes());
    }
    message
}

/// The most memory that this process has had since it last asked, in bytes; and how much it has.
fn memory() -> (usize, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    };
    let known = (field("VmHWM:"), field("VmRSS:"));
    // Begins to look for the most anew (proc_pid_clear_refs(5)).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    known
}

/// Whatever a message is made of, reading it takes no more than ten times its size. Each is read by a process of its own:
/// what an earlier one gave back could serve a later one.
#[test]
fn reading_a_message_takes_a_bounded_amount_of_memory() {
    const SHAPE: &str = "MAILFLOW_SHAPE";
    const SIZE: usize = 2 << 20;
    let Ok(wanted) = std::env::var(SHAPE) else {
        let own = std::env::current_exe().unwrap();
        for (shape, ..) in SHAPES {
            let mut again = std::process::Command::new(&own);
            again.args(["--exact", "reading_a_message_takes_a_bounded_amount_of_memory"]);
            let read = again.env(SHAPE, shape).output().unwrap();
            assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stdout));
        }
        return;
    };
    let (_, head, piece) = SHAPES.into_iter().find(|(shape, ..)| *shape == wanted).unwrap();
    let message = large(head, piece, SIZE);
    // What is set up once belongs to no message.
    drop(mailflow::message::explain(b"Subject: hello\n\ntext\n"));
    let (_, before) = memory();
    let explained = mailflow::message::explain(&message);
    let (most, _) = memory();
    let taken = most.saturating_sub(before);
    let recipients = explained.recipients.len();
    println!("{wanted}: {taken} bytes, {recipients} recipients");
    assert!(
        taken <= 10 * SIZE,
        "{wanted}: {taken} bytes, for a message of {}",
        message.len()
    );
    assert!(recipients <= 500, "{wanted}: {recipients} recipients");
}

#[test]
fn the_page_of_limits_is_up_to_date() {
    let path = root().join("docs/limits.md");
    if std::env::var_os("MAILFLOW_WRITE").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == page(),
        "docs/limits.md is out of date: MAILFLOW_WRITE=1 cargo test --test limits"
    );
}

#[test]
fn every_limit_is_shown_by_a_test_that_there_is() {
    let mut paths = Vec::new();
    sources(&root().join("src"), &mut paths);
    let text: String = paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let wanted: BTreeSet<&str> = LIMITS
        .iter()
        .flat_map(|(_, limits)| limits.iter().map(|limit| limit.test))
        .collect();
    let missing: Vec<&str> = wanted
        .into_iter()
        .filter(|test| !text.contains(&format!("fn {test}(")))
        .collect();
    assert!(missing.is_empty(), "tests that are gone: {missing:?}");
}
