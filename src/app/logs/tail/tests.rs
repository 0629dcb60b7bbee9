use std::io::Write as _;

use tempfile::TempDir;

use super::*;

struct Written {
    dir: TempDir,
}

impl Written {
    fn new(text: &str) -> Self {
        let written = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        std::fs::write(written.path(), text).unwrap();
        written
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("mail.log")
    }

    fn add(&self, text: &str) {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(self.path())
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self) {
        std::fs::rename(self.path(), self.dir.path().join("mail.log.1")).unwrap();
    }
}

/// All lines that are there now, over as many looks as it takes.
fn lines(tail: &mut Tail) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..4 {
        let chunk = tail.read().unwrap();
        all.extend(
            chunk
                .lines
                .into_iter()
                .map(|line| String::from_utf8(line).unwrap()),
        );
    }
    all
}

#[test]
fn reading_begins_at_the_end_and_goes_on_line_by_line() {
    let log = Written::new("old\n");
    let mut tail = Tail::new(&log.path(), None);
    assert_eq!(lines(&mut tail), [""; 0]);
    log.add("one\ntw");
    assert_eq!(lines(&mut tail), ["one"]);
    log.add("o\n");
    assert_eq!(lines(&mut tail), ["two"]);
}

#[test]
fn a_renamed_log_is_read_to_its_end_before_the_new_one() {
    let log = Written::new("");
    let mut tail = Tail::new(&log.path(), None);
    lines(&mut tail);
    log.add("last\n");
    log.rename();
    log.add("first\n");
    assert_eq!(lines(&mut tail), ["last", "first"]);
}

#[test]
fn a_log_that_is_emptied_is_read_from_its_start() {
    let log = Written::new("a long line that is there\n");
    let mut tail = Tail::new(&log.path(), None);
    lines(&mut tail);
    std::fs::write(log.path(), "new\n").unwrap();
    assert_eq!(lines(&mut tail), ["new"]);
}

#[test]
fn a_restart_goes_on_where_we_were() {
    let log = Written::new("");
    let mut tail = Tail::new(&log.path(), None);
    lines(&mut tail);
    log.add("read\nhal");
    assert_eq!(lines(&mut tail), ["read"]);
    let place = tail.place();
    log.add("f\n");
    let mut tail = Tail::new(&log.path(), place);
    assert_eq!(lines(&mut tail), ["half"]);
    let place = tail.place();
    log.add("rest\n");
    log.rename();
    log.add("new\n");
    let mut tail = Tail::new(&log.path(), place);
    assert_eq!(lines(&mut tail), ["rest", "new"], "renamed meanwhile");
}

#[test]
fn what_is_no_line_is_left_out() {
    let log = Written::new("");
    let mut tail = Tail::new(&log.path(), None);
    lines(&mut tail);
    log.add(&"x".repeat(3 * LONGEST_LINE));
    log.add("\nshort\n");
    assert_eq!(lines(&mut tail), ["short"]);
}

#[test]
fn what_is_no_file_is_an_error_and_comes_back() {
    let log = Written::new("");
    let mut tail = Tail::new(&log.path(), None);
    lines(&mut tail);
    std::fs::remove_file(log.path()).unwrap();
    assert_eq!(tail.read().unwrap_err().kind(), io::ErrorKind::NotFound);
    log.add("back\n");
    assert_eq!(lines(&mut tail), ["back"]);
    let mut folder = Tail::new(log.dir.path(), None);
    assert_eq!(folder.read().unwrap_err().to_string(), "this is no plain file");
}
