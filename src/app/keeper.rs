//! The store's own thread: its calls block, and nothing else waits for a disk.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use crate::model::Outcome;
use crate::store::{Batch, Store};

/// How long a batch that could not be written waits for the next try.
const AGAIN: Duration = Duration::from_secs(5);

/// The most batches that wait for a disk that is full or locked; beyond that the oldest history goes first.
const MOST_WAITING: usize = 10_000;

type Question = Box<dyn FnOnce(&mut dyn Store) + Send>;

enum Job {
    Commit(Box<Batch>, oneshot::Sender<bool>),
    Query(Question),
    Stop,
}

/// A way to the store's thread. Cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    jobs: Sender<Job>,
}

impl Keeper {
    /// Gives the store a thread of its own.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(store: Box<dyn Store>) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || keep(store, &queue))?;
        Ok((Self { jobs }, thread))
    }

    /// Writes a batch. The receiver hears whether it was written at once; if not, it waits in memory and is tried
    /// again, in order, for as long as the daemon lives.
    pub fn commit(&self, batch: Batch) -> oneshot::Receiver<bool> {
        let (done, written) = oneshot::channel();
        // A thread that is gone drops `done`, which the receiver hears as "not written".
        let _ = self.jobs.send(Job::Commit(Box::new(batch), done));
        written
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

fn keep(mut store: Box<dyn Store>, queue: &Receiver<Job>) {
    let mut waiting: VecDeque<Batch> = VecDeque::new();
    loop {
        match queue.recv_timeout(AGAIN) {
            Ok(Job::Commit(batch, done)) => {
                waiting.push_back(*batch);
                write(store.as_mut(), &mut waiting);
                let _ = done.send(waiting.is_empty());
            }
            Ok(Job::Query(question)) => question(store.as_mut()),
            Err(RecvTimeoutError::Timeout) => write(store.as_mut(), &mut waiting),
            Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    write(store.as_mut(), &mut waiting);
    if !waiting.is_empty() {
        tracing::error!(
            batches = waiting.len(),
            "the store could not be written before the end"
        );
    }
}

fn write(store: &mut dyn Store, waiting: &mut VecDeque<Batch>) {
    while let Some(batch) = waiting.front() {
        if let Err(error) = store.commit(batch) {
            tracing::error!(batches = waiting.len(), "the store cannot be written: {error}");
            break;
        }
        waiting.pop_front();
    }
    while waiting.len() > MOST_WAITING {
        waiting.pop_front();
    }
}
