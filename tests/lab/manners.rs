//! How the daemon behaves towards the mail servers that it looks at, as their own logs tell.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::hosts::{HOSTS, Host, Service};
use crate::monitor::INTERVAL;
use crate::world::World;

/// How many rounds are watched.
const ROUNDS: u64 = 3;

/// What Postfix logs of a session as it should be.
const WHOLE_AT_POSTFIX: &str = "ehlo=2 starttls=1 quit=1 commands=4";
/// The same at Exim.
const WHOLE_AT_EXIM: &str = "C=EHLO,STARTTLS,EHLO,QUIT";

/// Watches healthy servers for some rounds: every session is whole, up to QUIT, and one a round serves all
/// domains on an address, however many there are.
pub fn judge(world: &World) -> Result<()> {
    let servers: Vec<(Host, Service)> = HOSTS
        .iter()
        .filter_map(|facts| Some((facts.host, facts.service?)))
        .filter(|(_, service)| matches!(service, Service::Postfix | Service::Exim))
        .collect();
    let before: Vec<usize> = servers
        .iter()
        .map(|(host, service)| read(world, *host, *service).len())
        .collect();
    std::thread::sleep(Duration::from_secs(ROUNDS * INTERVAL));
    for ((host, service), start) in servers.into_iter().zip(before) {
        let log = read(world, host, service);
        let sessions: Vec<&str> = log[start.min(log.len())..]
            .iter()
            .map(String::as_str)
            .filter(|line| line.contains(Host::Mon.address()) && is_end(line, service))
            .collect();
        let odd = sessions.iter().find(|line| !is_whole(line, host, service));
        ensure!(odd.is_none(), "{} saw an odd session: {odd:?}", host.name());
        // Jitter, and where the rounds are cut, may bring one session more or less.
        let (least, most) = (usize::try_from(ROUNDS - 1)?, usize::try_from(ROUNDS + 1)?);
        ensure!(
            (least..=most).contains(&sessions.len()),
            "{} saw {} sessions in {ROUNDS} rounds",
            host.name(),
            sessions.len()
        );
    }
    Ok(())
}

fn is_end(line: &str, service: Service) -> bool {
    match service {
        // Sessions of people who submit are another matter.
        Service::Postfix => line.contains("disconnect from") && !line.contains("postfix/submission/"),
        // Exim tells of every way in which a session without a message can end.
        _ => line.contains("no MAIL in SMTP connection") || line.contains("unexpected disconnection"),
    }
}

fn is_whole(line: &str, host: Host, service: Service) -> bool {
    match (host, service) {
        (_, Service::Postfix) => line.contains(WHOLE_AT_POSTFIX),
        // A witness only has to greet.
        (Host::Anchor | Host::Anchor2, _) => line.contains("C=QUIT"),
        _ => line.contains(WHOLE_AT_EXIM),
    }
}

fn read(world: &World, host: Host, service: Service) -> Vec<String> {
    let home = world.home(host);
    let path: PathBuf = match service {
        Service::Postfix => home.join("mail.log"),
        _ => home.join("spool/mainlog"),
    };
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .lines()
        .map(str::to_owned)
        .collect()
}
