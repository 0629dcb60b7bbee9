//! What words mean depends on who says them, and of whom: the same words of the sender's own server and of the recipient's
//! are two things.

use super::reason::Reason;
use super::reply;

/// Who speaks, and of whom.
pub(super) struct Case<'a> {
    /// The recipient's domain, in lower case.
    pub(super) domain: Option<&'a str>,
    /// Who reports.
    pub(super) reporter: Option<&'a str>,
    /// Who refused, where that is somebody else.
    pub(super) remote: Option<&'a str>,
}

/// The reason, once it is considered who says `text`.
pub(super) fn refined(reason: Reason, text: &str, case: &Case<'_>) -> Reason {
    let lower = text.to_lowercase();
    let code = reply::code(text).map(|(_, code)| code);
    match reason {
        // Exim says so of whatever its routers cannot place. It asks them about its own people before it takes a message, so
        // what comes back later was for a domain that DNS does not lead to.
        Reason::UserUnknown
            if code.is_none()
                && case.remote.is_none()
                && lower.contains("unrouteable address")
                && !is_own(case) =>
        {
            Reason::DomainNotFound
        }
        // Postfix names the host that it could not find: another than the domain is one that the domain's MX names.
        Reason::DomainNotFound
            if code.is_none()
                && case
                    .domain
                    .zip(looked_up(&lower))
                    .is_some_and(|(domain, host)| domain != host) =>
        {
            Reason::NoMailHost
        }
        // So does Sendmail, in words that look like a reply.
        Reason::DomainNotFound
            if case
                .domain
                .zip(unknown_host(&lower))
                .is_some_and(|(domain, host)| domain != host) =>
        {
            Reason::NoMailHost
        }
        // Courier's words for whatever goes wrong without a reply; it names a host only where it had a connection.
        Reason::Unreachable if lower.trim() == "network is down" && case.remote.is_some() => {
            Reason::Disconnected
        }
        // A domain with a null MX has no server that could say so (RFC 7505 4.1; 556 and X.1.10 are a relay's).
        Reason::NullMx if says_it_itself(&lower, code) => Reason::NoService,
        other => other,
    }
}

/// Whether the recipient's domain is that of the server that reports.
fn is_own(case: &Case<'_>) -> bool {
    let Some((domain, reporter)) = case.domain.zip(case.reporter) else {
        return false;
    };
    let reporter = reporter.to_ascii_lowercase();
    reporter == domain
        || reporter
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.'))
}

/// `mx.partner.test` of `Name service error for name=mx.partner.test type=A: Host not found`.
fn looked_up(lower: &str) -> Option<&str> {
    let (_, rest) = lower.split_once("name service error for name=")?;
    let (host, rest) = rest.split_once(char::is_whitespace)?;
    (!rest.trim_start().starts_with("type=mx")).then(|| host.trim_end_matches('.'))
}

/// `mx.partner.test` of `Host unknown (Name server: mx.partner.test.: host not found)`.
fn unknown_host(lower: &str) -> Option<&str> {
    let (_, rest) = lower.split_once("host unknown (name server: ")?;
    let (host, _) = rest.split_once(": host not found)")?;
    Some(host.trim_end_matches('.'))
}

fn says_it_itself(lower: &str, code: Option<u16>) -> bool {
    let of_domain =
        lower.contains("null") || reply::all_enhanced(lower).any(|(_, code)| (code.1, code.2) == (1, 10));
    code.is_some_and(|code| code != 556) && !of_domain
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use Reason as R;

    #[rstest]
    #[case(
        R::UserUnknown,
        "Unrouteable address",
        "partner.test",
        None,
        R::DomainNotFound
    )]
    #[case(R::UserUnknown, "Unrouteable address", "acme.test", None, R::UserUnknown)]
    #[case(R::UserUnknown, "Unrouteable address", "mx.acme.test", None, R::UserUnknown)]
    #[case(
        R::UserUnknown,
        "550 Unrouteable address",
        "partner.test",
        Some("mx.partner.test"),
        R::UserUnknown
    )]
    #[case(
        R::DomainNotFound,
        "Host or domain name not found. Name service error for name=gone.partner.test type=A: Host not found",
        "partner.test",
        None,
        R::NoMailHost
    )]
    #[case(
        R::DomainNotFound,
        "Host or domain name not found. Name service error for name=partner.test type=A: Host not found",
        "partner.test",
        None,
        R::DomainNotFound
    )]
    #[case(
        R::DomainNotFound,
        "550 5.1.2 a@partner.test... Host unknown (Name server: gone.partner.test.: host not found)",
        "partner.test",
        None,
        R::NoMailHost
    )]
    #[case(
        R::DomainNotFound,
        "550 5.1.2 a@partner.test... Host unknown (Name server: partner.test: host not found)",
        "partner.test",
        None,
        R::DomainNotFound
    )]
    #[case(
        R::Unreachable,
        "Network is down",
        "partner.test",
        Some("mx.partner.test"),
        R::Disconnected
    )]
    #[case(R::Unreachable, "Network is down", "partner.test", None, R::Unreachable)]
    #[case(
        R::NullMx,
        "554 5.3.2 mx.partner.test does not accept mail",
        "partner.test",
        Some("mx.partner.test"),
        R::NoService
    )]
    #[case(
        R::NullMx,
        "556 5.1.10 Domain partner.test does not accept mail (nullMX)",
        "partner.test",
        Some("mx.relay.test"),
        R::NullMx
    )]
    #[case(
        R::NullMx,
        "Domain partner.test does not accept mail (nullMX)",
        "partner.test",
        None,
        R::NullMx
    )]
    fn who_says_it_matters(
        #[case] reason: Reason,
        #[case] text: &str,
        #[case] domain: &str,
        #[case] remote: Option<&str>,
        #[case] expected: Reason,
    ) {
        let case = Case {
            domain: Some(domain),
            reporter: Some("mx.acme.test"),
            remote,
        };
        assert_eq!(refined(reason, text, &case), expected, "{text}");
    }
}
