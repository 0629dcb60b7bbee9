//! Why a message was refused: finer than our causes, so that two refusals of one cause can be told apart.

use serde::Serialize;

use crate::model::Code;

macro_rules! reasons {
    ($($(#[$doc:meta])+ $variant:ident = $text:literal => $code:ident,)+) => {
        /// Why a message was refused, or what held it up.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Reason { $($(#[$doc])+ $variant,)+ }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in the API.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Our cause for it.
            pub fn code(self) -> Code {
                match self { $(Self::$variant => Code::$code,)+ }
            }
        }
    };
}

reasons! {
    /// Nobody of this name.
    UserUnknown = "user-unknown" => RecipientUnknown,
    /// No room in the mailbox.
    MailboxFull = "mailbox-full" => RecipientMailboxFull,
    /// The mailbox is switched off, suspended, locked.
    MailboxDisabled = "mailbox-disabled" => RecipientRefused,
    /// There is another address now.
    Moved = "moved" => RecipientRefused,
    /// A rule of the recipient's own.
    Policy = "policy" => RecipientPolicy,
    /// Taken for spam.
    Spam = "spam" => MessageContent,
    /// Taken for a virus.
    Virus = "virus" => MessageContent,
    /// An attachment or some other content that is not wanted.
    Content = "content" => MessageContent,
    /// SPF (RFC 7208).
    Spf = "spf" => SenderAuthentication,
    /// DKIM (RFC 6376).
    Dkim = "dkim" => SenderAuthentication,
    /// DMARC (RFC 9989).
    Dmarc = "dmarc" => SenderAuthentication,
    /// One of the three, or several.
    Authentication = "authentication" => SenderAuthentication,
    /// Too much in too short a time.
    RateLimited = "rate-limited" => SenderRateLimited,
    /// More recipients than may be named at once.
    TooManyRecipients = "too-many-recipients" => SenderRateLimited,
    /// Come back in some minutes (RFC 6647).
    Greylisted = "greylisted" => SmtpGreylisted,
    /// DNS knows no such domain.
    DomainNotFound = "domain-not-found" => DnsDomainNotFound,
    /// The domain names no host for its mail.
    NoMailHost = "no-mail-host" => DnsNoMailHost,
    /// DNS gave no answer.
    DnsFailure = "dns-failure" => DnsServfail,
    /// The domain says that it takes no mail (RFC 7505).
    NullMx = "null-mx" => DnsNullMx,
    /// Nothing answers there.
    Unreachable = "unreachable" => HostUnreachable,
    /// Nobody listens there.
    ConnectionRefused = "connection-refused" => HostRefused,
    /// Cut in the middle.
    Disconnected = "disconnected" => SmtpDisconnects,
    /// Too long in the queue, and nothing says why.
    Expired = "expired" => QueueExpired,
    /// The message is too big.
    TooLarge = "too-large" => MessageTooLarge,
    /// The server does not take mail for this domain.
    RelayDenied = "relay-denied" => RoutingRelayDenied,
    /// It went round in circles.
    Loop = "loop" => RoutingLoop,
    /// The sender's own account or organisation may not send any more.
    AccountBlocked = "account-blocked" => SenderAccountBlocked,
    /// The sender's own server wants a login.
    SubmissionFailed = "submission-failed" => SenderSubmissionFailed,
    /// The sender's address is not accepted.
    SenderRefused = "sender-refused" => SenderAddressRefused,
    /// Commands, headers or addresses that the server does not understand.
    Malformed = "malformed" => MessageMalformed,
    /// Something broke inside the server.
    SystemError = "system-error" => SmtpSystemError,
    /// The server has no room left.
    StorageFull = "storage-full" => SmtpStorageFull,
    /// The server is not available for the moment.
    Unavailable = "unavailable" => SmtpUnavailable,
    /// The server takes no mail from anybody.
    NoService = "no-service" => SmtpRejectsConnections,
    /// Encryption was wanted and not to be had.
    TlsNotOffered = "tls-not-offered" => TlsNotOffered,
    /// Encryption could not be agreed on.
    TlsFailed = "tls-failed" => TlsHandshakeFailed,
    /// The certificate has expired.
    CertificateExpired = "certificate-expired" => TlsCertificateExpired,
    /// The certificate is another's, or nobody vouches for it.
    CertificateInvalid = "certificate-invalid" => TlsCertificateUntrusted,
    /// MTA-STS forbids the host (RFC 8461).
    StsMismatch = "sts-mismatch" => PolicyStsMismatch,
    /// DANE does not fit the certificate (RFC 7672).
    DaneMismatch = "dane-mismatch" => PolicyDaneMismatch,
    /// On a blocklist.
    Blocklisted = "blocklisted" => ReputationSenderBlocked,
    /// Not on a named list, but not trusted either.
    BadReputation = "bad-reputation" => ReputationSenderBlocked,
    /// The sending server's address has no name, or another than it says.
    NoReverseDns = "no-reverse-dns" => ReputationNoReverseDns,
}

impl Reason {
    /// Whether another try without any change would probably end the same, where neither code says so.
    pub fn is_lasting(self) -> bool {
        !matches!(
            self,
            Self::MailboxFull
                | Self::RateLimited
                | Self::TooManyRecipients
                | Self::Greylisted
                | Self::DnsFailure
                | Self::Unreachable
                | Self::ConnectionRefused
                | Self::Disconnected
                | Self::Expired
                | Self::SystemError
                | Self::StorageFull
                | Self::Unavailable
                | Self::TlsFailed
        )
    }
}
