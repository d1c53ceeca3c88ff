//! Long work that Ctrl-C ends and that says how far it is.

use crate::error::to_python;
use insml_core::Error;
use insml_core::pixels::watch::Watch;
use pyo3::prelude::*;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Between one look for signals and the next.
const LOOK: Duration = Duration::from_millis(50);

/// Runs `work` while this thread looks for signals and calls `progress` with the pixels that were passed.
pub fn watched<T: Send>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Watch) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let watch = Watch::default();
    let told = progress.map(|p| p.clone().unbind());
    let (result, interrupted) = py.detach(|| {
        thread::scope(|scope| {
            // nothing is ever sent: the channel closes when the work ends
            let (ended, end) = channel::<()>();
            let watch = &watch;
            let worker = scope.spawn(move || {
                let result = work(watch);
                drop(ended);
                result
            });
            let mut interrupted: PyResult<()> = Ok(());
            while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(LOOK) {
                if interrupted.is_err() {
                    continue;
                }
                interrupted = Python::attach(|py| {
                    py.check_signals()?;
                    told.as_ref().map_or(Ok(()), |p| p.call1(py, (watch.done(),)).map(|_| ()))
                });
                if interrupted.is_err() {
                    watch.stop();
                }
            }
            (worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), interrupted)
        })
    });
    // what stopped the work says more than that it was stopped
    interrupted?;
    result.map_err(|e| to_python(py, e))
}
