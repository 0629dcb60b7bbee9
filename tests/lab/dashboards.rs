//! The dashboards' questions and the rules, asked of a real Prometheus while a scenario holds.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::monitor::DOMAINS;
use crate::prometheus::Prometheus;
use crate::scenario::{State, Step, Turn};
use crate::setting::{Setting, Watched};
use crate::world::World;

/// What a question may name and still find nothing, whatever the scenario: warnings come and go, and a part of nothing known
/// is nothing.
const MAY_FIND_NOTHING: [&str; 2] = ["mailflow_domain_warning", "> 0)"];
/// What only a world shows in which mail is carried; there, the rest is not asked for.
const OF_MAIL: [&str; 4] = [
    "mailflow_canar",
    "mailflow_route",
    "mailflow_mail_log",
    "mailflow_bounces",
];

/// The series hold what the scenario does, and every panel shows something.
pub fn panels(world: &World, step: &Step) -> Result<()> {
    let prometheus = Prometheus::start(world)?;
    prometheus.wait_for_scrapes()?;
    let domains = prometheus.number("sum(mailflow_domain_state)")?;
    let watched = world.setting.watched();
    let expected = watched.domains.len();
    ensure!(
        domains.round().to_string() == expected.to_string(),
        "{domains} domains are in a state, not {expected}"
    );
    holds(&prometheus, step, watched)?;
    let carries = world.setting == Setting::Post;
    let caused = step.domains.iter().any(|turn| turn.code.is_some());
    for (title, question) in questions()? {
        let series = prometheus
            .ask(&filled(&question))
            .with_context(|| format!("{title}: {question}"))?;
        let of_mail = OF_MAIL.iter().any(|part| question.contains(part));
        let may_find_nothing = of_mail != carries
            || MAY_FIND_NOTHING.iter().any(|part| question.contains(part))
            || (!caused && question.contains("mailflow_domain_cause"));
        ensure!(
            may_find_nothing || !series.is_empty(),
            "{title} finds nothing: {question}"
        );
    }
    rules_are_well(&prometheus)?;
    prometheus.must_not_complain()
}

/// The Alertmanager hears of each client once, with the causes and what to do in the text and not in the identity.
pub fn alerts(world: &World, step: &Step) -> Result<()> {
    let prometheus = Prometheus::start(world)?;
    let turn = step
        .domains
        .iter()
        .find(|turn| turn.state == State::Broken)
        .context("an alert takes a broken domain")?;
    let code = turn.code.as_deref().context("and its cause")?;
    prometheus.until(|prometheus| {
        let alerts = prometheus.alerts()?;
        let broken: Vec<&Value> = alerts
            .iter()
            .filter(|alert| alert["labels"]["alertname"] == "MailflowMailBroken")
            .collect();
        ensure!(broken.len() == 1, "{} clients, not one: {alerts:?}", broken.len());
        let (labels, text) = (&broken[0]["labels"], &broken[0]["annotations"]);
        ensure!(
            labels["severity"] == "critical" && labels["client"].is_string(),
            "{labels}"
        );
        ensure!(
            !labels.to_string().contains(code),
            "the cause is part of the identity: {labels}"
        );
        ensure!(text["cause"] == code, "{text}");
        let description = text["description"].as_str().unwrap_or_default();
        let names = turn.of(&DOMAINS);
        ensure!(
            names.iter().all(|name| description.contains(name.as_str())) && description.contains("Do: "),
            "{text}"
        );
        Ok(())
    })?;
    rules_are_well(&prometheus)
}

/// As many domains in each state, and each of those that turned with its cause, as the scenario says.
fn holds(prometheus: &Prometheus<'_>, step: &Step, watched: &Watched) -> Result<()> {
    for turn in &step.domains {
        for name in turn.of(watched.domains) {
            let is = format!(
                "max(mailflow_domain_state{{domain=\"{name}\",state=\"{}\"}})",
                turn.state.word()
            );
            must_be_one(prometheus, &is)?;
            if let Some(code) = &turn.code {
                must_be_one(
                    prometheus,
                    &format!("max(mailflow_domain_cause{{domain=\"{name}\",code=\"{code}\"}})"),
                )?;
            }
        }
    }
    for turn in &step.gateways {
        for name in turn.of(watched.gateways) {
            let state = turn.state.word();
            must_be_one(
                prometheus,
                &format!("max(mailflow_gateway_state{{gateway=\"{name}\",state=\"{state}\"}})"),
            )?;
        }
    }
    for turn in &step.canaries {
        for name in turn.of(watched.canaries) {
            let state = turn.state.word();
            must_be_one(
                prometheus,
                &format!("max(mailflow_canary_state{{canary=\"{name}\",state=\"{state}\"}})"),
            )?;
        }
    }
    for state in [State::Broken, State::Degraded, State::Unknown] {
        let turns = step.domains.iter().filter(|turn| turn.state == state);
        let expected: usize = turns.map(|turn: &Turn| turn.of(watched.domains).len()).sum();
        let shown = prometheus.number(&format!(
            "sum(mailflow_domain_state{{state=\"{}\"}})",
            state.word()
        ))?;
        ensure!(
            shown.round().to_string() == expected.to_string(),
            "{shown} domains are shown as {state:?}, not {expected}"
        );
    }
    Ok(())
}

fn must_be_one(prometheus: &Prometheus<'_>, question: &str) -> Result<()> {
    let value = prometheus.number(question)?;
    ensure!(value.round().to_string() == "1", "{question} is {value}");
    Ok(())
}

/// Each rule was evaluated, without a fault.
fn rules_are_well(prometheus: &Prometheus<'_>) -> Result<()> {
    prometheus.until(|prometheus| {
        let answer = prometheus.get("rules", &[])?;
        let groups = answer["groups"].as_array().context("no groups")?;
        ensure!(groups.len() == 4, "{} groups of rules", groups.len());
        for rule in groups
            .iter()
            .filter_map(|group| group["rules"].as_array())
            .flatten()
        {
            ensure!(rule["health"] == "ok", "{}: {}", rule["name"], rule["lastError"]);
        }
        Ok(())
    })
}

/// Every question of every dashboard, with the title of its panel.
fn questions() -> Result<Vec<(String, String)>> {
    let mut questions = Vec::new();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards"))? {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let board: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        let annotations = board["annotations"]["list"].as_array().into_iter().flatten();
        for panel in board["panels"].as_array().into_iter().flatten() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                questions.push(named(&board, &panel["title"], &target["expr"]));
            }
        }
        questions.extend(annotations.map(|one| named(&board, &one["name"], &one["expr"])));
    }
    ensure!(questions.len() > 60, "only {} questions", questions.len());
    Ok(questions)
}

fn named(board: &Value, title: &Value, question: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (
        format!("{} / {}", text(&board["title"]), text(title)),
        text(question),
    )
}

/// As Grafana asks when everything is chosen.
fn filled(question: &str) -> String {
    ["$client", "$domain", "$gateway", "$provider", "$canary"]
        .iter()
        .fold(question.to_owned(), |text, variable| text.replace(variable, ".+"))
        .replace("$__rate_interval", "15s")
        .replace("$__range", "1m")
}
