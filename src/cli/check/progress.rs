//! What a look is doing, while it does it: one line on the terminal, gone at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::app::look::Progress;
use crate::cli::style;
use crate::model::{ProbeKind, Subject};

/// The progress line.
pub struct Shown {
    bar: ProgressBar,
    began: BTreeMap<ProbeKind, u32>,
    running: Vec<Subject>,
}

impl Shown {
    /// A line on standard error, where that is a terminal and somebody wants it.
    pub fn new(wanted: bool) -> Self {
        use std::io::IsTerminal;
        let bar = if wanted && std::io::stderr().is_terminal() {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        } else {
            ProgressBar::hidden()
        };
        let template = if style::stderr_is_coloured() {
            "{spinner:.cyan} {wide_msg}"
        } else {
            "{spinner} {wide_msg}"
        };
        if let Ok(line) = ProgressStyle::with_template(template) {
            bar.set_style(line);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self {
            bar,
            began: BTreeMap::new(),
            running: Vec::new(),
        }
    }

    /// Something has begun or ended.
    pub fn step(&mut self, step: &Progress<'_>) {
        match step {
            Progress::Began(subject) => {
                *self.began.entry(subject.probe()).or_default() += 1;
                self.running.push((*subject).clone());
            }
            Progress::Ended(observation) => {
                self.running.retain(|subject| *subject != observation.subject);
            }
        }
        self.bar.set_message(self.words());
    }

    fn words(&self) -> String {
        let all: u32 = self.began.values().sum();
        match self.running.as_slice() {
            [] => format!("{all} looked at"),
            [one] => format!("{one} ({all} looked at)"),
            [first, rest @ ..] => format!("{first} and {} more ({all} looked at)", rest.len()),
        }
    }

    /// Takes the line away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
