//! What was measured, as a table on the terminal and as a dated file.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use jiff::Zoned;

/// Some measurements that belong together.
pub struct Section {
    /// What they are of.
    pub title: String,
    /// How they were made, in a sentence or two.
    pub how: String,
    /// The names of the columns.
    pub columns: Vec<&'static str>,
    /// The rows, as wide as the columns.
    pub rows: Vec<Vec<String>>,
}

/// All that was measured in one run.
pub struct Report {
    text: String,
    day: String,
}

impl Report {
    /// A report that says on which machine it is made.
    pub fn new() -> Result<Self> {
        let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
        let model = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name\t: "))
            .unwrap_or("processor unknown");
        let cores = std::thread::available_parallelism()?;
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let memory = std::fs::read_to_string("/proc/meminfo")?;
        let memory = memory
            .lines()
            .next()
            .and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        let day = Zoned::now().strftime("%Y-%m-%d").to_string();
        let text = format!(
            "# {day}\n\n{cores} cores, {model}; {} GiB; Linux {}; mailflow {}\n",
            memory.unwrap_or_default().div_ceil(1024 * 1024),
            // The version: what a distribution or a provider adds says nothing of the figures.
            kernel.trim().split('-').next().unwrap_or_default(),
            env!("CARGO_PKG_VERSION"),
        );
        print!("{text}");
        Ok(Self { text, day })
    }

    /// Prints a section, and keeps it.
    pub fn add(&mut self, section: &Section) {
        let rendered = section.render();
        print!("{rendered}");
        self.text += &rendered;
    }

    /// Writes the file of the day; what was measured earlier on that day and not again stays in it. Figures of another
    /// build than the one that is shipped are printed, and not kept.
    pub fn keep(&self) -> Result<()> {
        if !is_shipped_build()? {
            println!("\nnot kept: this is not the `dist` profile");
            return Ok(());
        }
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/results");
        std::fs::create_dir_all(&dir)?;
        let path = dir.join(format!("{}.md", self.day));
        let earlier = std::fs::read_to_string(&path).unwrap_or_default();
        let mut text = self.text.clone();
        for section in earlier.split("\n## ").skip(1) {
            let title = section.lines().next().unwrap_or_default();
            if !self.text.contains(&format!("\n## {title}\n")) {
                let _ = write!(text, "\n## {section}");
            }
        }
        std::fs::write(&path, &text)?;
        println!("\nkept in benches/results/{}.md", self.day);
        Ok(())
    }
}

/// Whether this program was built in the profile of releases, by where cargo puts it.
fn is_shipped_build() -> Result<bool> {
    let program = std::env::current_exe()?;
    Ok(program.ancestors().any(|dir| dir.ends_with("dist")))
}

impl Section {
    /// As a table of Markdown, its columns aligned.
    fn render(&self) -> String {
        let heads: Vec<String> = self.columns.iter().map(ToString::to_string).collect();
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells
                .chain([heads[column].chars().count()])
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        let line = |cells: &[String]| {
            let cells = cells
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| {
                    if column == 0 {
                        format!("{cell:<width$}")
                    } else {
                        format!("{cell:>width$}")
                    }
                });
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let mut text = format!("\n## {}\n\n{}\n\n{}", self.title, self.how, line(&heads));
        let rules = widths.iter().enumerate().map(|(column, width)| {
            if column == 0 {
                "-".repeat(*width)
            } else {
                format!("{}:", "-".repeat(width - 1))
            }
        });
        let _ = writeln!(text, "| {} |", rules.collect::<Vec<_>>().join(" | "));
        for row in &self.rows {
            text += &line(row);
        }
        text
    }
}

/// The median of some figures.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
