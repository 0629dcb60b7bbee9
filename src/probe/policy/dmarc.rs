//! The DMARC record of a domain, or of the name above that holds for it (RFC 9989 4.10).

use super::{Looker, below};
use crate::model::DomainName;
use crate::model::policy::dmarc::{DmarcRecord, is_dmarc, is_nearly_dmarc};
use crate::model::policy::{DmarcEvidence, Texts};
use crate::net::Net;
use crate::probe::ask::LocalFault;

/// Questions in one walk.
const MOST_QUESTIONS: usize = 8;
/// The labels that a long name is cut to after its first question.
const CUT_TO: usize = 7;

/// Asks at the domain, and where nothing stands there, upwards.
pub(super) async fn look<N: Net>(
    looker: &Looker<'_, N>,
    domain: &DomainName,
) -> Result<DmarcEvidence, LocalFault> {
    let own = at(looker, domain).await?;
    let mut seen = DmarcEvidence {
        own,
        inherited: None,
        untold: None,
    };
    if seen.own.records().is_some() || !seen.own.is_definite() {
        return Ok(seen);
    }
    let mut next = above(domain);
    for _ in 1..MOST_QUESTIONS {
        let Some(name) = next else { break };
        let answer = at(looker, &name).await?;
        if !answer.is_definite() {
            seen.untold = Some(format!("_dmarc.{name}: {}", answer.outcome()));
            break;
        }
        next = name.parent();
        if let Some((text, psd)) = the_one(&answer)
            && take(&mut seen.inherited, name, text, psd)
        {
            break;
        }
    }
    Ok(seen)
}

async fn at<N: Net>(looker: &Looker<'_, N>, domain: &DomainName) -> Result<Texts, LocalFault> {
    match below("_dmarc", domain) {
        Some(name) => {
            looker
                .texts(&name, |text| is_dmarc(text) || is_nearly_dmarc(text))
                .await
        }
        None => Ok(Texts::NoData {
            ttl: std::time::Duration::ZERO,
        }),
    }
}

/// The name to ask after the domain itself: one label up, and far up where it is very long.
fn above(domain: &DomainName) -> Option<DomainName> {
    let labels = domain.as_str().split('.').count();
    let drop = if labels > CUT_TO + 1 { labels - CUT_TO } else { 1 };
    (0..drop).try_fold(domain.clone(), |name, _| name.parent())
}

/// The single record at a name that receivers can read.
fn the_one(answer: &Texts) -> Option<(&str, char)> {
    let mut records = answer.records()?.iter().filter(|text| is_dmarc(text));
    let (first, more) = (records.next()?, records.next());
    let read = DmarcRecord::parse(first).ok().filter(|_| more.is_none())?;
    Some((first, read.psd))
}

/// Takes note of a record on the way up; gives whether the walk ends with it. The highest one holds, unless one says
/// that it is the organisation's (`psd=n`) or stands at a public suffix (`psd=y`): then it is the one right below.
fn take(held: &mut Option<(DomainName, String)>, name: DomainName, text: &str, psd: char) -> bool {
    let below_it = held
        .as_ref()
        .is_some_and(|(below, _)| below.parent().as_ref() == Some(&name));
    if psd != 'y' || !below_it {
        *held = Some((name, text.to_owned()));
    }
    psd != 'u'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut() {
        let up = |text: &str| above(&DomainName::parse(text).unwrap()).map(|name| name.to_string());
        assert_eq!(up("a.acme.test").as_deref(), Some("acme.test"));
        assert_eq!(up("test"), None);
        assert_eq!(
            up("1.2.3.4.5.6.acme.test").as_deref(),
            Some("2.3.4.5.6.acme.test")
        );
        assert_eq!(
            up("1.2.3.4.5.6.7.8.9.acme.test").as_deref(),
            Some("5.6.7.8.9.acme.test")
        );
    }
}
