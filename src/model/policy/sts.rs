//! MTA-STS as it is written: the record in DNS and the policy on the web server (RFC 8461 3), and the TLS-RPT
//! record beside it (RFC 8460 3).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::DomainName;

use super::tags::{find, read, short};

/// How much a sender shall insist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StsMode {
    /// It does not deliver where the policy does not hold.
    Enforce,
    /// It delivers, and reports.
    Testing,
    /// There is no policy any more.
    None,
}

impl StsMode {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StsPolicy {
    /// How much a sender shall insist.
    pub mode: StsMode,
    /// How long a sender may remember it; at most a year, as the RFC has it.
    pub max_age: Duration,
    /// The MX hosts: names, or `*.` before one for exactly one label more. Lower case; at most 100.
    pub mx: Vec<String>,
}

/// The most patterns that are kept.
const MOST_PATTERNS: usize = 100;
/// The longest that a policy may be remembered (RFC 8461 3.2).
const LONGEST_AGE: u64 = 31_557_600;

impl StsPolicy {
    /// Reads a policy: lines of `key: value`, each key once but `mx` (RFC 8461 3.2).
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut version = None;
        let mut mode = None;
        let mut max_age = None;
        let mut mx = Vec::new();
        for line in text.split('\n') {
            let line = line
                .strip_suffix('\r')
                .unwrap_or(line)
                .trim_end_matches([' ', '\t']);
            if line.is_empty() {
                continue;
            }
            let Some((key, value)) = line.split_once(':') else {
                return Err(format!("the line \"{}\" has no colon", short(line)));
            };
            let value = value.trim_matches([' ', '\t']);
            // Of a key that stands more than once, the first counts.
            match key {
                "version" => version = version.or(Some(value)),
                "mode" => mode = mode.or(Some(value)),
                "max_age" => max_age = max_age.or(Some(value)),
                "mx" if mx.len() < MOST_PATTERNS => mx.push(pattern(value)?),
                "mx" => return Err(format!("there are more than {MOST_PATTERNS} mx lines")),
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err(match version {
                Some(other) => format!("its version is \"{}\", not STSv1", short(other)),
                None => "the line \"version: STSv1\" is missing".into(),
            });
        }
        let mode = match mode {
            Some("enforce") => StsMode::Enforce,
            Some("testing") => StsMode::Testing,
            Some("none") => StsMode::None,
            Some(other) => {
                return Err(format!(
                    "its mode is \"{}\": enforce, testing or none",
                    short(other)
                ));
            }
            None => return Err("the line \"mode: ...\" is missing".into()),
        };
        let seconds = max_age.ok_or("the line \"max_age: ...\" is missing")?;
        let digits =
            !seconds.is_empty() && seconds.len() <= 10 && seconds.bytes().all(|one| one.is_ascii_digit());
        let seconds = seconds
            .parse::<u64>()
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| format!("its max_age is \"{}\", not a number of seconds", short(seconds)))?;
        if mx.is_empty() && mode != StsMode::None {
            return Err("it lists no mx".into());
        }
        Ok(Self {
            mode,
            max_age: Duration::from_secs(seconds.min(LONGEST_AGE)),
            mx,
        })
    }

    /// Whether it allows a host (RFC 8461 4.1): by name, or by a wildcard for its leftmost label.
    pub fn allows(&self, host: &DomainName) -> bool {
        self.mx.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(suffix) => host
                .as_str()
                .split_once('.')
                .is_some_and(|(_, rest)| rest == suffix),
            None => pattern == host.as_str(),
        })
    }
}

fn pattern(text: &str) -> Result<String, String> {
    let (star, name) = match text.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", text),
    };
    match DomainName::parse(name) {
        Ok(name) if text.is_ascii() => Ok(format!("{star}{name}")),
        _ => Err(format!("\"mx: {}\" is no name of a host", short(text))),
    }
}

/// Whether a TXT record at `_mta-sts` is one (RFC 8461 3.1).
pub fn is_sts(text: &str) -> bool {
    text.starts_with("v=STSv1;")
}

/// Whether a text was meant as a record of this kind: `mark` is how its version begins, in lower case.
pub fn is_meant_as(text: &str, mark: &str) -> bool {
    let bare = text.trim_start_matches([' ', '"', '\'']).to_ascii_lowercase();
    bare.strip_prefix("v")
        .and_then(|rest| rest.trim_start().strip_prefix('='))
        .is_some_and(|rest| rest.trim_start().starts_with(mark))
}

/// The id in a record: letters and digits, 32 at most (RFC 8461 3.1).
///
/// # Errors
/// What is wrong with it, in words.
pub fn sts_id(text: &str) -> Result<String, String> {
    let tags = read(text)?;
    let id = find(&tags, "id").ok_or("its id is missing")?;
    let plain = !id.is_empty() && id.len() <= 32 && id.bytes().all(|one| one.is_ascii_alphanumeric());
    if plain {
        Ok(id.to_owned())
    } else {
        Err(format!(
            "its id \"{}\" is not of 1 to 32 letters and digits",
            short(id)
        ))
    }
}

/// Checks a TLS-RPT record (RFC 8460 3).
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_tls_rpt(text: &str) -> Result<(), String> {
    let tags = read(text)?;
    if tags.first().map(|(name, value)| (name.as_str(), *value)) != Some(("v", "TLSRPTv1")) {
        return Err("it does not begin with v=TLSRPTv1".into());
    }
    let rua = find(&tags, "rua").ok_or("rua, the address for reports, is missing")?;
    for uri in rua.split(',').map(str::trim) {
        let mail = uri
            .strip_prefix("mailto:")
            .is_some_and(|address| address.contains('@'));
        if !mail && !uri.starts_with("https://") {
            return Err(format!("\"{}\" is no mailto: or https: address", short(uri)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const GOOD: &str =
        "version: STSv1\r\nmode: enforce\r\nmx: mx.acme.test\r\nmx: *.Bigmail.test\r\nmax_age: 604800\r\n";

    #[test]
    fn a_policy_is_read_and_matched() {
        let policy = StsPolicy::parse(GOOD).unwrap();
        assert_eq!(
            (policy.mode, policy.max_age),
            (StsMode::Enforce, Duration::from_hours(7 * 24))
        );
        let allows = |host: &str| policy.allows(&DomainName::parse(host).unwrap());
        assert!(allows("mx.acme.test") && allows("MX1.bigmail.test"));
        assert!(!allows("mx2.acme.test") && !allows("bigmail.test") && !allows("a.b.bigmail.test"));
    }

    #[test]
    fn more_patterns_than_anybody_has_are_refused() {
        let many = "mx: mx.acme.test\n".repeat(MOST_PATTERNS + 1);
        let said = StsPolicy::parse(&format!("version: STSv1\nmode: enforce\n{many}max_age: 1"));
        assert_eq!(said, Err(format!("there are more than {MOST_PATTERNS} mx lines")));
    }

    #[rstest]
    #[case("", "version")]
    #[case("mode: enforce\nmx: a.test\nmax_age: 1", "version: STSv1")]
    #[case("version: STSv2\nmode: enforce\nmx: a.test\nmax_age: 1", "STSv2")]
    #[case("version: STSv1\nmode: strict\nmx: a.test\nmax_age: 1", "strict")]
    #[case("version: STSv1\nmode: enforce\nmax_age: 1", "no mx")]
    #[case("version: STSv1\nmode: enforce\nmx: a.test", "max_age")]
    #[case("version: STSv1\nmode: enforce\nmx: a.test\nmax_age: +1", "\"+1\"")]
    #[case("version: STSv1\nmode: enforce\nmx: *.*.test\nmax_age: 1", "*.*.test")]
    #[case("<html>", "no colon")]
    fn what_is_wrong_is_said(#[case] text: &str, #[case] why: &str) {
        let said = StsPolicy::parse(text).unwrap_err();
        assert!(said.contains(why), "{said}");
    }

    #[test]
    fn records_have_an_id() {
        assert_eq!(
            sts_id("v=STSv1; id=20260101T000000;").as_deref(),
            Ok("20260101T000000")
        );
        for wrong in ["v=STSv1;", "v=STSv1; id=;", "v=STSv1; id=2026-01-01;"] {
            assert!(is_sts(wrong) && sts_id(wrong).is_err(), "{wrong}");
        }
        assert!(!is_sts("v=STSv1") && !is_sts("v=spf1 -all"));
        assert_eq!(
            check_tls_rpt("v=TLSRPTv1; rua=mailto:tls@acme.test,https://r.test/x"),
            Ok(())
        );
        assert!(is_meant_as("v=stsv1; id=1", "sts") && is_meant_as("v = TLSRPTv1", "tlsrpt"));
        assert!(!is_meant_as("v=spf1 include:hosts.acme.test", "sts"));
        for wrong in [
            "v=TLSRPTv1",
            "rua=mailto:a@b.test",
            "v=TLSRPTv1; rua=tls@acme.test",
        ] {
            assert!(check_tls_rpt(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "(?s)(version: STSv1\n)?.*", record in ".*") {
            let _ = StsPolicy::parse(&text);
            is_sts(&record);
            let _ = sts_id(&record);
            let _ = check_tls_rpt(&record);
        }

        #[test]
        fn what_is_written_is_read(age in 0_u64..400_000_000, hosts in proptest::collection::vec("(\\*\\.)?[a-z]{1,9}\\.test", 1..9)) {
            let lines: String = hosts.iter().flat_map(|host| ["mx: ", host, "\n"]).collect();
            let policy = StsPolicy::parse(&format!("version: STSv1\nmode: testing\n{lines}max_age: {age}\n")).unwrap();
            prop_assert_eq!(policy.mx, hosts);
            prop_assert_eq!(policy.max_age.as_secs(), age.min(LONGEST_AGE));
        }
    }
}
