//! `mailflow config hash-password`: a password in, typed unseen or piped; its hash out.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use anyhow::{anyhow, bail};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret as _, SecretString};

use super::output;
use crate::surface::http::hash_password;

/// The most that is read, in bytes: far more than a password may have.
const MOST: u64 = 4096;

/// Prints the hash, alone on its line.
pub fn run() -> anyhow::Result<u8> {
    let password = if io::stdin().is_terminal() {
        let first = unseen("Password: ")?;
        let second = unseen("Once more: ")?;
        if first.expose_secret() != second.expose_secret() {
            bail!("the two are not the same");
        }
        first
    } else {
        line()?
    };
    let hash = hash_password(&password).map_err(|reason| anyhow!(reason))?;
    output::show(&format!("{hash}\n"))?;
    Ok(0)
}

/// Asks on standard error, and reads without showing what is typed.
fn unseen(question: &str) -> anyhow::Result<SecretString> {
    eprint!("{question}");
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&stdin, SetArg::TCSANOW, &silent)?;
    let typed = line();
    tcsetattr(&stdin, SetArg::TCSANOW, &before)?;
    eprintln!();
    typed
}

/// One line of standard input, without its end.
fn line() -> anyhow::Result<SecretString> {
    let mut text = String::new();
    io::stdin().lock().take(MOST).read_line(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned().into())
}
