"""Least-squares refinement of exchange parameters, with errors and Laplace evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats import qmc

from insml.answer import ModelFit
from insml.errors import InsmlError, UnstableStructureError
from insml.infer.linear import LinearModel
from insml.mosaic import Mosaic
from insml.simulation import STEP, Simulator
from insml.study import Candidate, Study

Array = NDArray[np.float64]
Progress = Callable[[str], None]

#: Derivatives are differences over this share of the prior's width.
DIFFERENCE = 3e-4
#: Momentum grid of the search for a start, and of its first steps downhill (see simulate_stack).
COARSE = 4.0


@dataclass(frozen=True, eq=False)
class _Optimum:
    x: Array
    covariance: Array  # of x, for unit noise
    chi2: float
    converged: bool
    message: str


#: Prior of the factors on the resolution's widths, where the study leaves them free.
WIDTHS = (0.5, 2.5)


class _Problem:
    """Residuals of one candidate as a function of x, the parameters in units of their prior ranges (0 to 1).

    Free widths follow the exchange parameters in x: the factors in Q and in energy.
    """

    def __init__(self, study: Study, candidate: Candidate, linear: LinearModel, threads: int,
                 progress: Progress | None) -> None:
        self.candidate, self.linear, self.progress = candidate, linear, progress
        self.simulator = Simulator(study, candidate.name, step=COARSE, threads=threads)
        priors = [p.prior for p in candidate.parameters] + [WIDTHS] * (2 if study.free_widths else 0)
        self.low = np.array([low for low, _ in priors])
        self.width = np.array([high - low for low, high in priors])
        # least_squares asks for residuals and Jacobian at the same point
        self._last: tuple[Array, Array | None] | None = None
        empty = linear.residual(np.zeros(linear.shape))
        self.ceiling = float(np.sqrt(10 * max(float(empty @ empty), 1.0) / linear.n_pixels))

    def refine_grid(self) -> None:
        """From now on simulate on the fine momentum grid."""
        self.simulator.step, self._last = STEP, None

    def hold_grid_at(self, x: Array) -> None:
        """Keep the momentum grid that suits ``x``: derivatives must not see it jump."""
        self.simulator.thaw()
        self.stack(x)
        self.simulator.freeze()
        self._last = None

    def values(self, x: Array) -> dict[str, float]:
        return {p.name: float(v) for p, v in zip(self.candidate.parameters, self.low + self.width * x, strict=False)}

    def widths(self, x: Array) -> dict[str, float]:
        """Factors on the widths by name, empty where they are fixed."""
        free = (self.low + self.width * x)[len(self.candidate.parameters):]
        return {name: float(v) for name, v in zip(("Q", "energy"), free, strict=False)}

    def stack(self, x: Array) -> Array:
        widths = self.widths(x)
        return self.simulator.stack(self.values(x), (widths.get("Q", 1.0), widths.get("energy", 1.0)))

    def residual(self, x: Array) -> Array:
        """Where the structure is unstable: ten times the chi2 of no model at all, so that a step there is taken back."""
        r = self.stable(x)
        return np.full(self.linear.n_pixels, self.ceiling) if r is None else r

    def stable(self, x: Array) -> Array | None:
        """Residuals, or None where the structure is unstable."""
        if self._last is not None and np.array_equal(self._last[0], x):
            return self._last[1]
        if self.progress is not None:
            self.progress(self.candidate.name)
        try:
            r = self.linear.residual(self.stack(x))
        except UnstableStructureError:
            r = None
        self._last = (x.copy(), r)
        return r

    def jacobian(self, x: Array) -> Array:
        """Forward differences; backward at the prior's upper edge and beside an unstable region."""
        here = self.residual(x)
        out = np.zeros((self.linear.n_pixels, x.size))
        for i in range(x.size):
            for step in (DIFFERENCE, -DIFFERENCE):
                if not 0 <= x[i] + step <= 1:
                    continue
                y = x.copy()
                y[i] += step
                r = self.stable(y)
                if r is not None:
                    out[:, i] = (r - here) / step
                    break
        return out


def _starts(problem: _Problem, count: int, seed: int) -> list[Array]:
    """The best stable points of a scrambled Sobol sequence over the prior."""
    exchange = len(problem.candidate.parameters)
    points = qmc.Sobol(exchange, scramble=True, rng=np.random.default_rng(seed)).random(count)
    # free widths start at one
    rest = (1.0 - problem.low[exchange:]) / problem.width[exchange:]
    scored = []
    for x in (np.concatenate([point, rest]) for point in points):
        r = problem.stable(x)
        if r is not None:
            scored.append((float(r @ r), tuple(x)))
    if not scored:
        raise InsmlError(f"{problem.candidate.name}: expected stable parameter sets within the priors, found none in "
                         f"{count} draws")
    scored.sort()
    return [np.array(x) for _, x in scored]


def _optimise(problem: _Problem, start: Array, max_steps: int, tolerance: float = 1e-3) -> _Optimum:
    problem.hold_grid_at(start)
    result = least_squares(problem.residual, np.clip(start, 1e-6, 1 - 1e-6), jac=problem.jacobian, bounds=(0.0, 1.0),
                           method="trf", max_nfev=max_steps, xtol=1e-2 * tolerance, ftol=tolerance, gtol=1e-10)
    problem.simulator.thaw()
    jacobian = np.asarray(result.jac, float)
    covariance = np.linalg.pinv(jacobian.T @ jacobian)
    return _Optimum(np.asarray(result.x), covariance, 2 * float(result.cost), bool(result.status > 0), str(result.message))


def _exchanged(problem: _Problem, x: Array) -> list[Array]:
    """Points a local descent does not find: two parameters trade values, or one changes sign, inside the priors.

    Couplings that act on equivalent paths leave such mirror minima; which is the deeper one only trying tells.
    """
    values = problem.low + problem.width * x
    moved = []
    for i in range(len(problem.candidate.parameters)):
        flipped = values.copy()
        flipped[i] = -flipped[i]
        moved.append(flipped)
        for j in range(i):
            swapped = values.copy()
            swapped[[i, j]] = swapped[[j, i]]
            moved.append(swapped)
    inside = [(m - problem.low) / problem.width for m in moved]
    return [y for y in inside if (y >= 0).all() and (y <= 1).all() and not np.allclose(y, x, atol=1e-3)]


def _search(problem: _Problem, starts: list[Array], max_steps: int) -> _Optimum:
    """Descents from ``starts``, then from the best exchanged points for as long as one of them leads deeper."""
    best = min((_optimise(problem, start, max_steps) for start in starts), key=lambda d: d.chi2)
    while True:
        ranked = sorted((float(r @ r), tuple(y)) for y in _exchanged(problem, best.x)
                        if (r := problem.stable(y)) is not None)
        descents = [_optimise(problem, np.array(y), max_steps) for _, y in ranked[:1]]
        deeper = min(descents, key=lambda d: d.chi2, default=best)
        if deeper.chi2 >= best.chi2 * (1 - 1e-4):
            return best
        best = deeper


def refine(
    study: Study,
    mosaic: Mosaic,
    candidates: list[str] | None = None,
    *,
    seed: int = 0,
    starts: int = 32,
    refined: int = 2,
    max_steps: int = 8,
    threads: int = 0,
    progress: Progress | None = None,
) -> dict[str, ModelFit]:
    """Best fit of each candidate to a cleaned mosaic.

    Parameters
    ----------
    mosaic : with variances (:func:`insml.cleaning.clean`), in the study's bins.
    starts : Sobol points of the prior that are tried on a coarse momentum grid; the best ``refined`` of them are followed
        downhill there, mirror minima are looked for, and the best goes on on the fine grid.
    max_steps : of each coarse descent; the last one may take three times as many.
    progress : called with the candidate's name after each simulation.

    Notes
    -----
    Residuals are linear in scale and background, which are projected out (:mod:`insml.infer.linear`); the parameters
    follow by a bounded trust-region method on their prior ranges. ``log_evidence`` is Laplace's approximation
    -chi2 / 2s + log det(2 pi s C) / 2 - log(prior volume) with s = max(1, smallest reduced chi2 of all candidates) times
    the number of pixels over which the best candidate's residuals are correlated
    (:meth:`insml.infer.linear.LinearModel.correlated_pixels`), so that imperfect variances, symmetrised data or an
    incomplete background weaken every statement alike.
    """
    linear = LinearModel(study, mosaic)
    if linear.n_pixels <= linear.n_free + 8:
        raise InsmlError(f"{mosaic.source or 'mosaic'}: expected more than {linear.n_free + 8} unmasked pixels in the "
                         f"study's slices, found {linear.n_pixels}")
    found: dict[str, tuple[_Problem, _Optimum, Array, float, int]] = {}
    for name in candidates or list(study.candidates):
        if name not in study.candidates:
            raise InsmlError(f"candidate: expected one of {', '.join(study.candidates)}, found {name!r}")
        candidate = study.candidates[name]
        problem = _Problem(study, candidate, linear, threads, progress)
        coarse = _search(problem, _starts(problem, starts, seed)[:refined], max_steps)
        problem.refine_grid()
        optimum = _optimise(problem, coarse.x, 3 * max_steps, tolerance=1e-7)
        dof = linear.n_pixels - linear.n_free - optimum.x.size
        found[name] = (problem, optimum, problem.residual(optimum.x), optimum.chi2, dof)
    _, _, residual, chi2, dof = min(found.values(), key=lambda entry: entry[3] / entry[4])
    noise = max(1.0, chi2 / dof) * linear.correlated_pixels(residual)
    return {name: _report(study, mosaic, linear, noise, name, *entry) for name, entry in found.items()}


def _report(study: Study, mosaic: Mosaic, linear: LinearModel, noise: float, name: str, problem: _Problem,
            optimum: _Optimum, residual: Array, chi2: float, dof: int) -> ModelFit:
    stack = problem.stack(optimum.x)
    own = max(1.0, chi2 / dof)
    exchange = slice(len(problem.candidate.parameters))
    covariance = (optimum.covariance * np.outer(problem.width, problem.width))[exchange, exchange]
    sigma = np.sqrt(np.maximum(np.diag(covariance), 0.0) * own)
    # in units of the prior ranges the prior density is one
    sign, logdet = np.linalg.slogdet(2 * np.pi * noise * optimum.covariance)
    log_evidence = -0.5 * chi2 / noise + (0.5 * float(logdet) if sign > 0 else 0.0)
    parameters = problem.values(optimum.x)
    best = linear.assemble(stack, linear.solve(stack))
    return ModelFit(
        name=name,
        parameters=parameters,
        errors={p: float(s) for p, s in zip(parameters, sigma, strict=True)},
        covariance=covariance * own,
        chi2=chi2,
        dof=dof,
        chi2_per_slice=linear.chi2_per_slice(residual),
        pixels_per_slice=np.array([p.size for p in linear.slices], np.int64),
        log_evidence=log_evidence,
        best_fit=Mosaic.from_stack(best, mosaic.stack_mask, study.layout, title=f"best fit: {name}", source="simulated"),
        converged=optimum.converged,
        message=optimum.message,
        at_bound=tuple(p for p, x in zip(parameters, optimum.x, strict=False) if x < 1e-3 or x > 1 - 1e-3),
        widths=problem.widths(optimum.x),
        noise=noise,
    )
