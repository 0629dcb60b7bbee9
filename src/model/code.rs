//! The codes of causes: what can be wrong, by its fixed name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! codes {
    ($($variant:ident = $text:literal,)+) => {
        /// What can be wrong. The name's first word is the layer that it lies in.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the catalogue's own texts say what each means")]
        pub enum Code { $($variant,)+ }

        impl Code {
            /// Every code, by layer.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The fixed name: `gateway.down`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

codes! {
    VantageOffline = "vantage.offline",
    VantagePort25Blocked = "vantage.port25-blocked",
    VantageResolverFailed = "vantage.resolver-failed",
    VantageRefused = "vantage.refused",
    VantageNoEvidence = "vantage.no-evidence",
    VantageNoIpv6 = "vantage.no-ipv6",
    VantageSourceUnreadable = "vantage.source-unreadable",
    VantageStoreUnwritable = "vantage.store-unwritable",
    GatewayDown = "gateway.down",
    GatewayLossy = "gateway.lossy",
    GatewaySlow = "gateway.slow",
    GatewayRebooted = "gateway.rebooted",
    GatewayUnproven = "gateway.unproven",
    DnsDomainNotFound = "dns.domain-not-found",
    DnsServfail = "dns.servfail",
    DnsDnssecBogus = "dns.dnssec-bogus",
    DnsNameserversUnreachable = "dns.nameservers-unreachable",
    DnsNoMailHost = "dns.no-mail-host",
    DnsMxDangling = "dns.mx-dangling",
    DnsMxInvalid = "dns.mx-invalid",
    DnsNullMx = "dns.null-mx",
    DnsNameserverFailed = "dns.nameserver-failed",
    DnsNameserversDisagree = "dns.nameservers-disagree",
    DnsMxChanged = "dns.mx-changed",
    DnsMxIsCname = "dns.mx-is-cname",
    DnsMxMissing = "dns.mx-missing",
    HostUnreachable = "host.unreachable",
    HostRefused = "host.refused",
    HostPort25Filtered = "host.port25-filtered",
    HostIpv6Failed = "host.ipv6-failed",
    SmtpNoGreeting = "smtp.no-greeting",
    SmtpUnavailable = "smtp.unavailable",
    SmtpRejectsConnections = "smtp.rejects-connections",
    SmtpStorageFull = "smtp.storage-full",
    SmtpTempfail = "smtp.tempfail",
    SmtpSystemError = "smtp.system-error",
    SmtpDisconnects = "smtp.disconnects",
    SmtpProtocolError = "smtp.protocol-error",
    SmtpSlowGreeting = "smtp.slow-greeting",
    SmtpGreylisted = "smtp.greylisted",
    TlsNotOffered = "tls.not-offered",
    TlsStripped = "tls.stripped",
    TlsHandshakeFailed = "tls.handshake-failed",
    TlsCertificateExpired = "tls.certificate-expired",
    TlsCertificateNameMismatch = "tls.certificate-name-mismatch",
    TlsCertificateUntrusted = "tls.certificate-untrusted",
    TlsLegacyProtocol = "tls.legacy-protocol",
    TlsCertificateExpiring = "tls.certificate-expiring",
    PolicyStsMismatch = "policy.sts-mismatch",
    PolicyDaneMismatch = "policy.dane-mismatch",
    PolicyDaneUnusable = "policy.dane-unusable",
    PolicyStsUnavailable = "policy.sts-unavailable",
    PolicySpfInvalid = "policy.spf-invalid",
    PolicyDmarcInvalid = "policy.dmarc-invalid",
    PolicyDkimMissing = "policy.dkim-missing",
    ReputationListed = "reputation.listed",
    ReputationSenderBlocked = "reputation.sender-blocked",
    ReputationNoReverseDns = "reputation.no-reverse-dns",
    RecipientUnknown = "recipient.unknown",
    RecipientMailboxFull = "recipient.mailbox-full",
    RecipientRefused = "recipient.refused",
    RecipientPolicy = "recipient.policy",
    SenderAuthentication = "sender.authentication",
    SenderRateLimited = "sender.rate-limited",
    SenderAccountBlocked = "sender.account-blocked",
    SenderSubmissionFailed = "sender.submission-failed",
    SenderAddressRefused = "sender.address-refused",
    MessageTooLarge = "message.too-large",
    MessageContent = "message.content",
    MessageMalformed = "message.malformed",
    RoutingRelayDenied = "routing.relay-denied",
    RoutingLoop = "routing.loop",
    QueueExpired = "queue.expired",
    CanaryCredentials = "canary.credentials",
    DeliveryLost = "delivery.lost",
    DeliverySlow = "delivery.slow",
    DeliveryJunk = "delivery.junk",
    DeliveryMailboxUnreachable = "delivery.mailbox-unreachable",
    ServiceUnreachable = "service.unreachable",
    ServiceCertificateExpired = "service.certificate-expired",
    ServiceCertificateNameMismatch = "service.certificate-name-mismatch",
    ServiceCertificateUntrusted = "service.certificate-untrusted",
    ServiceCertificateExpiring = "service.certificate-expiring",
    ProviderOutage = "provider.outage",
    NotifierFailed = "notifier.failed",
}

impl Code {
    /// The layer that the fault lies in: the code's first word.
    pub fn layer(self) -> &'static str {
        self.as_str().split_once('.').map_or("", |(layer, _)| layer)
    }

    /// Whether senders keep the mail that it stops, and try again (RFC 5321 4.5.4.1).
    pub fn senders_keep_trying(self) -> bool {
        matches!(
            self,
            Self::GatewayDown
                | Self::HostUnreachable
                | Self::HostRefused
                | Self::HostPort25Filtered
                | Self::SmtpNoGreeting
                | Self::SmtpUnavailable
                | Self::SmtpDisconnects
                | Self::DnsServfail
                | Self::DnsNameserversUnreachable
                | Self::ProviderOutage
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is no cause's code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no cause's code")]
pub struct UnknownCode(pub String);

impl FromStr for Code {
    type Err = UnknownCode;
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == text)
            .ok_or_else(|| UnknownCode(text.into()))
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
