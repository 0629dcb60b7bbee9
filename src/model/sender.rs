//! What is to be seen of an address that mail leaves from: what receivers look up before they take it.

use serde::{Deserialize, Serialize};

use super::DomainName;
use super::dns::Lookup;

/// What receivers find when they look up an address that hands them mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderEvidence {
    /// The names that its PTR records give it.
    pub names: Lookup<Vec<DomainName>>,
    /// The first of these that leads back to the address.
    pub confirmed: Option<DomainName>,
    /// Which of these could not be followed, and why.
    pub untold: Option<String>,
    /// The name that it is configured to greet with, and whether that leads to it; `None` within: nobody could tell.
    pub greets: Option<(DomainName, Option<bool>)>,
    /// What the SPF of each domain that its client sends for says of it.
    pub spf: Vec<SpfCheck>,
}

/// What the SPF of one domain says of one address (RFC 7208 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpfCheck {
    /// Whose SPF.
    pub domain: DomainName,
    /// What it says.
    pub result: SpfResult,
    /// The term that says so, or what stands in the way, in words.
    pub because: Option<String>,
}

/// The results of an SPF check (RFC 7208 2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpfResult {
    /// There is no record.
    None,
    /// The record says nothing either way.
    Neutral,
    /// It may send.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// Somebody on the way did not answer.
    TempError,
    /// The record cannot be followed.
    PermError,
}

impl SpfResult {
    /// As Received-SPF and Authentication-Results write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}
