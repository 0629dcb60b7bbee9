//! The servers that are probed, and the peer that probes them too: Debian's packages, each with files of its own.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::unistd::User;

use crate::shell;

/// Who serves the zone.
pub const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
/// Whom the daemon asks.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The zone that everything lies in.
pub const ZONE: &str = "fleet.test";

/// Whose the mailboxes are.
const NOBODY: u32 = 65534;

/// How long a server may take to start: a zone of a million records has to be read.
const START: Duration = Duration::from_mins(2);

/// A process that ends when this is dropped.
pub struct Running(Child);

impl Running {
    /// Starts a program whose output goes to a file.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let log = std::fs::File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {command:?}; benches/README.md names the packages"))?;
        Ok(Self(child))
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Postfix on port 25 of every local address; it ends when this is dropped.
pub struct Postfix {
    etc: PathBuf,
}

impl Postfix {
    /// Starts it. It offers STARTTLS where it has a certificate (with its chain and key in one file), and takes mail for
    /// these people where there are mailboxes.
    pub fn start(
        dir: &Path,
        certificate: Option<&str>,
        mailboxes: Option<(&Path, &[String])>,
    ) -> Result<Self> {
        let home = dir.join("postfix");
        let etc = home.join("etc");
        for part in ["etc", "queue", "data"] {
            std::fs::create_dir_all(home.join(part))?;
        }
        let owner =
            User::from_name("postfix")?.context("there is no user postfix (Debian package postfix)")?;
        chown(
            home.join("data"),
            Some(owner.uid.as_raw()),
            Some(owner.gid.as_raw()),
        )?;
        let tls = match certificate {
            Some(pem) => {
                std::fs::write(home.join("tls.pem"), pem)?;
                format!(
                    "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {}/tls.pem\n",
                    home.display()
                )
            }
            None => "smtpd_tls_security_level = none\n".to_owned(),
        };
        let (mut people, mut names) = (String::new(), String::new());
        if let Some((mailboxes, all)) = mailboxes {
            for name in all {
                let _ = writeln!(names, "{name}@{ZONE} {name}/");
            }
            people = format!(
                "virtual_mailbox_domains = {ZONE}\nvirtual_transport = virtual\nvirtual_mailbox_base = {}\n\
                 virtual_mailbox_maps = texthash:{}/people\nvirtual_uid_maps = static:{NOBODY}\n\
                 virtual_gid_maps = static:{NOBODY}\nvirtual_destination_concurrency_limit = 20\n",
                mailboxes.display(),
                home.display()
            );
        }
        std::fs::write(home.join("people"), names)?;
        let main = format!(
            "compatibility_level = 3.6\nconfig_directory = {home}/etc\nqueue_directory = {home}/queue\n\
             data_directory = {home}/data\nmaillog_file = /dev/null\nmaillog_file_prefixes = /dev\n\
             myhostname = mx.{ZONE}\nmydestination =\ninet_interfaces = all\ninet_protocols = ipv4\nalias_maps =\n\
             alias_database =\nsmtpd_peername_lookup = no\nsmtpd_relay_restrictions = reject_unauth_destination\n\
             smtpd_client_connection_rate_limit = 0\nsmtpd_client_connection_count_limit = 0\n\
             default_process_limit = 50\nmax_use = 10000\n{tls}{people}",
            home = home.display(),
        );
        std::fs::write(etc.join("main.cf"), main)?;
        std::fs::write(
            etc.join("master.cf"),
            "smtp inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup\nrewrite unix - - n - - trivial-rewrite\n\
             qmgr unix n - n 300 1 qmgr\ntlsmgr unix - - n 1000? 1 tlsmgr\nanvil unix - - n - 1 anvil\n\
             proxymap unix - - n - - proxymap\npostlog unix-dgram n - n - 1 postlogd\nvirtual unix - n n - - virtual\n\
             bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
             error unix - - n - - error\nretry unix - - n - - error\n",
        )?;
        shell::detach(
            Command::new("postfix").arg("-c").arg(&etc).arg("start"),
            &dir.join("postfix.log"),
        )?;
        wait_for_port("Postfix", SocketAddr::from((Ipv4Addr::LOCALHOST, 25)))?;
        Ok(Self { etc })
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = shell::output(Command::new("postfix").arg("-c").arg(&self.etc).arg("stop"));
    }
}

/// A Dovecot on port 993 of every local address, where each of these people has a mailbox and this password.
pub fn start_mailboxes(
    dir: &Path,
    people: &[String],
    password: &str,
    certificate: &str,
) -> Result<(PathBuf, Running)> {
    let home = dir.join("dovecot");
    let mailboxes = home.join("mail");
    std::fs::create_dir_all(&mailboxes)?;
    chown(&mailboxes, Some(NOBODY), Some(NOBODY))?;
    std::fs::write(home.join("tls.pem"), certificate)?;
    let users = people.iter().map(|user| format!("{user}:{password}::::::\n"));
    std::fs::write(home.join("users"), users.collect::<String>())?;
    let config = home.join("dovecot.conf");
    let text = format!(
        "base_dir = {home}/run\nlog_path = {home}/log\nprotocols = imap\nlisten = *\nssl = required\n\
         ssl_cert = <{home}/tls.pem\nssl_key = <{home}/tls.pem\nmail_location = maildir:~\n\
         first_valid_uid = {NOBODY}\nfirst_valid_gid = {NOBODY}\n\
         passdb {{\n  driver = passwd-file\n  args = scheme=PLAIN {home}/users\n}}\n\
         userdb {{\n  driver = static\n  args = uid={NOBODY} gid={NOBODY} home={home}/mail/%n\n}}\n\
         namespace inbox {{\n  inbox = yes\n  mailbox Junk {{\n    auto = create\n    special_use = \\Junk\n  }}\n}}\n",
        home = home.display()
    );
    std::fs::write(&config, text)?;
    let dovecot = Running::start(
        Command::new("dovecot").arg("-F").arg("-c").arg(&config),
        &home.join("start.log"),
    )?;
    wait_for_port("Dovecot", SocketAddr::from((Ipv4Addr::LOCALHOST, 993)))?;
    Ok((mailboxes, dovecot))
}

/// An SMTP server that does nothing else: Postfix's own `smtp-sink`, on port 25 of every local address.
pub fn start_sink(dir: &Path) -> Result<Running> {
    let sink = Running::start(
        Command::new("smtp-sink").args([
            "-u",
            "nobody",
            "-m",
            "5000",
            "-h",
            &format!("mx.{ZONE}"),
            "0.0.0.0:25",
            "1024",
        ]),
        &dir.join("sink.log"),
    )?;
    wait_for_port("smtp-sink", SocketAddr::from((Ipv4Addr::LOCALHOST, 25)))?;
    Ok(sink)
}

/// A BIND that serves the zone with these records, and an unbound that resolves by asking it.
pub fn start_dns(dir: &Path, records: &str) -> Result<[Running; 2]> {
    let mut zone = format!(
        "$ORIGIN {ZONE}.\n$TTL 3600\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A {NAME_SERVER}\n"
    );
    let _ = write!(zone, "{records}");
    std::fs::write(dir.join("zone"), zone)?;
    // What asks whether the resolver works asks it for the root. BIND loads no zone whose name servers have no address in it.
    std::fs::write(
        dir.join("root"),
        format!(
            "$TTL 3600\n. SOA ns.{ZONE}. hostmaster.{ZONE}. 1 3600 600 86400 300\n. NS ns.{ZONE}.\n\
             ns.{ZONE}. A {NAME_SERVER}\n"
        ),
    )?;
    let home = dir.display();
    std::fs::write(
        dir.join("named.conf"),
        format!(
            "options {{ directory \"{home}\"; pid-file \"{home}/named.pid\"; session-keyfile \"{home}/session.key\"; \
             lock-file none; listen-on {{ {NAME_SERVER}; }}; listen-on-v6 {{ none; }}; recursion no; \
             dnssec-validation no; notify no; empty-zones-enable no; }};\ncontrols {{ }};\n\
             zone \"{ZONE}\" {{ type primary; file \"{home}/zone\"; }};\n\
             zone \".\" {{ type primary; file \"{home}/root\"; }};\n"
        ),
    )?;
    std::fs::write(
        dir.join("unbound.conf"),
        format!(
            "server:\n  directory: \"{home}\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"{home}/unbound.pid\"\n  \
             use-syslog: no\n  interface: {RESOLVER}\n  access-control: 127.0.0.0/8 allow\n  do-ip6: no\n  \
             num-threads: 1\n  module-config: \"iterator\"\n  do-not-query-localhost: no\n  \
             local-zone: \"test.\" nodefault\n  outgoing-range: 900\n  num-queries-per-thread: 4096\n  \
             rrset-cache-size: 256m\n  msg-cache-size: 128m\n\
             stub-zone:\n  name: \"{ZONE}\"\n  stub-addr: {NAME_SERVER}\n\
             stub-zone:\n  name: \".\"\n  stub-addr: {NAME_SERVER}\n"
        ),
    )?;
    let named = Running::start(
        Command::new("named")
            .args(["-g", "-c"])
            .arg(dir.join("named.conf")),
        &dir.join("named.log"),
    )?;
    wait_for_answer("BIND", NAME_SERVER)?;
    let unbound = Running::start(
        Command::new("unbound")
            .args(["-d", "-c"])
            .arg(dir.join("unbound.conf")),
        &dir.join("unbound.log"),
    )?;
    wait_for_answer("unbound", RESOLVER)?;
    Ok([named, unbound])
}

/// Waits until somebody accepts connections.
pub fn wait_for_port(what: &str, server: SocketAddr) -> Result<()> {
    shell::wait_for(&format!("{what} to listen"), START, || {
        TcpStream::connect_timeout(&server, Duration::from_secs(1)).is_ok()
    })
}

/// Waits until a DNS server answers a question about the zone.
fn wait_for_answer(what: &str, server: Ipv4Addr) -> Result<()> {
    let mut question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".to_vec();
    for label in ZONE.split('.') {
        question.push(u8::try_from(label.len())?);
        question.extend(label.bytes());
    }
    question.extend(b"\x00\x00\x06\x00\x01");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    shell::wait_for(&format!("{what} to answer"), START, || {
        let mut answer = [0; 512];
        let sent = socket.send_to(&question, (server, 53));
        // No error, and an answer in it.
        sent.is_ok()
            && socket
                .recv(&mut answer)
                .is_ok_and(|length| length > 12 && answer[3].trailing_zeros() >= 4 && answer[7] > 0)
    })
}
