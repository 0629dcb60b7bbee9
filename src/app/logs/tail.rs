//! A file that somebody else writes: read from where we were, over rotation by renaming and by truncation. Blocks, but for
//! no longer than a disk takes.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::message::log::LONGEST_LINE;

/// Bytes that are read at one look.
const AT_ONCE: usize = 256 * 1024;
/// How far back is read at the most after we were away, in bytes.
const FURTHEST: u64 = 64 * 1024 * 1024;
/// What a log that was renamed is called, where it lies beside the new one.
const RENAMED: [&str; 2] = [".1", ".0"];

/// A place in a file: behind the last whole line that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    device: u64,
    inode: u64,
    offset: u64,
}

/// What was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Whole lines, without their ends.
    pub(super) lines: Vec<Vec<u8>>,
    /// Whether there is more to be read at once.
    pub(super) more: bool,
}

/// Whoever reads.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    /// Where reading is to begin, until the file is open.
    begin: Option<Place>,
    open: Option<Open>,
    /// Whether this is the first file: only that is not read from its start.
    first: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// The file, by device and inode.
    id: (u64, u64),
    /// How far it was read.
    offset: u64,
    /// The beginning of a line whose end is not written yet.
    part: Vec<u8>,
    /// A line that is too long is left out up to its end.
    skips: bool,
    /// Whether another file lies in its place, and this one was read to its end since.
    replaced: bool,
}

impl Tail {
    /// Goes on at `begin`, else at the end of the file.
    pub(super) fn new(path: &Path, begin: Option<Place>) -> Self {
        Self {
            path: path.to_owned(),
            begin,
            open: None,
            first: true,
        }
    }

    /// Where we are.
    pub(super) fn place(&self) -> Option<Place> {
        let open = self.open.as_ref()?;
        let part = u64::try_from(open.part.len()).unwrap_or(0);
        Some(Place {
            device: open.id.0,
            inode: open.id.1,
            offset: open.offset.saturating_sub(part),
        })
    }

    /// Reads on.
    ///
    /// # Errors
    /// The file is not there, is no plain file, or may not be read. What was open is read to its end first.
    pub(super) fn read(&mut self) -> io::Result<Chunk> {
        if self.open.is_none() {
            self.open = Some(self.find()?);
        }
        let Some(open) = &mut self.open else {
            return Ok(Chunk::default());
        };
        let mut chunk = open.read_on()?;
        if chunk.more || !chunk.lines.is_empty() {
            return Ok(chunk);
        }
        let id = id(&plain(&self.path)?);
        if id == open.id {
            open.replaced = false;
        } else if open.replaced {
            // Whoever writes may go on in the old one for a moment: it is left at the second look that finds nothing.
            self.open = None;
            self.begin = None;
            chunk.more = true;
        } else {
            open.replaced = true;
        }
        Ok(chunk)
    }

    /// Opens the file that is to be read next, where reading begins.
    fn find(&mut self) -> io::Result<Open> {
        let first = std::mem::replace(&mut self.first, false);
        let found = self.open_at(first);
        if found.is_err() {
            self.first = first;
        }
        found
    }

    fn open_at(&self, first: bool) -> io::Result<Open> {
        let metadata = plain(&self.path)?;
        let Some(begin) = self.begin else {
            let at = if first { metadata.len() } else { 0 };
            return Open::at(&self.path, at);
        };
        let was = (begin.device, begin.inode);
        if id(&metadata) == was {
            let at = if begin.offset <= metadata.len() {
                begin.offset
            } else {
                0
            };
            return Open::at(&self.path, at.max(metadata.len().saturating_sub(FURTHEST)));
        }
        // It was renamed while we were away: first its rest, then the new one.
        for ending in RENAMED {
            let mut name = self.path.as_os_str().to_owned();
            name.push(ending);
            let renamed = Path::new(&name);
            let metadata = plain(renamed).ok().filter(|metadata| id(metadata) == was);
            if let Some(metadata) = metadata {
                return Open::at(renamed, begin.offset.max(metadata.len().saturating_sub(FURTHEST)));
            }
        }
        Open::at(&self.path, metadata.len().saturating_sub(FURTHEST))
    }
}

impl Open {
    fn at(path: &Path, offset: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let id = id(&file.metadata()?);
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            file,
            id,
            offset,
            part: Vec::new(),
            skips: false,
            replaced: false,
        })
    }

    fn read_on(&mut self) -> io::Result<Chunk> {
        if self.file.metadata()?.len() < self.offset {
            // Emptied in its place.
            self.file.seek(SeekFrom::Start(0))?;
            (self.offset, self.skips) = (0, false);
            self.part.clear();
        }
        let mut bytes = Vec::new();
        let most = u64::try_from(AT_ONCE).unwrap_or(u64::MAX);
        (&mut self.file).take(most).read_to_end(&mut bytes)?;
        self.offset += u64::try_from(bytes.len()).unwrap_or(0);
        let mut chunk = Chunk {
            lines: Vec::new(),
            more: bytes.len() >= AT_ONCE,
        };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if let Some(line) = self.line(piece) {
                chunk.lines.push(line);
            }
        }
        Ok(chunk)
    }

    /// Takes in a piece of a line; gives the line once its end is there.
    fn line(&mut self, piece: &[u8]) -> Option<Vec<u8>> {
        let ended = piece.ends_with(b"\n");
        if self.part.len() + piece.len() > LONGEST_LINE {
            self.skips = true;
            self.part.clear();
        }
        if !self.skips {
            self.part.extend_from_slice(piece);
        }
        if !ended {
            return None;
        }
        let mut line = std::mem::take(&mut self.part);
        let whole = !std::mem::replace(&mut self.skips, false);
        line.pop();
        whole.then_some(line)
    }
}

/// What lies at a path, if that is a file: whatever else may keep us waiting for ever.
fn plain(path: &Path) -> io::Result<Metadata> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_file() {
        Ok(metadata)
    } else {
        Err(io::Error::other("this is no plain file"))
    }
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests;
