use super::*;
use crate::config;

const CONFIG: &str = r#"
[[clients]]
name = "ACME"
domains = [{ name = "acme.test", expect_mx = ["mx.elsewhere.test"] }]
[[clients.gateways]]
name = "hq-router"
address = "198.51.100.1"
networks = ["198.51.100.0/26"]
checks = ["ping"]
[[notifiers]]
name = "mail"
type = "email"
server = "mx.elsewhere.test:25"
tls = "none"
from = "mailflow@msp.test"
to = ["boss@acme.test"]
fallback = "hook"
[[notifiers]]
name = "hook"
type = "webhook"
url = "https://tickets.msp.test/hook"
[[notifiers]]
name = "local"
type = "webhook"
url = "http://127.0.0.1:9/hook"
"#;

fn ways() -> Ways {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mailflow.toml");
    std::fs::write(&path, CONFIG).unwrap();
    let config = config::load(Some(&path), std::iter::empty()).unwrap().config;
    let inventory = Inventory::new(&config, &Surroundings::default());
    Ways::new(&config, Arc::new(inventory))
}

fn shown(ways: &BTreeMap<Arc<str>, Way>) -> String {
    let line = |(name, way): (&Arc<str>, &Way)| {
        let on: Vec<&str> = way.stands_on.iter().map(|(_, how)| how.as_str()).collect();
        format!("{name}: {}.\n", on.join("; "))
    };
    ways.iter().map(line).collect()
}

#[test]
fn what_the_configuration_shows() {
    insta::assert_snapshot!(shown(&ways().all(&Resolved::new())), @"
    hook: its messages leave over our own line.
    local: .
    mail: its recipients are in acme.test; its server mx.elsewhere.test belongs to acme.test; its messages leave over our own line; it sends over our port 25.
    ");
}

#[test]
fn what_dns_shows_besides() {
    let ways = ways();
    let names: Vec<String> = ways.names().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["mx.elsewhere.test", "tickets.msp.test"]);
    let tickets = DomainName::parse("tickets.msp.test").unwrap();
    let to = |addresses: &[&str]| {
        let addresses = addresses.iter().map(|one| one.parse().unwrap()).collect();
        let all = ways.all(&Resolved::from([(tickets.clone(), addresses)]));
        all["hook"]
            .stands_on
            .iter()
            .map(|(_, how)| how.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        to(&["198.51.100.7"])[0],
        "its server tickets.msp.test lies behind hq-router (198.51.100.1)"
    );
    assert_eq!(
        to(&["198.51.100.7", "203.0.113.7"]).len(),
        1,
        "there is another way in"
    );
}
