"""Horace's binary files."""

from insml.io.sqw.read import is_horace, read_sqw
from insml.io.sqw.write import write_sqw

__all__ = ["is_horace", "read_sqw", "write_sqw"]
