//! Mail servers that misbehave, each in a way of its own.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::mail;

/// A way to misbehave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vice {
    /// None: it does as it should.
    None,
    /// A greeting whose lines never end.
    EndlessGreeting,
    /// A byte a second.
    Trickle,
    /// A line without an end.
    EndlessLine,
    /// Bytes by chance.
    Noise,
    /// It closes at once.
    Closes,
    /// It resets at once.
    Resets,
    /// Bytes by chance where TLS should begin.
    NoiseForTls,
    /// Silence where TLS should begin.
    SilenceForTls,
    /// A reply to EHLO whose lines never end.
    EndlessReply,
    /// Codes that there are not, and characters that no terminal should get.
    Nonsense,
    /// It resets in the middle of a reply.
    ResetsLater,
    /// It says nothing.
    Silent,
}

pub const VICES: [Vice; 13] = [
    Vice::None,
    Vice::EndlessGreeting,
    Vice::Trickle,
    Vice::EndlessLine,
    Vice::Noise,
    Vice::Closes,
    Vice::Resets,
    Vice::NoiseForTls,
    Vice::SilenceForTls,
    Vice::EndlessReply,
    Vice::Nonsense,
    Vice::ResetsLater,
    Vice::Silent,
];

/// As long as anybody listens to one of them.
const PATIENCE: Duration = Duration::from_mins(1);

impl Vice {
    /// Misbehaves towards whoever came.
    pub async fn serve(self, stream: TcpStream) {
        let done = async {
            match self {
                Self::None => mail::serve(stream).await,
                _ => drop(self.misbehave(stream).await),
            }
        };
        let _ = tokio::time::timeout(PATIENCE, done).await;
    }

    async fn misbehave(self, mut stream: TcpStream) -> std::io::Result<()> {
        match self {
            Self::None | Self::Closes => Ok(()),
            Self::EndlessGreeting => pour(&mut stream, b"220-welcome, and more\r\n").await,
            Self::EndlessLine => pour(&mut stream, &[b'x'; 4096]).await,
            Self::Noise => pour(&mut stream, &noise()).await,
            Self::Trickle => {
                for byte in b"220 mx.example ESMTP ready whenever you are\r\n".iter().cycle() {
                    stream.write_all(&[*byte]).await?;
                    sleep(Duration::from_secs(1)).await;
                }
                Ok(())
            }
            Self::Resets => reset(&stream),
            Self::ResetsLater => {
                stream.write_all(b"220-half a greet").await?;
                sleep(Duration::from_millis(20)).await;
                reset(&stream)
            }
            Self::Silent => silence(&mut stream).await,
            Self::Nonsense => {
                stream.write_all(b"999 \x1b[2J\x00\xff\xfe<script>\r\n").await?;
                silence(&mut stream).await
            }
            Self::EndlessReply => {
                stream.write_all(b"220 mx ESMTP\r\n").await?;
                let mut line = [0; 512];
                let _ = stream.read(&mut line).await?;
                pour(&mut stream, b"250-X-FEATURE and more\r\n").await
            }
            Self::NoiseForTls | Self::SilenceForTls => {
                let mut stream = start_tls(stream).await?;
                if self == Self::NoiseForTls {
                    stream.write_all(&noise()).await?;
                }
                silence(&mut stream).await
            }
        }
    }
}

/// Says the same again and again.
async fn pour(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    // Not without an end: whoever listens for so long has lost.
    for _ in 0..100_000 {
        stream.write_all(bytes).await?;
        // Fast enough to be endless, slow enough to leave the machine to who is looked at.
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Hears everything, says nothing.
async fn silence(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut heard = [0; 4096];
    while stream.read(&mut heard).await? > 0 {}
    Ok(())
}

/// Closes so that the other side hears of an error.
fn reset(stream: &TcpStream) -> std::io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// Up to where TLS would begin.
async fn start_tls(stream: TcpStream) -> std::io::Result<TcpStream> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mx ESMTP\r\n").await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        if line.to_ascii_uppercase().starts_with("STARTTLS") {
            stream.write_all(b"220 go ahead\r\n").await?;
            return Ok(stream.into_inner());
        }
        stream.write_all(b"250-mx\r\n250 STARTTLS\r\n").await?;
        line.clear();
    }
    Err(std::io::ErrorKind::UnexpectedEof.into())
}

/// Bytes by chance, the same each time.
fn noise() -> [u8; 4096] {
    let mut state = 0x9e37_79b9_u32;
    std::array::from_fn(|_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    })
}
