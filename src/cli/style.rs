//! Colours that mean something, and only on a terminal: green flows, yellow is degraded, red is broken, magenta is
//! unknown. `NO_COLOR` is honoured (no-color.org).

use std::ffi::OsStr;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Reset, Style};

use crate::model::{Severity, State};

/// Something wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Beside the point.
pub const FAINT: Style = Style::new().dimmed();
/// What to read first.
pub const STRONG: Style = Style::new().bold();

fn wanted() -> bool {
    let variable = |name| std::env::var_os(name);
    allowed(variable("NO_COLOR").as_deref(), variable("TERM").as_deref())
}

/// Whether the environment leaves us our colours.
fn allowed(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

/// Whether standard output shows colours.
pub fn stdout_is_coloured() -> bool {
    wanted() && std::io::stdout().is_terminal()
}

/// Whether standard error shows colours.
pub fn stderr_is_coloured() -> bool {
    wanted() && std::io::stderr().is_terminal()
}

/// A style on standard error, empty where it shows none.
pub fn on_stderr(style: Style) -> String {
    if stderr_is_coloured() {
        style.render().to_string()
    } else {
        String::new()
    }
}

/// The end of a style on standard error.
pub fn on_stderr_reset() -> String {
    if stderr_is_coloured() {
        Reset.render().to_string()
    } else {
        String::new()
    }
}

/// The style of a state.
pub fn of_state(state: State) -> Style {
    match state {
        State::Flowing => AnsiColor::Green.on_default(),
        State::Degraded => AnsiColor::Yellow.on_default(),
        State::Broken => AnsiColor::Red.on_default().bold(),
        State::Unknown => AnsiColor::Magenta.on_default(),
    }
}

/// The style of a severity.
pub fn of_severity(severity: Severity) -> Style {
    match severity {
        Severity::Critical => of_state(State::Broken),
        Severity::Warning => of_state(State::Degraded),
        Severity::Info => FAINT,
    }
}

/// A text in a style, where colours are wanted.
pub fn paint(text: &str, style: Style, coloured: bool) -> String {
    if coloured {
        format!("{}{text}{}", style.render(), style.render_reset())
    } else {
        text.to_owned()
    }
}

/// How wide paragraphs may be: the terminal, at most 100 columns, which is as far as an eye finds back.
pub fn width() -> usize {
    columns().min(100)
}

/// How wide tables may be: the terminal, at least 40 and at most 160 columns; 80 where there is none.
pub fn columns() -> usize {
    let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let variable = || {
        std::env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok())
    };
    terminal.or_else(variable).unwrap_or(80).clamp(40, 160)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_can_be_refused() {
        let allowed = |no_color: Option<&str>, term: Option<&str>| {
            allowed(no_color.map(OsStr::new), term.map(OsStr::new))
        };
        assert!(allowed(None, None) && allowed(None, Some("xterm")));
        assert!(
            allowed(Some(""), Some("xterm")),
            "empty means not set (no-color.org)"
        );
        assert!(!allowed(Some("1"), Some("xterm")) && !allowed(Some("0"), None));
        assert!(!allowed(None, Some("dumb")));
    }
}
