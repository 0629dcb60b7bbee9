//! A dashboard: variables, links, annotations and rows of panels.

use serde_json::{Value, json};

use crate::panel::{Panel, source};

/// Every dashboard, in the order of the links: the last part of its uid, and what it is called.
pub const ALL: [(&str, &str); 7] = [
    ("overview", "Overview"),
    ("client", "Client"),
    ("domain", "Domain"),
    ("gateways", "Gateways"),
    ("providers", "Providers"),
    ("canaries", "Canaries"),
    ("self", "mailflow itself"),
];

/// A variable that lists a label's values.
pub struct Variable {
    name: &'static str,
    label: &'static str,
    query: &'static str,
    many: bool,
}

impl Variable {
    /// Of which one is chosen.
    pub const fn one(name: &'static str, label: &'static str, query: &'static str) -> Self {
        Self {
            name,
            label,
            query,
            many: false,
        }
    }

    /// Of which any number is chosen, all of them at first.
    pub const fn many(name: &'static str, label: &'static str, query: &'static str) -> Self {
        Self {
            many: true,
            ..Self::one(name, label, query)
        }
    }

    fn json(&self, hidden: bool) -> Value {
        let mut variable = json!({
            "type": "query",
            "name": self.name,
            "label": self.label,
            "datasource": source(),
            "definition": self.query,
            "query": { "query": self.query, "refId": self.name, "qryType": 1 },
            "refresh": 2,
            "sort": 1,
            "hide": if hidden { 2 } else { 0 },
            "multi": self.many,
            "includeAll": self.many,
        });
        if self.many {
            variable["allValue"] = json!(".+");
            variable["current"] = json!({ "text": ["All"], "value": ["$__all"] });
        }
        variable
    }
}

/// A dashboard in the making.
pub struct Board {
    /// Its name in [`ALL`].
    pub name: &'static str,
    title: &'static str,
    description: &'static str,
    variables: Vec<Variable>,
    panels: Vec<Value>,
    y: u32,
}

impl Board {
    /// One without panels.
    pub fn new(name: &'static str, description: &'static str, variables: Vec<Variable>) -> Self {
        let title = ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(name, |(_, title)| title);
        Self {
            name,
            title,
            description,
            variables,
            panels: Vec::new(),
            y: 0,
        }
    }

    /// Panels beside each other below what is there.
    pub fn row(mut self, height: u32, panels: impl IntoIterator<Item = Panel>) -> Self {
        let mut x = 0;
        for panel in panels {
            let width = panel.width;
            self.panels
                .push(panel.placed(self.panels.len() + 1, x, self.y, height));
            x += width;
        }
        self.y += height;
        self
    }

    /// As Grafana reads it.
    pub fn json(self) -> Value {
        let mut variables = vec![json!({
            "type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus",
            "refresh": 1, "hide": 0, "multi": false, "includeAll": false,
        })];
        variables.extend(self.variables.iter().map(|variable| variable.json(false)));
        let page = Variable::one("page", "Page", "label_values(mailflow_page_info, url)");
        variables.push(page.json(true));
        json!({
            "uid": format!("mailflow-{}", self.name),
            "title": format!("mailflow / {}", self.title),
            "description": self.description,
            "tags": ["mailflow"],
            "schemaVersion": 39,
            "version": 1,
            "editable": true,
            "graphTooltip": 1,
            "fiscalYearStartMonth": 0,
            "timezone": "",
            "refresh": "30s",
            "time": { "from": "now-24h", "to": "now" },
            "timepicker": {},
            "templating": { "list": variables },
            "links": links(self.name),
            "annotations": { "list": [incidents(&self.variables)] },
            "panels": self.panels,
        })
    }
}

/// To every other dashboard and to the status page.
fn links(own: &str) -> Vec<Value> {
    let link = |title: &str, url: String, icon: &str, vars: bool| {
        json!({
            "type": "link", "title": title, "url": url, "icon": icon, "tooltip": "", "tags": [],
            "asDropdown": false, "includeVars": vars, "keepTime": vars, "targetBlank": !vars,
        })
    };
    let others = ALL.iter().filter(|(name, _)| *name != own);
    others
        .map(|(name, title)| link(title, format!("/d/mailflow-{name}"), "dashboard", true))
        .chain([link("Status page", "${page}".to_owned(), "external link", false)])
        .collect()
}

/// What went wrong and how long, over every panel with a time axis.
fn incidents(variables: &[Variable]) -> Value {
    let chosen = |name: &str| variables.iter().any(|variable| variable.name == name);
    let matchers = match (chosen("client"), chosen("domain")) {
        (true, true) => "{client=~\"$client\", domain=~\"$domain\"}",
        (true, false) => "{client=~\"$client\"}",
        _ => "",
    };
    let expr = format!("count by (client, code) (mailflow_domain_cause{matchers})");
    json!({
        "name": "Incidents",
        "datasource": source(),
        "enable": true,
        "hide": false,
        "iconColor": "red",
        "expr": expr,
        "step": "60s",
        "titleFormat": "{{client}}: {{code}}",
        "textFormat": "{{code}}",
        "tagKeys": "client,code",
        "useValueForTime": "off",
    })
}
