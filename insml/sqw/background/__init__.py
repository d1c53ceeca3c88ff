"""What measured images hold beside the signal: stitched of cuts that are free of it, or split off as what is smooth."""

from insml.sqw.background.splitting import Split, split
from insml.sqw.background.stitching import spread, stitched, subtracted

__all__ = ["Split", "split", "spread", "stitched", "subtracted"]
