//! Something of the lab's own that works inside a namespace, for as long as it is kept.

use std::future::Future;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use tokio::sync::oneshot;

use crate::watch::inside;

/// A thread inside a namespace; it ends when this is dropped.
pub struct Worker {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Worker {
    /// Has `open` make what `work` works with, and returns once it is made.
    pub fn start<T, F>(
        namespace: &str,
        open: impl FnOnce() -> Result<T> + Send + 'static,
        work: impl FnOnce(T) -> F + Send + 'static,
    ) -> Result<Self>
    where
        T: Send + 'static,
        F: Future<Output = ()>,
    {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = inside(namespace, move |runtime| {
            runtime.block_on(async {
                match open() {
                    Err(error) => {
                        let _ = tell.send(Err(error));
                    }
                    Ok(opened) => {
                        let _ = tell.send(Ok(()));
                        tokio::select! {
                            _ = stopped => {}
                            () = work(opened) => {}
                        }
                    }
                }
            });
        })?;
        told.recv().context("a worker ended before it began")??;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
