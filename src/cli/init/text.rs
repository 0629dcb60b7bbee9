//! The configuration that is printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::app::survey::Found;
use crate::model::dns::{Exchange, Lookup, MxRecord};
use crate::model::text::clean;

use super::list::Wanted;

const HEAD: &str = "\
# A configuration for mailflow, from what DNS says today. Look it through, save it as mailflow.toml, then:
#
#   mailflow config check --config mailflow.toml
#   mailflow run --config mailflow.toml
#
# Which mail servers are right is learnt from what DNS says, and a change is told; `expect_mx` fixes it instead.

[vantage]
# The name that mailflow greets with: one whose A and PTR records agree. By default this machine's own.
#helo = \"probe.msp.example\"
# Hosts that always answer: witnesses for our own line. By default those of large providers.
#anchors = [\"ping:192.0.2.200\", \"smtp:192.0.2.200:25\"]

# Who is told, and how; without one only the page says it.
#[[notifiers]]
#name = \"oncall\"
#type = \"webhook\"                 # email, alertmanager, pagerduty, slack, teams, ntfy
#url = \"https://hooks.example/oncall\"
";

const GATEWAY: &str = "\
# The router in front of it, if the mail server stands behind one:
#[[clients.gateways]]
#name = \"hq-router\"
#address = \"198.51.100.1\"
#checks = [\"ping\", \"tcp:443\"]
#contact = \"the line's provider, telephone, circuit\"
";

/// The whole of it: the clients in the order in which they first stand.
pub(super) fn render(wanted: &[Wanted], found: &[Found]) -> String {
    let mut clients: Vec<(String, Vec<&Found>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (one, found) in wanted.iter().zip(found) {
        let name = one.client.clone().unwrap_or_else(|| one.domain.to_string());
        let place = *places.entry(name.clone()).or_insert(clients.len());
        match clients.get_mut(place) {
            Some((_, domains)) => domains.push(found),
            None => clients.push((name, vec![found])),
        }
    }
    let mut out = HEAD.to_owned();
    for (name, domains) in &clients {
        let _ = write!(
            out,
            "\n[[clients]]\nname = {}\n#contact = \"whom to call there\"\n",
            quoted(name)
        );
        let own = domains
            .iter()
            .any(|found| found.provider.is_none() && takes_mail(found));
        if own {
            let _ = write!(out, "\n{GATEWAY}");
        }
        for found in domains {
            out.push('\n');
            domain(&mut out, found);
        }
    }
    out
}

fn domain(out: &mut String, found: &Found) {
    let exists = !matches!(found.mx, Some(Lookup::NxDomain { .. }));
    let _ = writeln!(out, "# {}", said(found));
    // What does not exist is hardly meant.
    let mark = if exists { "" } else { "#" };
    let _ = writeln!(
        out,
        "{mark}[[clients.domains]]\n{mark}name = {}",
        quoted(found.domain.as_str())
    );
    if records(found).is_some_and(|records| records.iter().any(|one| one.exchange == Exchange::Null)) {
        out.push_str("mail = \"out\"                      # or \"none\", if it sends no mail either\n");
    }
    if !found.dkim.is_empty() {
        let selectors: Vec<String> = found.dkim.iter().map(|selector| quoted(selector)).collect();
        let _ = writeln!(out, "dkim_selectors = [{}]", selectors.join(", "));
    }
}

/// What DNS says, in one line.
fn said(found: &Found) -> String {
    let Some(answer) = &found.mx else {
        return "We could not ask DNS.".to_owned();
    };
    match answer {
        Lookup::Found { records, .. } if records.iter().any(|one| one.exchange == Exchange::Null) => {
            "It says that it takes no mail (a null MX).".to_owned()
        }
        Lookup::Found { records, .. } => {
            let hosts: Vec<String> = records.iter().map(|one| one.exchange.to_string()).collect();
            let provider = found
                .provider
                .as_ref()
                .map_or("servers of its own", |provider| &*provider.name);
            clean(format!("MX {}: {provider}", hosts.join(", ")).as_bytes(), 300)
        }
        Lookup::NoData { .. } => {
            "It has no MX: senders try its own address, if it has one. If it takes no mail: mail = \"none\"."
                .to_owned()
        }
        Lookup::NxDomain { .. } => "There is no such domain: is it spelt right?".to_owned(),
        other => format!(
            "DNS does not say at the moment where its mail goes ({}).",
            clean(other.outcome().as_bytes(), 100)
        ),
    }
}

fn records(found: &Found) -> Option<&Vec<MxRecord>> {
    found.mx.as_ref()?.records()
}

fn takes_mail(found: &Found) -> bool {
    records(found).is_some_and(|records| records.iter().all(|one| one.exchange != Exchange::Null))
}

/// As TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::inventory::Providers;
    use crate::model::DomainName;

    fn name(text: &str) -> DomainName {
        DomainName::parse(text).unwrap()
    }

    fn one(client: Option<&str>, domain: &str, exchanges: Option<&[Exchange]>) -> (Wanted, Found) {
        let mx = match exchanges {
            None => Lookup::NxDomain {
                ttl: Duration::from_mins(1),
                authentic: false,
            },
            Some(exchanges) => Lookup::Found {
                records: exchanges
                    .iter()
                    .map(|exchange| MxRecord {
                        preference: 10,
                        exchange: exchange.clone(),
                    })
                    .collect(),
                ttl: Duration::from_mins(1),
                authentic: false,
            },
        };
        let wanted = Wanted {
            client: client.map(str::to_owned),
            domain: name(domain),
        };
        let found = Found {
            domain: name(domain),
            mx: Some(mx),
            provider: None,
            dkim: Vec::new(),
        };
        (wanted, found)
    }

    fn loaded(text: &str) -> crate::config::Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mailflow.toml");
        std::fs::write(&path, text).unwrap();
        let loaded = crate::config::load(Some(&path), std::iter::empty());
        loaded
            .unwrap_or_else(|problems| panic!("{}", problems.render(false)))
            .config
    }

    #[test]
    fn the_configuration_says_what_was_found_and_can_be_used_as_it_is() {
        let host = |text| Exchange::Host(name(text));
        let mut hosted = one(None, "hosted.test", Some(&[host("aspmx.l.google.com")]));
        hosted.1.provider = Providers::new(&[]).of_host(&name("aspmx.l.google.com")).cloned();
        hosted.1.dkim = vec!["google".to_owned()];
        let all = [
            one(Some("ACME \"Ltd\""), "acme.test", Some(&[host("mx.acme.test")])),
            hosted,
            one(Some("ACME \"Ltd\""), "parked.test", Some(&[Exchange::Null])),
            one(None, "acme.tset", None),
        ];
        let (wanted, found): (Vec<Wanted>, Vec<Found>) = all.into_iter().unzip();
        let text = render(&wanted, &found);
        let config = loaded(&text);
        let clients: Vec<(&str, usize)> = config
            .clients
            .iter()
            .map(|client| (client.name.as_str(), client.domains.len()))
            .collect();
        assert_eq!(
            clients,
            [("ACME \"Ltd\"", 2), ("hosted.test", 1), ("acme.tset", 0)]
        );
        let body = text.split_once("[[clients]]").unwrap().1;
        insta::assert_snapshot!(body, @r##"
        name = 'ACME "Ltd"'
        #contact = "whom to call there"

        # The router in front of it, if the mail server stands behind one:
        #[[clients.gateways]]
        #name = "hq-router"
        #address = "198.51.100.1"
        #checks = ["ping", "tcp:443"]
        #contact = "the line's provider, telephone, circuit"

        # MX mx.acme.test: servers of its own
        [[clients.domains]]
        name = "acme.test"

        # It says that it takes no mail (a null MX).
        [[clients.domains]]
        name = "parked.test"
        mail = "out"                      # or "none", if it sends no mail either

        [[clients]]
        name = "hosted.test"
        #contact = "whom to call there"

        # MX aspmx.l.google.com: Google
        [[clients.domains]]
        name = "hosted.test"
        dkim_selectors = ["google"]

        [[clients]]
        name = "acme.tset"
        #contact = "whom to call there"

        # There is no such domain: is it spelt right?
        #[[clients.domains]]
        #name = "acme.tset"
        "##);
    }

    #[test]
    fn what_dns_says_stays_in_its_comment() {
        let bad = Exchange::Invalid("a\n[[notifiers]]\nname = \"x\"\u{1b}[31m".to_owned());
        let (wanted, found) = one(None, "acme.test", Some(&[bad]));
        let text = render(&[wanted], &[found]);
        assert!(
            !text.contains("\n[[notifiers]]") && !text.contains('\u{1b}'),
            "{text}"
        );
        assert_eq!(loaded(&text).clients.len(), 1);
    }
}
