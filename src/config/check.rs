//! `mailflow config check`: every mistake at once, or what the configuration amounts to.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::load::{Loaded, load};
use super::problem::Problems;
use super::render;
use super::schema::Config;

/// The exit code when the configuration can be used.
pub const OK: u8 = 0;
/// The exit code when it has mistakes: `EX_DATAERR` of `sysexits.h`.
pub const MISTAKES: u8 = 65;

/// Checks the file at `path` (or the default one) with the variables in `env`, writes the report to `out`, and
/// says which exit code to end with.
///
/// # Errors
/// Whatever `out` fails with.
pub fn run(
    path: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
    out: &mut dyn Write,
    colour: bool,
) -> io::Result<u8> {
    report(&load(path, env), out, colour)
}

/// Writes what `loaded` amounts to, and says which exit code to end with.
///
/// # Errors
/// Whatever `out` fails with.
pub fn report(loaded: &Result<Loaded, Problems>, out: &mut dyn Write, colour: bool) -> io::Result<u8> {
    match loaded {
        Ok(loaded) => {
            out.write_all(render::problems(&loaded.warnings, colour).as_bytes())?;
            writeln!(out, "{}: {}", read_from(&loaded.files), contents(&loaded.config))?;
            let warnings = count(loaded.warnings.len(), "warning");
            writeln!(out, "no mistakes, {warnings}")?;
            Ok(OK)
        }
        Err(problems) => {
            out.write_all(problems.render(colour).as_bytes())?;
            let mistakes = count(problems.mistakes(), "mistake");
            let warnings = count(problems.list().len() - problems.mistakes(), "warning");
            writeln!(out, "{mistakes}, {warnings}")?;
            Ok(MISTAKES)
        }
    }
}

fn read_from(files: &[PathBuf]) -> String {
    let Some((main, rest)) = files.split_first() else {
        return "configuration".to_owned();
    };
    let main = render::shown_path(main);
    match rest.len() {
        0 => main,
        more => format!("{main} and {}", count(more, "included file")),
    }
}

fn contents(config: &Config) -> String {
    [
        count(config.clients.len(), "client"),
        count(config.domains().count(), "domain"),
        count(config.gateways().count(), "gateway"),
        count(config.notifiers.len(), "notifier"),
    ]
    .join(", ")
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
