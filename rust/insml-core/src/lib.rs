//! Numerical core of insml. No Python, no global state.
