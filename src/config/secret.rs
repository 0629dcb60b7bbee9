//! Secrets: where they come from, and how to get at them without ever showing them.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret as _, SecretString};

use super::value::duration;

/// The most that a secret may be long, in bytes; a larger file is a mistake, not a password.
const MAX_BYTES: u64 = 64 * 1024;
/// How long a command may take to print its secret.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// How often we look whether a command that has printed everything has ended.
const EXIT_POLL: Duration = Duration::from_millis(20);

/// Where a secret comes from.
#[derive(Clone)]
pub enum SecretSource {
    /// An environment variable of this process.
    Env(String),
    /// A file; one final line break is not part of the secret.
    File(PathBuf),
    /// A program and its arguments, run without a shell; one final line break is not part of the secret.
    Command(Vec<String>),
    /// The secret itself, in the configuration.
    Plain(SecretString),
}

/// Why a secret cannot be had. Never holds the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set, or holds no text.
    #[error("the environment variable {0} is not set")]
    Env(String),
    /// The file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The program cannot be run, failed, or took too long.
    #[error("the command {program} {reason}")]
    Command {
        /// The program, without its arguments: those may be secrets.
        program: String,
        /// What went wrong.
        reason: String,
    },
    /// The secret is longer than 64 KiB, or no UTF-8 text.
    #[error("the secret from {0} is no text of at most 64 KiB")]
    Unusable(String),
    /// There is nothing in it.
    #[error("the secret from {0} is empty")]
    Empty(String),
}

/// A password, token or key, fetched when it is used.
///
/// `Debug` and `Display` name the source and never the value.
#[derive(Clone)]
pub struct Secret {
    source: SecretSource,
    file: Arc<Mutex<Option<CachedFile>>>,
}

/// A file's text, as long as the file has not changed.
struct CachedFile {
    modified: SystemTime,
    length: u64,
    text: SecretString,
}

impl Secret {
    /// A secret from `source`; nothing is read yet.
    pub fn new(source: SecretSource) -> Self {
        Self {
            source,
            file: Arc::default(),
        }
    }

    /// Where it comes from.
    pub fn source(&self) -> &SecretSource {
        &self.source
    }

    /// The secret's text. A file is read again when it has changed; a command runs each time.
    ///
    /// May block for as long as a file system or a command takes (at most ten seconds for a command): in
    /// asynchronous code call it where blocking is allowed.
    ///
    /// # Errors
    /// [`SecretError`], which never holds the secret.
    pub fn reveal(&self) -> Result<SecretString, SecretError> {
        let text = match &self.source {
            SecretSource::Plain(text) => text.clone(),
            SecretSource::Env(name) => std::env::var(name)
                .map(SecretString::from)
                .map_err(|_| SecretError::Env(name.clone()))?,
            SecretSource::File(path) => self.read_file(path)?,
            SecretSource::Command(words) => run_command(words, COMMAND_TIMEOUT)?,
        };
        if text.expose_secret().is_empty() {
            return Err(SecretError::Empty(self.source.to_string()));
        }
        Ok(text)
    }

    fn read_file(&self, path: &std::path::Path) -> Result<SecretString, SecretError> {
        let failed = |error| SecretError::File {
            path: path.to_owned(),
            error,
        };
        let mut file = std::fs::File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let modified = metadata.modified().map_err(failed)?;
        let mut cache = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cache.as_ref()
            && known.modified == modified
            && known.length == metadata.len()
        {
            return Ok(known.text.clone());
        }
        let mut bytes = Vec::new();
        file.by_ref()
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let text = to_text(bytes).ok_or_else(|| SecretError::Unusable(self.source.to_string()))?;
        *cache = Some(CachedFile {
            modified,
            length: metadata.len(),
            text: text.clone(),
        });
        Ok(text)
    }
}

/// Text without its final line break; `None` when it is too long or not UTF-8.
fn to_text(bytes: Vec<u8>) -> Option<SecretString> {
    if bytes.len() as u64 > MAX_BYTES {
        return None;
    }
    let mut text = String::from_utf8(bytes).ok()?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Some(text.into())
}

fn run_command(words: &[String], timeout: Duration) -> Result<SecretString, SecretError> {
    let program = words.first().cloned().unwrap_or_default();
    let failed = |reason: String| SecretError::Command {
        program: program.clone(),
        reason,
    };
    let mut child = Command::new(&program)
        .args(words.iter().skip(1))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let outcome = collect_output(&mut child, timeout);
    if outcome.is_err() {
        // Already gone is as good as ended by us; waiting leaves no zombie.
        let _ = child.kill();
        let _ = child.wait();
    }
    let bytes = outcome.map_err(failed)?;
    to_text(bytes).ok_or_else(|| SecretError::Unusable(format!("the command {program}")))
}

/// What the child prints, once it has ended well in time.
fn collect_output(child: &mut Child, timeout: Duration) -> Result<Vec<u8>, String> {
    let stdout = child.stdout.take().ok_or("has no output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        // Nobody listens any more once the time is up.
        let _ = sender.send(read.map(|_| bytes));
    });
    let bytes = receiver
        .recv_timeout(timeout)
        .map_err(|_| format!("has not printed its secret within {}", duration::display(timeout)))?
        .map_err(|error| format!("cannot be read: {error}"))?;
    for _ in 0..timeout.as_millis() / EXIT_POLL.as_millis() {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(bytes),
            Ok(Some(status)) => return Err(format!("failed ({status})")),
            Ok(None) => std::thread::sleep(EXIT_POLL),
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    }
    Err("does not end".to_owned())
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Command(words) => write!(f, "the command {}", words.first().map_or("", String::as_str)),
            Self::Plain(_) => f.write_str("the configuration"),
        }
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl PartialEq for SecretSource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Env(a), Self::Env(b)) => a == b,
            (Self::File(a), Self::File(b)) => a == b,
            (Self::Command(a), Self::Command(b)) => a == b,
            (Self::Plain(a), Self::Plain(b)) => a.expose_secret() == b.expose_secret(),
            _ => false,
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a secret from {}", self.source)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.source)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_is_ended() {
        for script in ["sleep 60", "exec >&-; sleep 60"] {
            let words = ["sh", "-c", script].map(str::to_owned);
            let error = run_command(&words, Duration::from_millis(60))
                .unwrap_err()
                .to_string();
            let expected = [
                "the command sh has not printed its secret within 60ms",
                "the command sh does not end",
            ];
            assert!(expected.contains(&error.as_str()), "{error}");
        }
    }
}
