//! A listener with bounds: so many connections at a time, and none that is silent for long.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// How long a connection may stay without a byte in either direction. Event streams send one every 15 seconds;
/// Prometheus scrapes once a minute and keeps its connection.
const IDLE: Duration = Duration::from_mins(2);

/// A listener that holds back further connections while `most` are open.
pub(super) struct Bounded {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    idle: Duration,
}

impl Bounded {
    /// Bounds `listener` to `most` connections.
    pub(super) fn new(listener: TcpListener, most: usize) -> Self {
        Self {
            listener,
            slots: Arc::new(Semaphore::new(most)),
            idle: IDLE,
        }
    }
}

impl Listener for Bounded {
    type Io = Slot<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        // The semaphore is never closed; without a permit we would only be unbounded.
        let permit = Arc::clone(&self.slots).acquire_owned().await.ok();
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        // Events are small and should not wait for company; without this they are only later.
        let _ = stream.set_nodelay(true);
        (Slot::new(stream, permit, self.idle), peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that gives its place back when it ends, and ends when it is silent for too long.
pub(super) struct Slot<S> {
    stream: S,
    idle: Duration,
    alarm: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Slot<S> {
    fn new(stream: S, permit: Option<OwnedSemaphorePermit>, idle: Duration) -> Self {
        Self {
            stream,
            idle,
            alarm: Box::pin(sleep(idle)),
            _permit: permit,
        }
    }

    /// Puts the alarm off after progress; without progress, says whether it has gone off.
    fn watch<T>(&mut self, cx: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.alarm.set(sleep(self.idle));
            // Polled at once, so that it wakes this task even if nothing else does.
            let _ = self.alarm.as_mut().poll(cx);
            return progress;
        }
        match self.alarm.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Slot<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_read(cx, buf);
        this.watch(cx, progress)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Slot<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let progress = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.watch(cx, progress)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_ends_and_a_busy_one_stays() {
        let (mut far, near) = duplex(64);
        let mut near = Slot::new(near, None, Duration::from_secs(10));
        for _ in 0..3 {
            let writing = async {
                sleep(Duration::from_secs(9)).await;
                far.write_all(b"x").await.unwrap();
            };
            let mut byte = [0];
            let (read, ()) = tokio::join!(near.read_exact(&mut byte), writing);
            read.unwrap();
        }
        let error = near.read_exact(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn who_comes_when_all_places_are_taken_waits() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let mut bounded = Bounded::new(listener, 1);
        let _callers = [
            TcpStream::connect(at).await.unwrap(),
            TcpStream::connect(at).await.unwrap(),
        ];
        let (first, _) = bounded.accept().await;
        let second = bounded.accept();
        tokio::pin!(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        second.await;
    }
}
