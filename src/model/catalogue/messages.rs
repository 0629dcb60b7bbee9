//! What happens to whole messages: as bounces, routes and canaries show it.

use super::{Code, Entry, Role, RouteText, State};

pub(super) const REPUTATION: &[Entry] = &[
    Entry {
        code: Code::ReputationListed,
        state: State::Degraded,
        role: Role::Sender,
        title: "The address is on a public list of spam senders",
        explanation: "A blocklist that many receivers ask names this address. Some of them now refuse mail from \
            it. Usually a computer at the site is infected, or an account was stolen and sends spam.",
        action: "Find and stop the source first: look for infected machines and for accounts that send much. Only \
            then ask the list to remove the address, on its web site.",
        seen: "A 127.0.0.x answer from the list (RFC 5782 2.1).",
        refuted: "The list's own page, asked for the address: it may have been removed since.",
        route: None,
    },
    Entry {
        code: Code::ReputationSenderBlocked,
        state: State::Broken,
        role: Role::Sender,
        title: "The receiver blocks the address that the mail comes from",
        explanation: "The receiving side refuses all mail from this sender's address because of its reputation. \
            Mail is returned until the block is lifted.",
        action: "Read the reply: it usually links to a form for removal. Stop the cause of the block first, then \
            fill in the form, or raise a ticket with the receiving provider.",
        seen: "5.7.1, 5.7.606 to 5.7.649, or a reply that names a list (RFC 3463 3.8).",
        refuted: "A message from the same address that the recipient takes.",
        route: None,
    },
    Entry {
        code: Code::ReputationNoReverseDns,
        state: State::Broken,
        role: Role::Sender,
        title: "The sending server's address has no proper name",
        explanation: "The receiving side looked up which name belongs to the address that the mail came from, and \
            found none, or another than the server gave (HELO). Honest mail servers have one, so it takes no mail from \
            this one.",
        action: "Have the provider of the sender's line set the reverse DNS (PTR) of the sending address to the server's \
            own name, and check that this name leads back to the address and is what the server says in HELO.",
        seen: "5.7.25, 4.7.23 (Google), 5.7.506 (Microsoft), or a reply that speaks of reverse DNS, PTR or HELO (RFC 5321 4.1.4).",
        refuted: "A PTR record of the sending address whose name has that address (RFC 1912 2.1).",
        route: None,
    },
];

pub(super) const RECIPIENT: &[Entry] = &[
    Entry {
        code: Code::RecipientUnknown,
        state: State::Broken,
        role: Role::Sender,
        title: "There is no mailbox with this address",
        explanation: "The receiving server works, and says that it does not know the person. The address is \
            misspelt, or the person has left.",
        action: "Check the spelling. If it is right, phone the recipient's organisation and ask for the present \
            address. Delete the old entry from the sender's address book.",
        seen: "550 5.1.1 or 5.1.10; from Microsoft also 5.4.1 \"Access denied\" (RFC 3463 3.2).",
        refuted: "A message to the same address that is taken.",
        route: None,
    },
    Entry {
        code: Code::RecipientMailboxFull,
        state: State::Broken,
        role: Role::Receiver,
        title: "The recipient's mailbox is full",
        explanation: "The receiving server works, but this one mailbox has no room left. Nothing is wrong with \
            the sender.",
        action: "Phone the recipient and ask them to delete mail, or use another of their addresses meanwhile.",
        seen: "452 4.2.2, or 552 5.2.2 (RFC 3463 3.3).",
        refuted: "A message to the same address that is taken.",
        route: None,
    },
    Entry {
        code: Code::RecipientRefused,
        state: State::Broken,
        role: Role::Receiver,
        title: "The recipient's mailbox is switched off or has moved",
        explanation: "The address exists, but its mailbox is disabled, locked or abandoned, or the person has another \
            address now. The reply shown here often names the new one.",
        action: "Read the reply for a new address. Otherwise phone the recipient's organisation and ask for another \
            contact; nothing is to be mended at the sender's.",
        seen: "550 5.2.1, or 551 or 5.1.6 (RFC 3463 3.2, 3.3).",
        refuted: "A message from another sender to the same address that is refused as well: then it is not about the sender.",
        route: None,
    },
    Entry {
        code: Code::RecipientPolicy,
        state: State::Broken,
        role: Role::Receiver,
        title: "The recipient's organisation does not accept this sender",
        explanation: "The receiving organisation has a rule that keeps this mail out: a group that takes mail \
            only from inside, or a block list of its own. It is their decision, not a fault.",
        action: "Ask the recipient to have their administrator allow the sender. Send them the reply shown here.",
        seen: "5.7.12, 5.7.124, 5.7.133 to 5.7.136, or 5.7.513 (Microsoft).",
        refuted: "A word of the recipient's administrator that no such rule exists.",
        route: None,
    },
];

pub(super) const SENDER: &[Entry] = &[
    Entry {
        code: Code::SenderAuthentication,
        state: State::Broken,
        role: Role::Sender,
        title: "The receiver cannot tell that the mail is genuine",
        explanation: "The receiving side checks whether a mail really comes from the domain in its From line, \
            and this mail fails: its sender is not in the domain's list (SPF), or not signed properly (DKIM), or \
            neither fits the From line (DMARC).",
        action: "Find out which service sent the mail. Add it to the domain's SPF record and switch on DKIM \
            signing there.",
        seen: "5.7.26, 5.7.27, 5.7.30 (Google), 5.7.23, 5.7.509, 5.7.515 (Microsoft).",
        refuted: "Headers of a delivered message that say spf=pass or dkim=pass for the sender's domain.",
        route: None,
    },
    Entry {
        code: Code::SenderRateLimited,
        state: State::Degraded,
        role: Role::Sender,
        title: "The receiver slows this sender down for sending too much",
        explanation: "The receiving side accepts only so much mail in a time from this sender, and the limit is \
            reached. Mail is delayed, not lost.",
        action: "Stop bulk mailings for some hours. If there were none, look for a stolen account that sends spam.",
        seen: "421 or 4xx with 4.7.28 (Google), [TS..] (Yahoo), 4.7.500 to 4.7.699 (Microsoft).",
        refuted: "A refusal that stays when nothing has been sent for hours.",
        route: None,
    },
    Entry {
        code: Code::SenderAccountBlocked,
        state: State::Broken,
        role: Role::Sender,
        title: "The sender's own account was blocked for sending spam",
        explanation: "The sender's own provider has stopped the account or the whole organisation from sending. \
            Most likely somebody has stolen a password.",
        action: "Treat it as a break-in: change the password, sign the account out everywhere, check its \
            forwarding rules. Then ask the provider to lift the block.",
        seen: "5.7.705, 5.7.708, 5.1.8, 5.7.501 to 5.7.503 (Microsoft).",
        refuted: "A message of the same account that is taken.",
        route: None,
    },
    Entry {
        code: Code::SenderSubmissionFailed,
        state: State::Broken,
        role: Role::Sender,
        title: "The sender's own mail server does not take the mail",
        explanation: "The mail did not even leave: the sender's own outgoing server refused it, usually because \
            of a wrong password or a connector that is set up wrongly.",
        action: "Check the user name and password in the mail program or device; many providers need a separate \
            application password. Then check the connector.",
        seen: "535 or 534 at AUTH (RFC 4954 6), 5.7.57 or 5.7.64 (Microsoft).",
        refuted: "A login with the same name and password that works in a mail program.",
        route: None,
    },
    Entry {
        code: Code::SenderAddressRefused,
        state: State::Broken,
        role: Role::Sender,
        title: "The receiver does not accept the sender's address",
        explanation: "The receiving side takes no mail from the address in the envelope: its domain does not exist or \
            takes no answers, nobody has this address, or it is on a list of refused senders.",
        action: "Check that the sender's address is spelt right in the program or device that sent, that its domain has an \
            MX record, and that the mailbox takes mail.",
        seen: "5.1.7 or 5.1.8, or 550 at MAIL FROM (RFC 3463 3.2).",
        refuted: "A message to the sender's address from outside that arrives.",
        route: None,
    },
];

pub(super) const MESSAGE: &[Entry] = &[
    Entry {
        code: Code::MessageTooLarge,
        state: State::Degraded,
        role: Role::Sender,
        title: "The message is larger than the receiver takes",
        explanation: "The receiving server has an upper limit for one message, and this one exceeds it. \
            Attachments grow by a third when mailed. Other mail passes.",
        action: "Have the file sent as a link, or in several messages.",
        seen: "552 or 5.3.4, or a SIZE limit in EHLO (RFC 1870 6).",
        refuted: "A refusal of a short message as well.",
        route: None,
    },
    Entry {
        code: Code::MessageContent,
        state: State::Degraded,
        role: Role::Sender,
        title: "The receiver refuses what is in the message",
        explanation: "A filter at the receiving side took this message for a virus or spam, or does not allow its \
            kind of attachment. Other mail passes.",
        action: "Check the attachment for viruses. Have the message sent without it, or ask the recipient's \
            administrator to let it through.",
        seen: "554, or 552 5.7.0 at the end of DATA (RFC 3463 3.7, 3.8).",
        refuted: "A refusal of a plain, short message as well.",
        route: None,
    },
    Entry {
        code: Code::MessageMalformed,
        state: State::Degraded,
        role: Role::Sender,
        title: "The receiver finds the message or a command malformed",
        explanation: "What the sending side wrote breaks the rules of mail in the receiver's eyes: a command, an \
            address or a header. Usually an old program, a device or a script sent it. Other mail passes.",
        action: "Find out which program or device sent the mail and have it updated. Send the mail from an ordinary mail \
            program meanwhile.",
        seen: "500 to 504, or 5.5.x and 5.6.x (RFC 5321 4.2.2, RFC 3463 3.6).",
        refuted: "A refusal of the same kind for mail from an ordinary mail program.",
        route: None,
    },
];

pub(super) const JOURNEY: &[Entry] = &[
    Entry {
        code: Code::RoutingRelayDenied,
        state: State::Broken,
        role: Role::Receiver,
        title: "The server that was asked does not take mail for this domain",
        explanation: "The mail came to a server that says that the recipient's domain is none of its own. Either DNS sends \
            the domain's mail to the wrong place, or the domain is missing in that server's settings; or the sender \
            has not logged in at its own outgoing server.",
        action: "Look which server refuses. If it is the recipient's, tell them that their server does not know their \
            domain any more. If it is the sender's own, switch on the login for outgoing mail in the mail program.",
        seen: "550 or 554 5.7.1 \"Relay access denied\", 5.7.54 (Microsoft) (RFC 5321 3.6.1).",
        refuted: "A message to the same domain by the same server that is taken.",
        route: None,
    },
    Entry {
        code: Code::RoutingLoop,
        state: State::Broken,
        role: Role::Receiver,
        title: "The mail goes round in circles",
        explanation: "Two mail servers hand the message to each other until one gives up. A forwarding rule or a \
            connector points back to where the mail came from.",
        action: "Look at forwarding rules and connectors of the servers in the list of hops, and break the circle.",
        seen: "5.4.6 or 5.4.14 \"hop count exceeded\" (RFC 5321 6.3, RFC 3463 3.5).",
        refuted: "Received headers that name no server twice.",
        route: None,
    },
    Entry {
        code: Code::QueueExpired,
        state: State::Broken,
        role: Role::Nobody,
        title: "The mail waited too long and was returned",
        explanation: "The sending server tried for days, then gave up. That is the end of the story, not its \
            cause: the last error before it says what was wrong.",
        action: "Read the last underlying error shown here, and act on that. Send the mail again when it is mended.",
        seen: "4.4.7 or 5.4.7, from Microsoft 5.4.300 (RFC 3463 3.5).",
        refuted: "The last underlying error, which is the cause proper.",
        route: None,
    },
    Entry {
        code: Code::CanaryCredentials,
        state: State::Unknown,
        role: Role::Us,
        title: "Our test message cannot be sent: our own login fails",
        explanation: "mailflow sends test messages (canaries) from a mailbox of its own, and cannot log in \
            there. That says nothing about other people's mail.",
        action: "Check the canary's user name and password in the configuration. If the password was changed, \
            enter the new one. With OAuth 2.0, renew the secret or the key that is named here, or give the permission \
            that is missing.",
        seen: "535 at AUTH, a refused IMAP login (RFC 4954 6), or a token endpoint that refuses us (RFC 6749 5.2).",
        refuted: "A login with the configured name and password, or token.",
        route: None,
    },
    Entry {
        code: Code::DeliveryLost,
        state: State::Broken,
        role: Role::Sender,
        title: "A test message was accepted, but never arrived",
        explanation: "The server took our test message (canary) and said so, but it did not turn up in the \
            mailbox in time. A filter swallowed it, or it is stuck in a queue behind the server.",
        action: "Have whoever runs the server trace the message by its id, and look into the queue, the \
            quarantine and the junk folder.",
        seen: "250 after DATA, and nothing in the mailbox by the deadline.",
        refuted: "The canary, in whatever folder, however late.",
        route: Some(RouteText {
            explanation: "The sender's own server took the test message and said so, but it did not turn up at the \
                recipient's. It is stuck in the sender's queue, or a filter on the recipient's side swallowed it.",
            action: "Look for the message's id in the log of the sender's own server. If the recipient's server has taken \
                it, send their IT the id and the time, and ask them to trace it and to look into their quarantine.",
        }),
    },
    Entry {
        code: Code::DeliverySlow,
        state: State::Degraded,
        role: Role::Provider,
        title: "Mail arrives, but much later than usual",
        explanation: "Our test message (canary) arrived after an unusually long time. The stamps in it show at \
            which server it waited.",
        action: "Tell whoever runs the server named as the slow hop, with the times shown here.",
        seen: "A long gap between two Received lines (RFC 5321 4.4).",
        refuted: "Clocks that differ: a hop that seems slow, followed by one that seems to go back in time.",
        route: None,
    },
    Entry {
        code: Code::DeliveryJunk,
        state: State::Degraded,
        role: Role::Receiver,
        title: "Mail arrives in the junk folder",
        explanation: "Our test message (canary) was delivered, but sorted out as junk. Other honest mail may go \
            there too, and nobody looks.",
        action: "Tell people to look into their junk folders. Have whoever runs the filter find out why it \
            judged the message so.",
        seen: "The message is found in the mailbox's junk folder.",
        refuted: "The next canary in the inbox.",
        route: None,
    },
    Entry {
        code: Code::DeliveryMailboxUnreachable,
        state: State::Degraded,
        role: Role::Receiver,
        title: "The mailbox of the test messages cannot be opened",
        explanation: "Mail may be arriving, but the server that people read their mail from does not answer, so \
            neither we nor they can look.",
        action: "Have whoever runs the mailbox server check that its mail access (IMAP) is running and reachable.",
        seen: "Port 993 or 143 does not answer, or breaks off.",
        refuted: "A login to the mailbox from another network.",
        route: None,
    },
];
