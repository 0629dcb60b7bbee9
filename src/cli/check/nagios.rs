//! The output of a Nagios plugin: a status line, performance data behind a bar, one line a domain after it.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{State, Verdict};

/// A status line with performance data.
pub fn render(verdicts: &[Arc<Verdict>]) -> String {
    let worst = verdicts
        .iter()
        .map(|verdict| verdict.state)
        .max_by_key(|state| state.urgency());
    let word = match worst.unwrap_or(State::Unknown) {
        State::Flowing => "OK",
        State::Degraded => "WARNING",
        State::Broken => "CRITICAL",
        State::Unknown => "UNKNOWN",
    };
    let first = verdicts.iter().max_by_key(|verdict| verdict.state.urgency());
    let mut out = format!("MAILFLOW {word}");
    if let Some(verdict) = first {
        let _ = write!(out, " - {}", safe(&line(verdict)));
    }
    let count = |state: State| verdicts.iter().filter(|verdict| verdict.state == state).count();
    let _ = write!(out, " |");
    for state in State::ALL {
        let _ = write!(out, " {state}={}", count(state));
    }
    for verdict in verdicts {
        if let Some(seconds) = slowest(verdict) {
            let _ = write!(out, " '{}'={seconds:.3}s", safe(&verdict.target.to_string()));
        }
    }
    out.push('\n');
    if verdicts.len() > 1 {
        for verdict in verdicts {
            let _ = writeln!(out, "{}", safe(&line(verdict)));
        }
    }
    out
}

fn line(verdict: &Verdict) -> String {
    match &verdict.cause {
        None => format!("{}: {}", verdict.target, verdict.state),
        Some(cause) => format!(
            "{}: {}, {} ({}): {}",
            verdict.target,
            verdict.state,
            cause.code.entry().title,
            cause.code,
            cause.detail
        ),
    }
}

/// The slowest hop, in seconds.
fn slowest(verdict: &Verdict) -> Option<f64> {
    let elapsed = verdict.path.iter().filter_map(|hop| hop.elapsed);
    let slowest = elapsed.max()?;
    Some(Duration::from(slowest).as_secs_f64())
}

/// A bar begins performance data, and a line ends at its end: neither may come out of what others wrote.
fn safe(text: &str) -> String {
    text.replace(['|', '\n', '\r', '\''], " ")
}
