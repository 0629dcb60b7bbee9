use super::*;
use crate::model::Target;
use crate::surface::sample;

fn now() -> Timestamp {
    sample::at(sample::NOW)
}

fn front(snapshot: &Snapshot, query: &str) -> String {
    let query = serde_json::from_str(query).unwrap();
    index(snapshot, &query, now()).unwrap()
}

/// Writes the pages to look at them in a browser:
/// `MAILFLOW_PAGES=/tmp/pages cargo test --lib pages_to_look_at -- --ignored`
#[test]
#[ignore = "writes files for people to look at"]
fn pages_to_look_at() {
    let folder = std::path::PathBuf::from(std::env::var("MAILFLOW_PAGES").unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    let fleet = sample::fleet();
    write("fleet.html", front(&fleet, "{}"));
    write(
        "open.html",
        front(&fleet, "{}").replacen("<details", "<details open", 1),
    );
    write("calm.html", front(&sample::calm(), "{}"));
    write("blind.html", front(&sample::blind(), "{}"));
    write("warming.html", front(&sample::warming(), "{}"));
    write("hostile.html", front(&sample::hostile(), "{}"));
    let first = fleet
        .domains
        .values()
        .find(|one| one.state == State::Broken)
        .unwrap();
    let page = domain(&fleet, first, now()).unwrap();
    write("domain.html", page.replace("<details", "<details open"));
    write(
        "incident.html",
        incident(&fleet, &fleet.open_incidents[0], now()).unwrap(),
    );
    write(
        "missing.html",
        missing(&fleet, "There is no such page.", now()).unwrap(),
    );
}
