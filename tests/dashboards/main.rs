//! The Grafana dashboards: written from here into `dashboards/`, and held against what is there and against the list of
//! metrics. So nobody needs this to use them, and no dashboard asks for what the daemon does not say.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod board;
mod boards;
mod metrics;
mod panel;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use metrics::Known;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Every dashboard with the name of its file.
fn written() -> Vec<(String, Value)> {
    let boards = boards::all().into_iter();
    boards
        .map(|board| (format!("mailflow-{}.json", board.name), board.json()))
        .collect()
}

/// What a dashboard asks: by panels and annotations, and by variables.
fn questions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let asked = targets.map(|target| &target["expr"]);
    let annotations = dashboard["annotations"]["list"].as_array().unwrap();
    let annotations = annotations.iter().map(|annotation| &annotation["expr"]);
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let variables = variables.iter().map(|variable| &variable["definition"]);
    asked
        .chain(annotations)
        .chain(variables)
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_dashboards_are_up_to_date() {
    let folder = folder();
    for (file, dashboard) in written() {
        let path = folder.join(&file);
        let text = format!("{dashboard:#}\n");
        if std::env::var_os("MAILFLOW_WRITE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert!(
            read(&path) == text,
            "dashboards/{file} is out of date: MAILFLOW_WRITE=1 cargo test --test dashboards"
        );
    }
    let files = std::fs::read_dir(folder).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let there: BTreeSet<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let wanted: BTreeSet<String> = written().into_iter().map(|(file, _)| file).collect();
    assert_eq!(there, wanted);
}

/// What Grafana needs of a dashboard to show it, and readers to find their way.
#[test]
fn each_dashboard_is_whole() {
    let boards = written();
    let uids: BTreeSet<&str> = boards
        .iter()
        .map(|(_, board)| board["uid"].as_str().unwrap())
        .collect();
    assert_eq!(uids.len(), board::ALL.len());
    for (file, board) in &boards {
        assert!(!board["description"].as_str().unwrap().is_empty(), "{file}");
        let links: Vec<&str> = board["links"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|link| link["url"].as_str())
            .collect();
        for url in &links {
            let known = url.strip_prefix("/d/").is_none_or(|uid| uids.contains(uid));
            assert!(known, "{file} leads to {url}");
        }
        assert_eq!(
            links.len(),
            board::ALL.len(),
            "{file}: to all others, and to the status page"
        );
        assert!(links.contains(&"${page}"), "{file}");
        let mut ids = BTreeSet::new();
        for panel in board["panels"].as_array().unwrap() {
            let title = panel["title"].as_str().unwrap();
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{file}: {title}");
            assert!(
                !panel["description"].as_str().unwrap().is_empty(),
                "{file}: {title}"
            );
            assert!(
                !panel["targets"].as_array().unwrap().is_empty(),
                "{file}: {title}"
            );
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{file}: {title}");
        }
        panels_fill_rows(file, board);
    }
}

/// No panel lies over another, and no row is wider than the page or leaves a gap.
fn panels_fill_rows(file: &str, board: &Value) {
    let mut end = (0, 0, 0);
    for panel in board["panels"].as_array().unwrap() {
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        let (x, y, bottom) = end;
        let next = if x == 24 || bottom == 0 {
            (0, bottom)
        } else {
            (x, y)
        };
        assert_eq!((at("x"), at("y")), next, "{file}: {}", panel["title"]);
        end = (at("x") + at("w"), at("y"), at("y") + at("h"));
        assert!(end.0 <= 24, "{file}: {}", panel["title"]);
    }
    assert_eq!(end.0, 24, "{file}: its last row leaves a gap");
}

#[test]
fn the_dashboards_ask_for_nothing_that_is_not_said() {
    let known = Known::new();
    for (file, dashboard) in written() {
        let questions = questions(&dashboard);
        assert!(questions.len() > 5);
        for question in questions {
            known
                .check(&question)
                .unwrap_or_else(|what| panic!("{file}: {what} in {question}"));
        }
    }
}

#[test]
fn the_rules_ask_for_nothing_that_is_not_said() {
    let folder = folder().join("prometheus");
    for file in ["mailflow-self.rules.yml", "mailflow-domains.rules.yml"] {
        let text = read(&folder.join(file));
        let known = Known::new().with_records(&text);
        assert!(text.contains("- alert: "));
        known.check(&text).unwrap_or_else(|what| panic!("{file}: {what}"));
    }
}

/// A page at night is no place for guessing: every alert says what is wrong, what to do, and how loud it is.
#[test]
fn every_alert_is_whole_and_tested() {
    let folder = folder().join("prometheus");
    for kind in ["self", "domains"] {
        let text = read(&folder.join(format!("mailflow-{kind}.rules.yml")));
        let tests = read(&folder.join(format!("tests/mailflow-{kind}.test.yml")));
        let alerts: Vec<&str> = text.split("- alert: ").skip(1).collect();
        assert!(alerts.len() > 8);
        for alert in alerts {
            let name = alert.split_whitespace().next().unwrap();
            for part in ["severity: ", "summary: ", "description: ", "Do: ", "for: "] {
                assert!(alert.contains(part), "{name} has no {part}");
            }
            assert!(name.starts_with("Mailflow") && !name.contains('_'), "{name}");
            let tested = format!("alertname: {name}\n        exp_alerts:\n");
            let silent = format!("alertname: {name}\n        exp_alerts: []");
            assert!(tests.contains(&tested), "no test sees {name} fire");
            assert!(tests.contains(&silent), "no test sees {name} silent");
            let labels = alert
                .split("labels:")
                .nth(1)
                .unwrap()
                .split("annotations:")
                .next()
                .unwrap();
            assert!(
                !labels.contains("cause") && !labels.contains("code"),
                "{name}: a cause is no part of its identity"
            );
        }
    }
}
