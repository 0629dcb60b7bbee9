//! `mailflow init`: a first configuration, from what DNS says of some domains.

mod list;
mod text;

use std::io::Read as _;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};

use crate::app::{self, survey};
use crate::config::Config;
use crate::net::RealNet;

use super::args::{Arguments, Init};
use super::{log, output};
use list::Wanted;

/// Looks the domains up and prints a configuration.
pub fn run(init: &Init, arguments: &Arguments) -> anyhow::Result<u8> {
    log::start(arguments.log_format, true)?;
    let wanted = wanted(init)?;
    let mut config = Config::default();
    if let Some(resolver) = init.resolver {
        config.resolver.servers = vec![resolver];
    }
    let net = Arc::new(RealNet::new());
    let (_, context, trust) = app::vantage(&config, &*net).map_err(|reason| anyhow!(reason))?;
    let names: Vec<_> = wanted.iter().map(|one| one.domain.clone()).collect();
    let progress = indicatif::ProgressBar::new(u64::try_from(names.len()).unwrap_or_default())
        .with_message("looking the domains up");
    let found = super::runtime()?.block_on(survey::survey(&*net, &context, &trust, &names, || {
        progress.inc(1);
    }));
    progress.finish_and_clear();
    output::show(&text::render(&wanted, &found))?;
    Ok(0)
}

/// The domains of the arguments, of standard input and of the file, each with its client.
fn wanted(init: &Init) -> anyhow::Result<Vec<Wanted>> {
    let mut all = Vec::new();
    for domain in &init.domains {
        if domain == "-" {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("standard input")?;
            all.extend(list::plain(&text).context("standard input")?);
        } else {
            all.extend(list::plain(domain)?);
        }
    }
    if let Some(path) = &init.csv {
        let place = || path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(place)?;
        all.extend(list::csv(&text).with_context(place)?);
    }
    let all = list::once(all);
    if all.is_empty() {
        return Err(anyhow!("there is no domain in what was given"));
    }
    Ok(all)
}
