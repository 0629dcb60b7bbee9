//! What providers mean by their codes and words, where that differs from the standards or says more: the first table
//! that is asked.
//!
//! Sources: Microsoft, "Email non-delivery reports and SMTP errors in Exchange Online" and Outlook.com's Postmaster
//! pages; Google, "Gmail SMTP errors and codes"; Yahoo Sender Hub, "SMTP error codes"; Apple, "Postmaster information
//! for iCloud Mail"; 1&1/GMX/WEB.DE Postmaster pages; Telekom Postmaster pages; Amazon SES developer guide; Mimecast's,
//! Proofpoint's, Cisco's and Barracuda's public knowledge bases; Orange's postmaster page. What one of them says can
//! be corrected here without touching any code.

use crate::model::EnhancedCode;

use super::reason::Reason;
use Reason as R;

/// How a provider is recognised, and what its replies mean.
struct Provider {
    /// Ends of its mail hosts' names.
    hosts: &'static [&'static str],
    /// Words, in lower case, that only its replies hold.
    marks: &'static [&'static str],
    rules: &'static [Rule],
}

/// One meaning: where the code fits and the words stand there. Both where both are given.
struct Rule {
    /// Subject and details from, to; the class says only for how long.
    code: Option<(u16, u16, u16)>,
    /// Words in lower case, `*` for anything between; empty for any.
    words: &'static str,
    reason: Reason,
}

const fn code(subject: u16, detail: u16, reason: Reason) -> Rule {
    Rule {
        code: Some((subject, detail, detail)),
        words: "",
        reason,
    }
}
const fn range(subject: u16, from: u16, to: u16, reason: Reason) -> Rule {
    Rule {
        code: Some((subject, from, to)),
        words: "",
        reason,
    }
}
const fn both(subject: u16, detail: u16, words: &'static str, reason: Reason) -> Rule {
    Rule {
        code: Some((subject, detail, detail)),
        words,
        reason,
    }
}
const fn words(words: &'static str, reason: Reason) -> Rule {
    Rule {
        code: None,
        words,
        reason,
    }
}

const MICROSOFT: Provider = Provider {
    hosts: &[
        ".outlook.com",
        ".hotmail.com",
        ".mx.microsoft",
        ".exchangelabs.com",
        ".office365.us",
        ".partner.outlook.cn",
    ],
    marks: &[
        "prod.outlook.com",
        "protection.outlook.com",
        "resolver.adr",
        "prod.exchangelabs.com",
        "mail.live.com",
        "aka.ms/",
        "go.microsoft.com/fwlink",
        "recipientnotfound",
        "askforhelp",
        "tenantattribution",
        "resolver.rst",
        "storedrv",
        "smtpsend.",
        "as(201806",
        "outlook.com server",
        "queue.expired",
    ],
    rules: &[
        words("s3140", R::Blocklisted),
        words("s3150", R::Blocklisted),
        words("part of their network is on our block list", R::Blocklisted),
        words("(s77714", R::RateLimited),
        words("(s844", R::RateLimited),
        words("(s775", R::RateLimited),
        words("dy-001", R::BadReputation),
        words("dy-002", R::BadReputation),
        words("sc-001", R::Blocklisted),
        words("sc-002", R::Blocklisted),
        words("sc-003", R::BadReputation),
        words("sc-004", R::Blocklisted),
        words("ou-001", R::BadReputation),
        words("ou-002", R::BadReputation),
        words("rp-001", R::RateLimited),
        words("rp-002", R::RateLimited),
        words("rp-003", R::RateLimited),
        words("resolver.adr.recipientnotfound", R::UserUnknown),
        words("resolver.adr.exrecipnotfound", R::UserUnknown),
        words("resolver.adr.recipnotfound", R::UserUnknown),
        words("storedrv.deliver*mailbox full", R::MailboxFull),
        words("quotaexceeded", R::MailboxFull),
        words("mailboxdisabled", R::MailboxDisabled),
        words("recipsizelimit", R::TooLarge),
        words("sendersizelimit", R::TooLarge),
        words("transport.rules.rejectmessage", R::Policy),
        words("resolver.rst.notauthorized", R::Policy),
        words("resolver.rst.authrequired", R::Policy),
        words("hop count exceeded", R::Loop),
        words("starttls is required", R::TlsNotOffered),
        words("recipient thread limit exceeded", R::RateLimited),
        code(1, 8, R::AccountBlocked),
        code(1, 90, R::AccountBlocked),
        code(1, 10, R::UserUnknown),
        code(1, 20, R::Malformed),
        code(3, 3, R::SystemError),
        both(4, 1, "access denied", R::UserUnknown),
        both(4, 1, "recipient address rejected", R::UserUnknown),
        code(4, 14, R::Loop),
        code(4, 300, R::Expired),
        code(4, 310, R::DomainNotFound),
        code(4, 311, R::DnsFailure),
        code(4, 312, R::DnsFailure),
        code(4, 313, R::DnsFailure),
        code(4, 316, R::ConnectionRefused),
        code(4, 317, R::TlsFailed),
        code(4, 318, R::Disconnected),
        code(4, 320, R::Unreachable),
        code(4, 8, R::StsMismatch),
        code(7, 5, R::CertificateInvalid),
        both(7, 1, "unable to relay", R::RelayDenied),
        code(7, 54, R::RelayDenied),
        code(7, 57, R::SubmissionFailed),
        code(7, 60, R::SubmissionFailed),
        code(7, 64, R::SubmissionFailed),
        code(7, 12, R::Policy),
        code(7, 23, R::Spf),
        range(7, 124, 136, R::Policy),
        range(7, 193, 194, R::Policy),
        code(7, 232, R::RateLimited),
        code(7, 233, R::RateLimited),
        code(7, 320, R::TlsFailed),
        code(7, 321, R::TlsNotOffered),
        code(7, 322, R::CertificateExpired),
        code(7, 323, R::DaneMismatch),
        code(7, 324, R::DnsFailure),
        range(7, 501, 503, R::AccountBlocked),
        code(7, 504, R::UserUnknown),
        code(7, 505, R::SenderRefused),
        code(7, 506, R::NoReverseDns),
        code(7, 507, R::Policy),
        code(7, 508, R::RateLimited),
        code(7, 509, R::Dmarc),
        code(7, 510, R::Policy),
        code(7, 511, R::Blocklisted),
        code(7, 512, R::Malformed),
        code(7, 513, R::Policy),
        code(7, 515, R::Authentication),
        code(7, 520, R::Policy),
        code(7, 606, R::Blocklisted),
        range(7, 607, 649, R::Blocklisted),
        code(7, 703, R::Policy),
        range(7, 705, 708, R::AccountBlocked),
        code(7, 750, R::AccountBlocked),
        range(7, 500, 500, R::RateLimited),
        range(7, 650, 699, R::RateLimited),
        code(7, 514, R::Policy),
    ],
};

const GOOGLE: Provider = Provider {
    hosts: &[".google.com", ".googlemail.com", ".gmail.com"],
    marks: &[
        "gsmtp",
        "support.google.com/mail",
        "support.google.com/a/answer",
        "mail.google.com",
        "gcdp ",
    ],
    rules: &[
        words("p=nosuchuser", R::UserUnknown),
        words("p=disableduser", R::MailboxDisabled),
        words("p=overquota", R::MailboxFull),
        words("p=blockedmessage", R::Content),
        words("p=unsolicitedmessageerror", R::Spam),
        words("p=unsolicitedratelimiterror", R::RateLimited),
        words("p=unsolicitediperror", R::BadReputation),
        words("p=receivingrate", R::RateLimited),
        words("p=badrcptdomain", R::DomainNotFound),
        words("p=emailaddressinactive", R::MailboxDisabled),
        words("unsolicited mail originating from your ip", R::RateLimited),
        words("receiving mail at a rate", R::RateLimited),
        words("receiving mail too quickly", R::RateLimited),
        words("does not have authentication information", R::Authentication),
        words(
            "does not meet ipv6 sending guidelines regarding ptr",
            R::NoReverseDns,
        ),
        words(
            "ipv6 sending guidelines regarding authentication",
            R::Authentication,
        ),
        words("likely unsolicited mail", R::Spam),
        words(
            "likely suspicious due to the very low reputation",
            R::BadReputation,
        ),
        words("very low reputation", R::BadReputation),
        words("content presents a potential security issue", R::Virus),
        words("illegal attachment", R::Content),
        words("missing required header", R::Malformed),
        words("not rfc 5322 compliant", R::Malformed),
        words("message violates rfc 5322", R::Malformed),
        words("daily*sending*quota exceeded", R::RateLimited),
        words("daily user sending", R::RateLimited),
        words("smtp relay", R::RelayDenied),
        both(7, 26, "dmarc", R::Dmarc),
        code(7, 24, R::Spf),
        code(7, 27, R::Spf),
        code(7, 30, R::Dkim),
        code(7, 40, R::Dmarc),
        code(7, 32, R::Dmarc),
        code(7, 29, R::TlsNotOffered),
        code(7, 23, R::NoReverseDns),
        code(7, 25, R::NoReverseDns),
        code(7, 26, R::Authentication),
        code(7, 28, R::RateLimited),
        both(4, 5, "quota", R::RateLimited),
        both(5, 2, "", R::Malformed),
    ],
};

const YAHOO: Provider = Provider {
    hosts: &[
        ".yahoodns.net",
        ".yahoo.com",
        ".yahoo.co.jp",
        ".aol.com",
        ".ymail.com",
    ],
    marks: &[
        "postmaster.yahooinc.com",
        "help.yahoo.com",
        "postmaster.aol.com",
        "senders.yahooinc.com",
        "[ts0",
        "[tss",
    ],
    rules: &[
        words("[bl21]", R::Blocklisted),
        words("[bl23]", R::Blocklisted),
        words("[ts01]", R::RateLimited),
        words("[ts02]", R::RateLimited),
        words("[ts03]", R::RateLimited),
        words("[tss0", R::RateLimited),
        words("[tss1", R::RateLimited),
        words("all messages from*permanently deferred", R::BadReputation),
        words("temporarily deferred", R::RateLimited),
        words("not accepted for policy reasons", R::Policy),
        words("this user doesn't have a*account", R::UserUnknown),
        words("mailbox is disabled", R::MailboxDisabled),
        words("account is disabled", R::MailboxDisabled),
        words("user is over quota", R::MailboxFull),
        words("mailbox*over quota", R::MailboxFull),
        code(7, 9, R::Authentication),
    ],
};

const GMX: Provider = Provider {
    hosts: &[
        ".gmx.net",
        ".web.de",
        ".kundenserver.de",
        ".1and1.com",
        ".ionos.com",
        ".ionos.de",
        ".mail.com",
        ".1und1.de",
    ],
    marks: &[
        "postmaster.gmx.net",
        "postmaster.web.de",
        "postmaster.1und1.de",
        "postmaster.1and1.com",
        "gmx.net (mxgmx",
        "web.de (mxweb",
        "kundenserver.de (mx",
        "mail.gmx.net",
        "postmaster.mail.com",
    ],
    rules: &[
        words("due to policy restrictions", R::Policy),
        words("bad dns ptr", R::NoReverseDns),
        words("invalid dns ptr", R::NoReverseDns),
        words("no ptr", R::NoReverseDns),
        words("listed in*dnsbl", R::Blocklisted),
        words("ip address is*list", R::Blocklisted),
        words("sending limit", R::RateLimited),
        words("too many*connections", R::RateLimited),
        words("unauthorized sender", R::Spf),
        words("mailbox name not allowed", R::UserUnknown),
        words("nemesis esmtp service not available", R::BadReputation),
    ],
};

const TELEKOM: Provider = Provider {
    hosts: &[".t-online.de", ".telekom.de"],
    marks: &["rx.t-online.de", "t-online.de"],
    rules: &[
        words("ask your postmaster for help or to contact", R::Blocklisted),
        words("no postmaster*impressum", R::BadReputation),
        words("unbekannter nutzer", R::UserUnknown),
        words("bad reputation", R::BadReputation),
    ],
};

const APPLE: Provider = Provider {
    hosts: &[".icloud.com", ".me.com", ".apple.com"],
    marks: &[
        "support.apple.com/en-us/ht204137",
        "[cs01]",
        "[hm08]",
        "support.apple.com/en-us/102",
    ],
    rules: &[
        words("[cs01]", R::Spam),
        words("[hm08]", R::Policy),
        words("local policy", R::BadReputation),
        words("user over quota", R::MailboxFull),
        words("out of office", R::MailboxDisabled),
    ],
};

const ORANGE: Provider = Provider {
    hosts: &[".orange.fr", ".wanadoo.fr", ".laposte.net", ".sfr.fr", ".free.fr"],
    marks: &[
        "ofr_",
        "ofr0",
        "lpn105",
        "lpn007",
        "spamassassin.orange",
        "postmaster.orange.fr",
        "postmaster.free.fr",
    ],
    rules: &[
        words("ofr_416", R::UserUnknown),
        words("ofr_417", R::MailboxFull),
        words("ofr_506", R::Spam),
        words("ofr_999", R::BadReputation),
        words("ofr_109", R::SystemError),
        words("ofr_102", R::RateLimited),
        words("ofr_104", R::RateLimited),
        words("ofr004_104", R::RateLimited),
        words("ofr_108", R::Blocklisted),
        words("ofr_403", R::SenderRefused),
        words("ofr_415", R::SenderRefused),
        words("ofr_402", R::SenderRefused),
        words("ofr_", R::Policy),
        words("too many spams from your ip", R::BadReputation),
    ],
};

const AMAZON: Provider = Provider {
    hosts: &[".amazonses.com", ".awsapps.com", ".amazonaws.com"],
    marks: &["amazon ses", "amazonses.com", "amazon workmail"],
    rules: &[
        words("suppression list", R::UserUnknown),
        words("email address is not verified", R::SenderRefused),
        words("sending paused", R::AccountBlocked),
        words("maximum sending rate exceeded", R::RateLimited),
        words("daily message quota exceeded", R::RateLimited),
    ],
};

const MIMECAST: Provider = Provider {
    hosts: &[".mimecast.com", ".mimecast.co.za", ".mimecast-offshore.com"],
    marks: &["mimecast"],
    rules: &[
        words("poor reputation sender", R::BadReputation),
        words("administrative prohibition", R::Policy),
        words("anti-spoofing policy", R::Policy),
        words("envelope blocked", R::Policy),
        words("rejected by header", R::Policy),
        words("invalid recipient", R::UserUnknown),
        words("rejected message due to dmarc", R::Dmarc),
        words("greylisting", R::Greylisted),
        words("rejected prior to data", R::Policy),
        words("local ct ip reputation", R::BadReputation),
        words("resource restrictions", R::RateLimited),
        words("account outbounds disabled", R::AccountBlocked),
        words("open relay not allowed", R::RelayDenied),
        words("internal resource temporarily unavailable", R::Greylisted),
    ],
};

const PROOFPOINT: Provider = Provider {
    hosts: &[".pphosted.com", ".ppe-hosted.com"],
    marks: &["proofpoint", "dnsbl-rbl.pphosted", "pphosted"],
    rules: &[
        words("ipcheck.proofpoint.com", R::Blocklisted),
        words("blocked - see", R::Blocklisted),
        words("pdr", R::Blocklisted),
        words("user unknown", R::UserUnknown),
        words("rejected due to*content", R::Content),
    ],
};

const BARRACUDA: Provider = Provider {
    hosts: &[".barracudanetworks.com", ".barracuda.com"],
    marks: &["barracuda"],
    rules: &[
        words("barracuda*reputation", R::Blocklisted),
        words("blocked using barracuda", R::Blocklisted),
        words("blocked (", R::Spam),
        words("rejecting banned content", R::Content),
        words("recipient verification failed", R::UserUnknown),
        words("no such recipient", R::UserUnknown),
    ],
};

const CISCO: Provider = Provider {
    hosts: &[".iphmx.com"],
    marks: &["senderbase.org", "talosintelligence", "senderscore"],
    rules: &[
        words("poor reputation", R::BadReputation),
        words(
            "your access to this mail system has been rejected",
            R::BadReputation,
        ),
        words("senderbase", R::BadReputation),
        words("talosintelligence", R::BadReputation),
    ],
};

const ASIA: Provider = Provider {
    hosts: &[
        ".qq.com",
        ".163.com",
        ".126.com",
        ".netease.com",
        ".aliyun.com",
        ".docomo.ne.jp",
        ".ezweb.ne.jp",
        ".softbank.jp",
        ".au.com",
    ],
    marks: &["service.mail.qq.com", "mail.163.com", "mx.qq.com"],
    rules: &[
        words("mt:spm", R::Spam),
        words("dt:spm", R::Spam),
        words("mi:spb", R::Blocklisted),
        words("mi:dmc", R::RateLimited),
        words("rp:cel", R::RateLimited),
        words("rp:qrc", R::RateLimited),
        words("rp:trc", R::TooManyRecipients),
        words("mi:stc", R::RateLimited),
        words("fl:reb", R::Blocklisted),
        words("mi:nhd", R::NoReverseDns),
        words("mi:spf", R::Spf),
        words("connection frequency limited", R::RateLimited),
        words("frequency limited", R::RateLimited),
        words("mailbox not found", R::UserUnknown),
        words("mailbox unavailable or access denied", R::UserUnknown),
        words("mail content denied", R::Spam),
        words("spf check failed", R::Spf),
        words("suspected spam", R::Spam),
        words("bad address syntax", R::UserUnknown),
    ],
};

const MAIL_RU: Provider = Provider {
    hosts: &[".mail.ru", ".yandex.ru", ".yandex.net", ".rambler.ru"],
    marks: &["help.mail.ru", "feedback.yandex", "yandex.ru/support", "ya.cc/"],
    rules: &[
        words("message was not accepted -- invalid mailbox", R::UserUnknown),
        words("account is disabled", R::MailboxDisabled),
        words("account*inactive", R::MailboxDisabled),
        words("no such user", R::UserUnknown),
        words("spam message rejected", R::Spam),
        words("spam message discarded", R::Spam),
        words("messages from*not accepted due to*spf", R::Spf),
        words("try again later*ratelimit", R::RateLimited),
        words("policy rejection on the target address", R::UserUnknown),
        words("unknown user", R::UserUnknown),
    ],
};

const ALL: &[&Provider] = &[
    &MICROSOFT,
    &GOOGLE,
    &YAHOO,
    &GMX,
    &TELEKOM,
    &APPLE,
    &ORANGE,
    &AMAZON,
    &MIMECAST,
    &PROOFPOINT,
    &BARRACUDA,
    &CISCO,
    &ASIA,
    &MAIL_RU,
];

/// What the provider that answered means. `text` is its reply in lower case on one line, `host` the name of the server
/// that answered, `codes` the enhanced codes that were given.
pub(super) fn meaning(text: &str, host: Option<&str>, codes: &[EnhancedCode]) -> Option<Reason> {
    let by_host = |provider: &&&Provider| {
        host.is_some_and(|host| {
            provider
                .hosts
                .iter()
                .any(|end| host.ends_with(end) || host == &end[1..])
        })
    };
    let by_mark = |provider: &&&Provider| provider.marks.iter().any(|mark| text.contains(mark));
    let provider = ALL.iter().find(by_host).or_else(|| ALL.iter().find(by_mark))?;
    let fits = |rule: &&Rule| {
        let code = rule.code.is_none_or(|(subject, from, to)| {
            codes
                .iter()
                .any(|code| code.0 != 2 && code.1 == subject && (from..=to).contains(&code.2))
        });
        code && (rule.words.is_empty() || super::patterns::holds(text, rule.words))
    };
    provider.rules.iter().find(fits).map(|rule| rule.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::reply;
    use rstest::rstest;

    #[rstest]
    #[case(
        "550 5.7.27 this mail has been blocked because of spf - gsmtp",
        None,
        Some(R::Spf)
    )]
    #[case(
        "550 5.7.606 access denied, banned sending ip",
        Some("acme.mail.protection.outlook.com"),
        Some(R::Blocklisted)
    )]
    #[case(
        "550 5.4.1 recipient address rejected: access denied. as(201806281) [x.prod.protection.outlook.com]",
        None,
        Some(R::UserUnknown)
    )]
    #[case("550 5.7.27 the sender has a null mx", Some("mx.partner.test"), None)]
    #[case(
        "553 5.7.1 [bl21] connections will not be accepted",
        Some("mta5.am0.yahoodns.net"),
        Some(R::Blocklisted)
    )]
    fn the_same_code_means_different_things(
        #[case] text: &str,
        #[case] host: Option<&str>,
        #[case] expected: Option<Reason>,
    ) {
        let codes: Vec<_> = reply::all_enhanced(text).map(|(_, code)| code).collect();
        assert_eq!(meaning(text, host, &codes), expected);
    }

    #[test]
    fn words_are_in_lower_case() {
        for provider in ALL {
            for mark in provider.marks.iter().chain(provider.hosts) {
                assert_eq!(*mark, mark.to_lowercase());
            }
            for rule in provider.rules {
                assert_eq!(rule.words, rule.words.to_lowercase());
            }
        }
    }
}
