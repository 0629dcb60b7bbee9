//! Who operates a group of MX hosts: recognised by data, never by code.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use foldhash::HashMap;
use serde::Deserialize;

use crate::config;
use crate::model::DomainName;

/// A recognised provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// What people call it.
    pub name: Arc<str>,
    /// Patterns of its MX hosts.
    mx: Vec<String>,
    /// Whom to ask when it fails.
    pub contact: Option<String>,
    /// Where it says itself how it is.
    pub status_page: Option<String>,
    /// Sessions at once, where known.
    pub concurrent: Option<NonZeroU32>,
    /// Sessions begun in a minute, where known.
    pub per_minute: Option<NonZeroU32>,
    /// An MX host that answers all year round.
    pub witness: Option<DomainName>,
    /// DKIM selectors that its customers usually have.
    pub dkim_selectors: Vec<String>,
    /// What it says when it turns whoever connects away.
    pub about_us: Vec<KnownReply>,
}

/// Words by which a provider turns *us* away, where no enhanced status code says so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownReply {
    /// Words of it, in lower case.
    pub text: String,
    /// A whole reply that holds them, as it was seen.
    pub reply: String,
}

impl Provider {
    /// Whether a reply, in lower case and on one line, is one by which this provider turns us away.
    pub fn turns_us_away(&self, reply: &str) -> bool {
        self.about_us.iter().any(|known| reply.contains(&known.text))
    }
}

/// The providers that this daemon recognises: the configured ones first, then those built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Providers {
    list: Vec<Arc<Provider>>,
    /// Which of the list is the first to name a host.
    hosts: HashMap<String, usize>,
    /// Which of the list is the first to name all that lies below a name.
    below: HashMap<String, usize>,
    ping: Vec<IpAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    ping: Vec<IpAddr>,
    provider: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    mx: Vec<String>,
    contact: Option<String>,
    status_page: Option<String>,
    concurrent: Option<NonZeroU32>,
    per_minute: Option<NonZeroU32>,
    witness: Option<DomainName>,
    #[serde(default)]
    dkim_selectors: Vec<String>,
    #[serde(default)]
    about_us: Vec<KnownReply>,
}

const BUILT_IN: &str = include_str!("providers.toml");

impl Providers {
    /// The configured providers over those built in.
    pub fn new(configured: &[config::Provider]) -> Self {
        let own = configured.iter().map(|provider| Provider {
            name: provider.name.as_str().into(),
            mx: provider
                .mx
                .iter()
                .map(|pattern| pattern.as_str().to_owned())
                .collect(),
            contact: provider.contact.clone(),
            status_page: None,
            concurrent: None,
            per_minute: None,
            witness: None,
            dkim_selectors: Vec::new(),
            about_us: Vec::new(),
        });
        // A broken table is a mistake of ours that the test below catches before anybody meets it.
        let file = toml::from_str::<File>(BUILT_IN).ok();
        let (ping, built_in) = file.map(|file| (file.ping, file.provider)).unwrap_or_default();
        let built_in = built_in.into_iter().map(|row| Provider {
            name: row.name.into(),
            mx: row.mx,
            contact: row.contact.or_else(|| row.status_page.clone()),
            status_page: row.status_page,
            concurrent: row.concurrent,
            per_minute: row.per_minute,
            witness: row.witness,
            dkim_selectors: row.dkim_selectors,
            about_us: row.about_us,
        });
        let list: Vec<_> = own.chain(built_in).map(Arc::new).collect();
        let (mut hosts, mut below) = (HashMap::default(), HashMap::default());
        for (place, provider) in list.iter().enumerate() {
            for pattern in &provider.mx {
                match pattern.strip_prefix("*.") {
                    Some(suffix) => below.entry(suffix.to_owned()).or_insert(place),
                    None => hosts.entry(pattern.clone()).or_insert(place),
                };
            }
        }
        Self {
            list,
            hosts,
            below,
            ping,
        }
    }

    /// The provider that operates an MX host.
    pub fn of_host(&self, host: &DomainName) -> Option<&Arc<Provider>> {
        let name = host.as_str();
        let above = name.match_indices('.').map(|(dot, _)| &name[dot + 1..]);
        let known = above.filter_map(|suffix| self.below.get(suffix));
        let first = known.chain(self.hosts.get(name)).min()?;
        self.list.get(*first)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.list.iter()
    }

    /// The provider of that name.
    pub fn named(&self, name: &str) -> Option<&Arc<Provider>> {
        self.list.iter().find(|provider| &*provider.name == name)
    }

    /// Addresses that answer pings all year round, to ask whether we can reach anybody at all.
    pub fn pinged(&self) -> &[IpAddr] {
        &self.ping
    }

    /// MX hosts of large providers, to ask whether we can reach anybody's port 25; at most three.
    pub fn witnesses(&self) -> impl Iterator<Item = &DomainName> {
        self.list
            .iter()
            .filter_map(|provider| provider.witness.as_ref())
            .take(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_parses_and_recognises() {
        let file: File = toml::from_str(BUILT_IN).unwrap();
        assert!(file.provider.len() >= 3);
        let providers = Providers::new(&[]);
        let of = |host: &str| {
            providers
                .of_host(&DomainName::parse(host).unwrap())
                .map(|provider| provider.name.to_string())
        };
        assert_eq!(of("alt1.aspmx.l.google.com").as_deref(), Some("Google"));
        assert_eq!(
            of("acme-test.mail.protection.outlook.com").as_deref(),
            Some("Microsoft 365")
        );
        assert_eq!(of("mx.acme.test"), None);
        assert_eq!(providers.witnesses().count(), 3);
        // A witness belongs to the provider that it stands for.
        for witness in providers.witnesses() {
            let provider = providers.of_host(witness).unwrap();
            assert_eq!(provider.witness.as_ref(), Some(witness));
        }
    }

    #[rstest::rstest]
    #[case("mx-aol.mail.gm0.yahoodns.net", "Yahoo and AOL")]
    #[case("mx01.mail.icloud.com", "Apple iCloud")]
    #[case("mx2.zoho.eu", "Zoho")]
    #[case("mxa-00123456.gslb.pphosted.com", "Proofpoint")]
    #[case("eu-smtp-inbound-1.mimecast.com", "Mimecast")]
    #[case("d123456a.ess.de.barracudanetworks.com", "Barracuda")]
    #[case("mx00.ionos.de", "IONOS")]
    #[case("smtpin.rzone.de", "Strato")]
    #[case("mx1.mail.ovh.net", "OVHcloud")]
    #[case("spool.mail.gandi.net", "Gandi")]
    #[case("in2-smtp.messagingengine.com", "Fastmail")]
    #[case("mailsec.protonmail.ch", "Proton")]
    #[case("mxext1.mailbox.org", "mailbox.org")]
    #[case("mail.your-server.de", "Hetzner")]
    #[case("mx03.t-online.de", "Telekom")]
    fn well_known_hosts_are_recognised(#[case] host: &str, #[case] name: &str) {
        let providers = Providers::new(&[]);
        let host = DomainName::parse(host).unwrap();
        assert_eq!(&*providers.of_host(&host).unwrap().name, name);
    }

    #[test]
    fn a_machine_that_somebody_rents_is_not_its_hosters_mail_service() {
        let providers = Providers::new(&[]);
        for own in [
            "static.1.2.0.192.clients.your-server.de",
            "vps123.ovh.net",
            "p1234.dip0.t-ipconnect.de",
        ] {
            assert_eq!(providers.of_host(&DomainName::parse(own).unwrap()), None, "{own}");
        }
    }

    #[test]
    fn every_line_of_the_table_is_sound() {
        let providers = Providers::new(&[]);
        let mut names = std::collections::BTreeSet::new();
        for provider in providers.all() {
            assert!(
                names.insert(&provider.name),
                "{} stands there twice",
                provider.name
            );
            assert!(!provider.mx.is_empty(), "{}", provider.name);
            for pattern in &provider.mx {
                let bare = pattern.strip_prefix("*.").unwrap_or(pattern);
                let known = DomainName::parse(bare).unwrap();
                assert_eq!(known.as_str(), bare);
                // A pattern that another provider's hides would be dead.
                let below = DomainName::parse(&format!("a.{bare}")).unwrap();
                let host = if bare == pattern { known } else { below };
                assert_eq!(providers.of_host(&host), Some(provider), "{pattern}");
            }
            if let Some(page) = &provider.status_page {
                assert!(page.starts_with("https://"), "{page}");
            }
        }
    }

    #[test]
    fn configured_providers_go_first() {
        let own = config::Provider {
            name: "BIGMAIL".into(),
            mx: vec!["*.google.com".parse().unwrap()],
            contact: Some("4711".into()),
        };
        let providers = Providers::new(&[own]);
        let host = DomainName::parse("smtp.google.com").unwrap();
        assert_eq!(&*providers.of_host(&host).unwrap().name, "BIGMAIL");
    }
}
