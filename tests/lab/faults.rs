//! What can break in the lab, and how it is put right again.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::dns::Edit;
use crate::hosts::Host;
use crate::mail;
use crate::pki::Flavour;
use crate::shell;
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
    /// TCP to port 443.
    Https,
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
    faults: Vec<(u64, Fault)>,
    next: u64,
}

impl Active {
    /// Injects a fault.
    pub fn inject(&mut self, world: &World, fault: &Fault) -> Result<()> {
        let id = self.next;
        self.next += 1;
        inject(world, id, fault).with_context(|| format!("cannot inject {fault:?}"))?;
        self.faults.push((id, fault.clone()));
        Ok(())
    }

    /// Heals a fault that was injected before.
    pub fn heal(&mut self, world: &World, fault: &Fault) -> Result<()> {
        let Some(place) = self.faults.iter().position(|(_, active)| active == fault) else {
            bail!("{fault:?} was never injected");
        };
        let (id, fault) = self.faults.remove(place);
        heal(world, id, &fault).with_context(|| format!("cannot heal {fault:?}"))
    }

    /// Heals whatever there still is, the latest first; returns the first failure after having tried all.
    pub fn heal_all(&mut self, world: &World) -> Result<()> {
        let mut outcome = Ok(());
        while let Some((id, fault)) = self.faults.pop() {
            let healed = heal(world, id, &fault).with_context(|| format!("cannot heal {fault:?}"));
            outcome = outcome.and(healed);
        }
        outcome
    }
}

fn inject(world: &World, id: u64, fault: &Fault) -> Result<()> {
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
        } => nft(world, *at, &table(id, &rule(from, to, *what, *how))),
        Fault::Certificate { host, flavour } => mail::set_certificate(world, *host, *flavour),
        Fault::NoStarttls { host } => mail::set_starttls(world, *host, false),
        Fault::Greeting { host, reply } => mail::set_greeting(world, *host, Some(reply)),
        Fault::SlowGreeting { host, seconds } => mail::set_delay(world, *host, Some(*seconds)),
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
        Fault::Filter { at, .. } => nft(world, *at, &format!("delete table ip fault{id}\n")),
        Fault::Certificate { host, .. } => mail::set_certificate(world, *host, Flavour::Good),
        Fault::NoStarttls { host } => mail::set_starttls(world, *host, true),
        Fault::Greeting { host, .. } => mail::set_greeting(world, *host, None),
        Fault::SlowGreeting { host, .. } => mail::set_delay(world, *host, None),
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

fn rule(from: &[String], to: &[String], what: Traffic, how: Manner) -> String {
    let mut words = String::new();
    for (field, addresses) in [("saddr", from), ("daddr", to)] {
        if !addresses.is_empty() {
            words += &format!("ip {field} {{ {} }} ", addresses.join(", "));
        }
    }
    words += match what {
        Traffic::All => "",
        Traffic::Ping => "icmp type echo-request ",
        Traffic::Smtp => "tcp dport 25 ",
        Traffic::Submission => "tcp dport 587 ",
        Traffic::Https => "tcp dport 443 ",
        Traffic::Dns => "meta l4proto { tcp, udp } th dport 53 ",
    };
    words
        + match how {
            Manner::Drop => "drop",
            Manner::Prohibit => "reject with icmp type admin-prohibited",
            Manner::Reset => "reject with tcp reset",
            Manner::Halve => "numgen random mod 2 == 0 drop",
        }
}

fn table(id: u64, rule: &str) -> String {
    let chains: String = ["input", "forward", "output"]
        .iter()
        .map(|hook| {
            format!("  chain {hook} {{ type filter hook {hook} priority 0; policy accept; {rule}; }}\n")
        })
        .collect();
    format!("table ip fault{id} {{\n{chains}}}\n")
}

fn nft(world: &World, host: Host, commands: &str) -> Result<()> {
    let (success, said) = shell::feed(world.on(host, "nft").args(["-f", "-"]), commands)?;
    anyhow::ensure!(success, "nft on {}: {said}\n{commands}", host.name());
    Ok(())
}
