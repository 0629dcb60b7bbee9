//! What people have set by hand: silences, maintenance windows, conditions that they have accepted, and what they have
//! watched for a while.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Affected, ClientId, Code, DomainName, Hours, Incident, RootKind, Target};

/// The most characters of a reason and of a name.
const WORDS: usize = 500;
const NAME: usize = 80;

/// The number of what somebody has set; all kinds share one count. In JSON it is a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandId(pub u64);

impl fmt::Display for HandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for HandId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim().trim_start_matches('#').parse().map(Self)
    }
}

impl Serialize for HandId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for HandId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Something that somebody has set, until it ends or is lifted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hand {
    /// Its number.
    pub id: HandId,
    /// What it does.
    #[serde(flatten)]
    pub measure: Measure,
    /// Who set it, as they called themselves.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was set.
    pub made: Timestamp,
    /// When somebody lifted it before its end.
    #[serde(default)]
    pub lifted: Option<Timestamp>,
}

/// What it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Measure {
    /// Nobody is told of what begins.
    Silence {
        /// About what.
        #[serde(flatten)]
        of: Matchers,
        /// Until when.
        until: Timestamp,
    },
    /// Somebody works on it: nobody is told of what begins meanwhile.
    Maintenance {
        /// On what.
        #[serde(flatten)]
        of: Matchers,
        /// When.
        #[serde(flatten)]
        when: When,
    },
    /// A known condition of a domain counts neither for its state nor for messages.
    Acceptance {
        /// Which condition.
        code: Code,
        /// Of which domain.
        domain: DomainName,
        /// Until when.
        until: Timestamp,
    },
    /// Where a client's mail to a domain goes is watched, though no configuration names it.
    Watch {
        /// Whose mail.
        client: ClientId,
        /// To whom.
        domain: DomainName,
        /// Until when.
        until: Timestamp,
    },
}

/// The kinds of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum HandKind {
    Silence,
    Maintenance,
    Acceptance,
    Watch,
}

impl HandKind {
    /// The name in texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Maintenance => "maintenance",
            Self::Acceptance => "acceptance",
            Self::Watch => "watch",
        }
    }
}

/// When a maintenance window is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum When {
    /// Again and again: `Sun 02:00-04:00 Europe/Berlin`.
    Recurring {
        /// In these hours.
        recurring: Hours,
        /// Never again after this; `None`: for ever.
        #[serde(default)]
        until: Option<Timestamp>,
    },
    /// Once.
    Once {
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
    },
}

/// What a silence or a maintenance is about: whatever fits all that is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matchers {
    /// What belongs to this client.
    #[serde(default)]
    pub client: Option<ClientId>,
    /// This domain.
    #[serde(default)]
    pub domain: Option<DomainName>,
    /// This gateway, and what fails because of it.
    #[serde(default)]
    pub gateway: Option<Arc<str>>,
    /// Incidents of this cause, or of a whole layer: `gateway.down`, `tls.*`.
    #[serde(default)]
    pub code: Option<String>,
}

/// A condition that counts neither for a domain's state nor for messages until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The cause's code.
    pub code: Code,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// What is wrong with what somebody wants to set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum HandError {
    #[error("it needs something to be about: a client, a domain, a gateway or a code")]
    AboutNothing,
    #[error("there is no cause \"{0}\": one is written as \"gateway.down\", all of a layer as \"gateway.*\"")]
    NoSuchCode(String),
    #[error("\"{0}\" says that we cannot see: that is no condition of a domain, and cannot be accepted")]
    NotTheirs(&'static str),
    #[error("it ends in the past")]
    OverAlready,
    #[error("it ends before it begins")]
    EndsFirst,
    #[error("it needs a reason: whoever is on call later wants to know why nobody was told")]
    NoReason,
    #[error(
        "{0} ways are watched by hand already; lift one that nobody needs, or name this one in the configuration"
    )]
    TooManyWatches(usize),
}

impl Matchers {
    /// Whether what an incident does to one of its targets is meant.
    pub fn cover(&self, incident: &Incident, affected: &Affected) -> bool {
        let root = &incident.cause.root;
        let client = self.client.as_ref();
        let domain = |name| matches!(&affected.target, Target::Domain(of) if of == name);
        let gateway = |name: &Arc<str>| {
            let itself = matches!(&affected.target, Target::Gateway(_, of) if of == name);
            itself || (root.kind == RootKind::Gateway && root.name == *name)
        };
        client.is_none_or(|client| affected.client.as_ref() == Some(client))
            && self.domain.as_ref().is_none_or(domain)
            && self.gateway.as_ref().is_none_or(gateway)
            && self
                .code
                .as_ref()
                .is_none_or(|pattern| fits(pattern, incident.cause.code))
    }

    fn check(&self) -> Result<(), HandError> {
        if *self == Self::default() {
            return Err(HandError::AboutNothing);
        }
        match &self.code {
            Some(pattern) if !Code::ALL.iter().any(|code| fits(pattern, *code)) => Err(
                HandError::NoSuchCode(super::text::clean(pattern.as_bytes(), NAME)),
            ),
            _ => Ok(()),
        }
    }
}

/// Whether a code is meant by its name or by its layer's (`gateway.*`).
fn fits(pattern: &str, code: Code) -> bool {
    match pattern.strip_suffix(".*") {
        Some(layer) => code.layer() == layer,
        None => code.as_str() == pattern,
    }
}

impl fmt::Display for Matchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.client.as_ref().map(|client| format!("client {client}")),
            self.domain.as_ref().map(|domain| format!("domain {domain}")),
            self.gateway.as_ref().map(|gateway| format!("gateway {gateway}")),
            self.code.clone(),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.pad(&parts.join(", "))
    }
}

impl When {
    /// Until when the window is open that `now` lies in; `None` outside.
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once { from, until } => (*from <= now && now < *until).then_some(*until),
            Self::Recurring { recurring, until } => {
                let end = recurring
                    .until(now)
                    .filter(|_| until.is_none_or(|last| now < last))?;
                Some(until.map_or(end, |last| last.min(end)))
            }
        }
    }
}

impl Hand {
    /// Puts one together as somebody asks for it.
    ///
    /// # Errors
    /// [`HandError`], where it would mean nothing.
    pub fn new(
        id: HandId,
        measure: Measure,
        by: &str,
        reason: &str,
        made: Timestamp,
    ) -> Result<Self, HandError> {
        let words = |text: &str, most| super::text::clean(text.trim().as_bytes(), most);
        match &measure {
            Measure::Silence { of, .. } => of.check()?,
            Measure::Maintenance { of, when } => {
                of.check()?;
                if matches!(when, When::Once { from, until } if until <= from) {
                    return Err(HandError::EndsFirst);
                }
            }
            Measure::Acceptance { code, .. } if code.layer() == "vantage" => {
                return Err(HandError::NotTheirs(code.as_str()));
            }
            Measure::Acceptance { .. } | Measure::Watch { .. } => {}
        }
        let hand = Self {
            id,
            measure,
            by: words(by, NAME),
            reason: words(reason, WORDS),
            made,
            lifted: None,
        };
        if hand.reason.is_empty() {
            return Err(HandError::NoReason);
        }
        if hand.ends().is_some_and(|end| end <= made) {
            return Err(HandError::OverAlready);
        }
        Ok(hand)
    }

    /// What kind it is.
    pub fn kind(&self) -> HandKind {
        match self.measure {
            Measure::Silence { .. } => HandKind::Silence,
            Measure::Maintenance { .. } => HandKind::Maintenance,
            Measure::Acceptance { .. } => HandKind::Acceptance,
            Measure::Watch { .. } => HandKind::Watch,
        }
    }

    /// When it ends for good; `None`: never by itself.
    pub fn ends(&self) -> Option<Timestamp> {
        let planned = match &self.measure {
            Measure::Silence { until, .. }
            | Measure::Acceptance { until, .. }
            | Measure::Watch { until, .. }
            | Measure::Maintenance {
                when: When::Once { until, .. },
                ..
            } => Some(*until),
            Measure::Maintenance {
                when: When::Recurring { until, .. },
                ..
            } => *until,
        };
        match (self.lifted, planned) {
            (Some(lifted), Some(planned)) => Some(lifted.min(planned)),
            (lifted, planned) => lifted.or(planned),
        }
    }

    /// Whether it has ended for good.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.ends().is_some_and(|end| end <= now)
    }

    /// Until when it keeps quiet of what it is about; `None`: it does not, now.
    pub fn quiet_until(&self, now: Timestamp) -> Option<(&Matchers, Timestamp)> {
        if self.is_over(now) {
            return None;
        }
        match &self.measure {
            Measure::Silence { of, until } => Some((of, *until)),
            Measure::Maintenance { of, when } => Some((of, when.open_until(now)?)),
            Measure::Acceptance { .. } | Measure::Watch { .. } => None,
        }
    }

    /// As texts call it: `silence 3 by anna: parts are on their way`.
    pub fn in_words(&self) -> String {
        let (kind, id, reason) = (self.kind().as_str(), self.id, &self.reason);
        if self.by.is_empty() {
            format!("{kind} {id}: {reason}")
        } else {
            format!("{kind} {id} by {}: {reason}", self.by)
        }
    }
}

#[cfg(test)]
mod tests;
