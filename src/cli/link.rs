//! `mailflow link`: a client's own view, behind a signed link.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::args::Link;
use super::daemon::Daemon;
use super::output;
use super::status::Words;
use crate::model::text::clean;
use crate::surface::words::Moment;

/// A link as the daemon gives it.
#[derive(Deserialize)]
struct Made {
    name: Words,
    url: String,
    until: Timestamp,
}

/// Makes a link and says how long it can be used; or ends all that there are.
pub fn run(link: &Link) -> anyhow::Result<u8> {
    let daemon = Daemon::at(&link.daemon.url)?;
    let runtime = super::runtime()?;
    let Some(client) = &link.client else {
        let answer = runtime.block_on(daemon.post(&["links", "revoke"]))?;
        let said = if link.json {
            format!("{answer:#}\n")
        } else {
            "All links and sessions have ended. Who had one needs a new one.\n".to_owned()
        };
        output::show(&said)?;
        return Ok(0);
    };
    let body = json!({ "until": link.until, "for": link.lasting });
    let mut answer = runtime.block_on(daemon.send(&["clients", client, "links"], &body))?;
    let mut made = Made::deserialize(&answer).map_err(|error| daemon.stranger(error.to_string()))?;
    if made.url.starts_with('/') {
        // The daemon does not know how people reach it; we know how we did.
        let base = daemon.url().as_str().trim_end_matches('/');
        made.url = format!("{base}{}", made.url);
        answer["url"] = made.url.as_str().into();
    }
    let said = if link.json {
        format!("{answer:#}\n")
    } else {
        in_words(&made)
    };
    output::show(&said)?;
    Ok(0)
}

fn in_words(made: &Made) -> String {
    let until = Moment::new(made.until, made.until).machine;
    format!(
        "{}\n\nWhoever has this link sees how the mail of {} is doing, and nothing else, until {until}.\n\
         It cannot be taken back alone: `mailflow link --revoke-all` ends all links and sessions.\n",
        clean(made.url.as_bytes(), 1000),
        made.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_the_link_shows() {
        let made = r#"{"name":"ACME Ltd","url":"https://mail.msp.example/clients/acme?link=1-2","until":"2027-11-22T00:00:00Z"}"#;
        let made: Made = serde_json::from_str(made).unwrap();
        insta::assert_snapshot!(in_words(&made));
    }
}
