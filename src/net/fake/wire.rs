//! Streams with a travel time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf,
};
use tokio::sync::mpsc;

/// As much as is under way in one direction before the sender has to wait, in bytes.
const WINDOW: usize = 64 * 1024;

/// The caller's end of a connection.
#[derive(Debug)]
pub struct FakeStream {
    inner: DuplexStream,
    reset: Arc<AtomicBool>,
    open: Arc<AtomicU64>,
}

impl Drop for FakeStream {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsyncRead for FakeStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = std::task::ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        if outcome.is_ok() && buf.filled().len() == before && self.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Poll::Ready(outcome)
    }
}

impl AsyncWrite for FakeStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The peer's end of a connection.
#[derive(Debug)]
pub(super) struct PeerEnd {
    /// To read from and write to.
    pub stream: DuplexStream,
    /// Set before closing to close by a reset.
    pub reset: Arc<AtomicBool>,
}

/// Two ends of a connection, `latency` apart. `open` counts the connection until the caller drops it; `sent`
/// counts the bytes that the peer got rid of.
pub(super) fn connect(
    latency: Duration,
    open: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
) -> (FakeStream, PeerEnd) {
    let (near, near_relay) = tokio::io::duplex(WINDOW);
    let (far, far_relay) = tokio::io::duplex(WINDOW);
    let (near_read, near_write) = tokio::io::split(near_relay);
    let (far_read, far_write) = tokio::io::split(far_relay);
    tokio::spawn(carry(near_read, far_write, latency, None));
    tokio::spawn(carry(far_read, near_write, latency, Some(sent)));
    let reset = Arc::new(AtomicBool::new(false));
    let caller = FakeStream {
        inner: near,
        reset: reset.clone(),
        open,
    };
    (caller, PeerEnd { stream: far, reset })
}

/// Carries bytes one way. What is read at one time arrives `latency` later, whatever is still under way.
async fn carry(
    mut from: ReadHalf<DuplexStream>,
    mut to: WriteHalf<DuplexStream>,
    latency: Duration,
    count: Option<Arc<AtomicU64>>,
) {
    let (depart, mut arrive) = mpsc::channel::<(tokio::time::Instant, Vec<u8>)>(16);
    let deliver = async move {
        while let Some((due, bytes)) = arrive.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
            if let Some(count) = &count {
                count.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
        }
        let _ = to.shutdown().await;
    };
    let collect = async move {
        let mut buffer = vec![0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let due = super::driven_now() + latency;
            let Some(bytes) = buffer.get(..length) else { return };
            if depart.send((due, bytes.to_vec())).await.is_err() {
                return;
            }
        }
    };
    // When nobody takes the bytes any more, there is nothing left to collect.
    tokio::select! {
        () = deliver => {}
        () = async { collect.await; std::future::pending::<()>().await } => {}
    }
}
