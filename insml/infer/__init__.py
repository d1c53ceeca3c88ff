"""Classical inference: exchange parameters and evidence of each candidate by least squares."""

from insml.infer.refine import refine

__all__ = ["refine"]
