"""From a TOML file to a Study."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, cast

from insml.errors import StudyError
from insml.study.read_candidates import read_candidates
from insml.study.read_layout import read_mosaic, read_resolution
from insml.study.read_structure import read_lattice, read_structure
from insml.study.reader import Table, describe
from insml.study.study import Background, DataRules, Study, Training

TOP_KEYS = ("name", "title", "notes", "lattice", "magnetic", "sites", "twins", "mosaic", "resolution", "background",
            "fit", "data", "training", "candidates")
BACKGROUND_TERMS = ("constant", "q2", "q4")


def load(path: str | Path) -> Study:
    """Read and check a study file.

    Raises
    ------
    StudyError
        About the first mistake, with its dotted key; lists are numbered from 0.
    """
    path = Path(path)
    top = Table(path, "", parse_toml(path), TOP_KEYS)
    name, title, notes = top.identifier("name"), top.text("title"), top.text("notes", "")
    lattice = read_lattice(top)
    structure, form_factor = read_structure(top, lattice)
    layout, third = read_mosaic(top)
    broadening = read_resolution(top, layout)
    rules = top.table("fit", ("scale", "widths"), optional=True)
    scale = rules.choice("scale", ("slice", "ei"), "slice")
    free_widths = rules.choice("widths", ("fixed", "free"), "fixed") == "free"
    if scale == "ei" and any(s.ei is None for s in layout.slices):
        raise top.mistake("fit.scale", "'slice', or mosaic.slices with ei", "'ei' and slices without ei")
    chemical = top.data["magnetic"].get("positions") == "chemical"
    return Study(
        name=name, title=title, path=path, lattice=lattice, structure=structure, layout=layout, third=third,
        broadening=broadening, form_factor=form_factor, background=_background(top),
        scale=cast(Literal["slice", "ei"], scale), free_widths=free_widths, data=_data(top), training=_training(top),
        notes=notes,
        candidates=read_candidates(top, structure, structure.supercell if chemical else (1, 1, 1)),
    )


def bundled(name: str) -> Study:
    """A study that comes with insml: "manganite" or "square_antiferromagnet"."""
    folder = Path(__file__).resolve().parent.parent / "studies"
    known = sorted(p.stem for p in folder.glob("*.toml"))
    if name not in known:
        raise StudyError(name, "study", f"one of the bundled studies {', '.join(known)}", describe(name))
    return load(folder / f"{name}.toml")


def parse_toml(path: Path, what: str = "study file") -> dict[str, Any]:
    """What a TOML file says.

    Raises
    ------
    StudyError : no such file, or one that is no TOML.
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise StudyError(path, "file", f"a {what} in TOML", "no such file") from None
    except OSError as error:
        raise StudyError(path, "file", f"a readable {what} in TOML", (error.strerror or "an error").lower()) \
            from None
    except UnicodeDecodeError as error:
        raise StudyError(path, "file", "TOML text in UTF-8", f"another byte at position {error.start}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise StudyError(path, "file", "valid TOML", _one_line(error)) from None


def _one_line(error: Exception) -> str:
    """What the TOML parser says, on one line."""
    return " ".join(str(error).split()) or "text that cannot be parsed"


def _background(top: Table) -> Background:
    table = top.table("background", ("terms", "polynomial"), optional=True)
    terms = table.data.get("terms", [])
    if not isinstance(terms, list) or any(t not in BACKGROUND_TERMS for t in terms) or len(set(terms)) != len(terms):
        raise table.mistake("terms", f"a list of {' and '.join(BACKGROUND_TERMS)}, each at most once", describe(terms))
    return Background(tuple(terms), table.whole("polynomial", least=0) if "polynomial" in table else 0)


def _data(top: Table) -> DataRules:
    table = top.table("data", ("hot_pixel_sigma", "edge_pixels"), optional=True)
    return DataRules(table.number("hot_pixel_sigma", above=0.0) if "hot_pixel_sigma" in table else None,
                     table.whole("edge_pixels", least=0) if "edge_pixels" in table else 0)


def _training(top: Table) -> Training:
    table = top.table("training", tuple(Training.__dataclass_fields__), optional=True)
    standard = Training()
    mask_fraction = table.interval("mask_fraction", standard.mask_fraction, least=0.0, point=True)
    if mask_fraction[1] >= 1.0:
        raise table.mistake("mask_fraction", "[low, high] with high below 1", describe(list(mask_fraction)))
    relative_noise = table.interval("relative_noise", standard.relative_noise, point=True)
    if relative_noise[0] <= 0.0:
        raise table.mistake("relative_noise", "[low, high] with low above 0", describe(list(relative_noise)))
    return Training(
        images=table.whole("images", standard.images, least=1), epochs=table.whole("epochs", standard.epochs, least=1),
        seed=table.whole("seed", standard.seed, least=0), relative_noise=relative_noise,
        background=table.interval("background", standard.background, least=0.0, point=True),
        scale_jitter=table.number("scale_jitter", standard.scale_jitter, least=0.0), mask_fraction=mask_fraction,
        mirror=table.boolean("mirror", standard.mirror),
    )
