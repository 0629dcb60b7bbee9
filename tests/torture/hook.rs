//! Whoever is on call: takes messages by webhook and counts them, slowly at times, and at times not at all.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::world::HOOK;

/// A message that was taken.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub event: String,
    pub key: String,
    pub code: String,
    /// When it came: whoever sent it may be dead by the time that it is taken.
    pub at: Instant,
}

/// All that were taken.
#[derive(Debug, Clone, Default)]
pub struct Receipts(Arc<Mutex<Vec<Receipt>>>);

impl Receipts {
    /// Opens the webhook.
    pub async fn open() -> Result<Self> {
        let this = Self::default();
        let listener = TcpListener::bind(HOOK).await?;
        let receipts = this.clone();
        tokio::spawn(async move {
            let mut turn = 0_u64;
            while let Ok((stream, _)) = listener.accept().await {
                turn += 1;
                tokio::spawn(serve(stream, receipts.clone(), turn));
            }
        });
        Ok(this)
    }

    /// In the order in which they came.
    pub fn all(&self) -> Vec<Receipt> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.sort_by_key(|one| one.at);
        all
    }

    fn take(&self, body: &[u8], at: Instant) -> Option<()> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let receipt = Receipt {
            event: text(&body["event"]),
            key: text(&body["dedup_key"]),
            code: text(&body["incident"]["cause"]["code"]),
            at,
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(receipt);
        Some(())
    }
}

/// Takes what comes over one connection; every seventh is told to come again, every fifth waits.
async fn serve(mut stream: TcpStream, receipts: Receipts, turn: u64) {
    while let Ok(body) = request(&mut stream).await {
        let at = Instant::now();
        if turn.is_multiple_of(5) {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let refuses = turn.is_multiple_of(7) || receipts.take(&body, at).is_none();
        let status = if refuses { "503 Busy" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn request(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .context("no length")?;
            let whole = end + 4 + length.trim().parse::<usize>()?;
            if bytes.len() >= whole {
                return Ok(bytes[end + 4..whole].to_vec());
            }
        }
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "closed");
    }
}
