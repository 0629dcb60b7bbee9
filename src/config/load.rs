//! From files and variables to a checked configuration, or to everything that is wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::audit::audit;
use super::layers::{self, Layers};
use super::mask::mask;
use super::problem::{Draft, Level, Problem, Problems, SourceText};
use super::reader::{Findings, Reader};
use super::schema::{Config, StoreUrl};
use super::source::{File, Spot};

/// Where the configuration is looked for when nobody names a file, in this order.
pub const DEFAULT_PATHS: [&str; 2] = ["config/mailflow.toml", "/etc/mailflow/mailflow.toml"];

/// A configuration that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is doubtful in it.
    pub warnings: Vec<Problem>,
    /// The files that it was read from, the main one first.
    pub files: Vec<PathBuf>,
}

/// Loads the file at `path`, or the first of [`DEFAULT_PATHS`] that there is, with what it includes and with the
/// `MAILFLOW__SECTION__KEY` variables in `env`.
///
/// # Errors
/// [`Problems`] with every mistake, and with the warnings besides.
pub fn load(
    path: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Problems> {
    load_first(path, &DEFAULT_PATHS, env)
}

/// As [`load`], with other default paths.
pub(super) fn load_first(
    path: Option<&Path>,
    defaults: &[&str],
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Problems> {
    let found = path.or_else(|| defaults.iter().map(Path::new).find(|path| path.exists()));
    let Some(path) = found else {
        let message = format!(
            "there is no configuration: neither {} exists",
            defaults.join(" nor ")
        );
        let draft = Draft::error(Spot::Nowhere, message).help("name one with --config FILE");
        return Err(Problems::new(vec![draft.finish(&[])]));
    };
    let env: BTreeMap<String, String> = env.into_iter().collect();
    let Layers {
        files,
        tree,
        mut drafts,
    } = layers::gather(path, &env);
    let reader = Reader::new(&files);
    let config = reader.read::<Config>(&tree);
    let mut findings = reader.into_findings();
    findings.drafts.append(&mut drafts);
    if files.iter().all(|file| file.broken_lines.is_empty()) {
        audit(config.as_ref(), &env, &mut findings);
    }
    conclude(config, path, findings, files)
}

/// Sorts out what has been found.
fn conclude(
    config: Option<Config>,
    path: &Path,
    findings: Findings,
    files: Vec<File>,
) -> Result<Loaded, Problems> {
    let Findings {
        mut drafts, hidden, ..
    } = findings;
    drafts.retain(|draft| !follows_from_broken_line(draft, &files));
    drafts.sort_by(|a, b| (a.level, &a.spot).cmp(&(b.level, &b.spot)));
    let names: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
    let sources: Vec<Arc<SourceText>> = files
        .into_iter()
        .enumerate()
        .map(|(number, file)| {
            let spans: Vec<_> = hidden
                .iter()
                .filter(|(of, _)| *of == number)
                .map(|(_, span)| span.clone())
                .collect();
            Arc::new(SourceText::new(file.path, mask(&file.text, &spans)))
        })
        .collect();
    let problems: Vec<Problem> = drafts.into_iter().map(|draft| draft.finish(&sources)).collect();
    match config {
        Some(mut config) if problems.iter().all(|problem| problem.level == Level::Warning) => {
            place_default_store(&mut config, path);
            Ok(Loaded {
                config,
                warnings: problems,
                files: names,
            })
        }
        _ => Err(Problems::new(problems)),
    }
}

/// The store that nobody named lies beside the main file, wherever the daemon is started from.
fn place_default_store(config: &mut Config, path: &Path) {
    if config.store.url == Config::default().store.url {
        let StoreUrl::Sqlite(file) = &mut config.store.url;
        *file = path.parent().unwrap_or_else(|| Path::new("")).join(&*file);
    }
}

/// Whether a mistake lies on a line that is no TOML to begin with, and is not the message that says so.
fn follows_from_broken_line(draft: &Draft, files: &[File]) -> bool {
    let Spot::Text { file, start, .. } = draft.spot else {
        return false;
    };
    let Some(file) = files.get(file) else { return false };
    !draft.syntax && !file.broken_lines.is_empty() && file.broken_lines.contains(&file.line_of(start))
}
