"""Networks on disk: safetensors with a JSON header and a checksum. Reading one executes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from torch import nn

from insml.errors import FormatError
from insml.io.atomic import atomic_path

_LABEL = "insml"


def write_tensors(path: Path, kind: str, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write ``tensors`` and a JSON-able ``header`` as a file of the given kind, whole or not at all."""
    plain = {name: np.array(a, order="C") for name, a in tensors.items()}
    text = json.dumps(header, sort_keys=True)
    label = json.dumps({"kind": kind, "header": text, "sha256": _digest(kind, text, plain)})
    with atomic_path(path) as tmp:
        save_file(plain, str(tmp), metadata={_LABEL: label})  # one key: several would be written in random order


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Header and tensors.

    Raises
    ------
    FormatError
        Not a file of this kind, or damaged: every byte is covered by the checksum.
    """
    with _opened(path, kind) as (label, file):
        found = label.get("kind")
        tensors = {name: file.get_tensor(name) for name in file.keys()} if found == kind else {}  # noqa: SIM118
    if found != kind:
        raise FormatError(path, kind, "a safetensors file of another program" if found is None else found)
    text = label.get("header", "")
    if label.get("sha256") != _digest(kind, text, tensors):
        raise FormatError(path, kind, "a damaged one", field="checksum")
    header: dict[str, Any] = json.loads(text)
    return header, tensors


def kind_of(path: Path, expected: str) -> str | None:
    """Kind of a file, None where another program wrote it; nothing else of it is read.

    Raises
    ------
    FormatError
        No safetensors file; ``expected`` says what was.
    """
    with _opened(path, expected) as (label, _):
        kind: str | None = label.get("kind")
        return kind


@contextmanager
def _opened(path: Path, expected: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """The label and the open file."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            label = json.loads((file.metadata() or {}).get(_LABEL, "{}"))
            yield label, file
    except (OSError, SafetensorError, ValueError, AttributeError) as e:
        raise FormatError(path, expected, f"no readable safetensors file ({str(e).splitlines()[0]})") from e


def state_arrays(**modules: nn.Module) -> dict[str, NDArray[Any]]:
    """All weights and buffers, by the module's name and their own."""
    return {f"{part}.{name}": tensor.detach().cpu().numpy()
            for part, module in modules.items() for name, tensor in module.state_dict().items()}


def load_state_arrays(arrays: Mapping[str, NDArray[Any]], **modules: nn.Module) -> None:
    """Inverse of :func:`state_arrays`; names and shapes must match (RuntimeError otherwise)."""
    for part, module in modules.items():
        own = f"{part}."
        module.load_state_dict({name.removeprefix(own): torch.from_numpy(a.copy())
                                for name, a in arrays.items() if name.startswith(own)})


def _digest(kind: str, header: str, tensors: Mapping[str, NDArray[Any]]) -> str:
    h = hashlib.sha256(f"{kind}\n{header}\n".encode())
    for name in sorted(tensors):
        h.update(f"{name} {tensors[name].dtype} {tensors[name].shape}\n".encode())
        h.update(np.ascontiguousarray(tensors[name]).data)
    return h.hexdigest()
