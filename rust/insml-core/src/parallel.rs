//! Threads belong to a call, never to the process: a pool that outlives a call would be dead in a forked child.

use crate::error::{Error, Result};

/// Runs `work` on a pool of `threads` (0: one per core). Results must not depend on the thread count.
pub fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::Numerical(format!("thread pool: {e}")))?;
    Ok(pool.install(work))
}
