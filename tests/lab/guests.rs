//! Mail servers beside those that the lab consists of: the others that Debian ships. Only one can be installed, so each is
//! unpacked into a folder and runs in a root made of that and of this machine's own files, on a host of the lab. A guest
//! only sends: what comes back arrives at ACME's own server.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::hosts::Host;
use crate::shell;
use crate::world::World;

/// Where the packages are unpacked, a folder for each guest.
const CACHE: &str = "/var/cache/mailflow-lab";

/// What a guest calls itself.
const NAME: &str = "out.acme.test";

/// The host on which guests run: one without a mail server of its own.
const HOST: Host = Host::Web;

/// The host where what comes back to them arrives.
pub const HOME: Host = Host::AcmeMx;

/// A mail server that can be a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guest {
    /// OpenSMTPD.
    Opensmtpd,
    /// Sendmail.
    Sendmail,
    /// Courier.
    Courier,
    /// Nullmailer.
    Nullmailer,
    /// The DragonFly Mail Agent.
    Dma,
}

/// What a guest consists of.
struct Facts {
    /// What it and its messages are called.
    name: &'static str,
    /// Its packages, with those of its libraries that a Debian does not have anyway.
    packages: &'static [&'static str],
    /// How it is started (`start`), given a message (`send SENDER RECIPIENT...`) and made to try again (`retry`).
    script: &'static str,
}

impl Guest {
    /// What it and its messages are called.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    fn facts(self) -> Facts {
        match self {
            Self::Opensmtpd => Facts {
                name: "opensmtpd",
                packages: &["opensmtpd"],
                script: include_str!("guests/opensmtpd.sh"),
            },
            Self::Sendmail => Facts {
                name: "sendmail",
                packages: &["sendmail-bin", "sendmail-cf", "m4", "libsigsegv2", "liblockfile1"],
                script: include_str!("guests/sendmail.sh"),
            },
            Self::Courier => Facts {
                name: "courier",
                packages: &[
                    "courier-mta",
                    "courier-base",
                    "courier-authlib",
                    "libcourier-unicode4",
                    "libgamin0",
                    "libltdl7",
                    "libpcre3",
                ],
                script: include_str!("guests/courier.sh"),
            },
            Self::Nullmailer => Facts {
                name: "nullmailer",
                packages: &["nullmailer"],
                script: include_str!("guests/nullmailer.sh"),
            },
            Self::Dma => Facts {
                name: "dma",
                packages: &["dma"],
                script: include_str!("guests/dma.sh"),
            },
        }
    }

    /// Where it is unpacked; the first time that takes a download.
    fn unpacked(self) -> Result<PathBuf> {
        let facts = self.facts();
        let folder = Path::new(CACHE).join(facts.name);
        if !folder.exists() {
            let mut unpack = Command::new("sh");
            unpack.args(["-c", include_str!("guests/unpack.sh"), "unpack.sh"]);
            shell::output(unpack.arg(&folder).args(facts.packages))?;
        }
        Ok(folder)
    }
}

/// A guest that is there, with an empty queue; it goes when this is dropped.
pub struct Lodged {
    guest: Guest,
    settings: Vec<[String; 2]>,
    /// The process that holds its namespaces.
    holder: Child,
}

impl Lodged {
    /// Starts a guest with settings of its own, which its script knows.
    pub fn start(world: &World, guest: Guest, settings: &[[String; 2]]) -> Result<Self> {
        let mut root = world.on(HOST, "unshare");
        root.args(["--mount", "--uts", "--pid", "--fork", "--kill-child"]);
        root.args(["sh", "-c", include_str!("guests/root.sh"), "root.sh"]);
        root.arg(guest.unpacked()?).args([NAME, HOST.address()]);
        let lodged = Self {
            guest,
            settings: settings.to_vec(),
            holder: root.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?,
        };
        shell::wait_for("a guest's root", Duration::from_secs(10), || {
            lodged.root().join("run/ready").exists()
        })?;
        lodged.tell(&["start"], "")?;
        Ok(lodged)
    }

    /// Gives it a message to send; returns what it says.
    pub fn send(&self, sender: &str, recipients: &[String], message: &str) -> Result<String> {
        let mut words = vec!["send", sender];
        words.extend(recipients.iter().map(String::as_str));
        self.tell(&words, message)
    }

    /// Has it try again what is in its queue.
    pub fn retry(&self) -> Result<()> {
        self.tell(&["retry"], "").map(drop)
    }

    /// The last of what it has logged.
    pub fn log(&self) -> String {
        shell::tail(&self.root().join("var/log/guest.log"), 20)
    }

    /// Its root, as seen from here.
    fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/mnt", self.holder.id()))
    }

    fn tell(&self, words: &[&str], input: &str) -> Result<String> {
        let holder = self.holder.id();
        let script = include_str!("guests/prelude.sh").to_owned() + self.guest.facts().script;
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={holder}"));
        command.args(["--mount", "--uts", "--net"]);
        command.arg(format!("--pid=/proc/{holder}/ns/pid_for_children"));
        command.args(["chroot", "/mnt", "env", "-i", &format!("NAME={NAME}")]);
        command.args(
            self.settings
                .iter()
                .map(|[name, value]| format!("{name}={value}")),
        );
        command.args(["sh", "-c", &script, self.guest.name()]).args(words);
        let (success, said) = shell::feed(&mut command, input)?;
        ensure!(success, "{} {words:?}: {said}", self.guest.name());
        Ok(said)
    }
}

impl Drop for Lodged {
    fn drop(&mut self) {
        // Its namespace of processes goes with it, and so do they.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
