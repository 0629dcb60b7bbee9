//! What people write, and what they are told.

mod example;
mod hostile;
mod layering;
mod logins;
mod messages;
mod notifiers;
mod secrets;
mod typed;
mod values;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::load::{Loaded, load_first};
use super::problem::Problems;

/// A folder with configuration files that is gone with the test.
struct Folder(TempDir);

impl Folder {
    /// `files` are names and texts; a name may lie in a subfolder.
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = folder.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, env: &[(&str, &str)]) -> Result<Loaded, Problems> {
        let env = env
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        load_first(Some(&self.path("mailflow.toml")), &[], env)
    }

    /// What `config check` prints, with this folder's own path left out.
    fn report(&self, env: &[(&str, &str)]) -> String {
        let mut out = Vec::new();
        super::check::report(&self.load(env), &mut out, false).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// Loads one text, without any variables.
fn load_text(text: &str) -> Result<Loaded, Problems> {
    Folder::with(&[("mailflow.toml", text)]).load(&[])
}

/// What `config check` prints about one text.
fn report(text: &str) -> String {
    Folder::with(&[("mailflow.toml", text)]).report(&[])
}

/// Each mistake in one text, without its source: "line:column message (help)".
fn mistakes(text: &str) -> Vec<String> {
    let problems = load_text(text).expect_err("there are mistakes");
    problems
        .list()
        .iter()
        .filter(|problem| problem.level == super::Level::Error)
        .map(|problem| {
            let (line, column) = problem.place.line_and_column().unwrap_or_default();
            let help = problem
                .help
                .as_ref()
                .map(|help| format!(" ({help})"))
                .unwrap_or_default();
            format!("{line}:{column} {}{help}", problem.message)
        })
        .collect()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
