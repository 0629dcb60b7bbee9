//! The canary's own text: written with a signed token, and read back. A message without our token is none of ours, and is
//! left alone whatever else it says.

use aws_lc_rs::hmac;
use jiff::Timestamp;

use super::authentication_results::results;
use super::mime::Part;
use super::received::{Stamp, stamps};
use super::{Kind, explain};
use crate::model::text::{from_hex, hex};
use crate::model::{Code, MethodResult};

/// The header that holds the token.
pub const TOKEN_HEADER: &str = "X-Mailflow-Canary";
/// What every canary's subject begins with, by which a mailbox is searched.
pub const SUBJECT: &str = "mailflow canary";

/// How much of a part is searched for a token, in bytes: a canary is small.
const LONGEST_RETURNED: usize = 64 * 1024;
/// How many places in it are tried.
const MOST_TOKENS: usize = 16;

/// The key that tokens are signed with.
#[derive(Debug, Clone)]
pub struct TokenKey(hmac::Key);

impl TokenKey {
    /// The key made of these bytes, 32 or more of them.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

/// Whose canary it is, and which, as one word without signs that would mean something in a token:
/// `acme/acme-round-trip`.
pub fn mark(client: &str, name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let word = |text: &str| {
        text.bytes().fold(String::new(), |mut word, byte| {
            if plain(byte) {
                word.push(char::from(byte));
            } else {
                word.push('%');
                word.push_str(&hex(&[byte]));
            }
            word
        })
    };
    format!("{}/{}", word(client), word(name))
}

/// What a token says: which canary this is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    /// Whose, and which: see [`mark`].
    pub canary: String,
    /// When it was handed in (UTC), to the millisecond.
    pub sent: Timestamp,
    /// Tells two of the same moment apart.
    pub nonce: String,
}

impl Token {
    /// The short mark by which people find it in logs.
    pub fn id(&self) -> String {
        format!("{}-{}", self.sent.as_millisecond(), self.nonce)
    }

    /// The token as it stands in the header.
    pub fn signed(&self, key: &TokenKey) -> String {
        let body = format!("v1;{};{};{}", self.canary, self.sent.as_millisecond(), self.nonce);
        let signature = hmac::sign(&key.0, body.as_bytes());
        format!("{body};{}", hex(signature.as_ref()))
    }

    /// Reads a token; `None` unless it was signed with `key`.
    pub fn verified(text: &str, key: &TokenKey) -> Option<Self> {
        // A long header may have been folded on the way.
        let text: String = text.split_ascii_whitespace().collect();
        let (body, signature) = text.rsplit_once(';')?;
        let bytes = from_hex(signature)?;
        hmac::verify(&key.0, body.as_bytes(), &bytes).ok()?;
        let mut parts = body.split(';');
        let (version, canary, sent, nonce) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        (version == "v1" && parts.next().is_none()).then_some(())?;
        Some(Self {
            canary: canary.to_owned(),
            sent: Timestamp::from_millisecond(sent.parse().ok()?).ok()?,
            nonce: nonce.to_owned(),
        })
    }
}

/// The whole message, lines ended by CRLF and none longer than a hundred characters, ready for DATA.
pub fn compose(token: &Token, key: &TokenKey, from: &str, to: &str, domain: &str) -> String {
    let date = token.sent.strftime("%a, %d %b %Y %H:%M:%S +0000");
    let id = token.id();
    let signed = token.signed(key);
    let (body, signature) = signed.rsplit_once(';').unwrap_or((&signed, ""));
    format!(
        "Date: {date}\r\nFrom: <{from}>\r\nTo: <{to}>\r\nSubject: {SUBJECT} {id}\r\nMessage-ID: <{id}@{domain}>\r\n\
         {TOKEN_HEADER}: {body};\r\n {signature}\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\r\n\
         This is a test message of mailflow, which watches whether mail arrives.\r\n\
         It deletes the message by itself; nobody has to do anything.\r\n"
    )
}

/// A canary as it lies in a mailbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Which one it is.
    pub token: Token,
    /// The stamps of its way, the oldest first.
    pub stamps: Vec<Stamp>,
    /// What the server that took it found when it checked it.
    pub results: Vec<MethodResult>,
}

/// A canary that came back to its sender, in a message about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Returned {
    /// Which one it is.
    pub token: Token,
    /// Whether it was given up; else it is only late so far.
    pub failed: bool,
    /// Why, where the message says so.
    pub code: Option<Code>,
    /// The server that would not have it.
    pub by: Option<String>,
    /// What that server said, or whoever sent the message.
    pub said: String,
}

/// Reads a whole message; `None` unless it is about a canary signed with `key`, of which it holds the header.
pub fn returned(message: &[u8], key: &TokenKey) -> Option<Returned> {
    let token = token_within(message, key)?;
    let told = explain(message);
    let recipient = told.recipients.first();
    let said = recipient.and_then(|one| one.reply.clone().or_else(|| one.status.clone()));
    Some(Returned {
        token,
        failed: told.kind == Kind::Bounce,
        code: recipient.and_then(|one| Some(one.reason?.code())),
        by: recipient.and_then(|one| one.remote_host.clone().or_else(|| one.reporting_host.clone())),
        said: said.unwrap_or_else(|| "it does not say why".to_owned()),
    })
}

/// The token of the canary whose header a message has in one of its parts.
fn token_within(message: &[u8], key: &TokenKey) -> Option<Token> {
    let whole = Part::parse(message);
    whole.leaves().into_iter().find_map(|leaf| {
        let bytes = leaf.bytes(LONGEST_RETURNED);
        let text = String::from_utf8_lossy(&bytes);
        let mut places = text.match_indices(TOKEN_HEADER).take(MOST_TOKENS);
        places.find_map(|(at, _)| {
            let value = text[at + TOKEN_HEADER.len()..].trim_start().strip_prefix(':')?;
            let end = folded(value);
            Token::verified(&value[..end], key)
        })
    })
}

/// Where a header's value ends: at the end of a line that no line of white space follows.
fn folded(value: &str) -> usize {
    let mut lines = value.match_indices('\n');
    let end = lines.find(|(at, _)| !value[at + 1..].starts_with([' ', '\t']));
    end.map_or(value.len(), |(at, _)| at)
}

/// Reads a message's header; `None` unless it is a canary signed with `key`.
pub fn read(header: &[u8], key: &TokenKey) -> Option<Found> {
    let (headers, _) = mailparse::parse_headers(header).ok()?;
    let values = |name: &str| -> Vec<String> {
        let named = headers
            .iter()
            .filter(|one| one.get_key_ref().eq_ignore_ascii_case(name));
        named.map(mailparse::MailHeader::get_value).collect()
    };
    let tokens = values(TOKEN_HEADER);
    let token = tokens.iter().find_map(|text| Token::verified(text, key))?;
    let received = values("Received");
    // Only the topmost is the server's own.
    let checked = values("Authentication-Results");
    let results = checked
        .first()
        .and_then(|value| results(value))
        .map(|(_, results)| results);
    Some(Found {
        token,
        stamps: stamps(received.iter().map(String::as_str)),
        results: results.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> TokenKey {
        TokenKey::new(&[7; 32])
    }

    fn token() -> Token {
        Token {
            canary: "acme/acme-round-trip".into(),
            sent: "2026-11-26T01:00:00.125Z".parse().unwrap(),
            nonce: "a1b2c3".into(),
        }
    }

    fn composed() -> String {
        compose(
            &token(),
            &key(),
            "canary@acme.test",
            "canary@acme.test",
            "msp.example",
        )
    }

    #[test]
    fn a_canary_is_known_again() {
        let top = "Received: from a by mx.acme.test with ESMTPS id 1;\r\n\tThu, 26 Nov 2026 01:00:02 +0000\r\n\
                   Authentication-Results: mx.acme.test; spf=pass smtp.mailfrom=acme.test\r\n";
        let found = read(format!("{top}{}", composed()).as_bytes(), &key()).unwrap();
        assert_eq!(found.token, token());
        assert_eq!(found.stamps[0].by.as_deref(), Some("mx.acme.test"));
        assert_eq!(found.results[0].result, "pass");
    }

    #[test]
    fn any_name_makes_a_word() {
        let named = Token {
            canary: mark("acme", "round trip; to Köln"),
            ..token()
        };
        assert_eq!(named.canary, "acme/round%20trip%3b%20to%20K%c3%b6ln");
        assert_eq!(Token::verified(&named.signed(&key()), &key()), Some(named));
    }

    #[test]
    fn what_we_did_not_sign_is_none_of_ours() {
        let text = composed();
        assert_eq!(read(text.as_bytes(), &TokenKey::new(&[8; 32])), None);
        let forged = text.replace("acme/acme-round-trip", "acme/somebody-elses");
        assert_eq!(read(forged.as_bytes(), &key()), None);
        let bare: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with(TOKEN_HEADER))
            .collect();
        let bare = format!("{}\r\n", bare.join("\r\n"));
        assert_eq!(read(bare.as_bytes(), &key()), None);
    }

    #[test]
    fn what_came_back_is_known_by_the_header_that_it_brings() {
        let bounce = |text: &str| {
            format!(
                "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\
                 Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.acme.test\n\n\
                 Final-Recipient: rfc822; canary@partner.test\nAction: failed\nStatus: 5.1.1\n\
                 Diagnostic-Code: smtp; 550 5.1.1 User unknown\n\n--b\nContent-Type: message/rfc822\n\n{}--b--\n",
                text.replace("\r\n", "\n")
            )
        };
        let back = returned(bounce(&composed()).as_bytes(), &key()).unwrap();
        assert_eq!(back.token, token());
        assert_eq!((back.failed, back.code), (true, Some(Code::RecipientUnknown)));
        assert_eq!(back.by.as_deref(), Some("mx.acme.test"));
        assert_eq!(back.said, "550 5.1.1 User unknown");
        let delayed = bounce(&composed()).replace("Action: failed", "Action: delayed");
        assert!(!returned(delayed.as_bytes(), &key()).unwrap().failed);
        assert_eq!(
            returned(bounce(&composed()).as_bytes(), &TokenKey::new(&[8; 32])),
            None
        );
        assert_eq!(returned(bounce("Subject: hello\n\n").as_bytes(), &key()), None);
    }

    #[test]
    fn the_message_keeps_to_the_rules() {
        let text = composed();
        assert!(
            text.is_ascii() && text.lines().all(|line| line.len() <= 100),
            "{text}"
        );
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
        assert!(
            text.contains("Subject: mailflow canary 1795654800125-a1b2c3\r\n"),
            "{text}"
        );
        assert!(
            text.contains("Date: Thu, 26 Nov 2026 01:00:00 +0000\r\n"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn any_header_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (read(&bytes, &key()), returned(&bytes, &key()));
        }

        #[test]
        fn any_token_can_be_read(text in "v1;[a-z/;0-9]{0,40};[0-9a-f]{60,70}") {
            prop_assert_eq!(Token::verified(&text, &key()), None);
        }
    }
}
