use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// The contract's own list, with its brackets. Where the contract gives no state (routes, bounces, canaries),
/// the table here is the decision.
const STATES: &[(State, &[&str])] = &[
    (
        State::Unknown,
        &[
            "vantage.offline",
            "vantage.port25-blocked",
            "vantage.resolver-failed",
            "vantage.refused",
            "vantage.no-evidence",
            "vantage.source-unreadable",
            "vantage.store-unwritable",
            "canary.credentials",
        ],
    ),
    (
        State::Flowing,
        &[
            "vantage.no-ipv6",
            "gateway.rebooted",
            "gateway.unproven",
            "dns.mx-is-cname",
            "dns.mx-missing",
            "host.ipv6-failed",
            "smtp.greylisted",
            "tls.certificate-expiring",
            // Not in the contract:
            "policy.dane-unusable",
        ],
    ),
    (
        State::Broken,
        &[
            "gateway.down",
            "dns.domain-not-found",
            "dns.servfail",
            "dns.dnssec-bogus",
            "dns.nameservers-unreachable",
            "dns.no-mail-host",
            "dns.mx-dangling",
            "dns.mx-invalid",
            "dns.null-mx",
            "host.unreachable",
            "host.refused",
            "host.port25-filtered",
            "smtp.no-greeting",
            "smtp.unavailable",
            "smtp.rejects-connections",
            "smtp.storage-full",
            "smtp.tempfail",
            "smtp.disconnects",
            "smtp.protocol-error",
            "policy.sts-mismatch",
            "policy.dane-mismatch",
            "reputation.sender-blocked",
            "provider.outage",
            // No bracket in the contract:
            "smtp.system-error",
            "reputation.no-reverse-dns",
            "sender.address-refused",
            "routing.relay-denied",
            "recipient.unknown",
            "recipient.mailbox-full",
            "recipient.refused",
            "recipient.policy",
            "sender.authentication",
            "sender.account-blocked",
            "sender.submission-failed",
            "routing.loop",
            "queue.expired",
            "delivery.lost",
        ],
    ),
    (
        State::Degraded,
        &[
            "gateway.lossy",
            "gateway.slow",
            "dns.nameserver-failed",
            "dns.nameservers-disagree",
            "dns.mx-changed",
            "smtp.slow-greeting",
            "tls.not-offered",
            "tls.stripped",
            "tls.handshake-failed",
            "tls.certificate-expired",
            "tls.certificate-name-mismatch",
            "tls.certificate-untrusted",
            "tls.legacy-protocol",
            "policy.sts-unavailable",
            "policy.spf-invalid",
            "policy.dmarc-invalid",
            "policy.dkim-missing",
            "reputation.listed",
            "service.unreachable",
            "service.certificate-expired",
            "service.certificate-name-mismatch",
            "service.certificate-untrusted",
            "service.certificate-expiring",
            // No bracket in the contract:
            "sender.rate-limited",
            "message.too-large",
            "message.content",
            "message.malformed",
            "delivery.slow",
            "delivery.junk",
            "delivery.mailbox-unreachable",
            "notifier.failed",
        ],
    ),
];

#[test]
fn states_are_those_of_the_contract() {
    let mut seen = 0;
    for (state, codes) in STATES {
        for code in *codes {
            let code: Code = code.parse().unwrap();
            assert_eq!(code.entry().state, *state, "{code}");
            seen += 1;
        }
    }
    assert_eq!(seen, Code::ALL.len());
}

#[test]
fn each_code_finds_its_own_entry() {
    for code in Code::ALL {
        assert_eq!(code.entry().code, *code);
    }
}

#[test]
fn titles_are_short_and_unlike_each_other() {
    let mut titles = HashSet::new();
    for entry in all() {
        let length = entry.title.chars().count();
        assert!((15..=70).contains(&length), "{}: {length}", entry.code);
        assert!(!entry.title.ends_with('.'), "{}", entry.code);
        assert!(titles.insert(entry.title), "{}: repeated", entry.code);
    }
}

#[test]
fn texts_are_whole_sentences() {
    for entry in all() {
        let route = entry.route.map_or([entry.explanation, entry.action], |route| {
            [route.explanation, route.action]
        });
        let texts = [entry.explanation, entry.action, entry.seen, route[0], route[1]];
        for text in texts {
            assert!((8..=480).contains(&text.len()), "{}: {}", entry.code, text.len());
            assert!(text.ends_with('.'), "{}: {text}", entry.code);
            assert!(
                !text.contains("  ") && !text.contains('\n'),
                "{}: {text}",
                entry.code
            );
            assert!(!text.to_lowercase().contains("todo"), "{}", entry.code);
        }
    }
}

#[test]
fn only_our_own_side_is_ours() {
    for entry in all() {
        let ours = entry.code.layer() == "vantage"
            || matches!(
                entry.code,
                Code::GatewayUnproven | Code::CanaryCredentials | Code::NotifierFailed
            );
        assert_eq!(entry.role == Role::Us, ours, "{}", entry.code);
    }
}

#[test]
fn a_code_is_rendered_for_people() {
    insta::assert_snapshot!(render(Code::HostRefused, false, 72), @r"
    host.refused
    The machine is there, but no mail service is running on it

    Layer  host
    Whose  the receiver's: for a watched domain the client or its provider
    State  broken

    What it means
      The machine answers, and says that nothing listens on the mail port.
      The mail service has stopped or crashed, or the port is forwarded to
      the wrong machine. Senders keep trying for days.

    What to do
      Have the mail service on that server started and its log and disk
      space checked. If the address is a router's, check the port forwarding
      for port 25.

    How it looks
      Connection refused on port 25 (a TCP reset); Microsoft reports
      4.4.316.

    What would prove it wrong
      A connection to port 25 that opens; or another machine at that
      address, after a change of address.

    On a route (mail that a client sends to somebody)
      The recipient's machine answers, but no mail service is running on it.
      The client's own server keeps the mail and tries again.

    What to do about a route
      Phone the recipient and tell their IT that the mail service on their
      server has stopped.
    ");
}

#[test]
fn colours_only_on_demand_and_width_is_kept() {
    for entry in all() {
        let plain = render(entry.code, false, 60);
        assert!(!plain.contains('\x1b'));
        for line in plain.lines().skip(6) {
            assert!(line.chars().count() <= 60, "{line}");
        }
        assert!(render(entry.code, true, 60).contains("\x1b["));
    }
}

#[test]
fn a_mistyped_code_finds_its_neighbour() {
    assert_eq!(nearest("gateway.donw"), Some(Code::GatewayDown));
    assert_eq!(nearest("Host Refused"), Some(Code::HostRefused));
    assert_eq!(nearest("port25-blocked"), Some(Code::VantagePort25Blocked));
    assert_eq!(nearest("tls.cert-expired"), Some(Code::TlsCertificateExpired));
    assert_eq!(nearest("something else entirely"), None);
    assert_eq!(nearest(""), None);
    assert_eq!(nearest(&"x".repeat(10_000)), None);
}

proptest! {
    #[test]
    fn whatever_is_typed_gives_a_code_or_nothing(text in ".{0,100}") {
        let _ = nearest(&text);
    }

    #[test]
    fn one_slip_is_forgiven(index in 0..Code::ALL.len(), place in 0_usize..40, letter in "[a-z]") {
        let code = Code::ALL[index];
        let mut text = code.as_str().to_owned();
        text.insert_str(place.min(text.len()), &letter);
        prop_assert_eq!(nearest(&text), Some(code));
    }
}

/// The page that readers find is the one that the table gives.
#[test]
fn the_page_of_causes_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/causes.md");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == page(),
        "docs/causes.md is out of date: cargo run -- explain --all > docs/causes.md"
    );
}
