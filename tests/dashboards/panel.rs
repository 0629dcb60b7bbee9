//! A panel: what it asks Prometheus, and how the answer is drawn.

use serde_json::{Value, json};

/// Each state with its colour, by how it stands in a number: see [`STATE`].
pub const STATES: [(&str, &str); 4] = [
    ("flowing", "green"),
    ("degraded", "yellow"),
    ("unknown", "blue"),
    ("broken", "red"),
];

/// The worst state as a number: 3 broken, 2 unknown, 1 degraded, 0 flowing. `FAMILY`, `MATCH` and `BY` are filled in.
const STATE: &str = "max by (BY) (3 * FAMILY{MATCHstate=\"broken\"} or 2 * FAMILY{MATCHstate=\"unknown\"} \
    or 1 * FAMILY{MATCHstate=\"degraded\"} or 0 * FAMILY{MATCHstate=\"flowing\"})";

/// The state of `family`'s series as a number, by these labels.
pub fn state(family: &str, matchers: &str, by: &str) -> String {
    let comma = if matchers.is_empty() { "" } else { ", " };
    STATE
        .replace("BY", by)
        .replace("FAMILY", family)
        .replace("MATCH", &format!("{matchers}{comma}"))
}

/// The data source that a reader chooses.
pub fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// One panel, before it has its place.
pub struct Panel {
    json: Value,
    /// In twenty-fourths of the page.
    pub width: u32,
    instant: bool,
}

impl Panel {
    fn new(kind: &str, title: &str, description: &str, width: u32, options: Value) -> Self {
        let mut json = json!({
            "type": kind,
            "title": title,
            "description": description,
            "datasource": source(),
            "fieldConfig": { "defaults": { "custom": {} }, "overrides": [] },
            "targets": [],
        });
        json["options"] = options;
        Self {
            json,
            width,
            instant: matches!(kind, "stat" | "table"),
        }
    }

    /// One number, or a few.
    pub fn stat(title: &str, description: &str, width: u32) -> Self {
        let reduce = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
        let options = json!({
            "colorMode": "background", "graphMode": "none", "justifyMode": "auto", "orientation": "auto",
            "reduceOptions": reduce, "textMode": "auto", "percentChangeColorMode": "standard", "wideLayout": true, "showPercentChange": false,
        });
        Self::new("stat", title, description, width, options).thresholds(&[(None, "text")])
    }

    /// Lines over time.
    pub fn lines(title: &str, description: &str, width: u32) -> Self {
        let options = json!({
            "legend": { "calcs": ["lastNotNull"], "displayMode": "table", "placement": "bottom", "showLegend": true },
            "tooltip": { "mode": "multi", "sort": "desc" },
        });
        let mut panel = Self::new("timeseries", title, description, width, options);
        panel.defaults()["custom"] = json!({ "drawStyle": "line", "fillOpacity": 10, "showPoints": "never" });
        panel
    }

    /// Areas on top of each other.
    pub fn stacked(title: &str, description: &str, width: u32) -> Self {
        let mut panel = Self::lines(title, description, width);
        panel.defaults()["custom"] = json!({
            "drawStyle": "line", "fillOpacity": 60, "lineWidth": 1, "showPoints": "never",
            "stacking": { "group": "A", "mode": "normal" },
        });
        panel
    }

    /// Bars of states over time, a row for each series.
    pub fn timeline(title: &str, description: &str, width: u32) -> Self {
        let options = json!({
            "alignValue": "left", "mergeValues": true, "rowHeight": 0.85, "showValue": "never",
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
            "tooltip": { "mode": "single", "sort": "none" },
        });
        let mut panel = Self::new("state-timeline", title, description, width, options);
        panel.defaults()["custom"] = json!({ "fillOpacity": 75, "lineWidth": 0 });
        panel.states()
    }

    /// A table of what holds now; `hidden` columns are left out, `columns` renamed.
    pub fn table(
        title: &str,
        description: &str,
        width: u32,
        hidden: &[&str],
        columns: &[(&str, &str)],
    ) -> Self {
        let options = json!({ "showHeader": true, "cellHeight": "sm", "frameIndex": 0 });
        let mut panel = Self::new("table", title, description, width, options);
        let excluded: Value = ["Time", "job", "instance", "__name__"]
            .iter()
            .chain(hidden)
            .map(|name| ((*name).to_owned(), json!(true)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let renamed: Value = columns
            .iter()
            .map(|(from, to)| ((*from).to_owned(), json!(to)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let order: Value = columns
            .iter()
            .enumerate()
            .map(|(index, (from, _))| ((*from).to_owned(), json!(index)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        panel.json["transformations"] = json!([
            { "id": "merge", "options": {} },
            { "id": "organize", "options": {
                "excludeByName": excluded, "includeByName": {}, "indexByName": order, "renameByName": renamed,
            } },
        ]);
        panel.defaults()["custom"] =
            json!({ "align": "auto", "cellOptions": { "type": "auto" }, "inspect": false });
        panel
    }

    fn defaults(&mut self) -> &mut Value {
        &mut self.json["fieldConfig"]["defaults"]
    }

    /// Asks this; `legend` names its series.
    pub fn ask(mut self, expr: impl Into<String>, legend: &str) -> Self {
        let is_table = self.json["type"] == "table";
        if let Some(targets) = self.json["targets"].as_array_mut() {
            let letter = char::from(b'A' + u8::try_from(targets.len()).unwrap_or_default());
            let mut target = json!({
                "refId": letter.to_string(),
                "datasource": source(),
                "expr": expr.into(),
                "legendFormat": legend,
                "range": !self.instant,
                "instant": self.instant,
            });
            if is_table {
                target["format"] = json!("table");
            }
            targets.push(target);
        }
        self
    }

    /// The unit of its numbers, by Grafana's name for it.
    pub fn unit(mut self, unit: &str) -> Self {
        self.defaults()["unit"] = json!(unit);
        self
    }

    /// The range of its numbers.
    pub fn between(mut self, least: f64, most: f64) -> Self {
        self.defaults()["min"] = json!(least);
        self.defaults()["max"] = json!(most);
        self
    }

    /// From each of these numbers on, this colour.
    pub fn thresholds(mut self, steps: &[(Option<f64>, &str)]) -> Self {
        let steps: Vec<Value> = steps
            .iter()
            .map(|(value, color)| json!({ "value": value, "color": color }))
            .collect();
        self.defaults()["thresholds"] = json!({ "mode": "absolute", "steps": steps });
        self.defaults()["color"] = json!({ "mode": "thresholds" });
        self
    }

    /// Shows what its series are called, not their numbers.
    pub fn named(mut self) -> Self {
        self.json["options"]["textMode"] = json!("name");
        self
    }

    /// Bad as soon as it is not nothing.
    pub fn none_is_good(self, bad: &str) -> Self {
        self.thresholds(&[(None, "green"), (Some(1.0), bad)])
    }

    /// Its numbers are states.
    pub fn states(mut self) -> Self {
        self.defaults()["mappings"] = state_mappings();
        let steps: Vec<(Option<f64>, &str)> = (0_u8..)
            .zip(STATES)
            .map(|(value, (_, color))| ((value > 0).then(|| f64::from(value)), color))
            .collect();
        self.thresholds(&steps)
    }

    /// Its numbers are 1 or 0: what each is called, and its colour.
    pub fn either(mut self, yes: (&str, &str), no: (&str, &str)) -> Self {
        self.defaults()["mappings"] = json!([{ "type": "value", "options": {
            "1": { "text": yes.0, "color": yes.1, "index": 0 },
            "0": { "text": no.0, "color": no.1, "index": 1 },
        } }]);
        self
    }

    /// The series that are called like states have their colours.
    pub fn in_colours_of_states(mut self) -> Self {
        if let Some(overrides) = self.json["fieldConfig"]["overrides"].as_array_mut() {
            overrides.extend(STATES.map(|(name, color)| {
                json!({
                    "matcher": { "id": "byName", "options": name },
                    "properties": [{ "id": "color", "value": { "mode": "fixed", "fixedColor": color } }],
                })
            }));
        }
        self
    }

    /// One column's looks.
    pub fn column(mut self, name: &str, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<Value> = properties
            .iter()
            .map(|(id, value)| json!({ "id": id, "value": value }))
            .collect();
        if let Some(overrides) = self.json["fieldConfig"]["overrides"].as_array_mut() {
            overrides.push(json!({
                "matcher": { "id": "byName", "options": name }, "properties": properties,
            }));
        }
        self
    }

    /// A column of states, in words and colours.
    pub fn state_column(self, name: &str) -> Self {
        let steps: Vec<Value> = (0_u8..)
            .zip(STATES)
            .map(|(value, (_, color))| json!({ "value": (value > 0).then_some(value), "color": color }))
            .collect();
        self.column(
            name,
            &[
                ("mappings", state_mappings()),
                ("thresholds", json!({ "mode": "absolute", "steps": steps })),
                (
                    "custom.cellOptions",
                    json!({ "type": "color-background", "mode": "basic" }),
                ),
            ],
        )
    }

    /// A column whose cells lead on.
    pub fn linked_column(self, name: &str, title: &str, url: &str) -> Self {
        self.column(name, &[("links", json!([{ "title": title, "url": url }]))])
    }

    /// Sorted by this column, the greatest first or last.
    pub fn sorted(mut self, column: &str, greatest_first: bool) -> Self {
        self.json["options"]["sortBy"] = json!([{ "displayName": column, "desc": greatest_first }]);
        self
    }

    /// Its place on the board.
    pub fn placed(mut self, id: usize, x: u32, y: u32, height: u32) -> Value {
        self.json["id"] = json!(id);
        self.json["gridPos"] = json!({ "x": x, "y": y, "w": self.width, "h": height });
        self.json
    }
}

fn state_mappings() -> Value {
    let options: Value = STATES
        .iter()
        .enumerate()
        .map(|(index, (name, color))| {
            let looks = json!({ "text": name, "color": color, "index": index });
            (index.to_string(), looks)
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    json!([{ "type": "value", "options": options }])
}
