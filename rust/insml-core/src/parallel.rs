//! Threads belong to a call, never to the process: a pool that outlives a call would be dead in a forked child.

use crate::error::{Error, Result};
use std::sync::Mutex;
use std::thread;

/// Runs `work` on a pool of `threads` (0: one per core). Results must not depend on the thread count.
pub fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::Numerical(format!("thread pool: {e}")))?;
    Ok(pool.install(work))
}

/// How many threads are meant: 0 is one per core.
pub fn count_of(threads: usize) -> usize {
    if threads == 0 { thread::available_parallelism().map_or(1, usize::from) } else { threads }
}

/// Hands `items` to `threads` (0: one per core), one by one, each thread with a scratch of its own; what `work` returns, in no
/// order. The calling thread is one of them: for work of a millisecond a pool costs too much.
pub fn for_each<T: Send, S, R: Send>(
    threads: usize,
    items: impl ExactSizeIterator<Item = T> + Send,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> Option<R> + Sync,
) -> Vec<R> {
    let threads = count_of(threads).min(items.len());
    let items = Mutex::new(items);
    let next = || items.lock().unwrap_or_else(|e| e.into_inner()).next();
    let run = || {
        let mut scratch = scratch();
        std::iter::from_fn(next).filter_map(|item| work(&mut scratch, item)).collect::<Vec<R>>()
    };
    thread::scope(|scope| {
        // a thread that the system refuses is one less
        let others: Vec<_> = (1..threads).map_while(|_| thread::Builder::new().spawn_scoped(scope, run).ok()).collect();
        let mut out = run();
        for other in others {
            out.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        out
    })
}
