//! Connections with bounds: so many at a time, none that is silent for long, none that takes forever to ask.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::Surface;
use super::door::Peer;

/// How long a connection may stay without a byte in either direction. Event streams send one every 15 seconds.
const IDLE: Duration = Duration::from_mins(2);
/// How long the TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the head of a request may take, from the first byte that it could begin with.
const HEAD: Duration = Duration::from_secs(75);
/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 32 * 1024;
const LARGEST_HEADERS: u32 = 16 * 1024;
/// The most requests at a time over one connection.
const STREAMS: u32 = 64;
/// The most connections at a time.
const CONNECTIONS: usize = 512;
/// How long open answers may take to end once the daemon stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// How long to wait when the system has no more of something, such as descriptors.
const SHORT_OF_SOMETHING: Duration = Duration::from_secs(1);

/// Answers by `router` whoever comes in by `listener`, until told to stop; what is under way then may end in time.
pub(super) async fn serve(listener: TcpListener, surface: &Surface, router: Router, stop: CancellationToken) {
    let open = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else {
            continue;
        };
        // Events are small and should not wait for company; without this they are only later.
        let _ = stream.set_nodelay(true);
        let slot = Slot::new(stream, permit, IDLE);
        let tls = surface.doors.borrow().tls.clone();
        let router = router.clone().layer(Extension(peer));
        let watcher = open.watcher();
        tokio::spawn(async move {
            match tls.map(TlsAcceptor::from) {
                None => converse(slot, router, watcher).await,
                Some(acceptor) => {
                    // Whoever does not finish speaks no TLS, or does not trust us: that is theirs to tell.
                    if let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(slot)).await {
                        converse(stream, router, watcher).await;
                    }
                }
            }
        });
    }
    let _ = timeout(STOP_WITHIN, open.shutdown()).await;
}

/// The next connection, once there is a place for it; `None` where it did not come about.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let permit = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, Peer(peer), permit)),
        Err(error) => {
            let gone = [
                io::ErrorKind::ConnectionRefused,
                io::ErrorKind::ConnectionAborted,
                io::ErrorKind::ConnectionReset,
            ];
            if !gone.contains(&error.kind()) {
                tracing::error!(%error, "the HTTP server cannot take connections");
                sleep(SHORT_OF_SOMETHING).await;
            }
            None
        }
    }
}

/// Takes requests over one connection, and answers them, until either side ends it.
async fn converse<S>(stream: S, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(LARGEST_HEADERS);
    let service = TowerToHyperService::new(router);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // How a connection ends is nothing that we could do anything about.
    let _ = watcher.watch(connection.into_owned()).await;
}

/// A connection that gives its place back when it ends, and ends when it is silent for too long.
struct Slot<S> {
    stream: S,
    idle: Duration,
    alarm: Pin<Box<Sleep>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Slot<S> {
    fn new(stream: S, permit: impl Into<Option<OwnedSemaphorePermit>>, idle: Duration) -> Self {
        Self {
            stream,
            idle,
            alarm: Box::pin(sleep(idle)),
            _permit: permit.into(),
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
        let slots = Arc::new(Semaphore::new(1));
        let _callers = [
            TcpStream::connect(at).await.unwrap(),
            TcpStream::connect(at).await.unwrap(),
        ];
        let first = accept(&listener, &slots).await.unwrap();
        let second = accept(&listener, &slots);
        tokio::pin!(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert!(second.await.is_some());
    }
}
