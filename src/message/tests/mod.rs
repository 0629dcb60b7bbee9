//! What becomes of whole messages: each file in `tests/messages` has beside it what is to be read from it.

mod hostile;

use rstest::rstest;
use serde::Deserialize;

use super::*;

/// What a message should give; what is not named is not compared.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    kind: String,
    sort: Option<String>,
    forwarded: Option<String>,
    sender: Option<String>,
    message_id: Option<String>,
    subject: Option<String>,
    hops: Option<Vec<String>>,
    #[serde(default)]
    recipients: Vec<ExpectedRecipient>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedRecipient {
    recipient: String,
    original_recipient: Option<String>,
    action: Option<String>,
    status: Option<String>,
    reply: Option<String>,
    reporting_host: Option<String>,
    remote_host: Option<String>,
    stage: Option<String>,
    reason: Option<String>,
    code: Option<String>,
    owner: Option<String>,
    expired: Option<bool>,
    permanent: Option<bool>,
    #[serde(default)]
    no_status: bool,
    #[serde(default)]
    no_cause: bool,
}

/// Every file with what it should give.
pub(super) fn samples() -> Vec<(String, Vec<u8>, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/messages");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "eml") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let expected = std::fs::read_to_string(path.with_extension("toml")).unwrap();
            all.push((name, std::fs::read(&path).unwrap(), expected));
        }
    }
    all.sort();
    all
}

#[test]
fn every_sample_is_explained_right() {
    let mut wrong = Vec::new();
    let samples = samples();
    assert!(samples.len() > 60);
    for (name, message, expected) in &samples {
        let expected: Expected = toml::from_str(expected).unwrap_or_else(|error| panic!("{name}: {error}"));
        for message in [message.clone(), with_crlf(message)] {
            let seen = serde_json::to_value(explain(&message)).unwrap();
            wrong.extend(
                differences(&expected, &seen)
                    .into_iter()
                    .map(|what| format!("{name}: {what}")),
            );
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn with_crlf(message: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(message)
        .replace("\r\n", "\n")
        .replace('\n', "\r\n")
        .into_bytes()
}

fn differences(expected: &Expected, seen: &serde_json::Value) -> Vec<String> {
    let mut out = Vec::new();
    let mut compare = |what: &str, expected: Option<&str>, seen: &serde_json::Value| {
        if let Some(expected) = expected
            && seen.as_str() != Some(expected)
        {
            out.push(format!("{what} is {seen}, not {expected:?}"));
        }
    };
    compare("kind", Some(&expected.kind), &seen["kind"]);
    compare("sort", expected.sort.as_deref(), &seen["sort"]);
    compare("forwarded", expected.forwarded.as_deref(), &seen["forwarded"]);
    compare("sender", expected.sender.as_deref(), &seen["sender"]);
    compare("message_id", expected.message_id.as_deref(), &seen["message_id"]);
    compare("subject", expected.subject.as_deref(), &seen["subject"]);
    let empty = Vec::new();
    let recipients = seen["recipients"].as_array().unwrap_or(&empty);
    for (index, own) in expected.recipients.iter().enumerate() {
        let Some(seen) = recipients.get(index) else {
            continue;
        };
        compare("recipient", Some(&own.recipient), &seen["recipient"]);
        compare(
            "original",
            own.original_recipient.as_deref(),
            &seen["original_recipient"],
        );
        compare("action", own.action.as_deref(), &seen["action"]);
        compare("status", own.status.as_deref(), &seen["status"]);
        compare("reply", own.reply.as_deref(), &seen["reply"]);
        compare(
            "reporting",
            own.reporting_host.as_deref(),
            &seen["reporting_host"],
        );
        compare("remote", own.remote_host.as_deref(), &seen["remote_host"]);
        compare("stage", own.stage.as_deref(), &seen["hop"]["stage"]);
        compare("reason", own.reason.as_deref(), &seen["reason"]);
        compare("code", own.code.as_deref(), &seen["cause"]["code"]);
        compare("owner", own.owner.as_deref(), &seen["cause"]["owner"]);
    }
    for (own, seen) in expected.recipients.iter().zip(recipients) {
        if own.no_status && !seen["status"].is_null() {
            out.push(format!("status is {}, though none is given", seen["status"]));
        }
        if own.no_cause && !seen["cause"].is_null() {
            out.push(format!(
                "cause is {}, though none is given",
                seen["cause"]["code"]
            ));
        }
        for (what, own) in [("expired", own.expired), ("permanent", own.permanent)] {
            if own.is_some() && seen[what].as_bool() != own {
                out.push(format!("{what} is {}", seen[what]));
            }
        }
    }
    if recipients.len() != expected.recipients.len() {
        out.push(format!(
            "{} recipients: {:?}",
            recipients.len(),
            recipients.iter().map(|one| &one["recipient"]).collect::<Vec<_>>()
        ));
    }
    if let Some(hops) = &expected.hops
        && seen["hops"] != serde_json::json!(hops)
    {
        out.push(format!("hops are {}", seen["hops"]));
    }
    out
}

#[rstest]
#[case(
    "554 5.7.1 <a@b.test>: Recipient address rejected: Access denied",
    Some(Reason::Policy)
)]
#[case(
    "554 <a@b.test>: Recipient address rejected: Access denied",
    Some(Reason::Policy)
)]
#[case(
    "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [x.prod.protection.outlook.com]",
    Some(Reason::UserUnknown)
)]
#[case(
    "550 5.1.1 <a@b.test>: Recipient address rejected: User unknown in virtual mailbox table",
    Some(Reason::UserUnknown)
)]
#[case("550 Domain of recipient not found", Some(Reason::DomainNotFound))]
#[case(
    "554 5.7.1 <canary>: SASL login name rejected: This account is blocked: it has sent spam",
    Some(Reason::AccountBlocked)
)]
#[case("451 Sender rate overlimit - 12.5 / 1h", Some(Reason::RateLimited))]
#[case("550 198.51.100.10 is listed at bl.test", Some(Reason::Blocklisted))]
#[case(
    "553 5.7.1 <a@b.test>: Sender address rejected: not owned by user c",
    Some(Reason::SenderRefused)
)]
fn what_a_reply_means(#[case] line: &str, #[case] expected: Option<Reason>) {
    let (code, text) = line.split_once(' ').unwrap();
    let reply = Reply {
        code: code.parse().unwrap(),
        enhanced: None,
        lines: vec![text.to_owned()],
    };
    assert_eq!(meaning(&reply, Stage::Rcpt), expected, "{line}");
}
