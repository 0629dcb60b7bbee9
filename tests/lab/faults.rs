//! What can break in the lab, and how it is put right again.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::dns::Edit;
use crate::hosts::{Host, Service};
use crate::mail::{self, Whim};
use crate::meddler::{self, Meddling};
use crate::pki::Flavour;
use crate::post::{self, Trouble};
use crate::shell;
use crate::site;
use crate::worker::Worker;
use crate::world::World;

/// One fault, as scenario files name it. Two equal faults are the same fault.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// The host's line to the network goes dead.
    LineDown {
        /// Whose.
        host: Host,
    },
    /// What the host runs is stopped.
    Stop {
        /// Whose.
        host: Host,
    },
    /// What the host runs stops in its tracks: connections open, nobody speaks.
    Freeze {
        /// Whose.
        host: Host,
    },
    /// A packet filter on some host.
    Filter {
        /// Where the filter sits.
        at: Host,
        /// Source addresses or networks; none means any.
        #[serde(default)]
        from: Vec<String>,
        /// Destination addresses or networks; none means any.
        #[serde(default)]
        to: Vec<String>,
        /// What is caught.
        what: Traffic,
        /// What becomes of it.
        how: Manner,
    },
    /// The server's certificate.
    Certificate {
        /// Whose.
        host: Host,
        /// How it is made.
        flavour: Flavour,
        /// Whether only those who submit mail see it (Postfix only).
        #[serde(default)]
        submission: bool,
    },
    /// The server no longer offers STARTTLS.
    NoStarttls {
        /// Which.
        host: Host,
    },
    /// The server answers every connection with this reply and closes it.
    Greeting {
        /// Which.
        host: Host,
        /// For Postfix the client's name and address are put after the codes.
        reply: String,
    },
    /// The server greets late (Exim only).
    SlowGreeting {
        /// Which.
        host: Host,
        /// How late.
        seconds: u32,
    },
    /// The server answers every EHLO with this reply (Exim only).
    Ehlo {
        /// Which.
        host: Host,
        /// A temporary refusal.
        reply: String,
        /// Whether only under TLS.
        #[serde(default)]
        under_tls: bool,
    },
    /// The server speaks another TLS than usual (Exim only).
    Tls {
        /// Which.
        host: Host,
        /// As a priority string of GnuTLS.
        priority: String,
    },
    /// Postscreen stands before the server: greetings in two parts, three seconds apart (Postfix only).
    Postscreen {
        /// Which.
        host: Host,
    },
    /// A firewall takes part in the SMTP sessions with a host behind it.
    Meddler {
        /// Where it stands.
        at: Host,
        /// To whom the sessions go.
        to: Host,
        /// What it does to them.
        how: Meddling,
    },
    /// A router answers pings late.
    LatePings {
        /// Which.
        host: Host,
        /// How late.
        milliseconds: u64,
    },
    /// A router restarts, and is gone for two seconds.
    Reboot {
        /// Which.
        host: Host,
    },
    /// A router's SNMP agent is stopped.
    AgentStopped {
        /// Which.
        host: Host,
    },
    /// A host loses its IPv6 address and the way out.
    NoIpv6 {
        /// Which.
        host: Host,
    },
    /// beta.test's web server gives out an MTA-STS policy; the record that announces it is another matter.
    StsPolicy {
        /// Its lines.
        lines: Vec<String>,
    },
    /// Something is wrong where mail is carried (in worlds that are furnished for it).
    Post {
        /// Where.
        host: Host,
        /// What.
        trouble: Trouble,
    },
    /// What a server answers to whoever asks for `desk` (likewise).
    Answer {
        /// Which.
        host: Host,
        /// For Postfix the recipient's address is put after the codes.
        reply: String,
    },
    /// Other records in a zone.
    Records {
        /// The zone.
        zone: String,
        /// Records that go, by how they begin.
        #[serde(default)]
        remove: Vec<String>,
        /// Records that come.
        #[serde(default)]
        add: Vec<String>,
        /// On which name servers.
        #[serde(default = "both")]
        servers: Vec<Host>,
    },
    /// Name servers refuse to answer for a zone.
    Unserve {
        /// The zone.
        zone: String,
        /// Which name servers.
        #[serde(default = "both")]
        servers: Vec<Host>,
    },
    /// The domain is gone from its parent.
    Undelegate {
        /// The zone.
        zone: String,
    },
    /// The parent vouches for a key that the zone does not have.
    BogusDs {
        /// The zone.
        zone: String,
    },
}

/// What a filter catches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Traffic {
    /// Everything.
    All,
    /// Echo requests.
    Ping,
    /// TCP to port 25.
    Smtp,
    /// TCP to port 587.
    Submission,
    /// TCP to ports 143 and 993.
    Imap,
    /// TCP to port 443.
    Https,
    /// SNMP.
    Snmp,
    /// DNS over UDP and TCP.
    Dns,
}

/// What becomes of a caught packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// It vanishes.
    Drop,
    /// The sender is told that it is administratively prohibited.
    Prohibit,
    /// The connection is reset.
    Reset,
    /// Every second packet vanishes.
    Halve,
}

fn both() -> Vec<Host> {
    vec![Host::Ns1, Host::Ns2]
}

/// The faults that hold in a world now.
#[derive(Default)]
pub struct Active {
    faults: Vec<Holding>,
    next: u64,
}

/// A fault that holds.
struct Holding {
    id: u64,
    fault: Fault,
    /// What works for it meanwhile.
    worker: Option<Worker>,
}

impl Active {
    /// Injects a fault.
    pub fn inject(&mut self, world: &World, fault: &Fault) -> Result<()> {
        let id = self.next;
        self.next += 1;
        let worker = inject(world, id, fault).with_context(|| format!("cannot inject {fault:?}"))?;
        self.faults.push(Holding {
            id,
            fault: fault.clone(),
            worker,
        });
        Ok(())
    }

    /// Whether some fault holds only as long as this process keeps it up.
    pub fn needs_us(&self) -> bool {
        self.faults.iter().any(|holding| holding.worker.is_some())
    }

    /// Heals a fault that was injected before.
    pub fn heal(&mut self, world: &World, fault: &Fault) -> Result<()> {
        let Some(place) = self.faults.iter().position(|holding| holding.fault == *fault) else {
            bail!("{fault:?} was never injected");
        };
        end(world, self.faults.remove(place))
    }

    /// Heals whatever there still is, the latest first; returns the first failure after having tried all.
    pub fn heal_all(&mut self, world: &World) -> Result<()> {
        let mut outcome = Ok(());
        while let Some(holding) = self.faults.pop() {
            outcome = outcome.and(end(world, holding));
        }
        outcome
    }
}

fn end(world: &World, holding: Holding) -> Result<()> {
    let Holding { id, fault, worker } = holding;
    let healed = heal(world, id, &fault).with_context(|| format!("cannot heal {fault:?}"));
    drop(worker);
    healed
}

/// Injects a fault; what it returns has to be kept until it is healed.
fn inject(world: &World, id: u64, fault: &Fault) -> Result<Option<Worker>> {
    match fault {
        Fault::Meddler { at, to, how } => {
            let meddler = meddler::meddle(world, *at, *to, *how)?;
            nft(world, *at, &detour(id, *at, *to))?;
            return Ok(Some(meddler));
        }
        Fault::LatePings { host, milliseconds } => {
            let late = meddler::delay_pings(world, *host, Duration::from_millis(*milliseconds))?;
            world.answer_pings(*host, false)?;
            return Ok(Some(late));
        }
        Fault::Post { host, trouble } => return post::begin(world, *host, *trouble),
        _ => change(world, id, fault)?,
    }
    Ok(None)
}

/// Injects a fault that needs nobody to keep it up.
fn change(world: &World, id: u64, fault: &Fault) -> Result<()> {
    match fault {
        Fault::LineDown { host } => world.disconnect(*host),
        Fault::Stop { host } => world.stop(*host),
        Fault::Freeze { host } => world.freeze(*host),
        Fault::Filter {
            at,
            from,
            to,
            what,
            how,
        } => nft(world, *at, &table(id, &rules(from, to, *what, *how))),
        Fault::Certificate {
            host,
            flavour,
            submission,
        } => certificate(world, *host, *flavour, *submission),
        Fault::NoStarttls { host } => mail::set_starttls(world, *host, false),
        Fault::Greeting { host, reply } => mail::set_greeting(world, *host, Some(reply)),
        Fault::SlowGreeting { host, seconds } => {
            mail::set_whim(world, *host, Whim::Delay, Some(&format!("{seconds}s")))
        }
        Fault::Ehlo {
            host,
            reply,
            under_tls,
        } => mail::set_whim(world, *host, ehlo(*under_tls), Some(reply)),
        Fault::Tls { host, priority } => mail::set_whim(world, *host, Whim::Tls, Some(priority)),
        Fault::Postscreen { host } => mail::set_postscreen(world, *host, true),
        Fault::Reboot { host } => site::reboot(world, *host),
        Fault::AgentStopped { host } => site::stop_agent(world, *host),
        Fault::NoIpv6 { host } => world.without_ipv6(*host),
        Fault::StsPolicy { lines } => site::set_policy(world, lines),
        Fault::Answer { host, reply } => post::set_answer(world, *host, Some(reply)),
        Fault::Meddler { .. } | Fault::LatePings { .. } | Fault::Post { .. } => {
            bail!("somebody has to keep it up")
        }
        Fault::Records { .. } | Fault::Unserve { .. } | Fault::Undelegate { .. } | Fault::BogusDs { .. } => {
            let edit = edit(fault).context("a fault of the name space is an edit")?;
            world.zones.apply(world, id, edit)
        }
    }
}

fn heal(world: &World, id: u64, fault: &Fault) -> Result<()> {
    match fault {
        Fault::LineDown { host } => world.connect(*host),
        Fault::Stop { host } => world.start(*host),
        Fault::Freeze { host } => world.thaw(*host),
        Fault::Filter { at, .. } => nft(world, *at, &format!("delete table inet fault{id}\n")),
        Fault::Certificate { host, submission, .. } => certificate(world, *host, Flavour::Good, *submission),
        Fault::NoStarttls { host } => mail::set_starttls(world, *host, true),
        Fault::Greeting { host, .. } => mail::set_greeting(world, *host, None),
        Fault::SlowGreeting { host, .. } => mail::set_whim(world, *host, Whim::Delay, None),
        Fault::Ehlo { host, under_tls, .. } => mail::set_whim(world, *host, ehlo(*under_tls), None),
        Fault::Tls { host, .. } => mail::set_whim(world, *host, Whim::Tls, None),
        Fault::Postscreen { host } => mail::set_postscreen(world, *host, false),
        Fault::Meddler { at, .. } => nft(world, *at, &format!("delete table ip fault{id}\n")),
        Fault::LatePings { host, .. } => world.answer_pings(*host, true),
        Fault::AgentStopped { host } => site::start_agent(world, *host),
        Fault::NoIpv6 { host } => world.with_ipv6(*host),
        Fault::Post { host, trouble } => post::end(world, *host, *trouble),
        Fault::Answer { host, .. } => post::set_answer(world, *host, None),
        // A restart is over, and without its record nobody looks at a policy.
        Fault::Reboot { .. } | Fault::StsPolicy { .. } => Ok(()),
        Fault::Records { .. } | Fault::Unserve { .. } | Fault::Undelegate { .. } | Fault::BogusDs { .. } => {
            world.zones.revert(world, id)
        }
    }
}

fn edit(fault: &Fault) -> Option<Edit> {
    Some(match fault.clone() {
        Fault::Records {
            zone,
            remove,
            add,
            servers,
        } => Edit::Records {
            zone,
            remove,
            add,
            servers,
        },
        Fault::Unserve { zone, servers } => Edit::Unserve { zone, servers },
        Fault::Undelegate { zone } => Edit::Undelegate { zone },
        Fault::BogusDs { zone } => Edit::BogusDs { zone },
        _ => return None,
    })
}

fn certificate(world: &World, host: Host, flavour: Flavour, submission: bool) -> Result<()> {
    match host.facts().service {
        Some(Service::Web) => site::set_web_certificate(world, host, flavour),
        _ if submission => mail::set_submission_certificate(world, host, flavour),
        _ => mail::set_certificate(world, host, flavour),
    }
}

fn ehlo(under_tls: bool) -> Whim {
    if under_tls { Whim::EhloUnderTls } else { Whim::Ehlo }
}

/// The rules of a filter: one for each family of addresses that it names.
fn rules(from: &[String], to: &[String], what: Traffic, how: Manner) -> String {
    let any = from.is_empty() && to.is_empty();
    let six = |address: &&String| address.contains(':');
    let mut rules = String::new();
    for (family, ping, is_six) in [
        ("ip", "icmp type echo-request ", false),
        ("ip6", "icmpv6 type echo-request ", true),
    ] {
        let mut words = String::new();
        for (field, addresses) in [("saddr", from), ("daddr", to)] {
            let addresses: Vec<&str> = addresses
                .iter()
                .filter(|address| six(address) == is_six)
                .map(String::as_str)
                .collect();
            if !addresses.is_empty() {
                words += &format!("{family} {field} {{ {} }} ", addresses.join(", "));
            }
        }
        if words.is_empty() && !any {
            continue;
        }
        words += match what {
            Traffic::All => "",
            Traffic::Ping => ping,
            Traffic::Smtp => "tcp dport 25 ",
            Traffic::Submission => "tcp dport 587 ",
            Traffic::Imap => "tcp dport { 143, 993 } ",
            Traffic::Https => "tcp dport 443 ",
            Traffic::Snmp => "udp dport 161 ",
            Traffic::Dns => "meta l4proto { tcp, udp } th dport 53 ",
        };
        words += match how {
            Manner::Drop => "drop",
            Manner::Prohibit => "reject with icmpx type admin-prohibited",
            Manner::Reset => "reject with tcp reset",
            Manner::Halve => "numgen random mod 2 == 0 drop",
        };
        rules += &format!("{words}; ");
    }
    rules
}

fn table(id: u64, rules: &str) -> String {
    let chains: String = ["input", "forward", "output"]
        .iter()
        .map(|hook| {
            format!("  chain {hook} {{ type filter hook {hook} priority 0; policy accept; {rules}}}\n")
        })
        .collect();
    format!("table inet fault{id} {{\n{chains}}}\n")
}

/// Leads what goes to port 25 of a host to whoever meddles with it on the way.
fn detour(id: u64, at: Host, to: Host) -> String {
    format!(
        "table ip fault{id} {{\n  chain prerouting {{ type nat hook prerouting priority -100; policy accept; \
         ip daddr {} tcp dport 25 dnat to {}:{}; }}\n}}\n",
        to.address(),
        at.address(),
        meddler::PORT
    )
}

fn nft(world: &World, host: Host, commands: &str) -> Result<()> {
    let (success, said) = shell::feed(world.on(host, "nft").args(["-f", "-"]), commands)?;
    anyhow::ensure!(success, "nft on {}: {said}\n{commands}", host.name());
    Ok(())
}
