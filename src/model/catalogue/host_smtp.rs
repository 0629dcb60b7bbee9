//! Reaching the mail host, and talking to it.

use super::{Code, Entry, Role, RouteText, State};

pub(super) const HOST: &[Entry] = &[
    Entry {
        code: Code::HostUnreachable,
        state: State::Broken,
        role: Role::Receiver,
        title: "The mail server cannot be reached at all",
        explanation: "Nothing comes back from the mail server's address: no mail, no ping, no other service. The \
            machine is off, or its line or network is down. Our own line is fine. Senders keep trying for days.",
        action: "Call the contact given here. Have somebody check that the server has power and network, and \
            that its line is up.",
        seen: "Connections to port 25 time out or are reported unreachable; no other check answers either.",
        refuted: "A connection to the same address from another network: then the fault lies on the way from us.",
        route: Some(RouteText {
            explanation: "Nothing comes back from the recipient's mail server: no mail, no ping, no other \
                service. The fault is on their side or on the way to them. The client's own server keeps the \
                mail and tries again.",
            action: "Phone the recipient and tell their IT that their mail server cannot be reached from the \
                internet. Nothing is to be done at the client's.",
        }),
    },
    Entry {
        code: Code::HostRefused,
        state: State::Broken,
        role: Role::Receiver,
        title: "The machine is there, but no mail service is running on it",
        explanation: "The machine answers, and says that nothing listens on the mail port. The mail service has \
            stopped or crashed, or the port is forwarded to the wrong machine. Senders keep trying for days.",
        action: "Have the mail service on that server started and its log and disk space checked. If the address \
            is a router's, check the port forwarding for port 25.",
        seen: "Connection refused on port 25 (a TCP reset); Microsoft reports 4.4.316.",
        refuted: "A connection to port 25 that opens; or another machine at that address, after a change of address.",
        route: Some(RouteText {
            explanation: "The recipient's machine answers, but no mail service is running on it. The client's \
                own server keeps the mail and tries again.",
            action: "Phone the recipient and tell their IT that the mail service on their server has stopped.",
        }),
    },
    Entry {
        code: Code::HostPort25Filtered,
        state: State::Broken,
        role: Role::Receiver,
        title: "A firewall blocks the mail port of a server that is alive",
        explanation: "The server answers otherwise, but connections to its mail port (25) vanish or are \
            forbidden. That is a firewall or the line's provider, not the mail service.",
        action: "Ask whoever runs the firewall whether its rules were changed, and have TCP port 25 opened \
            inwards. If they changed nothing, ask the line's provider.",
        seen: "Port 25 times out or is \"administratively prohibited\" (ICMP), while ping or another port answers.",
        refuted: "A connection to port 25 from another network: then somebody filters us alone.",
        route: None,
    },
    Entry {
        code: Code::HostIpv6Failed,
        state: State::Flowing,
        role: Role::Receiver,
        title: "The mail server works over IPv4, but not over IPv6",
        explanation: "The server has an IPv6 address in DNS that does not answer. Senders fall back on IPv4, \
            which works, so mail is at most delayed a little.",
        action: "Have IPv6 at the server repaired, or its AAAA record taken out of DNS. Not urgent.",
        seen: "Failures at the IPv6 address only.",
        refuted: "A session over IPv6.",
        route: None,
    },
];

pub(super) const SMTP: &[Entry] = &[
    Entry {
        code: Code::SmtpNoGreeting,
        state: State::Broken,
        role: Role::Receiver,
        title: "The mail server accepts calls but never says a word",
        explanation: "The connection opens, then the server stays silent for as long as any sender would wait. \
            The mail service hangs: overloaded, out of disk or memory, or waiting for something itself.",
        action: "Have the mail service restarted, and its load, disk space and log checked.",
        seen: "TCP connects, then no 220 within five minutes (RFC 5321 4.5.3.2.1).",
        refuted: "A greeting, however late, within five minutes.",
        route: None,
    },
    Entry {
        code: Code::SmtpUnavailable,
        state: State::Broken,
        role: Role::Receiver,
        title: "The mail server says that it is not available right now",
        explanation: "The server answers, and sends everybody away for the moment: it is shutting down, \
            overloaded, or under maintenance. Senders wait and try again.",
        action: "Ask whoever runs the server whether maintenance is going on. If not, have its log and load \
            checked, and the service restarted.",
        seen: "421, often 4.3.2, at the greeting or EHLO (RFC 5321 3.8, RFC 3463 3.4).",
        refuted: "A greeting of 220; or the same words to us alone, while others are greeted.",
        route: None,
    },
    Entry {
        code: Code::SmtpRejectsConnections,
        state: State::Broken,
        role: Role::Receiver,
        title: "The mail server turns everybody away for good",
        explanation: "The server answers every connection with a final \"no mail here\". It is set up wrongly, or \
            this is not meant to be a mail server any more. Mail is returned to its senders at once.",
        action: "Act now, since mail is being returned. Have whoever runs the server read its log and settings; \
            check that DNS names the right server.",
        seen: "554 or 521 at the greeting without 5.7.x (RFC 5321 3.1, RFC 7504).",
        refuted: "A greeting of 220 to somebody else: then the server refuses us, not everybody.",
        route: None,
    },
    Entry {
        code: Code::SmtpStorageFull,
        state: State::Broken,
        role: Role::Receiver,
        title: "The mail server has no room left for mail",
        explanation: "The server takes connections, but says that its storage is full. Senders wait and try \
            again until room is made.",
        action: "Have disk space freed on the mail server: old logs, backups, the mail queue. Then check that \
            mail comes in again.",
        seen: "452 4.3.1 at MAIL or RCPT (RFC 5321 4.2.3, RFC 3463 3.4).",
        refuted: "A message that the server takes.",
        route: None,
    },
    Entry {
        code: Code::SmtpTempfail,
        state: State::Broken,
        role: Role::Receiver,
        title: "The mail server keeps saying \"try again later\"",
        explanation: "The server answers, but puts every sender off with a temporary error, time after time. \
            Something that it depends on has failed, such as its user directory, a filter or its database.",
        action: "Give whoever runs the server the exact reply shown here; ask them to check its log and the \
            services behind it.",
        seen: "4xx replies that go on and are neither about us nor greylisting (RFC 5321 4.2.1).",
        refuted: "A message that the server takes, or a second try after the usual delay that it takes: that was greylisting.",
        route: None,
    },
    Entry {
        code: Code::SmtpSystemError,
        state: State::Broken,
        role: Role::Receiver,
        title: "Something broke inside the mail server that had the mail",
        explanation: "A server had the message in hand and failed for a reason of its own: a disk, a database, a filter \
            or a setting. It is no matter of the sender, the address or the message.",
        action: "Send the mail again. If it fails again, give whoever runs the server that reports the exact words shown \
            here and ask them to look into its log.",
        seen: "5.3.0, 5.3.5 or 4.3.0, or 451 \"local error\" (RFC 3463 3.4).",
        refuted: "A message to the same recipient that the server takes.",
        route: None,
    },
    Entry {
        code: Code::SmtpDisconnects,
        state: State::Broken,
        role: Role::Network,
        title: "The connection to the mail server is cut in the middle",
        explanation: "The conversation starts, then breaks off or falls silent at the same step. Usual suspects \
            are a firewall that looks into mail traffic, or a network path that drops large packets.",
        action: "Have mail inspection (\"SMTP fixup\", \"ESMTP inspection\") on the firewall switched off. If that \
            does not help, ask the network's operator to check the packet size (MTU) on the path. If it falls silent \
            rather than breaking off, have the mail service's load and log looked at first.",
        seen: "A reset or an end of the connection before QUIT, or five minutes of silence after the greeting; senders see \
            4.4.2 (RFC 3463 3.5).",
        refuted: "A session to the end from another network: then something on the way cuts ours.",
        route: None,
    },
    Entry {
        code: Code::SmtpProtocolError,
        state: State::Broken,
        role: Role::Receiver,
        title: "What answers on the mail port does not speak mail",
        explanation: "Something answers, but not in the language of mail servers. The mail port leads to the \
            wrong service, or the mail server is badly broken.",
        action: "Check which machine and service port 25 leads to, the router's port forwarding included. Then \
            look at the answer shown here.",
        seen: "Lines that are no SMTP replies, endless replies, or a reply that cannot stand there (RFC 5321 4.2).",
        refuted: "A reply that keeps to the protocol.",
        route: None,
    },
    Entry {
        code: Code::SmtpSlowGreeting,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The mail server takes very long to answer",
        explanation: "The connection opens, but the server's first answers take longer than usual to come. Patient \
            senders get through, hurried ones do not. The server is overloaded, waits for a slow lookup, or \
            slows strangers down on purpose.",
        action: "Ask whoever runs the server to check its load and whether its own DNS lookups work. If it slows \
            senders down on purpose, nothing needs doing.",
        seen: "No 220, or no answer to EHLO, within the configured time, though senders wait five minutes for either \
            (RFC 5321 4.5.3.2.1).",
        refuted: "Answers within the time that is set here; a tarpit slows strangers only, and answers friends at once.",
        route: None,
    },
    Entry {
        code: Code::SmtpGreylisted,
        state: State::Flowing,
        role: Role::Nobody,
        title: "The mail server asks new senders to come back in a few minutes",
        explanation: "This is a common trick against spam called greylisting: the first try of an unknown sender \
            is put off, the second is taken. It is a sign of health, as long as the second try works.",
        action: "Nothing. If it goes on for more than an hour, ask whoever runs the server to let our sender pass.",
        seen: "450 or 451, often 4.7.1, at RCPT, and success after some minutes (RFC 6647).",
        refuted: "A refusal that goes on after an hour of tries with the same sender and recipient.",
        route: None,
    },
];
