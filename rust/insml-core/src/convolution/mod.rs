//! Convolution of spectra with resolution.
