//! Keeps what the notifiers stand on up to date, as DNS says it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::engine::{Command, look};
use super::ways::{Resolved, Ways};
use crate::model::{DomainName, Evidence, Subject};
use crate::net::Net;
use crate::net::trust::Trust;
use crate::notify::{Reliance, Way};
use crate::probe::{Context, Detail, Task};

/// How often the names are looked up.
const EVERY: Duration = Duration::from_mins(5);
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What it takes to follow the notifiers' ways.
#[derive(Clone)]
pub struct Following {
    /// What the configuration says of them.
    pub ways: Ways,
    /// Whom to ask.
    pub context: Context,
    /// Whom to trust.
    pub trust: Arc<Trust>,
}

/// Looks the notifiers' hosts up again and again, tells the loop what they stand on, and warns of what is new.
pub(super) async fn run<N: Net>(
    net: Arc<N>,
    mut settings: watch::Receiver<Following>,
    commands: mpsc::Sender<Command>,
    stop: CancellationToken,
) {
    let mut resolved = Resolved::new();
    let mut before: BTreeMap<Arc<str>, Way> = BTreeMap::new();
    loop {
        let following = settings.borrow_and_update().clone();
        for name in following.ways.names() {
            // What cannot be looked up now is where it was.
            if let Some(addresses) = addresses(&*net, &following, &name).await {
                resolved.insert(name, addresses);
            }
        }
        let ways = following.ways.all(&resolved);
        for warning in news(&before, &ways, &following.ways.all(&Resolved::new())) {
            tracing::warn!("{warning}");
        }
        if ways != before && commands.send(Command::Ways(ways.clone())).await.is_err() {
            return;
        }
        before = ways;
        tokio::select! {
            () = stop.cancelled() => return,
            changed = settings.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn addresses<N: Net>(net: &N, following: &Following, name: &DomainName) -> Option<Vec<IpAddr>> {
    let task = Task {
        subject: Subject::Addresses(name.clone()),
        timeout: PATIENCE,
        detail: Detail::Plain,
    };
    match look(net, &following.context, &following.trust, &task)
        .await
        .evidence
    {
        Evidence::Addresses(seen) => {
            let addresses: Vec<IpAddr> = seen.addresses().collect();
            (!addresses.is_empty()).then_some(addresses)
        }
        _ => None,
    }
}

/// What is new about notifiers that stand on what they report, and that `config check` could not see: a notifier
/// without a fallback tells nobody while that has failed.
fn news(
    before: &BTreeMap<Arc<str>, Way>,
    now: &BTreeMap<Arc<str>, Way>,
    known: &BTreeMap<Arc<str>, Way>,
) -> Vec<String> {
    let has = |ways: &BTreeMap<Arc<str>, Way>, name: &Arc<str>, one: &(Reliance, String)| {
        ways.get(name).is_some_and(|way| way.stands_on.contains(one))
    };
    let mut warnings = Vec::new();
    for (name, way) in now.iter().filter(|(_, way)| way.fallback.is_none()) {
        for one in &way.stands_on {
            let watched = matches!(one.0, Reliance::Gateway(..) | Reliance::Domain(_));
            if watched && !has(before, name, one) && !has(known, name, one) {
                let how = &one.1;
                warnings.push(format!(
                    "the notifier \"{name}\" stands on what it reports: {how}; give it a `fallback` that takes \
                     another way"
                ));
            }
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ClientId;

    #[test]
    fn what_dns_shows_is_warned_of_once_and_only_without_a_fallback() {
        let behind = (
            Reliance::Gateway(ClientId::parse("acme").unwrap(), "hq-router".into()),
            "its server tickets.msp.test lies behind hq-router".to_owned(),
        );
        let line = (Reliance::Line, "its messages leave over our own line".to_owned());
        let ways = |stands_on: Vec<(Reliance, String)>, fallback: Option<&str>| {
            let way = Way {
                stands_on,
                fallback: fallback.map(Into::into),
            };
            BTreeMap::from([(Arc::from("hook"), way)])
        };
        let known = ways(vec![line.clone()], None);
        let seen = ways(vec![behind.clone(), line.clone()], None);
        insta::assert_snapshot!(news(&BTreeMap::new(), &seen, &known).join("\n"), @r#"the notifier "hook" stands on what it reports: its server tickets.msp.test lies behind hq-router; give it a `fallback` that takes another way"#);
        assert!(news(&seen, &seen, &known).is_empty(), "said once");
        let caught = ways(vec![behind], Some("sms"));
        assert!(news(&BTreeMap::new(), &caught, &known).is_empty());
    }
}
