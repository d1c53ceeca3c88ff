"""What :meth:`SpinModel.describe` says: which path the solver takes for a model, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

_KINDS = {
    "particles": "no pair creation (h is Hermitian in particles alone): its eigenvalues are the energies",
    "mirror": "particles and holes mirror each other, h = [[A, B], [B, A]]: E^2 are the eigenvalues of (A - B)(A + B)",
    "pairs": "no relation between particles and holes: Bogoliubov transformation after Colpa",
}


@dataclass(frozen=True)
class Block:
    """``modes`` modes of positive energy from a Hermitian eigenproblem of ``order``."""

    modes: int
    order: int
    kind: str  # particles, mirror or pairs
    real: bool


@dataclass(frozen=True)
class Description:
    """Blocks of the quadratic form.

    Attributes
    ----------
    blocks : modes in each block; their sum is the number of spins. One number where nothing splits.
    details : the same with the kind of eigenproblem that is left.
    path : "blocks", or "general" where the search failed its own check and h is diagonalised as a whole.
    passes : wave vectors solved for each Q: 3 in a rotating frame, else 1.
    """

    blocks: tuple[int, ...]
    details: tuple[Block, ...]
    path: str
    passes: int

    @classmethod
    def of(cls, found: list[tuple[int, int, str, bool]] | None, spins: int, modes: int) -> Description:
        details = tuple(Block(*b) for b in found) if found is not None else (Block(spins, 2 * spins, "pairs", False),)
        return cls(tuple(b.modes for b in details), details, "general" if found is None else "blocks", modes // spins)

    def __str__(self) -> str:
        spins = sum(self.blocks)
        lines = [f"{spins} spin{'s' if spins > 1 else ''} in the magnetic cell, a form of order {2 * spins}"]
        if self.path == "general":
            lines.append("solved as a whole: the blocks that were found do not reproduce it at test wave vectors")
        elif len(self.details) == 1 and self.details[0].order == 2 * spins:
            lines.append("one block: no symmetry that leaves every wave vector alone was found")
        else:
            lines.append("split by the symmetries that leave every wave vector alone (translations with spin rotations, "
                         "layer swaps, rotations about the spins, inversion), found numerically and checked at test wave "
                         "vectors")
        for block, count in Counter(self.details).items():
            modes = f"{block.modes} mode{'s' if block.modes > 1 else ''}"
            lines.append(f"  {count} x {modes}: {'real' if block.real else 'complex'} eigenproblem of order {block.order}; "
                         f"{_KINDS[block.kind]}")
        if self.passes > 1:
            lines.append(f"rotating frame: solved at {self.passes} wave vectors for each Q")
        return "\n".join(lines)
