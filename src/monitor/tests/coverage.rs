//! Every cause is found somewhere, and none is taken for another: the cases here and the lab's scenarios together.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::case::{CASES, Case};
use crate::model::Code;

/// What nothing is watched for: only a bounce tells it, be it that of a canary, or a failing notifier, source or store, and these are tried
/// in rooms of their own. A code that has a case or a scenario must leave this list.
const NOT_FOUND_BY_WATCHING: &[&str] = &[
    "vantage.source-unreadable",
    "vantage.store-unwritable",
    "smtp.system-error",
    "sender.address-refused",
    "message.",
    "routing.",
    "queue.",
    "notifier.",
];

fn is_not_found_by_watching(code: Code) -> bool {
    let matches = |name: &&str| match name.strip_suffix('.') {
        Some(layer) => code.layer() == layer,
        None => code.as_str() == *name,
    };
    NOT_FOUND_BY_WATCHING.iter().any(matches)
}

fn cases() -> Vec<Case> {
    Case::folders()
        .iter()
        .flat_map(|folder| Case::all_of(folder))
        .collect()
}

/// The codes that scenarios of the lab expect of domains and gateways, as causes or as warnings beside them.
fn found_in_the_lab() -> BTreeSet<Code> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/scenarios");
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let scenario: toml::Value = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            collect(&scenario, &mut found);
        }
    }
    found
}

/// What stands under `code` and `also`, wherever a scenario has tables that are expected to hold.
fn collect(value: &toml::Value, found: &mut BTreeSet<Code>) {
    let code = |value: &toml::Value| value.as_str().and_then(|text| text.parse::<Code>().ok());
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                match (key.as_str(), value) {
                    ("code", value) => found.extend(code(value)),
                    ("also", toml::Value::Array(codes)) => found.extend(codes.iter().filter_map(code)),
                    // What may happen need not.
                    ("maybe" | "via", _) => {}
                    (_, value) => collect(value, found),
                }
            }
        }
        toml::Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

#[test]
fn every_code_is_found_by_real_servers_or_it_is_said_why_not() {
    let lab = found_in_the_lab();
    let cases = cases();
    let found: BTreeSet<Code> = cases.iter().filter_map(|case| case.finds).collect();
    let said: BTreeSet<Code> = cases
        .iter()
        .filter(|case| case.why_not_lab.is_some())
        .filter_map(|case| case.finds)
        .collect();
    let mut wrong = Vec::new();
    for code in Code::ALL.iter().copied() {
        let exempt = is_not_found_by_watching(code);
        if exempt && (found.contains(&code) || lab.contains(&code)) {
            wrong.push(format!("{code} is found: take it off NOT_FOUND_BY_WATCHING"));
        }
        if !exempt && !found.contains(&code) {
            wrong.push(format!("{code} has no case that finds it"));
        }
        if !exempt && !lab.contains(&code) && !said.contains(&code) {
            wrong.push(format!(
                "{code} has no scenario in the lab, nor a case that says `why_not_lab`"
            ));
        }
        if lab.contains(&code) && said.contains(&code) {
            wrong.push(format!(
                "{code} has a scenario in the lab: `why_not_lab` of its cases is not true"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Codes that are easily taken for each other.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pairs {
    group: Vec<Group>,
    one_way: Vec<OneWay>,
}

/// Codes of which each is easily taken for each other one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    /// What they have in common.
    why: String,
    codes: Vec<Code>,
}

/// A code that is easily taken for another, which is never taken for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OneWay {
    /// Why never the other way round.
    why: String,
    code: Code,
    instead_of: Code,
}

impl Pairs {
    /// Each pair: what must be found, instead of what, and why.
    fn all(&self) -> Vec<(Code, Code, &str)> {
        let mut pairs = Vec::new();
        for group in &self.group {
            for code in &group.codes {
                let others = group.codes.iter().filter(|other| *other != code);
                pairs.extend(others.map(|other| (*code, *other, group.why.as_str())));
            }
        }
        let one_way = self.one_way.iter();
        pairs.extend(one_way.map(|pair| (pair.code, pair.instead_of, pair.why.as_str())));
        pairs
    }
}

#[test]
fn of_two_codes_that_look_alike_each_is_found_instead_of_the_other() {
    let path = Path::new(CASES).with_file_name("pairs.toml");
    let pairs: Pairs = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut told: BTreeSet<(Code, Code)> = BTreeSet::new();
    for case in cases() {
        let codes: BTreeSet<Code> = case.expects().collect();
        let others = case.instead_of.keys();
        told.extend(others.flat_map(|other| codes.iter().map(move |code| (*code, *other))));
    }
    let all = pairs.all().into_iter();
    let missing = all.filter(|(code, other, _)| !told.contains(&(*code, *other)));
    let wrong: Vec<String> = missing
        .map(|(code, other, why)| format!("no case finds {code} instead of {other} ({why})"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_says_in_one_line_what_it_is_about() {
    for case in cases() {
        assert!(
            !case.title.is_empty() && !case.title.ends_with('.'),
            "{}",
            case.name
        );
        let empty = case.instead_of.iter().find(|(_, why)| why.is_empty());
        assert_eq!(empty, None, "{}", case.name);
    }
}
