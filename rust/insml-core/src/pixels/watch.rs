//! How far work on pixels is, and whether it is still wanted.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Seen by the threads that work and by one that waits.
#[derive(Default)]
pub struct Watch {
    done: AtomicUsize,
    stopped: AtomicBool,
}

impl Watch {
    /// Pixels of all passes so far.
    pub fn done(&self) -> usize {
        self.done.load(Relaxed)
    }

    /// Work ends at its next piece with [`Error::Stopped`].
    pub fn stop(&self) {
        self.stopped.store(true, Relaxed);
    }

    pub(crate) fn passed(&self, pixels: usize) -> Result<()> {
        self.done.fetch_add(pixels, Relaxed);
        if self.stopped.load(Relaxed) { Err(Error::Stopped) } else { Ok(()) }
    }
}
