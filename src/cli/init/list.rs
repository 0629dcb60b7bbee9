//! Lists of domains as people have them: a name a line, or a table with clients.

use std::collections::HashSet;

use anyhow::{Context as _, anyhow};

use crate::model::DomainName;
use crate::model::text::clean;

/// A domain that somebody wants to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The client's name; without one the domain stands for itself.
    pub(super) client: Option<String>,
    pub(super) domain: DomainName,
}

/// A domain a line; empty lines and what follows a `#` are nothing.
///
/// # Errors
/// The line that holds no domain.
pub(super) fn plain(text: &str) -> anyhow::Result<Vec<Wanted>> {
    let lines = text.lines().enumerate();
    let names = lines.map(|(index, line)| (index, line.split('#').next().unwrap_or_default().trim()));
    names
        .filter(|(_, name)| !name.is_empty())
        .map(|(index, name)| {
            Ok(Wanted {
                client: None,
                domain: domain(name, index)?,
            })
        })
        .collect()
}

/// A table with commas or semicolons (RFC 4180). Where the first line names the columns `client` and `domain`, they may
/// stand anywhere; else the client comes first.
///
/// # Errors
/// The line that holds no domain.
pub(super) fn csv(text: &str) -> anyhow::Result<Vec<Wanted>> {
    let text = text.trim_start_matches('\u{feff}');
    let mut columns = (0, 1);
    let mut all = Vec::new();
    for (index, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let cells = cells(line);
        let named = |name: &str| cells.iter().position(|cell| cell.eq_ignore_ascii_case(name));
        if let (true, Some(client), Some(domain)) = (all.is_empty(), named("client"), named("domain")) {
            columns = (client, domain);
            continue;
        }
        let name = cells.get(columns.1).filter(|name| !name.is_empty());
        let name = name.with_context(|| {
            format!(
                "line {}: there is no domain in column {}",
                index + 1,
                columns.1 + 1
            )
        })?;
        let client = cells.get(columns.0).filter(|client| !client.is_empty());
        all.push(Wanted {
            client: client.map(|client| clean(client.as_bytes(), 100)),
            domain: domain(name, index)?,
        });
    }
    Ok(all)
}

/// Each domain once, where it first stands.
pub(super) fn once(mut all: Vec<Wanted>) -> Vec<Wanted> {
    let mut seen = HashSet::new();
    all.retain(|one| seen.insert(one.domain.clone()));
    all
}

fn domain(text: &str, index: usize) -> anyhow::Result<DomainName> {
    // People paste addresses.
    let name = text.rsplit_once('@').map_or(text, |(_, domain)| domain);
    DomainName::parse(name).map_err(|error| {
        let said = clean(text.as_bytes(), 80);
        anyhow!("line {}: \"{said}\" is no domain: {error}", index + 1)
    })
}

/// The cells of one line; a quoted one may hold separators and, doubled, quotes.
fn cells(line: &str) -> Vec<String> {
    let separator = if line.contains(';') { ';' } else { ',' };
    let mut all = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let Some(cell) = all.last_mut() else { break };
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            other if other == separator && !quoted => all.push(String::new()),
            other => cell.push(other),
        }
    }
    all.iter().map(|cell| cell.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(all: anyhow::Result<Vec<Wanted>>) -> Vec<(String, String)> {
        let all = all.unwrap().into_iter();
        all.map(|one| (one.client.unwrap_or_default(), one.domain.to_string()))
            .collect()
    }

    fn pair(client: &str, domain: &str) -> (String, String) {
        (client.to_owned(), domain.to_owned())
    }

    #[test]
    fn a_list_has_a_domain_a_line() {
        let text = "acme.test\n\n  # ours\npostmaster@Beta.test # theirs\r\n";
        assert_eq!(read(plain(text)), [pair("", "acme.test"), pair("", "beta.test")]);
        let wrong = plain("acme.test\na b").unwrap_err().to_string();
        assert!(wrong.starts_with("line 2: \"a b\" is no domain"), "{wrong}");
    }

    #[test]
    fn a_table_has_clients() {
        let named =
            "\u{feff}Domain;Contact;Client\nacme.test;x;ACME \"Ltd\"\nacme-shop.test;;\"ACME; Ltd\"\n";
        assert_eq!(
            read(csv(named)),
            [pair("ACME Ltd", "acme.test"), pair("ACME; Ltd", "acme-shop.test")]
        );
        let bare = "\"Smith, \"\"Bob\"\"\",smith.test\n,own.test\n";
        assert_eq!(
            read(csv(bare)),
            [pair("Smith, \"Bob\"", "smith.test"), pair("", "own.test")]
        );
        let wrong = csv("ACME,acme.test\nBETA\n").unwrap_err().to_string();
        assert_eq!(wrong, "line 2: there is no domain in column 2");
    }

    #[test]
    fn a_domain_counts_once() {
        let all = [plain("a.test\nb.test\nA.test").unwrap(), csv("B,b.test").unwrap()].concat();
        assert_eq!(read(Ok(once(all))), [pair("", "a.test"), pair("", "b.test")]);
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in any::<String>()) {
            let _ = plain(&text);
            let _ = csv(&text);
        }
    }
}
