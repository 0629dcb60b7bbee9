//! Our own side, and the gateways in front of clients' servers.

use super::{Code, Entry, Role, State};

pub(super) const VANTAGE: &[Entry] = &[
    Entry {
        code: Code::VantageOffline,
        state: State::Unknown,
        role: Role::Us,
        title: "Our own internet line is down, so we cannot see anything",
        explanation: "The place that mailflow checks from cannot reach the outside at all: none of the hosts \
            that should always answer does. Nothing can be said about any client while this lasts, and nobody \
            else is to blame for it.",
        action: "Check the internet line and the router of the machine that mailflow runs on. Do not call \
            clients about mail: their mail may well be fine. If the line is down, call its provider.",
        seen: "No ping and no mail anchor answers, or the machine has no default route.",
        refuted: "Anything outside that answers us: one ping, one greeting, one answer of a name server.",
        route: None,
    },
    Entry {
        code: Code::VantagePort25Blocked,
        state: State::Unknown,
        role: Role::Us,
        title: "Our own line blocks port 25, so we cannot test mail servers",
        explanation: "The rest of the internet works from here, but no mail server anywhere accepts a \
            connection from us. Most office lines and cloud machines block port 25 on purpose, to stop spam. \
            Whether mail reaches clients cannot be seen from here; names and addresses still can.",
        action: "Run mailflow where outgoing port 25 is open, or ask the line's provider or the cloud's support \
            to open TCP port 25 outwards for this machine. Look at your own firewall first. Do not call clients.",
        seen: "Connections to port 25 of every independent mail host time out, while pings and names work.",
        refuted: "One mail server of anybody's that greets us on port 25.",
        route: None,
    },
    Entry {
        code: Code::VantageResolverFailed,
        state: State::Unknown,
        role: Role::Us,
        title: "Our own DNS resolver does not answer",
        explanation: "The server that turns names into addresses for us (the resolver) gives no usable answers, \
            so mailflow cannot find anybody's mail servers. That says nothing about the clients' own DNS.",
        action: "Check the resolver named here: is the service running, does it have internet? Or put another \
            one under [resolver] servers in the configuration.",
        seen: "Questions about names that surely exist time out or fail at each configured resolver.",
        refuted: "An answer of the resolver to a question for the root's name servers.",
        route: None,
    },
    Entry {
        code: Code::VantageRefused,
        state: State::Unknown,
        role: Role::Us,
        title: "The mail server turns away our checks; that is no outage",
        explanation: "The mail server answered, but does not want to talk to the address that we check from: it \
            finds that we connect too often, or has us on a list. Mail from others may flow as usual, so the \
            state is unknown. mailflow leaves this address alone for a while.",
        action: "Read the reply. If it names a list, look our address up there and ask to be removed. If it \
            speaks of rate or connections, wait; it ends by itself. Ask the client whether mail arrives, or set \
            up a test message (canary).",
        seen: "421 or 4xx with 4.7.x, or 554 or 521 with 5.7.x, before or at EHLO (RFC 3463 3.8).",
        refuted: "A session from another address of ours, or from another place, that is turned away in the same words: then the server refuses everybody.",
        route: Some(super::RouteText {
            explanation: "The recipient's mail server answered, but does not want to talk to the address that \
                we check from. That is about our checks; the client sends from another address, and its mail \
                may pass.",
            action: "Ask the client whether their own mail to this organisation was returned. If it was, read \
                that bounce message: it says what really happens.",
        }),
    },
    Entry {
        code: Code::VantageNoEvidence,
        state: State::Unknown,
        role: Role::Us,
        title: "Not checked yet, or not lately enough to say",
        explanation: "There is no fresh result to stand on: the first round of checks is still running, or \
            checks fell behind. We say so instead of guessing.",
        action: "Wait for the next check. If this stays for more than a few intervals, look at mailflow's own \
            log and at how late its checks start (metric mailflow_probe_lag_seconds).",
        seen: "No result, or only results older than three check intervals.",
        refuted: "A probe of everything that the verdict stands on, begun lately.",
        route: None,
    },
    Entry {
        code: Code::VantageNoIpv6,
        state: State::Flowing,
        role: Role::Us,
        title: "We have no IPv6 here, so IPv6 addresses are not checked",
        explanation: "The machine that mailflow runs on has no way to the IPv6 internet. Mail servers are checked \
            over IPv4 only, which is what nearly all mail uses anyway.",
        action: "Nothing is urgent. To check IPv6 too, give this machine an IPv6 address and a default route.",
        seen: "No IPv6 default route on our machine.",
        refuted: "A default route for IPv6 on this machine.",
        route: None,
    },
    Entry {
        code: Code::VantageSourceUnreadable,
        state: State::Unknown,
        role: Role::Us,
        title: "A mailbox or a mail log that we learn from cannot be read",
        explanation: "mailflow reads the bounces that people forward to a mailbox, and logs of mail servers. One of these \
            cannot be read at the moment, so bounces stay unanswered, or refusals unseen. That says nothing about any \
            client's mail.",
        action: "Read why. If the login is refused, put the right password into the configuration. If the server cannot \
            be reached or the file is not there, see to that, or take it out of the configuration. What arrives \
            meanwhile is read afterwards.",
        seen: "Login or connection at the mailbox (RFC 3501), or opening the file, fails again and again.",
        refuted: "One look that succeeds.",
        route: None,
    },
    Entry {
        code: Code::VantageStoreUnwritable,
        state: State::Unknown,
        role: Role::Us,
        title: "Our own database cannot be written to",
        explanation: "What happens is kept in memory only: alerts go out all the same, but if mailflow restarted now it \
            would forget what has happened since, and might tell some of it twice. It says nothing about any client's mail.",
        action: "Read why. Make room on the disk, end whatever holds the database, or let mailflow write to its folder. \
            Do not restart mailflow: once it can, it writes down everything by itself.",
        seen: "Writing to the database fails again and again.",
        refuted: "One write that succeeds.",
        route: None,
    },
];

pub(super) const GATEWAY: &[Entry] = &[
    Entry {
        code: Code::GatewayDown,
        state: State::Broken,
        role: Role::Receiver,
        title: "The router in front of the mail server does not answer",
        explanation: "The router or firewall that leads to the mail server answers none of its checks, and \
            nothing behind it can be reached either. The mail server is not the suspect: most likely the power, \
            the router or the line at that site has failed. Senders keep trying for days, so no mail is lost yet.",
        action: "Call the line's provider or the contact given here and ask whether the line is up. Then have \
            somebody on site check the power and switch the router off and on. Do not restart the mail server.",
        seen: "All pings lost and all ports of the router silent, and no address behind it answers.",
        refuted: "An answer of the router to any of its checks, or of anything behind it, begun after the failure.",
        route: None,
    },
    Entry {
        code: Code::GatewayLossy,
        state: State::Degraded,
        role: Role::Network,
        title: "The line to the router loses data",
        explanation: "Part of what is sent to the router never comes back. Mail still passes, slowly, and other \
            services at that site will feel bad too. Usual reasons: a full line, a bad cable, a fault at the \
            provider.",
        action: "Ask the site whether a large upload or backup is running, and whether other things are slow too. \
            If nothing is running, call the line's provider with the figures shown here and ask for a line test.",
        seen: "A fifth or more of the pings to the router is lost over several rounds, while the anchors of our own \
            line lose far less in the same time. It ends below a twentieth.",
        refuted: "The same loss on the way to our own anchors in the same minutes: then the line is ours.",
        route: None,
    },
    Entry {
        code: Code::GatewaySlow,
        state: State::Degraded,
        role: Role::Network,
        title: "The router answers far more slowly than it used to",
        explanation: "The router answers, but each answer takes much longer than usual. The line is probably \
            full, or the router is overloaded. Mail passes, with delays.",
        action: "Ask the site whether something large is being transferred. If not, call the line's provider \
            with the times shown here.",
        seen: "Over several rounds pings take more than four times as long as usual, and 100 ms more at least, \
            while our own line is not delayed like that. It ends below twice the usual time, or 50 ms above it.",
        refuted: "The same delay on the way to our own anchors in the same minutes: then the line is ours.",
        route: None,
    },
    Entry {
        code: Code::GatewayRebooted,
        state: State::Flowing,
        role: Role::Receiver,
        title: "The router has restarted",
        explanation: "The router says (by SNMP, which is how devices tell about themselves) that it started anew a \
            short while ago. Once is maintenance or a power cut; several times a week means that it is failing.",
        action: "Ask whether somebody restarted it, or changed its SNMP settings, which can set the same clock back. \
            If nobody did, check its power supply and its log.",
        seen: "The uptime that the router's SNMP agent tells (sysUpTime) went back. That it begins anew by itself \
            after 497 days is allowed for.",
        refuted: "An uptime counter that has merely run over, which happens once in 497 days.",
        route: None,
    },
    Entry {
        code: Code::GatewayUnproven,
        state: State::Flowing,
        role: Role::Us,
        title: "The router has never answered this check, so it proves nothing",
        explanation: "A check is configured for this router that has not succeeded even once. Many routers are \
            set not to answer pings. As long as it has never worked, its silence cannot tell us that the router \
            is down.",
        action: "Allow pings to the router from our address, or name a port that it answers on (say \
            checks = [\"tcp:443\"]), or take the check out of the configuration. If it is about SNMP, compare the \
            community or the user with what is set in the router, and let our address in there.",
        seen: "The check fails while servers behind the router can be reached.",
        refuted: "One answer to one of its checks.",
        route: None,
    },
];
