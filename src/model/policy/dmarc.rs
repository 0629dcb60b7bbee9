//! One DMARC record as it is written (RFC 9989 4.7, before it RFC 7489 6.3).

use super::tags::{find, read, short};

/// What a DMARC record says, as far as receivers go by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DmarcRecord {
    /// `p=`; `none` where it is missing and reports are asked for (RFC 9989 4.10.1).
    pub policy: String,
    /// `psd=`: `y` for a public suffix, `n` for an organisational domain, else `u`.
    pub psd: char,
    /// What is wrong, and is passed over by receivers.
    pub faults: Vec<String>,
}

/// Whether a TXT record is a DMARC record: its first tag is `v=DMARC1`.
pub fn is_dmarc(text: &str) -> bool {
    let first = text.split(';').next().unwrap_or_default();
    first
        .split_once('=')
        .is_some_and(|(name, value)| name.trim().eq_ignore_ascii_case("v") && value.trim() == "DMARC1")
}

/// Whether a TXT record at `_dmarc` was probably meant as one, and is none.
pub fn is_nearly_dmarc(text: &str) -> bool {
    let bare = text.trim_start_matches([' ', '"', '\'']).to_ascii_lowercase();
    let bare: String = bare.chars().filter(|one| !one.is_whitespace()).collect();
    let meant = bare.starts_with("v=dmarc") || bare.starts_with("dmarc") || bare.contains(";v=dmarc1");
    !is_dmarc(text) && meant
}

const POLICIES: [&str; 3] = ["none", "quarantine", "reject"];

impl DmarcRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// Why receivers cannot go by it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let tags = read(text)?;
        let reports = find(&tags, "rua").is_some_and(|list| list.split(',').any(is_uri));
        let known = |value: &str| {
            let value = value.to_ascii_lowercase();
            POLICIES.contains(&value.as_str()).then_some(value)
        };
        let mut faults = Vec::new();
        let policy = match find(&tags, "p").map(|value| (value, known(value))) {
            Some((_, Some(policy))) => policy,
            Some((value, None)) => {
                return Err(format!(
                    "p={} is no policy: none, quarantine or reject",
                    short(value)
                ));
            }
            None if reports => {
                faults.push("p is missing, which receivers take for p=none".to_owned());
                "none".to_owned()
            }
            None => return Err("p is missing, which says what to do with forged mail".into()),
        };
        for (name, value) in &tags {
            if !is_right(name, value) {
                faults.push(format!("{name}={} is not valid", short(value)));
            }
        }
        let psd = match find(&tags, "psd") {
            Some("y") => 'y',
            Some("n") => 'n',
            _ => 'u',
        };
        Ok(Self { policy, psd, faults })
    }
}

/// Whether a tag has a value that it may have; unknown tags are passed over.
fn is_right(name: &str, value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    match name {
        "sp" | "np" => POLICIES.contains(&lower.as_str()),
        "adkim" | "aspf" => matches!(lower.as_str(), "r" | "s"),
        "psd" => matches!(lower.as_str(), "y" | "n" | "u"),
        "t" => matches!(lower.as_str(), "y" | "n"),
        "fo" => lower
            .split(':')
            .all(|one| matches!(one.trim(), "0" | "1" | "d" | "s")),
        "pct" => value.parse::<u8>().is_ok_and(|part| part <= 100),
        "ri" => value.parse::<u32>().is_ok(),
        "rua" | "ruf" => value.split(',').all(is_uri),
        _ => true,
    }
}

/// An address for reports, `mailto:` nearly always; RFC 7489 allowed `!10m` after it.
fn is_uri(text: &str) -> bool {
    let text = text.trim();
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let plain = text.chars().all(|one| one.is_ascii_graphic());
    match scheme.to_ascii_lowercase().as_str() {
        "mailto" => plain && rest.contains('@') && !rest.starts_with('@'),
        _ => plain && !rest.is_empty() && scheme.chars().all(|one| one.is_ascii_alphanumeric()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("v=DMARC1; p=reject", "reject", 0)]
    #[case(
        "v=DMARC1;p=None;sp=reject;adkim=s;aspf=R;fo=1:d;pct=50;rua=mailto:a@acme.test,mailto:b@c.test!10m;",
        "none",
        0
    )]
    #[case("v=DMARC1; rua=mailto:a@acme.test", "none", 1)]
    #[case("v=DMARC1; p=quarantine; rua=a@acme.test; pct=101", "quarantine", 2)]
    #[case("v = DMARC1 ; p = reject ; unknown = x", "reject", 0)]
    fn what_can_be_used_is_read(#[case] text: &str, #[case] policy: &str, #[case] faults: usize) {
        assert!(is_dmarc(text));
        let record = DmarcRecord::parse(text).unwrap();
        assert_eq!(
            (record.policy.as_str(), record.faults.len()),
            (policy, faults),
            "{record:?}"
        );
    }

    #[rstest]
    #[case("v=DMARC1; p=rejected", "p=rejected")]
    #[case("v=DMARC1", "p is missing")]
    #[case("v=DMARC1; p=none p=reject", "p=none p=reject")]
    #[case("v=DMARC1; p", "no =")]
    #[case("v=DMARC1; p=none; p=reject", "twice")]
    fn what_cannot_is_refused(#[case] text: &str, #[case] why: &str) {
        assert!(is_dmarc(text));
        let said = DmarcRecord::parse(text).unwrap_err();
        assert!(said.contains(why), "{said}");
    }

    #[test]
    fn the_version_is_exact() {
        for near in [
            "v=dmarc1; p=none",
            "p=none; v=DMARC1",
            "v=DMARC1, p=none",
            "DMARC1; p=none",
        ] {
            assert!(!is_dmarc(near) && is_nearly_dmarc(near), "{near}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_read(text in "(v=DMARC1;)?.*") {
            is_dmarc(&text);
            let _ = DmarcRecord::parse(&text);
        }
    }
}
