"""What a person reads: an answer on the terminal, as figures, HTML, JSON and NeXus. Renders, never computes."""

from insml.report.document import ReportFiles, write_report
from insml.report.terminal import render

__all__ = ["ReportFiles", "render", "write_report"]
