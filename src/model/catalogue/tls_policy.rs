//! Encryption, and what domains publish about their mail.

use super::{Code, Entry, Role, RouteText, State};

pub(super) const TLS: &[Entry] = &[
    Entry {
        code: Code::TlsNotOffered,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The mail server no longer offers encryption",
        explanation: "The server should offer to encrypt mail on its way (it did before, or a policy demands it), \
            and does not. Senders that insist on encryption do not deliver; the others send in the clear.",
        action: "Ask whoever runs the server what changed. Often the certificate could not be loaded after a \
            renewal; the server's log says so.",
        seen: "No STARTTLS in the EHLO answer (RFC 3207); strict senders see 4.7.4 or 5.7.x.",
        refuted: "STARTTLS in the answer to EHLO, from another network as well: else something on the way removes it.",
        route: None,
    },
    Entry {
        code: Code::TlsStripped,
        state: State::Degraded,
        role: Role::Network,
        title: "Something on the way removes the offer of encryption",
        explanation: "The server's offer to encrypt arrives overwritten with X characters. A firewall between us \
            and the server rewrites the conversation, so all mail passes in the clear.",
        action: "Have mail inspection (\"SMTP fixup\", \"ESMTP inspection\") switched off on the firewall in front \
            of the mail server.",
        seen: "250-XXXXXXXX or XXXXXXXA in place of 250-STARTTLS in the EHLO answer.",
        refuted: "STARTTLS in the answer to EHLO on a connection that does not pass that firewall.",
        route: None,
    },
    Entry {
        code: Code::TlsHandshakeFailed,
        state: State::Degraded,
        role: Role::Receiver,
        title: "Encryption is offered, but cannot be set up",
        explanation: "The server offers to encrypt, and then the attempt fails. Some senders deliver in the clear \
            instead, others do not deliver.",
        action: "Ask whoever runs the server to check its certificate and key files and its TLS settings. The \
            error shown here helps them.",
        seen: "A TLS alert or a closed connection after STARTTLS (RFC 8446 6).",
        refuted: "A handshake that completes with any client from any network.",
        route: None,
    },
    Entry {
        code: Code::TlsCertificateExpired,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The mail server's certificate has expired",
        explanation: "The certificate that proves the server's identity is past its last day. Most senders still \
            deliver; those that check strictly do not.",
        action: "Have the certificate renewed today, and the mail service reloaded so that it uses the new one. \
            Then find out why the automatic renewal did not run.",
        seen: "notAfter lies in the past (RFC 5280 4.1.2.5); Microsoft reports 5.7.322.",
        refuted: "A certificate with a later date in the next session; a wrong clock on our machine.",
        route: Some(RouteText {
            explanation: "The certificate of the recipient's mail server is past its last day. Mail is delivered \
                all the same unless a policy demands a valid one.",
            action: "Tell the recipient's IT that their mail server's certificate has expired.",
        }),
    },
    Entry {
        code: Code::TlsCertificateNameMismatch,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The mail server's certificate is for another name",
        explanation: "The server shows a certificate that does not cover the name that DNS gives for it. Most \
            senders still deliver; those that check strictly do not.",
        action: "Have a certificate issued that includes the mail server's name as shown here, or correct the \
            name in the MX record.",
        seen: "The MX name is in no subjectAltName (RFC 9525 6).",
        refuted: "A certificate for this name in a session that asked for it by name.",
        route: None,
    },
    Entry {
        code: Code::TlsCertificateUntrusted,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The mail server's certificate is not from a known issuer",
        explanation: "The server made its certificate itself, or it comes from an issuer that nobody knows, or \
            the server forgets to send the certificate in between. Most senders still deliver; strict ones do not.",
        action: "Have a certificate of a public issuer installed (Let's Encrypt is free), together with its full \
            chain.",
        seen: "No path from the certificate to a root that we trust (RFC 5280 6).",
        refuted: "An issuer that is meant to be trusted: name it under `ca_file`.",
        route: None,
    },
    Entry {
        code: Code::TlsLegacyProtocol,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The mail server knows only outdated encryption",
        explanation: "The server speaks only old versions of TLS or old ciphers, which modern senders no longer \
            use. Those senders deliver in the clear, or not at all.",
        action: "Have the server updated, or TLS 1.2 and newer switched on in its settings.",
        seen: "The alert protocol_version, handshake_failure or insufficient_security (RFC 8996, RFC 9325).",
        refuted: "A handshake with TLS 1.2 or later.",
        route: None,
    },
    Entry {
        code: Code::TlsCertificateExpiring,
        state: State::Flowing,
        role: Role::Receiver,
        title: "The mail server's certificate expires soon",
        explanation: "The certificate still works, but its last day is near. Automatic renewal should have \
            replaced it by now.",
        action: "Have it renewed this week, and check why the automatic renewal has not run.",
        seen: "notAfter lies within the next weeks (RFC 5280 4.1.2.5).",
        refuted: "A certificate with a later date in the next session.",
        route: None,
    },
];

pub(super) const POLICY: &[Entry] = &[
    Entry {
        code: Code::PolicyStsMismatch,
        state: State::Broken,
        role: Role::Receiver,
        title: "The domain's mail policy does not list its mail server",
        explanation: "The domain publishes a strict rule for senders (MTA-STS): only these servers, only with a \
            valid certificate. A server that its MX records name is not on that list, so large senders such as \
            Google and Microsoft do not use it; where none is on the list, they hold the domain's mail back.",
        action: "Have the policy file at https://mta-sts.DOMAIN/.well-known/mta-sts.txt list the present mail servers \
            (the lines \"mx: ...\"), and then the id in the TXT record at _mta-sts.DOMAIN changed, or senders go on \
            with the old list. If the mail server in DNS is the wrong one, have the MX record corrected instead.",
        seen: "Under mode: enforce, an MX host that no mx line of the policy matches (RFC 8461 4.1, 5); 5.4.8.",
        refuted: "A policy, fetched afresh, that names the MX hosts.",
        route: None,
    },
    Entry {
        code: Code::PolicyDaneMismatch,
        state: State::Broken,
        role: Role::Receiver,
        title: "The certificate does not fit the fingerprint in DNS",
        explanation: "The domain publishes a fingerprint of its mail server's certificate (DANE). The certificate \
            in use is another one, as happens when it is renewed and the record forgotten. Senders that check it \
            do not deliver.",
        action: "Have the TLSA record in DNS replaced by one for the present certificate: the finding shows the right \
            one. Have whoever renews the certificate keep its key, or change the record first the next time.",
        seen: "No TLSA record matches (RFC 7672 2.2); Microsoft reports 5.7.323.",
        refuted: "A TLSA record, asked anew, that fits the certificate that the server shows.",
        route: None,
    },
    Entry {
        code: Code::PolicyDaneUnusable,
        state: State::Flowing,
        role: Role::Receiver,
        title: "The fingerprints in DNS protect nobody",
        explanation: "The domain publishes fingerprints of its mail server's certificate (DANE), but senders cannot go by \
            them: the records say something that mail has no use for, or DNS does not prove that they are genuine. Mail \
            flows all the same.",
        action: "Have the TLSA records at _25._tcp.MAILSERVER replaced by such as begin with \"3 1 1\", and the zones of the mail \
            server's name and of its addresses signed (DNSSEC). Or have the records removed, if nobody wants them. Not \
            urgent.",
        seen: "TLSA records at a host none of which is usable (RFC 7672 2.1, 3.1.3), or for which, or for whose host, DNSSEC \
            does not vouch (RFC 7672 2.2).",
        refuted: "A TLSA record, vouched for by DNSSEC like the host's addresses, with usage 2 or 3.",
        route: None,
    },
    Entry {
        code: Code::PolicyStsUnavailable,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The domain's mail policy cannot be fetched",
        explanation: "DNS says that the domain has a rule for senders (MTA-STS), but the web server that should \
            hold it does not give it out. Senders go by what they remember; new ones go without.",
        action: "Open https://mta-sts.DOMAIN/.well-known/mta-sts.txt in a browser: it should show a short text, \
            without a certificate warning. Have whoever runs that web server repair what is named here. If the \
            domain no longer wants the rule, have a policy with \"mode: none\" published for as long as its max_age \
            says, and only then the TXT record at _mta-sts.DOMAIN removed.",
        seen: "https://mta-sts.DOMAIN/.well-known/mta-sts.txt fails (RFC 8461 3.3).",
        refuted: "The policy file, fetched from another network.",
        route: None,
    },
    Entry {
        code: Code::PolicySpfInvalid,
        state: State::Degraded,
        role: Role::Sender,
        title: "The list of allowed senders (SPF) is missing or invalid",
        explanation: "The domain's SPF record, which says who may send mail in its name, has a mistake: written \
            twice, misspelt, or needing more than ten lookups. Receivers may treat the domain's mail as forged. \
            Without any record (then this is only a warning) they cannot tell its mail from forged mail.",
        action: "Have the TXT record corrected by whoever hosts the domain's DNS, at the place that is named here: one \
            record that begins with \"v=spf1 \", and the services that no longer send removed from it. A domain that \
            sends no mail has \"v=spf1 -all\".",
        seen: "SPF \"permerror\" (RFC 7208 2.6.7, 4.6.4).",
        refuted: "One record that needs ten lookups or fewer.",
        route: None,
    },
    Entry {
        code: Code::PolicyDmarcInvalid,
        state: State::Degraded,
        role: Role::Sender,
        title: "The forgery policy (DMARC) is missing or invalid",
        explanation: "The domain's DMARC record, which tells receivers what to do with forged mail, cannot be \
            read. Large receivers slow down or refuse mail from domains without one. Where there is none at all, this \
            is only a warning.",
        action: "Have the TXT record at _dmarc.DOMAIN corrected by whoever hosts the domain's DNS: exactly one, that \
            begins with \"v=DMARC1; p=\" and none, quarantine or reject. \"v=DMARC1; p=none\" changes nothing for \
            anybody and is a beginning.",
        seen: "No usable record at _dmarc.DOMAIN (RFC 9989).",
        refuted: "One record at _dmarc that keeps to the syntax.",
        route: None,
    },
    Entry {
        code: Code::PolicyDkimMissing,
        state: State::Degraded,
        role: Role::Sender,
        title: "The key for the domain's mail signatures is not in DNS",
        explanation: "Mail of this domain is signed (DKIM), but the key that receivers need to check the \
            signature is not published or is damaged. Signed mail then looks forged.",
        action: "Have the DKIM key published again: the mail system or provider shows the record, whoever hosts \
            the DNS enters it.",
        seen: "No usable key at SELECTOR._domainkey.DOMAIN (RFC 6376 3.6).",
        refuted: "A key at the selector that the client's server really signs with: the configured name may be the wrong one.",
        route: None,
    },
];
