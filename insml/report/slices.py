"""What the network and the fits say of each slice, as rows of a table."""

from __future__ import annotations

import numpy as np

from insml.answer import Account, Answer
from insml.mosaic import SliceSpec
from insml.report.evidence import log_ratios, ranking, shares
from insml.report.wording import window

Row = tuple[str, ...]


def slice_rows(answer: Answer) -> tuple[Row, list[Row]]:
    """Heads and a row for each slice: saliency beside the log-likelihood ratio of the two best fits."""
    network, ratios = answer.classification, log_ratios(answer)
    salient = None if network is None else shares(network.slice_saliency)
    ratio = next(iter(ratios.values()), None)
    heads: Row = ("slice", "Ei", "saliency share", "log-likelihood ratio", "speaks for")
    best, second = (*ranking(answer), "", "")[:2]
    rows: list[Row] = []
    for s, spec in enumerate(answer.mosaic.layout.slices):
        speaks = "-" if ratio is None or ratio[s] == 0 else best if ratio[s] > 0 else second
        rows.append((*_place(spec), "-" if salient is None else f"{100 * salient[s]:.1f} %",
                     "-" if ratio is None else f"{abs(ratio[s]):.2f}", speaks))
    return heads, rows


def account_rows(account: Account) -> tuple[Row, list[Row]]:
    """Heads and a row for each slice, the largest share of saliency first."""
    found, ratio = account.explanation, account.ratio
    share = found.shares
    heads: Row = ("slice", "Ei", found.method, "drop of log odds", "log-likelihood ratio")
    rows: list[Row] = []
    for s in np.argsort(-share, kind="stable"):
        rows.append((*_place(account.mosaic.layout.slices[s]), f"{100 * share[s]:.1f} %", f"{account.drops[s]:+.3f}",
                     "-" if ratio is None else f"{ratio[s]:+.2f}"))
    return heads, rows


def _place(spec: SliceSpec) -> tuple[str, str]:
    return f"{window(spec)} meV", "-" if spec.ei is None else f"{spec.ei:g}"
