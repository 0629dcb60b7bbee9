//! The keys at the selectors that the configuration names, and at those that the provider usually has.

use futures_util::future::join_all;

use super::{Looker, below};
use crate::model::DomainName;
use crate::model::dns::Lookup;
use crate::model::policy::{DkimAnswer, DkimEvidence};
use crate::net::Net;
use crate::probe::ask::LocalFault;

/// Asks for all selectors at the same time.
pub(super) async fn look<N: Net>(
    looker: &Looker<'_, N>,
    domain: &DomainName,
    selectors: &[(String, bool)],
) -> Result<DkimEvidence, LocalFault> {
    let answers = join_all(selectors.iter().map(|(selector, configured)| async move {
        let answer = match below(&format!("{selector}._domainkey"), domain) {
            // A selector's name is for its keys alone: whatever stands there is meant as one.
            Some(name) => looker.texts(&name, |_| true).await?,
            None => Lookup::Malformed {
                reason: format!("{selector}._domainkey.{domain} is no name that can be asked for"),
            },
        };
        Ok(DkimAnswer {
            selector: selector.clone(),
            configured: *configured,
            answer,
        })
    }))
    .await;
    let keys: Result<Vec<DkimAnswer>, LocalFault> = answers.into_iter().collect();
    Ok(DkimEvidence { keys: keys? })
}
