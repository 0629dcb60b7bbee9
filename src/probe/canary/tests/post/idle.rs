//! The mailbox that tells of new mail by itself (RFC 2177), or fails to.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

use super::Server;

/// How IDLE goes.
#[derive(Debug, Clone)]
pub(crate) enum Idle {
    /// As it should.
    Works,
    /// The connection goes after so long.
    Drops(Duration),
    /// Nothing is ever said to it.
    Silent,
}

impl Server {
    /// What is said at its end.
    pub(super) async fn idle<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut BufReader<S>,
        idle: &Idle,
    ) -> std::io::Result<&'static str> {
        match idle {
            Idle::Silent => std::future::pending().await,
            Idle::Drops(after) => {
                stream.write_all(b"+ idling\r\n").await?;
                tokio::time::sleep(*after).await;
                return Err(Error::from(ErrorKind::ConnectionReset));
            }
            Idle::Works => stream.write_all(b"+ idling\r\n").await?,
        }
        let mut known = self.count();
        let mut line = String::new();
        loop {
            tokio::select! {
                heard = stream.read_line(&mut line) => {
                    heard?;
                    self.state.lock().unwrap().heard.push(line.trim_end().to_owned());
                    return Ok("OK done");
                }
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            let count = self.count();
            if count > known {
                stream
                    .write_all(format!("* {count} EXISTS\r\n").as_bytes())
                    .await?;
                known = count;
            }
        }
    }

    fn count(&self) -> usize {
        let now = self.now();
        let state = self.state.lock().unwrap();
        let here = state
            .mail
            .iter()
            .filter(|mail| !mail.gone && mail.there_from <= now);
        here.count()
    }
}
