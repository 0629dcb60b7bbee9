//! The rooms of the house and the doors between them: which module may use which, read from the source.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each room with those that it may use, from the ground up: nobody uses a room that comes later.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("net", &["model"]),
    // Bytes in, explanation out.
    ("message", &["model"]),
    ("config", &["model"]),
    // What happened is told in the vocabulary alone, so that nobody who shows it needs to know who found out.
    ("snapshot", &["model"]),
    ("inventory", &["config", "model"]),
    // Subjects are enough: what a probe of one does is not known here.
    ("schedule", &["model"]),
    // Of `net` only the default routes, which are evidence like any other; of `config` how a probe is set.
    ("picture", &["config", "inventory", "model", "net"]),
    // Of `message` what a server means by its words.
    (
        "diagnosis",
        &["config", "inventory", "message", "model", "picture"],
    ),
    ("message", &["model"]),
    // Of `message` what a canary is made of and known by.
    ("probe", &["message", "model", "net"]),
    // Of `probe` only what a probe is told, of `net` the default routes: it starts nothing itself.
    (
        "monitor",
        &[
            "config",
            "diagnosis",
            "inventory",
            "model",
            "net",
            "picture",
            "probe",
            "schedule",
            "snapshot",
        ],
    ),
    ("incident", &["model"]),
    ("store", &["model"]),
    // What it counts is part of the snapshot; the lifecycle decides when somebody is to be told.
    ("notify", &["incident", "model", "snapshot"]),
    ("surface", &["message", "model", "snapshot"]),
    // The only wiring: it knows everybody but the command line.
    (
        "app",
        &[
            "config",
            "incident",
            "inventory",
            "model",
            "monitor",
            "net",
            "notify",
            "picture",
            "probe",
            "snapshot",
            "store",
            "surface",
        ],
    ),
    // A made-up world around the daemon's own wiring: of `net` the port that it implements, of `store` the past.
    ("demo", &["app", "config", "model", "net", "store"]),
    // `check` is a wiring of its own: it settles a configuration, looks once and shows it. Of `surface` it takes the
    // words for times and numbers, so that a terminal says them as the page does.
    (
        "cli",
        &[
            "app",
            "config",
            "demo",
            "diagnosis",
            "inventory",
            "message",
            "model",
            "monitor",
            "net",
            "picture",
            "store",
            "surface",
        ],
    ),
];

/// Rooms that neither wait nor look at a clock: time and evidence are handed in.
const PURE: &[&str] = &[
    "model",
    "message",
    "snapshot",
    "inventory",
    "schedule",
    "picture",
    "diagnosis",
    "monitor",
    "incident",
];

/// What makes a room impure.
const IMPURE: &[&str] = &[
    "tokio",
    "async fn",
    "async move",
    ".await",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
];

/// One line of production code.
struct Line {
    place: String,
    /// The module that it stands in, from the crate's root.
    module: Vec<String>,
    text: String,
}

impl Line {
    fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    /// The rooms that this line names: by `crate::`, or by climbing up with `super::`.
    fn names(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (at, _) in self.text.match_indices("crate::") {
            found.extend(first_names(&self.text[at + "crate::".len()..]));
        }
        let climb = "super::".repeat(self.module.len().max(1));
        for (at, _) in self.text.match_indices(&climb) {
            // The end of a longer climb is none of its own.
            if !self.text[..at].ends_with("super::") {
                found.extend(first_names(&self.text[at + climb.len()..]));
            }
        }
        found
    }
}

/// The first name of a path, or of each path within braces.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|one| one.is_alphanumeric() || *one == '_')
            .collect()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut depth = 0;
    let parts = group.split(|one| {
        match one {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        one == ',' && depth == 0
    });
    parts.map(name).filter(|part| !part.is_empty()).collect()
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a file declares for tests only: `#[cfg(test)]` before `mod NAME;`.
fn only_tested(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line.starts_with("#[cfg(test)]") {
            let declared = lines.find(|line| !line.starts_with("#[") && !line.starts_with("//"));
            let name = declared
                .and_then(|line| line.split("mod ").nth(1))
                .and_then(|rest| rest.split([';', ' ']).next());
            names.extend(name.map(str::to_owned));
        }
    }
    names
}

fn module_of(path: &Path) -> Vec<String> {
    let relative = path.strip_prefix(source()).unwrap().with_extension("");
    let mut module: Vec<String> = relative
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// All lines of production code: no comments, nothing that only tests see.
fn production() -> Vec<Line> {
    let mut paths = Vec::new();
    files(&source(), &mut paths);
    let texts: BTreeMap<Vec<String>, (PathBuf, String)> = paths
        .into_iter()
        .map(|path| {
            (
                module_of(&path),
                (path.clone(), std::fs::read_to_string(&path).unwrap()),
            )
        })
        .collect();
    let mut hidden: BTreeSet<Vec<String>> = BTreeSet::new();
    for (module, (path, text)) in &texts {
        let root = path.parent() == Some(&source()) && ["lib", "main"].contains(&module[0].as_str());
        let above = if root { &[][..] } else { &module[..] };
        hidden.extend(
            only_tested(text)
                .into_iter()
                .map(|name| [above, &[name]].concat()),
        );
        // `#[path]` may call a file of tests by another name.
        if module
            .last()
            .is_some_and(|name| name == "tests" || name.ends_with("_tests"))
        {
            hidden.insert(module.clone());
        }
    }
    let mut lines = Vec::new();
    for (module, (path, text)) in &texts {
        if (1..=module.len()).any(|depth| hidden.contains(&module[..depth])) {
            continue;
        }
        let place = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display();
        for (number, text) in text.lines().enumerate() {
            // By our own habit, tests within a file stand at its end.
            if text == "mod tests {" {
                break;
            }
            if !text.trim_start().starts_with("//") {
                let place = format!("{place}:{}", number + 1);
                lines.push(Line {
                    place,
                    module: module.clone(),
                    text: text.to_owned(),
                });
            }
        }
    }
    lines
}

fn allowed(room: &str) -> Option<&'static [&'static str]> {
    ROOMS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, allowed)| *allowed)
}

#[test]
fn every_room_uses_only_what_it_may() {
    let mut forbidden = Vec::new();
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    for line in production() {
        let room = line.room();
        if ["lib", "main"].contains(&room) {
            continue;
        }
        let Some(allowed) = allowed(room) else {
            panic!("{}: the room {room} is not in the table", line.place);
        };
        for name in line.names() {
            if name == room || self::allowed(&name).is_none() {
                continue;
            }
            if !allowed.contains(&name.as_str()) {
                forbidden.push(format!(
                    "{}: {room} uses {name}: {}",
                    line.place,
                    line.text.trim()
                ));
            }
            used.insert((room.to_owned(), name));
        }
    }
    assert!(
        forbidden.is_empty(),
        "doors that must stay shut:\n{}",
        forbidden.join("\n")
    );
    for (room, allowed) in ROOMS {
        for name in *allowed {
            let edge = ((*room).to_owned(), (*name).to_owned());
            assert!(
                used.contains(&edge),
                "{room} no longer uses {name}: take it out of the table"
            );
        }
    }
}

#[test]
fn nobody_uses_a_room_above() {
    let mut below: Vec<&str> = Vec::new();
    for (room, allowed) in ROOMS {
        for name in *allowed {
            assert!(below.contains(name), "{room} uses {name}, which stands above it");
        }
        below.push(room);
    }
}

#[test]
fn pure_rooms_neither_wait_nor_look_at_a_clock() {
    let mut found = Vec::new();
    for line in production() {
        if PURE.contains(&line.room()) {
            let words = IMPURE.iter().filter(|word| holds_word(&line.text, word));
            found.extend(words.map(|word| format!("{}: {word}: {}", line.place, line.text.trim())));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Whether `text` holds `word`, not as a part of a longer one.
fn holds_word(text: &str, word: &str) -> bool {
    let part = |one: Option<char>| one.is_some_and(|one| one.is_alphanumeric() || one == '_');
    text.match_indices(word)
        .any(|(at, _)| !part(text[..at].chars().next_back()) && !part(text[at + word.len()..].chars().next()))
}

#[test]
fn the_reader_sees_what_it_should() {
    let line = |module: &[&str], text: &str| Line {
        place: String::new(),
        module: module.iter().map(|part| (*part).to_owned()).collect(),
        text: text.to_owned(),
    };
    let names = |module: &[&str], text: &str| line(module, text).names();
    assert_eq!(names(&["net"], "use crate::model::{A, B};"), ["model"]);
    assert_eq!(
        names(&["net"], "use crate::{model::{A, B}, config};"),
        ["model", "config"]
    );
    assert_eq!(
        names(&["net", "dns"], "fn a() -> super::super::probe::Task {"),
        ["probe"]
    );
    assert_eq!(names(&["net", "dns"], "use super::Routes;"), Vec::<String>::new());
    assert_eq!(names(&["net"], "use super::probe::Task;"), ["probe"]);
    assert!(holds_word("let at = Instant::now();", "Instant") && !holds_word("an_Instant_", "Instant"));
    let declared = "#[cfg(test)]\nmod tests;\nmod real;\n#[cfg(test)]\npub(crate) mod fixtures;";
    assert_eq!(only_tested(declared), ["tests", "fixtures"]);
    let read = |start: &str| production().iter().any(|line| line.place.starts_with(start));
    assert!(read("src/net/fake.rs:") && read("src/diagnosis/mod.rs:"));
    assert!(!read("src/probe/fixtures.rs:") && !read("src/monitor/tests/sim.rs:"));
}
