//! Services beside mail exchange, providers as a whole, and our own notifiers.

use super::{Code, Entry, Role, RouteText, State};

pub(super) const SERVICES: &[Entry] = &[
    Entry {
        code: Code::ServiceUnreachable,
        state: State::Degraded,
        role: Role::Receiver,
        title: "A service for reading or sending mail does not work",
        explanation: "The service that people's mail programs use (say IMAP for reading or submission for \
            sending) cannot be reached, or breaks off before anybody could log in. Mail between servers may still \
            flow, but people cannot get at it.",
        action: "Have the named service on that server checked and started, and the firewall's rule for its port \
            looked at. Where its name has no address, have the DNS record put back.",
        seen: "No address, no connection, no proper greeting, or a failed TLS handshake on the service's port.",
        refuted: "A connection from another network; services are often closed to the outside on purpose.",
        route: None,
    },
    Entry {
        code: Code::ServiceCertificateExpired,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The certificate that mail programs see has expired",
        explanation: "People's mail programs now warn or refuse to connect, because the service's certificate is \
            past its last day.",
        action: "Have the certificate renewed today and the service reloaded. Tell people not to click the \
            warning away.",
        seen: "notAfter lies in the past (RFC 5280 4.1.2.5).",
        refuted: "A certificate with a later date in the next session; a wrong clock on our machine.",
        route: None,
    },
    Entry {
        code: Code::ServiceCertificateNameMismatch,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The certificate that mail programs see is for another name",
        explanation: "The service's certificate does not cover the name that people's mail programs are set to, \
            so they warn or refuse to connect.",
        action: "Have a certificate issued that includes this name, or have the mail programs set to the name \
            in the certificate.",
        seen: "The configured name is in no subjectAltName (RFC 9525 6).",
        refuted: "A certificate for this name in a session that asked for it by name.",
        route: None,
    },
    Entry {
        code: Code::ServiceCertificateUntrusted,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The certificate that mail programs see has no known issuer",
        explanation: "The service's certificate was made by itself or by an unknown issuer, or its chain is \
            incomplete. People's mail programs warn or refuse to connect.",
        action: "Have a certificate of a public issuer installed, together with its full chain.",
        seen: "No path from the certificate to a root that we trust (RFC 5280 6).",
        refuted: "An issuer that is meant to be trusted: name it under `ca_file`.",
        route: None,
    },
    Entry {
        code: Code::ServiceCertificateExpiring,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The certificate that mail programs see expires soon",
        explanation: "The service's certificate still works, but its last day is near. After it, people's mail \
            programs will refuse to connect.",
        action: "Have it renewed this week, and check why the automatic renewal has not run.",
        seen: "notAfter lies within the next weeks (RFC 5280 4.1.2.5).",
        refuted: "A certificate with a later date in the next session.",
        route: None,
    },
    Entry {
        code: Code::ProviderOutage,
        state: State::Broken,
        role: Role::Provider,
        title: "The mail provider is down for several clients at once",
        explanation: "All mail servers of this provider that our clients use fail at the same time, for more than \
            one client. The fault is at the provider; nothing at the clients' sites can mend it. Senders keep \
            trying for days.",
        action: "Look at the provider's status page and open a ticket with the evidence shown here. Tell the \
            clients that incoming mail is delayed and that the provider is on it.",
        seen: "Every address of the provider that serves our domains fails, while other mail hosts answer.",
        refuted: "One client at the same provider, at the same addresses, whose mail flows.",
        route: Some(RouteText {
            explanation: "The provider that takes mail for this recipient is down, for others too. The client's \
                own server keeps the mail and tries again.",
            action: "Tell the client that mail to this recipient is delayed by the recipient's provider. Nothing \
                is to be done at the client's.",
        }),
    },
    Entry {
        code: Code::NotifierFailed,
        state: State::Degraded,
        role: Role::Us,
        title: "We could not deliver an alert",
        explanation: "A message about an incident could not be handed over, time after time. Somebody who should \
            know of a problem may not have been told.",
        action: "Look at the open incidents and tell the people concerned yourself. Then check the notifier's \
            address and password in the configuration, and test it (mailflow notify test NAME).",
        seen: "The receiving service does not answer, or answers with an error, again and again.",
        refuted: "`mailflow notify test NAME` that arrives.",
        route: None,
    },
];
