//! Standard output, to which one writes once, at the end.

use std::io::{ErrorKind, Write};

/// Writes `text`. A reader that has seen enough (`| head`) is no fault.
///
/// # Errors
/// Whatever else keeps it from being written, such as a full disk.
pub fn show(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("standard output"))
        }
        _ => Ok(()),
    }
}
