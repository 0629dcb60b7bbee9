//! Names: from the domain to the addresses of its mail hosts.

use super::{Code, Entry, Role, RouteText, State};

pub(super) const DNS: &[Entry] = &[
    Entry {
        code: Code::DnsDomainNotFound,
        state: State::Broken,
        role: Role::Receiver,
        title: "The domain does not exist in DNS",
        explanation: "DNS, the phone book of the internet, says that there is no such domain. Either the name is \
            misspelt, or it has expired or been deleted. All mail to it is returned at once.",
        action: "Check the spelling. Then look up who registered the domain and whether it has expired; have the \
            owner renew it today.",
        seen: "NXDOMAIN (RFC 2308 2.1); senders see 5.1.2 or 5.4.4 (RFC 3463).",
        refuted: "An answer from the domain's own name servers, asked directly.",
        route: Some(RouteText {
            explanation: "DNS, the phone book of the internet, says that the recipient's domain does not exist. \
                Either the address is misspelt, or their domain has expired or been deleted.",
            action: "Check the spelling of the address. If it is right, phone the recipient and tell them that \
                their domain has vanished.",
        }),
    },
    Entry {
        code: Code::DnsServfail,
        state: State::Broken,
        role: Role::Receiver,
        title: "The domain's name servers give an error instead of an answer",
        explanation: "The question where mail for this domain goes is answered with \"server failure\". The \
            domain's zone (its list of records) is probably missing or damaged on its name servers. Senders wait \
            and try again.",
        action: "Call whoever hosts the domain's DNS. Give them the name servers and answers listed here and ask \
            them to load the zone again.",
        seen: "SERVFAIL (RFC 1035 4.1.1) with no word of DNSSEC; senders see 4.4.3.",
        refuted: "Name servers that answer us directly: then the resolver is at fault, and the verdict is unknown.",
        route: None,
    },
    Entry {
        code: Code::DnsDnssecBogus,
        state: State::Broken,
        role: Role::Receiver,
        title: "The domain's DNS signatures are wrong",
        explanation: "The domain protects its DNS records with signatures (DNSSEC), and they do not verify: they \
            have expired, or do not fit the key at the parent. Senders that check them, as most large ones do, \
            cannot deliver.",
        action: "Call whoever hosts the domain's DNS and ask them to sign the zone anew, or to correct the DS \
            record at the registrar.",
        seen: "SERVFAIL with extended error 6 to 10 (RFC 8914), while an unchecked question is answered.",
        refuted: "The same failure with checking disabled: then the servers do not answer, and it is no matter of signatures.",
        route: None,
    },
    Entry {
        code: Code::DnsNameserversUnreachable,
        state: State::Broken,
        role: Role::Receiver,
        title: "None of the domain's name servers can be reached",
        explanation: "No server that could say where the domain's mail goes answers us. Senders that have asked \
            lately still remember; for all others mail waits.",
        action: "Call whoever hosts the domain's DNS and give them the list of silent name servers. If they run \
            at the client's own site, check that site's line first.",
        seen: "Each name server times out or refuses; resolvers say SERVFAIL with extended error 22 or 23 (RFC 8914).",
        refuted: "One of the listed name servers that answers us directly.",
        route: None,
    },
    Entry {
        code: Code::DnsNoMailHost,
        state: State::Broken,
        role: Role::Receiver,
        title: "DNS names no mail server for the domain",
        explanation: "The domain exists, but has neither a mail record (MX) nor an address that mail could fall \
            back on. Mail to it cannot go anywhere and is returned.",
        action: "Ask whoever hosts the domain's DNS whether the MX record was deleted, and have it put back.",
        seen: "No MX and no address record (RFC 5321 5.1); senders see 5.4.4 or 5.1.2.",
        refuted: "An MX record, or a greeting on port 25 at the domain's own address.",
        route: Some(RouteText {
            explanation: "The recipient's domain exists, but publishes no mail server at all. Mail to it is \
                returned.",
            action: "Ask the recipient for another address, and tell them that their domain lacks an MX record.",
        }),
    },
    Entry {
        code: Code::DnsMxDangling,
        state: State::Broken,
        role: Role::Receiver,
        title: "The mail record points to a name that has no address",
        explanation: "DNS names a mail server, but that server's own name leads nowhere. Often the server was \
            moved or deleted and the record was forgotten.",
        action: "Have whoever hosts the domain's DNS correct the MX record, or give the named host its address \
            record back.",
        seen: "The MX name gives NXDOMAIN or no A and AAAA record; senders see 5.4.4.",
        refuted: "An address record for one of the MX hosts.",
        route: None,
    },
    Entry {
        code: Code::DnsMxInvalid,
        state: State::Broken,
        role: Role::Receiver,
        title: "The mail record holds something that is no mail server",
        explanation: "The record that should name the mail server holds an IP address, a local name, an \
            unfinished set-up name, or a \"takes no mail\" mark beside real servers. Senders cannot use it.",
        action: "Have whoever hosts the domain's DNS correct the MX record. If it ends in msv1.invalid, finish \
            the domain's set-up in the Microsoft 365 admin centre.",
        seen: "An MX such as 192.0.2.1, localhost, *.msv1.invalid, or \".\" beside others (RFC 5321 5.1, RFC 7505 3).",
        refuted: "One MX record that names a host with an address.",
        route: None,
    },
    Entry {
        code: Code::DnsNullMx,
        state: State::Broken,
        role: Role::Receiver,
        title: "The domain says that it takes no mail",
        explanation: "The domain publishes a special record that means \"no mail here, ever\" (a null MX). All \
            mail to it is returned at once. For this domain, mail is expected.",
        action: "Ask the client whether this domain should get mail. If so, have the record \"0 .\" replaced by \
            the real MX; if not, set mail = \"none\" for it in the configuration.",
        seen: "MX \"0 .\" (RFC 7505); senders see 556 or 5.1.10.",
        refuted: "`mail = \"none\"` or `expect_mx = [\".\"]` in the configuration: then it is meant so.",
        route: Some(RouteText {
            explanation: "The recipient's domain publishes a record that means \"no mail here, ever\" (a null \
                MX). Mail to it is returned at once.",
            action: "Ask the recipient for an address in another domain.",
        }),
    },
    Entry {
        code: Code::DnsNameserverFailed,
        state: State::Degraded,
        role: Role::Receiver,
        title: "One of the domain's name servers does not answer properly",
        explanation: "The domain has several name servers and at least one of them is silent, refuses, or does \
            not know the domain. The others do the work; if they fail too, mail stops.",
        action: "Tell whoever hosts the domain's DNS which server it is and what it answers. It is not urgent \
            tonight.",
        seen: "A timeout, REFUSED, SERVFAIL or an answer without authority from one listed server.",
        refuted: "An answer with authority from the name server that is listed here.",
        route: None,
    },
    Entry {
        code: Code::DnsNameserversDisagree,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The domain's name servers do not agree",
        explanation: "Depending on which of its name servers is asked, the domain's mail goes to different \
            places. Just after a change that is normal for a while; if it stays, one name server has old data. As a \
            mere warning: they agree on mail, but one of them keeps an old version, or the registrar's list of \
            name servers is not the domain's own.",
        action: "Wait an hour. If they still differ, send whoever hosts the domain's DNS what each of them says and \
            ask them to bring the servers, and the list at the registrar, into line.",
        seen: "Different MX answers, SOA serials or NS records from the listed name servers and the zone above.",
        refuted: "The same MX records from every name server, after the zone's refresh time.",
        route: None,
    },
    Entry {
        code: Code::DnsMxChanged,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The domain's mail goes to other servers than before",
        explanation: "The mail servers in DNS are not those that we know. Somebody moved the mail, or somebody \
            who should not have did. If nobody planned it, treat it as a break-in.",
        action: "Ask the client at once whether they changed their mail provider. If yes, approve the change \
            (mailflow approve DOMAIN). If no, have the DNS password changed and the record put back.",
        seen: "An MX set that differs from the configured or approved one.",
        refuted: "Somebody who knows of the change: `mailflow approve DOMAIN`.",
        route: None,
    },
    Entry {
        code: Code::DnsMxIsCname,
        state: State::Flowing,
        role: Role::Receiver,
        title: "The mail record points to an alias, which some senders refuse",
        explanation: "The name in the mail record is itself only an alias for another name (a CNAME). The rules \
            forbid that. Most senders deliver all the same; a few do not.",
        action: "Have whoever hosts the domain's DNS put the real server name into the MX record. Not urgent.",
        seen: "The MX name has a CNAME record (RFC 2181 10.3, RFC 5321 5.1).",
        refuted: "An address record at the MX host's own name.",
        route: None,
    },
    Entry {
        code: Code::DnsMxMissing,
        state: State::Flowing,
        role: Role::Receiver,
        title: "There is no mail record; senders fall back on the domain's address",
        explanation: "The domain has no MX record, so mail goes to the address of the domain itself, often its \
            web server. That works here, but breaks as soon as the web site moves.",
        action: "Have whoever hosts the domain's DNS add an MX record that names the mail server. Not urgent.",
        seen: "No MX, but an A or AAAA record (RFC 5321 5.1, implicit MX).",
        refuted: "An MX record.",
        route: None,
    },
];
