//! The layers of a configuration, merged into one tree in which every value knows where it was written: the
//! file, what it includes, and `MAILFLOW__SECTION__KEY` variables over all of them. (Defaults lie beneath: what
//! no layer sets, the typed sections fill in.)

use std::collections::BTreeMap;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use config::{ConfigError, Environment, Map, Source, Value, ValueKind};
use toml::de::{DeTable, DeValue};

use super::problem::Draft;
use super::source::{File, Origin, Spot};

/// The most bytes that one file may have.
const MAX_FILE: u64 = 8 * 1024 * 1024;
/// The most files that one configuration may have.
const MAX_FILES: usize = 10_000;
/// What the environment's variables begin with.
const PREFIX: &str = "MAILFLOW";
/// What joins the parts of a variable's name.
const SEPARATOR: &str = "__";

/// All layers, merged.
pub(super) struct Layers {
    /// The files in the order of reading.
    pub files: Vec<File>,
    /// The merged tree; its root is a table.
    pub tree: Value,
    /// What went wrong on the way.
    pub drafts: Vec<Draft>,
}

/// Reads `path`, what it includes, and the variables in `env`.
pub(super) fn gather(path: &Path, env: &BTreeMap<String, String>) -> Layers {
    let mut gatherer = Gatherer {
        layers: Layers {
            files: Vec::new(),
            tree: Value::new(None, ValueKind::Table(Map::new())),
            drafts: Vec::new(),
        },
        known: Vec::new(),
        open: Vec::new(),
    };
    gatherer.file(path, &Spot::Whole(path.to_owned()));
    let mut layers = gatherer.layers;
    merge_environment(&mut layers, env);
    layers
}

struct Gatherer {
    layers: Layers,
    /// Real paths of the files read so far.
    known: Vec<PathBuf>,
    /// Real paths of the files whose includes are being read.
    open: Vec<PathBuf>,
}

impl Gatherer {
    /// Reads one file and then what it includes; `named_at` is where it was named.
    fn file(&mut self, path: &Path, named_at: &Spot) {
        let real = match path.canonicalize() {
            Ok(real) => real,
            Err(error) => return self.unreadable(path, named_at, &error.to_string()),
        };
        if self.open.contains(&real) {
            let message = format!("{} includes itself", super::render::shown_path(path));
            return self.layers.drafts.push(
                Draft::error(named_at.clone(), message)
                    .help("let the pattern name a folder that this file does not lie in"),
            );
        }
        if self.known.contains(&real) {
            return;
        }
        if self.known.len() >= MAX_FILES {
            return self.unreadable(path, named_at, &format!("there are more than {MAX_FILES} files"));
        }
        let bytes = match read_bounded(path) {
            Ok(bytes) => bytes,
            Err(reason) => return self.unreadable(path, named_at, &reason),
        };
        self.known.push(real.clone());
        self.open.push(real);
        self.document(path, bytes);
        self.open.pop();
    }

    fn unreadable(&mut self, path: &Path, named_at: &Spot, reason: &str) {
        let message = format!("cannot read {}: {reason}", super::render::shown_path(path));
        self.layers.drafts.push(Draft::error(named_at.clone(), message));
    }

    /// Takes in the text of one file.
    fn document(&mut self, path: &Path, bytes: Vec<u8>) {
        let number = self.layers.files.len();
        let (text, not_utf8) = match String::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(at))
            }
        };
        let mut file = File {
            path: path.to_owned(),
            text,
            broken_lines: Vec::new(),
        };
        if let Some(at) = not_utf8 {
            let replacement = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
            file.broken_lines.push(file.line_of(at));
            self.layers.files.push(file);
            let spot = Spot::text(number, &replacement);
            return self
                .layers
                .drafts
                .push(Draft::syntax(spot, "this byte is no UTF-8 text").help("save the file as UTF-8"));
        }
        let text = file.text.clone();
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in errors {
            let span = within(&text, error.span().unwrap_or(0..0));
            file.broken_lines.push(file.line_of(span.start));
            self.layers.drafts.push(Draft::syntax(
                Spot::text(number, &span),
                syntax_message(error.message()),
            ));
        }
        self.layers.files.push(file);
        // A source that is all in memory collects without fail.
        let entries = Document { file: number }.entries(table.get_ref());
        let _ = FileLayer(entries).collect_to(&mut self.layers.tree);
        for (pattern, spot) in include_patterns(number, table.get_ref()) {
            self.include(path, &pattern, &spot);
        }
    }

    /// Reads the files that `pattern`, written in the file `from`, names.
    fn include(&mut self, from: &Path, pattern: &str, spot: &Spot) {
        let folder = from.parent().unwrap_or_else(|| Path::new(""));
        let folder = glob::Pattern::escape(&folder.to_string_lossy());
        let whole = Path::new(&folder).join(pattern);
        let paths = match glob::glob(&whole.to_string_lossy()) {
            Ok(paths) => paths,
            Err(error) => {
                let message = format!("this pattern is wrong: {}", error.msg);
                return self.layers.drafts.push(Draft::error(spot.clone(), message));
            }
        };
        let mut any = false;
        for found in paths.take(MAX_FILES + 1) {
            any = true;
            match found {
                Ok(path) => self.file(&path, spot),
                Err(error) => self.unreadable(error.path(), spot, &error.error().to_string()),
            }
        }
        if !any && !pattern.contains(['*', '?', '[']) {
            self.unreadable(Path::new(pattern), spot, "there is no such file");
        }
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if metadata.is_dir() {
        return Err("this is a folder".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err("it is larger than 8 MiB".to_owned());
    }
    Ok(bytes)
}

/// A span that lies in `text`, on the borders of characters, and is not empty where that can be had.
fn within(text: &str, span: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
    start..end
}

/// The parser's message as one line.
fn syntax_message(message: &str) -> String {
    let lines: Vec<&str> = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    format!("this is no TOML: {}", lines.join(", "))
}

/// What stands in a file's `include`. Whatever is no text there is reported when the tree is read.
fn include_patterns(file: usize, table: &DeTable<'_>) -> Vec<(String, Spot)> {
    let Some(DeValue::Array(items)) = table.get("include").map(toml::Spanned::get_ref) else {
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| {
            Some((
                item.get_ref().as_str()?.to_owned(),
                Spot::text(file, &item.span()),
            ))
        })
        .collect()
}

/// Turns one file's values into those of the tree.
struct Document {
    file: usize,
}

impl Document {
    fn entries(&self, table: &DeTable<'_>) -> Map<String, Value> {
        table
            .iter()
            .map(|(key, value)| {
                let name = key.get_ref().clone().into_owned();
                (name, self.value(key.span(), value))
            })
            .collect()
    }

    fn value(&self, key: Range<usize>, value: &toml::Spanned<DeValue<'_>>) -> Value {
        let kind = match value.get_ref() {
            DeValue::String(text) => ValueKind::String(text.clone().into_owned()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => ValueKind::I64(number),
                // Far beyond any number here; the reader says so.
                Err(_) => ValueKind::I128(i128::MAX),
            },
            DeValue::Float(number) => ValueKind::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(flag) => ValueKind::Boolean(*flag),
            DeValue::Datetime(when) => ValueKind::String(when.to_string()),
            DeValue::Array(items) => {
                ValueKind::Array(items.iter().map(|item| self.value(item.span(), item)).collect())
            }
            DeValue::Table(table) => ValueKind::Table(self.entries(table)),
        };
        let origin = Origin::Text {
            file: self.file,
            key,
            value: value.span(),
        };
        Value::new(Some(&origin.encode()), kind)
    }
}

/// One file's entries as a layer over what lies below.
#[derive(Debug, Clone)]
struct FileLayer(Map<String, Value>);

impl Source for FileLayer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }

    fn collect_to(&self, tree: &mut Value) -> Result<(), ConfigError> {
        if let ValueKind::Table(entries) = &mut tree.kind {
            overlay(entries, self.0.clone());
        }
        Ok(())
    }
}

/// Lays `over` on `under`: tables are merged, lists of tables joined, everything else replaced. The merge that
/// comes with the `config` crate joins no lists, and forgets where a table was written.
fn overlay(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        let Some(old) = under.get_mut(&key) else {
            under.insert(key, value);
            continue;
        };
        match (std::mem::take(&mut old.kind), value) {
            (
                ValueKind::Table(mut below),
                Value {
                    kind: ValueKind::Table(above),
                    ..
                },
            ) => {
                overlay(&mut below, above);
                old.kind = ValueKind::Table(below);
            }
            (
                ValueKind::Array(mut below),
                Value {
                    kind: ValueKind::Array(above),
                    ..
                },
            ) if of_tables(&below) && of_tables(&above) => {
                below.extend(above);
                old.kind = ValueKind::Array(below);
            }
            (_, value) => *old = value,
        }
    }
}

fn of_tables(items: &[Value]) -> bool {
    items.iter().all(|item| matches!(item.kind, ValueKind::Table(_)))
}

/// One variable as a layer over what lies below.
#[derive(Debug, Clone)]
struct Variable {
    /// The key as a path: `server.listen`.
    key: String,
    value: Value,
}

impl Source for Variable {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(Map::from([(self.key.clone(), self.value.clone())]))
    }
}

/// Lays every variable of ours over the files, in the order of their names.
fn merge_environment(layers: &mut Layers, env: &BTreeMap<String, String>) {
    let prefix = format!("{PREFIX}{SEPARATOR}").to_ascii_lowercase();
    for (name, text) in env {
        if !name.to_ascii_lowercase().starts_with(&prefix) {
            continue;
        }
        if let Some(odd) = name.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '_') {
            let message = format!("{odd:?} cannot stand in the name of a variable");
            let name = crate::model::text::clean(name.as_bytes(), 100);
            layers.drafts.push(Draft::error(Spot::Variable(name), message));
            continue;
        }
        let origin = Origin::Variable(name.clone()).encode();
        let one = Environment::with_prefix(PREFIX)
            .prefix_separator(SEPARATOR)
            .separator(SEPARATOR)
            .ignore_empty(true)
            .source(Some(Map::from([(name.clone(), text.clone())])));
        for (key, value) in one.collect().unwrap_or_default() {
            let value = Value::new(Some(&origin), value.kind);
            // What lies in memory collects without fail.
            let _ = Variable { key, value }.collect_to(&mut layers.tree);
        }
    }
}
