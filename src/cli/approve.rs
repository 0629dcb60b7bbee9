//! `mailflow approve`: the mail servers that a domain has now are the right ones.

use serde::Deserialize;

use super::args::Approve;
use super::daemon::Daemon;
use super::output;
use super::status::Words;

/// What the daemon says that it approved.
#[derive(Deserialize)]
struct Approved {
    domain: Words,
    mx: Vec<Words>,
}

/// Has the daemon approve the set that it sees, and says which that is: whoever typed this looked a moment earlier.
pub fn run(approve: &Approve) -> anyhow::Result<u8> {
    let daemon = Daemon::at(&approve.daemon.url)?;
    let path = ["domains", approve.domain.as_str(), "approve"];
    let answer = super::runtime()?.block_on(daemon.post(&path))?;
    let approved: Approved =
        serde_json::from_value(answer).map_err(|error| daemon.stranger(error.to_string()))?;
    output::show(&in_words(&approved))?;
    Ok(0)
}

fn in_words(approved: &Approved) -> String {
    let hosts: Vec<&str> = approved.mx.iter().map(|host| &**host).collect();
    let where_to = match hosts.as_slice() {
        [] => "to its own address, without an MX record".to_owned(),
        ["."] => "nowhere: it takes none (a null MX)".to_owned(),
        hosts => format!("to {}", hosts.join(", ")),
    };
    format!(
        "Approved: the mail of {} goes {where_to}. Any other answer is a change again.\n",
        approved.domain
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_was_approved() {
        let say = |mx: &str| {
            let document = format!(r#"{{"domain":"acme.test","mx":{mx}}}"#);
            in_words(&serde_json::from_str(&document).unwrap())
        };
        insta::assert_snapshot!(say(r#"["mx1.acme.test","mx2.acme.test"]"#), @"Approved: the mail of acme.test goes to mx1.acme.test, mx2.acme.test. Any other answer is a change again.");
        insta::assert_snapshot!(say(r#"["."]"#), @"Approved: the mail of acme.test goes nowhere: it takes none (a null MX). Any other answer is a change again.");
        insta::assert_snapshot!(say("[]"), @"Approved: the mail of acme.test goes to its own address, without an MX record. Any other answer is a change again.");
    }
}
