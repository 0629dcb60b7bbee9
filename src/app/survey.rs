//! A look at what DNS says of some domains, for whoever writes a first configuration (`mailflow init`). No mail server is
//! spoken to.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use crate::inventory::{Provider, Providers};
use crate::model::dns::{Exchange, Lookup, MxRecord};
use crate::model::policy::PolicyPart;
use crate::model::policy::dkim::DkimKey;
use crate::model::{DomainName, Evidence, Subject};
use crate::net::Net;
use crate::net::trust::Trust;
use crate::probe::{Context, Detail, Task};

use super::engine::look;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many domains are asked for at a time.
const AT_ONCE: usize = 8;

/// What DNS says of a domain.
#[derive(Debug, Clone)]
pub struct Found {
    /// The domain.
    pub domain: DomainName,
    /// Where its mail goes; `None` where we could not ask.
    pub mx: Option<Lookup<Vec<MxRecord>>>,
    /// The provider that takes it, where recognised.
    pub provider: Option<Arc<Provider>>,
    /// The provider's usual DKIM selectors at which there is a usable key.
    pub dkim: Vec<String>,
}

/// Asks for each domain; the answers come in the order of the names. `done` hears of each.
pub async fn survey<N: Net>(
    net: &N,
    context: &Context,
    trust: &Trust,
    names: &[DomainName],
    mut done: impl FnMut(),
) -> Vec<Found> {
    let providers = Providers::new(&[]);
    let providers = &providers;
    futures_util::stream::iter(names)
        .map(|name| find(net, context, trust, providers, name))
        .buffered(AT_ONCE)
        .inspect(|_| done())
        .collect()
        .await
}

async fn find<N: Net>(
    net: &N,
    context: &Context,
    trust: &Trust,
    providers: &Providers,
    name: &DomainName,
) -> Found {
    let ask = async |subject, detail| {
        let task = Task {
            subject,
            timeout: PATIENCE,
            detail,
        };
        look(net, context, trust, &task).await.evidence
    };
    let mx = match ask(Subject::Mx(name.clone()), Detail::Plain).await {
        Evidence::Mx(seen) => Some(seen.answer),
        _ => None,
    };
    let provider = provider(mx.as_ref(), providers);
    let guesses = provider.iter().flat_map(|provider| &provider.dkim_selectors);
    let selectors: Vec<_> = guesses.map(|selector| (selector.clone(), false)).collect();
    let mut dkim = Vec::new();
    if !selectors.is_empty() {
        let subject = Subject::Policy(name.clone(), PolicyPart::Dkim);
        if let Evidence::Dkim(seen) = ask(subject, Detail::Dkim { selectors }).await {
            let usable = seen.keys.into_iter().filter(|key| {
                let texts = key.answer.records();
                texts.is_some_and(|texts| texts.iter().any(|text| DkimKey::parse(text).is_ok()))
            });
            dkim.extend(usable.map(|key| key.selector));
        }
    }
    Found {
        domain: name.clone(),
        mx,
        provider,
        dkim,
    }
}

/// The provider of the first host that belongs to one.
fn provider(mx: Option<&Lookup<Vec<MxRecord>>>, providers: &Providers) -> Option<Arc<Provider>> {
    let records = mx?.records()?;
    records.iter().find_map(|record| match &record.exchange {
        Exchange::Host(host) => providers.of_host(host).cloned(),
        Exchange::Null | Exchange::Invalid(_) => None,
    })
}
