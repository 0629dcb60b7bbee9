//! What can be wrong in the simulated world, as cases name it.

use serde::Deserialize;

use super::published;
use super::world::{List, NameServers, Server};
use crate::model::SmtpStage;
use crate::model::policy::{StsMode, StsOutcome};
use crate::model::tls::ChainVerdict;

/// One thing that is so, whether it is a fault or not.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// Our line is dead.
    UplinkDead {},
    /// Our cable is out: our kernel says so.
    CableOut {},
    /// Port 25 is closed for us alone.
    Port25Closed {},
    /// Our resolver answers nothing.
    ResolverDead {},
    /// Our resolver fails at every question.
    ResolverFails {},
    /// Our resolver fails at this name, whatever its name servers say.
    ResolverFailsAt { name: String },
    /// Our own line loses so many of five pings, and takes so much longer for the rest.
    OwnLine { lost: usize, milliseconds: u64 },
    /// Our machine has a way to the IPv6 internet.
    HasIpv6 {},
    /// This is the address that we speak from.
    WeSpeakFrom { address: String },

    /// A router is dead.
    RouterDead { router: String },
    /// Routers answer no checks; mail passes.
    RoutersSilent {},
    /// So many of five pings to a router are lost.
    RouterLoses { router: String, of_five: usize },
    /// Pings to a router take so long.
    RouterSlow { router: String, milliseconds: u64 },
    /// A router has an SNMP agent, which has run for so many days.
    Agent { router: String, days: i64 },
    /// A router's agent says that it has only just started.
    Restarts { router: String },
    /// A router's agent says nothing.
    AgentSilent { router: String },

    /// How a mail server is.
    Server { address: String, is: ServerIs },
    /// A mail server says this at a stage: a greeting, or a later reply.
    Says {
        address: String,
        at: SmtpStage,
        line: String,
    },
    /// A mail server closes where the reply of a stage is due.
    Closes { address: String, at: SmtpStage },
    /// A mail server says nothing where the reply of a stage is due.
    FallsSilent { address: String, at: SmtpStage },
    /// A mail server takes so long to reply at a stage.
    Drags {
        address: String,
        at: SmtpStage,
        seconds: u64,
    },
    /// A mail server greets after so long.
    GreetsLate { address: String, seconds: u64 },
    /// The TLS handshake fails, with this alert or without a word.
    NoHandshake { address: String, alert: Option<String> },
    /// A mail server shows this certificate.
    Certificate {
        address: String,
        chain: Chain,
        /// Whose it is.
        name: String,
        /// For how many days it is still valid.
        days: i64,
    },

    /// How the name servers of a domain are.
    NameServers { domain: String, are: NameServersAre },
    /// A name does not exist.
    Missing { name: String },
    /// The MX records of a domain, in order; none at all for an empty list.
    Mx { domain: String, hosts: Vec<String> },
    /// The addresses of a host; none at all for an empty list.
    Addresses { host: String, are: Vec<String> },
    /// A host is an alias.
    Alias { host: String, of: String },

    /// An SPF record that is a permanent error; without one, there is none.
    Spf { domain: String, record: Option<String> },
    /// A DMARC record.
    Dmarc { domain: String, record: String },
    /// What stands at a DKIM selector; nothing without a record.
    Dkim {
        domain: String,
        selector: String,
        record: Option<String>,
    },
    /// An MTA-STS policy that senders know, and how it is served now.
    Sts {
        domain: String,
        mode: StsMode,
        mx: String,
        fetch: Fetch,
    },
    /// A signed TLSA record that fits the certificate with this mark.
    Tlsa {
        host: String,
        mark: char,
        /// 3 where nothing is said.
        usage: Option<u8>,
    },
    /// A mail server shows the certificate with this mark.
    Key { address: String, mark: char },

    /// How whatever listens at a port beside mail is.
    Service { port: u16, is: ServerIs },
    /// What it says instead of a welcome.
    ServiceSays { port: u16, line: String },
    /// The certificate that services show.
    ServiceCertificate {
        chain: Chain,
        name: Option<String>,
        days: i64,
    },
    /// The blocklist lists these.
    Listed { addresses: Vec<String> },
    /// How the blocklist is.
    Blocklist { is: ListIs },

    /// What a mail server says at a stage when it is asked for a recipient.
    Asked {
        address: String,
        at: SmtpStage,
        line: String,
    },
    /// What becomes of canaries.
    Canary { is: CanaryIs },
    /// What is wrong with a sending address.
    Sender { address: String, is: SenderIs },
}

/// How a server is that does not work as it should.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerIs {
    Up,
    Stopped,
    LineDown,
    Filtered,
    Prohibited,
    Untriable,
    Silent,
    Babbling,
    /// Without STARTTLS.
    Plain,
    /// With what it offers overwritten.
    Masked,
}

/// What becomes of canaries.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CanaryIs {
    /// Their server does not take them.
    Refused,
    /// Their server does not know their recipient.
    Unknown,
    WrongPassword,
    /// We log in by a token, and get none.
    NoToken,
    Lost,
    Slow,
    Junk,
    MailboxAway,
    /// Their server has had too many of them.
    TooMany,
    /// Their server has blocked their account.
    Blocked,
    /// Taken by their server, and refused by the next because of that server's address.
    Returned,
}

/// What is wrong with a sending address.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SenderIs {
    Nameless,
    Misnamed,
    /// No domain lets it send.
    Uncovered,
}

/// How name servers are.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameServersAre {
    OneDown,
    OneLame,
    Disagreeing,
    Refusing,
    Down,
    Unreachable,
    Bogus,
}

/// How a policy is served.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fetch {
    Read,
    NotFound,
    Silent,
}

/// How a chain of certificates verifies.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chain {
    Trusted,
    Expired,
    NotYetValid,
    UnknownIssuer,
    SelfSigned,
    Revoked,
}

/// How a blocklist is that is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListIs {
    ListingEverything,
    Refusing,
}

impl ServerIs {
    pub(super) fn server(self) -> Server {
        match self {
            Self::Up => Server::Up,
            Self::Stopped => Server::Stopped,
            Self::LineDown => Server::LineDown,
            Self::Filtered => Server::Filtered,
            Self::Prohibited => Server::Prohibited,
            Self::Untriable => Server::Untriable,
            Self::Silent => Server::Silent,
            Self::Babbling => Server::Babbles,
            Self::Plain => Server::Plain,
            Self::Masked => Server::Masked,
        }
    }
}

impl NameServersAre {
    pub(super) fn state(self) -> NameServers {
        match self {
            Self::OneDown => NameServers::OneDown,
            Self::OneLame => NameServers::OneLame,
            Self::Disagreeing => NameServers::Disagreeing,
            Self::Refusing => NameServers::Refusing,
            Self::Down => NameServers::Down,
            Self::Unreachable => NameServers::Unreachable,
            Self::Bogus => NameServers::Bogus,
        }
    }
}

impl Fetch {
    pub(super) fn outcome(self) -> StsOutcome {
        match self {
            Self::Read => published::read(),
            Self::NotFound => StsOutcome::Failed {
                reason: "it answers with status 404".into(),
                text: Some("not found".into()),
            },
            Self::Silent => StsOutcome::Silent {
                reason: "no answer".into(),
            },
        }
    }
}

impl Chain {
    pub(super) fn verdict(self) -> ChainVerdict {
        match self {
            Self::Trusted => ChainVerdict::Trusted,
            Self::Expired => ChainVerdict::Expired,
            Self::NotYetValid => ChainVerdict::NotYetValid,
            Self::UnknownIssuer => ChainVerdict::UnknownIssuer,
            Self::SelfSigned => ChainVerdict::SelfSigned,
            Self::Revoked => ChainVerdict::Revoked,
        }
    }
}

impl ListIs {
    pub(super) fn list(self) -> List {
        match self {
            Self::ListingEverything => List::Everything,
            Self::Refusing => List::Refusing,
        }
    }
}
