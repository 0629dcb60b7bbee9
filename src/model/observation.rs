//! What one probe saw of one subject at one time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::blocklist::{BlocklistEvidence, ListingEvidence};
use super::dns::{AddressEvidence, MxEvidence, NameServerEvidence, ResolverEvidence};
use super::policy::{DkimEvidence, DmarcEvidence, SpfEvidence, StsEvidence, TlsaEvidence};
use super::reach::{AnchorEvidence, GatewayEvidence, HostEvidence};
use super::sender::SenderEvidence;
use super::service::ServiceEvidence;
use super::smtp::SmtpEvidence;
use super::trace::Trace;
use super::{CanaryEvidence, DomainName, SmtpStage, Subject};

/// What one probe saw of one subject at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// What was looked at.
    pub subject: Subject,
    /// When the probe began (UTC).
    pub at: Timestamp,
    /// How long it took.
    pub elapsed: Duration,
    /// The address that we spoke from, where there was a connection.
    pub source: Option<IpAddr>,
    /// What was seen, or why the probe could not be run at all.
    pub evidence: Evidence,
}

impl Observation {
    /// When the probe ended (UTC).
    pub fn ended(&self) -> Timestamp {
        self.at
            .saturating_add(jiff::SignedDuration::try_from(self.elapsed).unwrap_or_default())
            .unwrap_or(self.at)
    }
}

/// What a probe saw, by the kind of its subject. All of it is boxed: a fleet keeps half a million of these, and each would
/// take as much room as the largest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "probe", rename_all = "kebab-case")]
pub enum Evidence {
    /// Of [`Subject::Mx`].
    Mx(Box<MxEvidence>),
    /// Of [`Subject::Addresses`].
    Addresses(Box<AddressEvidence>),
    /// Of [`Subject::NameServers`].
    NameServers(Box<NameServerEvidence>),
    /// Of [`Subject::Smtp`].
    Smtp(Box<SmtpEvidence>),
    /// Of [`Subject::Host`].
    Host(Box<HostEvidence>),
    /// Of [`Subject::Trace`].
    Trace(Box<Trace>),
    /// Of [`Subject::Gateway`].
    Gateway(Box<GatewayEvidence>),
    /// Of [`Subject::Anchor`].
    Anchor(Box<AnchorEvidence>),
    /// Of [`Subject::Resolver`].
    Resolver(Box<ResolverEvidence>),
    /// Of [`Subject::Policy`].
    Spf(Box<SpfEvidence>),
    /// Of [`Subject::Policy`].
    Dmarc(Box<DmarcEvidence>),
    /// Of [`Subject::Policy`].
    Dkim(Box<DkimEvidence>),
    /// Of [`Subject::Policy`].
    Sts(Box<StsEvidence>),
    /// Of [`Subject::Tlsa`].
    Tlsa(Box<TlsaEvidence>),
    /// Of [`Subject::Service`].
    Service(Box<ServiceEvidence>),
    /// Of [`Subject::Blocklist`].
    Blocklist(Box<BlocklistEvidence>),
    /// Of [`Subject::Listing`].
    Listing(Box<ListingEvidence>),
    /// Of [`Subject::Sender`].
    Sender(Box<SenderEvidence>),
    /// Of [`Subject::Recipient`]: the session, up to RCPT where it came so far.
    Recipient(Box<SmtpEvidence>),
    /// Of [`Subject::Canary`].
    Canary(Box<CanaryEvidence>),
    /// The probe could not be run: no descriptor, no right, a panic. It says nothing about anybody else.
    Unrunnable(Box<Obstacle>),
}

impl Evidence {
    /// Shows each name that DNS told, of those that a fleet has many of, to be put in another's place that is equal to it.
    pub fn each_name(&mut self, mut each: impl FnMut(&mut DomainName)) {
        match self {
            Self::Mx(mx) => mx.answer.each_host(&mut each),
            Self::Addresses(addresses) => addresses.alias_of.iter_mut().for_each(each),
            Self::NameServers(found) => {
                found.zone.iter_mut().for_each(&mut each);
                for server in &mut found.servers {
                    each(&mut server.name);
                    server.answer.each_host(&mut each);
                }
                // One that was taken earlier is shared, and was seen to then.
                if let Some(look) = found.closer.as_mut().and_then(Arc::get_mut) {
                    look.each_name(each);
                }
            }
            _ => {}
        }
    }

    /// That a probe could not be run.
    pub fn unrunnable(reason: impl Into<String>) -> Self {
        Self::Unrunnable(Box::new(Obstacle {
            reason: reason.into(),
        }))
    }
}

/// Why a probe could not be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// What stood in the way, in words.
    pub reason: String,
}

/// One stage's share of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTiming {
    /// The stage.
    pub stage: SmtpStage,
    /// How long it took.
    pub elapsed: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_takes_two_lines_of_a_cache_with_the_counts_of_those_who_share_it() {
        assert!(size_of::<Observation>() + 2 * size_of::<usize>() <= 128);
    }
}
