"""What samplers are compared on: sweeps whose candidates have curves that a formula or a fitted model gives.

A problem is a sweep file's `trial` and `constraints`, so that the engine, its limits and every sampler see what they would see of a file.
What would be trained is a builder that nobody calls; its arguments, under `model.kwargs`, are what varies.

The functions become learning curves: after epoch t of T the score is f at fidelity t/T, less AMPLITUDE units at the start, which wear
off as exp(-t/tau), plus noise. tau goes from T/18 to T/4.5 with the mean of the candidate's parameters, each in [0, 1]: the larger its
parameters, the slower it learns, so curves cross. At epoch T it is f itself and noise. That makes the rank correlation of the first
rung's scores with f 0.5 to 0.9 among the better third, over the functions here.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from random import Random
from typing import Any

import numpy as np

from benchmarks import sampler_functions as functions
from search_spaces.domains import Value
from search_spaces.feasible_space import Feasible
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig

KINDS = ("continuous", "conditional", "constrained", "surrogate")
MAX_EPOCHS = 27
AMPLITUDE = 3.0  # units below its end at which a function's curve begins
TAU, TAU_RATIO = 1 / 9, 4.0  # of T: the middle of the time constants, and the largest over the smallest
NOISE = 0.02  # standard deviation of every score, in units
KWARGS = "model.kwargs."
NUM_MEDIAN = 512  # draws whose median is one unit below the optimum

Curve = Callable[[Mapping[str, Any]], Sequence[float | None]]
Function = Callable[[np.ndarray, Any], np.ndarray]


@dataclass(frozen=True)
class Problem:
    """One problem.

    Attributes:
        name: What the record calls it.
        kind: One of KINDS.
        trial: The `trial` of its sweep file.
        curve: Values of a candidate, by name without KWARGS -> scores after epochs 1, 2, ..., without noise; None where it diverged. The
            last one is what counts.
        best: The largest last score that a candidate which keeps the limits can have.
        constraints: The `constraints` of its sweep file.
        max_epochs: T.
        num_parameters: Arguments of the builder -> parameters of the network.
        diverged: What counts as the last score of a candidate that diverges.
    """

    name: str
    kind: str
    trial: Mapping[str, Any]
    curve: Curve
    best: float
    constraints: Mapping[str, Any] | None = None
    max_epochs: int = MAX_EPOCHS
    num_parameters: Callable[[Mapping[str, Any]], int] = lambda kwargs: 1
    diverged: float = -math.inf

    def sweep(self, sampler: str, *, seed: int, epochs: int) -> Sweep:
        """Return its sweep: ASHA as it is by default, and as many trials as so many epochs allow."""
        return Sweep.model_validate(
            {
                "name": "samplers",
                "seed": seed,
                "data": {"name": "digits"},
                "trial": self.trial,
                "constraints": self.constraints or {},
                "search": {"sampler": sampler, "trials": epochs},
                "scheduler": {"asha": {"max_epochs": self.max_epochs}},
                "budget": {"epochs": epochs},
            }
        )

    def cost(self, config: TrainConfig) -> ArchitectureCost:
        """Return what a candidate's network costs."""
        number = self.num_parameters(config.model.kwargs)  # type: ignore[union-attr]  # all models here are builders
        return ArchitectureCost(parameters=number, flops_per_image=1, activation_bytes_per_image=1)

    def final(self, values: Mapping[str, Value]) -> float:
        """Return the last score of a candidate.

        Args:
            values: By path, as the engine records them.
        """
        last = self.curve(named(values))[-1]
        return self.diverged if last is None else last

    @cached_property
    def unit(self) -> float:
        """Return the distance from the median of random candidates that keep the limits to the optimum."""
        rng = Random(self.name)
        feasible = Feasible(Space.parse(dict(self.trial)), self.sweep("random", seed=0, epochs=1), self.cost)
        drawn = [feasible.sample(rng) for _ in range(NUM_MEDIAN)]
        return self.best - float(np.median([self.final(values) for values in drawn if values is not None]))

    def regret(self, values: Mapping[str, Value]) -> float:
        """Return how far below the optimum a candidate ends: 0 for the optimum, 1 for the median of random candidates."""
        return max(0.0, (self.best - self.final(values)) / self.unit)


def named(values: Mapping[str, Value]) -> dict[str, Any]:
    """Return a candidate's values by names without KWARGS."""
    return {path.removeprefix(KWARGS): value for path, value in values.items()}


def trial(kwargs: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a `trial` whose builder has these arguments, beside further fields of the recipe."""
    return {"model": {"builder": "benchmarks.sampler_problems:nobody_builds_it", "kwargs": dict(kwargs)}, "lr": 0.1} | fields


def built_in() -> dict[str, Callable[[], Problem]]:
    """Return the problems that need no tables, by name; each is made once, when it is asked for."""
    return {
        maker.__name__.replace("_", "-"): maker
        for maker in (*CONTINUOUS, choice_of_function, layers, in_a_ball, under_a_product, small_network)
    }


@cache
def branin() -> Problem:
    return _continuous("branin", functions.branin, _names(functions.BRANIN_BOUNDS), functions.BRANIN_BEST, 34.0)


@cache
def currin() -> Problem:
    return _continuous("currin", functions.currin, _names(functions.CURRIN_BOUNDS), functions.CURRIN_BEST, 6.7)


@cache
def hartmann3() -> Problem:
    return _continuous("hartmann3", functions.hartmann3, _names([(0.0, 1.0)] * 3), functions.HARTMANN3_BEST, 3.3)


@cache
def hartmann6() -> Problem:
    return _continuous("hartmann6", functions.hartmann6, _names([(0.0, 1.0)] * 6), functions.HARTMANN6_BEST, 3.2)


@cache
def borehole() -> Problem:
    return _continuous("borehole", functions.borehole, functions.BOREHOLE_BOUNDS, functions.BOREHOLE_BEST, 240.0)


@cache
def choice_of_function() -> Problem:
    """Four functions, each with parameters of its own; the one with the most parameters has the best optimum, by little.

    Each counts from 0, the median of its own random candidates, to its share.
    """
    parts = {part.name: (part, share) for part, share in ((currin(), 0.85), (branin(), 0.9), (hartmann3(), 0.95), (hartmann6(), 1.0))}
    kwargs: dict[str, Any] = {"function": {"choice": list(parts)}}
    for name, (part, _) in parts.items():
        for own, domain in part.trial["model"]["kwargs"].items():
            kwargs[f"{name}_{own}"] = {**domain, "when": {"function": name}}

    def curve(values: Mapping[str, Any]) -> Sequence[float]:
        part, share = parts[values["function"]]
        own = {name.removeprefix(f"{part.name}_"): value for name, value in values.items()}
        return [share * (1.0 - (part.best - (score or 0.0)) / part.unit) for score in part.curve(own)]

    return Problem("choice-of-function", "conditional", trial(kwargs), curve, best=1.0)


@cache
def layers() -> Problem:
    """Hartmann's function of six widths, of which a candidate has as many as it has layers; those that it lacks count as 0.5."""
    kwargs: dict[str, Any] = {"layers": {"choice": [1, 2, 3, 4, 5, 6]}, "width1": {"uniform": [0.0, 1.0]}}
    kwargs |= {f"width{layer}": {"uniform": [0.0, 1.0], "when": {"layers": list(range(layer, 7))}} for layer in range(2, 7)}

    def curve(values: Mapping[str, Any]) -> Sequence[float]:
        point = np.array([values.get(f"width{layer}", 0.5) for layer in range(1, 7)])
        return as_curve(functions.hartmann6, point, float(point.mean()), 3.2)

    return Problem("layers", "conditional", trial(kwargs), curve, best=functions.HARTMANN6_BEST)


@cache
def in_a_ball() -> Problem:
    """Hartmann's function of six parameters whose squares sum to at most 1: 8 % of the cube. Letham et al., 2019, arXiv:1706.07094."""
    whole = hartmann6()
    squares = " + ".join(f"{KWARGS}{name} ** 2" for name in whole.trial["model"]["kwargs"])
    return replace(whole, name="in-a-ball", kind="constrained", constraints={"where": f"{squares} <= 1"})


@cache
def under_a_product() -> Problem:
    """The borehole with a limit on rw**2 * kw that its optimum meets: the flow grows with both, with rw the more."""
    optimum = dict(zip(functions.BOREHOLE_BOUNDS, functions.BOREHOLE_OPTIMUM, strict=True))
    optimum["kw"] = functions.BOREHOLE_BOUNDS["kw"][0]
    optimum["rw"] = math.sqrt(100.0 / optimum["kw"])
    best = float(functions.borehole(np.array([list(optimum.values())]))[0])
    limit = {"where": f"{KWARGS}rw ** 2 * {KWARGS}kw <= 100"}
    return replace(borehole(), name="under-a-product", kind="constrained", constraints=limit, best=best)


@cache
def small_network() -> Problem:
    """Branin's function of a network's width and depth plus Hartmann's of its recipe; the limit on parameters keeps Branin's optima out.

    depth * width**2 parameters, at most 1,000. There are 4,040 networks: too many to be counted before the sweep begins.
    """
    kwargs = {"width": {"lograndint": [8, 512]}, "depth": {"randint": [1, 8]}}
    recipe = {"lr": {"loguniform": [1e-3, 1.0]}, "momentum": {"uniform": [0.0, 0.99]}, "weight_decay": {"loguniform": [1e-6, 1e-2]}}
    low_2, high_2 = np.array(functions.BRANIN_BOUNDS).T

    def network(width: Any, depth: Any) -> np.ndarray:
        return np.stack([np.log(np.divide(width, 8)) / math.log(64), (np.asarray(depth) - 1) / 7], axis=-1)

    def both(unit_M5: np.ndarray, z: np.ndarray | float) -> np.ndarray:
        first_M = functions.branin(low_2 + unit_M5[:, :2] * (high_2 - low_2), z) / 34.0  # so that each counts about one
        return np.asarray(first_M + functions.hartmann3(unit_M5[:, 2:], z) / 3.3)

    def curve(values: Mapping[str, Any]) -> Sequence[float]:
        lr, decay = math.log10(values["lr"] / 1e-3) / 3, math.log10(values["weight_decay"] / 1e-6) / 4
        point = np.array([*network(values["width"], values["depth"]), lr, values["momentum"] / 0.99, decay])
        return as_curve(both, point, float(point.mean()), 2.0)

    widths, depths = (grid.ravel() for grid in np.meshgrid(np.arange(8, 513), np.arange(1, 9)))
    fitting_M2 = network(widths, depths)[depths * widths**2 <= 1_000]
    best = float(both(np.hstack([fitting_M2, np.tile(functions.HARTMANN3_OPTIMA[0], (len(fitting_M2), 1))]), 1.0).max())
    return Problem(
        name="small-network",
        kind="constrained",
        trial=trial(kwargs, **recipe),
        curve=curve,
        best=best,
        constraints={"max_parameters": 1_000},
        num_parameters=lambda kwargs: int(kwargs["depth"] * kwargs["width"] ** 2),
    )


CONTINUOUS = (branin, currin, hartmann3, hartmann6, borehole)


def as_curve(function: Function, point_D: np.ndarray, slowness: float, scale: float) -> list[float]:
    """Return the scores of a candidate after each epoch; the last is the function's own value.

    Args:
        function: Of points and fidelities.
        point_D: The candidate.
        slowness: 0..1, from the fastest to the slowest time constant.
        scale: One unit of the function, about.
    """
    epochs_T = np.arange(1, MAX_EPOCHS + 1)
    tau = TAU * MAX_EPOCHS * TAU_RATIO ** (slowness - 0.5)
    missing_T = AMPLITUDE * scale * (np.exp(-epochs_T / tau) - math.exp(-MAX_EPOCHS / tau))
    found: list[float] = (function(np.tile(point_D, (MAX_EPOCHS, 1)), epochs_T / MAX_EPOCHS) - missing_T).tolist()
    return found


def _continuous(name: str, function: Function, bounds: Mapping[str, tuple[float, float]], best: float, scale: float) -> Problem:
    low_D, high_D = np.array(list(bounds.values())).T

    def curve(values: Mapping[str, Any]) -> Sequence[float]:
        point_D = np.array([values[parameter] for parameter in bounds])
        return as_curve(function, point_D, float(((point_D - low_D) / (high_D - low_D)).mean()), scale)

    return Problem(name, "continuous", trial({parameter: {"uniform": list(ends)} for parameter, ends in bounds.items()}), curve, best)


def _names(bounds: Sequence[tuple[float, float]]) -> dict[str, tuple[float, float]]:
    return {f"x{number}": ends for number, ends in enumerate(bounds, 1)}
