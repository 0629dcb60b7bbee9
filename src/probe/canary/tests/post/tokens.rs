//! Whoever gives tokens out, and the servers that take them or not.

use secrecy::ExposeSecret as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

use super::{Manner, Post, Server};
use crate::model::base64;
use crate::net::{FetchError, FetchLimits, Fetched, Page};

/// What a token endpoint answers: a status and a body, in which `{n}` is how often it was asked.
pub(crate) type Endpoint = (u16, &'static str);

/// What a server says is wrong with a token (RFC 7628 3.2.2).
const WRONG: &str = r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#;

impl Post {
    pub(super) async fn give_token(
        &self,
        page: &Page<'_>,
        limits: FetchLimits,
    ) -> Result<Fetched, FetchError> {
        let Some((status, body)) = self.manner.lock().unwrap().endpoint else {
            tokio::time::sleep(limits.time).await;
            return Err(FetchError::Timeout);
        };
        // Others ask meanwhile.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let mut state = self.state.lock().unwrap();
        let form = page.form.map(|form| form.expose_secret().to_owned());
        state
            .asked
            .push(format!("{} {}", page.url(), form.unwrap_or_default()));
        let body = body.replace("{n}", &state.asked.len().to_string());
        Ok(Fetched {
            status,
            content_type: Some("application/json".into()),
            body: body.into(),
            cut: false,
        })
    }
}

/// Whether a line of SMTP shows a token.
pub(super) fn is_token(line: &str) -> bool {
    line.starts_with("AUTH XOAUTH2 ") || line.starts_with("AUTH OAUTHBEARER ")
}

/// Whether a token is shown as it should be, and is the one that is taken.
fn is_good(mechanism: &str, shown: &str, manner: &Manner) -> bool {
    let shown = String::from_utf8(base64::decode(shown).unwrap()).unwrap();
    let expected = match mechanism {
        "XOAUTH2" => format!("user=canary\x01auth=Bearer {}\x01\x01", manner.good),
        _ => format!("\x01auth=Bearer {}\x01\x01", manner.good),
    };
    match mechanism {
        "XOAUTH2" => shown == expected,
        _ => shown.starts_with("n,a=canary,\x01host=192.0.2.25\x01port=") && shown.ends_with(&expected),
    }
}

/// What has to answer the challenge.
fn dummy(mechanism: &str) -> &'static str {
    if mechanism == "XOAUTH2" { "" } else { "AQ==" }
}

impl Server {
    /// AUTH of SMTP.
    pub(super) async fn take_token<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        line: &str,
        manner: &Manner,
    ) -> std::io::Result<&'static str> {
        let mut words = line.split(' ').skip(1);
        let (mechanism, shown) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if is_good(mechanism, shown, manner) {
            return Ok("235 2.7.0 Welcome\r\n");
        }
        let challenge = base64::encode(WRONG.as_bytes());
        stream
            .write_all(format!("334 {challenge}\r\n").as_bytes())
            .await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        assert_eq!(line.trim_end(), dummy(mechanism));
        Ok("535 5.7.8 Username and Password not accepted\r\n")
    }

    /// AUTHENTICATE of IMAP.
    pub(super) async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        command: &str,
        manner: &Manner,
    ) -> std::io::Result<&'static str> {
        let mechanism = command.split(' ').nth(1).unwrap_or_default();
        let mut line = String::new();
        stream.write_all(b"+ \r\n").await?;
        stream.read_line(&mut line).await?;
        if is_good(mechanism, line.trim_end(), manner) {
            return Ok("OK welcome");
        }
        let challenge = base64::encode(WRONG.as_bytes());
        stream.write_all(format!("+ {challenge}\r\n").as_bytes()).await?;
        line.clear();
        stream.read_line(&mut line).await?;
        assert_eq!(line.trim_end(), dummy(mechanism));
        Ok("NO [AUTHENTICATIONFAILED] Invalid credentials")
    }
}
