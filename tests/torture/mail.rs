//! Mail servers that do as they should, or do not listen at all.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// Opens port 25, though there may be sessions from before.
pub fn listen(address: Ipv4Addr) -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((address, 25)))?;
    Ok(socket.listen(1024)?)
}

/// A mail server that can be stopped and started.
pub struct Server {
    address: Ipv4Addr,
    sessions: Arc<AtomicU64>,
    listening: Option<JoinHandle<()>>,
}

impl Server {
    /// One that listens. It counts its sessions with others.
    pub fn start(address: Ipv4Addr, sessions: &Arc<AtomicU64>) -> Result<Self> {
        let mut this = Self {
            address,
            sessions: Arc::clone(sessions),
            listening: None,
        };
        this.open()?;
        Ok(this)
    }

    pub fn is_up(&self) -> bool {
        self.listening.is_some()
    }

    /// Stops it or starts it.
    pub async fn set(&mut self, up: bool) -> Result<()> {
        if let Some(listening) = self.listening.take() {
            listening.abort();
            // Its port is free only once the task has really ended.
            let _ = listening.await;
        }
        if up { self.open() } else { Ok(()) }
    }

    fn open(&mut self) -> Result<()> {
        let listener = listen(self.address)?;
        let sessions = Arc::clone(&self.sessions);
        self.listening = Some(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                sessions.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream));
            }
        }));
        Ok(())
    }
}

/// Does as a mail server should.
pub async fn serve(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    if stream.write_all(b"220 mx ESMTP\r\n").await.is_err() {
        return;
    }
    let mut line = String::new();
    while matches!(stream.read_line(&mut line).await, Ok(1..)) {
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply = match word.as_str() {
            "EHLO" => "250-mx\r\n250 SIZE 10000000\r\n",
            "QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        if stream.write_all(reply.as_bytes()).await.is_err() || word == "QUIT" {
            return;
        }
        line.clear();
    }
}
