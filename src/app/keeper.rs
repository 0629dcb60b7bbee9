//! The store's own thread: its calls block, and nothing else waits for a disk.
//!
//! What cannot be written, the disk being full or the database locked, waits in memory as one batch and is tried again
//! from time to time: not with each step, as each try may take a while, and nobody's alert waits for that.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{oneshot, watch};

use crate::model::Outcome;
use crate::store::{Batch, Store, StoreState};

/// How long what could not be written waits for the next try when nobody asks for it.
const AGAIN: Duration = Duration::from_secs(5);

type Question = Box<dyn FnOnce(&mut dyn Store) + Send>;

enum Job {
    Commit(Box<Batch>, oneshot::Sender<bool>),
    Query(Question),
    Again,
    Stop,
}

/// A way to the store's thread. Cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    jobs: Sender<Job>,
    state: watch::Receiver<StoreState>,
}

impl Keeper {
    /// Gives the store a thread of its own.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(store: Box<dyn Store>) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, queue) = channel();
        let (tell, state) = watch::channel(store.state());
        let scribe = Scribe {
            store,
            waiting: Batch::default(),
            state: tell,
        };
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || scribe.work(&queue))?;
        Ok((Self { jobs, state }, thread))
    }

    /// Writes a batch. The receiver hears whether it was written at once; if not, it waits in memory and is tried
    /// again, in order, for as long as the daemon lives.
    pub fn commit(&self, batch: Batch) -> oneshot::Receiver<bool> {
        let (done, written) = oneshot::channel();
        // A thread that is gone drops `done`, which the receiver hears as "not written".
        let _ = self.jobs.send(Job::Commit(Box::new(batch), done));
        written
    }

    /// Why nothing can be written; `None`: it can.
    pub fn failing(&self) -> Option<Arc<str>> {
        self.state.borrow().failing.clone()
    }

    /// What has happened to the store.
    pub fn state(&self) -> StoreState {
        self.state.borrow().clone()
    }

    /// Tries again to write what waits, if something does.
    pub fn try_again(&self) {
        if self.state.borrow().failing.is_some() {
            let _ = self.jobs.send(Job::Again);
        }
    }

    /// Asks the store something, and blocks until it answers; `None` when it is gone.
    pub fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn Store) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = channel();
        let job = Job::Query(Box::new(move |store| {
            let _ = answer.send(question(store));
        }));
        self.jobs.send(job).ok()?;
        answered.recv().ok()
    }

    /// Forgets what ended before a time, whenever there is time for it.
    pub fn prune(&self, before: jiff::Timestamp) {
        let _ = self.jobs.send(Job::Query(Box::new(move |store| {
            if let Err(error) = store.prune(before) {
                tracing::warn!("old history stays for now: {error}");
            }
        })));
    }

    /// Writes what waits and what became of the last messages, and ends.
    pub fn close(&self, mut outcomes: UnboundedReceiver<Outcome>) {
        let mut last = Batch::default();
        while let Ok(outcome) = outcomes.try_recv() {
            last.outcomes.push(outcome);
        }
        if !last.is_empty() {
            drop(self.commit(last));
        }
        let _ = self.jobs.send(Job::Stop);
    }
}

/// What lives on the store's thread.
struct Scribe {
    store: Box<dyn Store>,
    /// What could not be written yet.
    waiting: Batch,
    /// Why not, and what else happened to it.
    state: watch::Sender<StoreState>,
}

impl Scribe {
    fn work(mut self, queue: &Receiver<Job>) {
        loop {
            match queue.recv_timeout(AGAIN) {
                Ok(Job::Commit(batch, done)) => {
                    let _ = done.send(self.take(*batch));
                }
                Ok(Job::Query(question)) => question(self.store.as_mut()),
                Ok(Job::Again) | Err(RecvTimeoutError::Timeout) => self.write(),
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.write();
        if !self.waiting.is_empty() {
            tracing::error!("the store could not be written before the end: what happened last is lost");
        }
    }

    /// Takes in a batch; whether it is written.
    fn take(&mut self, batch: Batch) -> bool {
        self.waiting.absorb(batch);
        let failing = self.state.borrow().failing.is_some();
        if !failing {
            self.write();
        }
        self.waiting.is_empty()
    }

    fn write(&mut self) {
        let failed = self.store.commit(&self.waiting).err();
        if failed.is_none() {
            self.waiting = Batch::default();
        }
        let failing: Option<Arc<str>> = failed.map(|error| error.to_string().into());
        let before = self.state.borrow().failing.clone();
        match &failing {
            Some(reason) if before.as_ref() != Some(reason) => {
                tracing::error!("the store cannot be written: {reason}; alerts go out all the same");
            }
            None if before.is_some() => {
                tracing::info!("the store is written again, with all that waited");
            }
            _ => {}
        }
        let state = StoreState {
            failing,
            ..self.store.state()
        };
        self.state.send_if_modified(|before| {
            let changed = *before != state;
            *before = state;
            changed
        });
    }
}
