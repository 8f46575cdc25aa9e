"""What a sampler must answer, and which sampler a sweep file names."""

from collections.abc import Callable
from typing import assert_never

from results.history import History
from search_spaces.feasible_space import Feasible
from search_spaces.space import Space
from search_spaces.sweep import Earlier, Sweep
from tuner.decisions import Suggestion
from tuner.samplers import first_points, grid, listed, more_seeds, one_factor, uniform

# Proposes the candidate of one draw, or None when there is nothing left to propose. A sampler keeps no state: the same history
# and the same draw number give the same candidate, so restoring one means knowing one integer.
Propose = Callable[[History, int], Suggestion | None]


def build(sweep: Sweep, space: Space, feasible: Feasible | None = None) -> Propose:
    """Return the sampler that the sweep file names; the points that it wants tried first come before its own.

    Earlier sweeps must have been frozen (`transfer.frozen`): what they say now may not be what they said when the sweep started.

    Args:
        sweep: The resolved sweep.
        space: Its parsed `trial`.
        feasible: What keeps its limits, for samplers that choose among many candidates; None where no limit is known.
    """
    assert not any(isinstance(earlier, str) for earlier in sweep.search.transfer)
    points = first_points.points(sweep.search, space)
    propose = _named(sweep, space, feasible, first_draw=len(points))
    return first_points.sampler(points, propose, space, seed=sweep.seed) if points else propose


def num_trials(sweep: Sweep, space: Space) -> int:
    """Return how many trials a sweep asks for: those of its file, or all that its sampler has; 0 where there is no end of them."""
    if sweep.search.trials is not None:
        return sweep.search.trials
    match sweep.search.sampler:
        case "grid":
            own = space.without(sweep.search.random).size() or 0
        case "listed":
            own = len(sweep.search.configurations)
        case "more_seeds":
            own = len(sweep.search.configurations) * len(more_seeds.seeds(space))
        case "one_factor":
            own = len(one_factor.candidates(sweep.search, space))
        case _:
            own = space.size() or 0
    return own + len(first_points.points(sweep.search, space))


def _named(sweep: Sweep, space: Space, feasible: Feasible | None, *, first_draw: int) -> Propose:
    search = sweep.search
    match search.sampler:
        case "random":
            return uniform.sampler(space, seed=sweep.seed)
        case "sobol" | "halton" as sequence:
            from tuner.samplers import quasi_random  # imports scipy, half a second that other samplers need not wait

            return quasi_random.sampler(space, sequence, seed=sweep.seed, first_draw=first_draw)
        case "grid":
            return grid.sampler(space, search, seed=sweep.seed, first_draw=first_draw)
        case "listed":
            return listed.sampler(listed.candidates(search, space), "listed", first_draw=first_draw)
        case "more_seeds":
            return more_seeds.sampler(more_seeds.candidates(search, space), more_seeds.seeds(space), sign=sweep.objective.sign)
        case "one_factor":
            return listed.sampler(one_factor.candidates(search, space), "one_factor", first_draw=first_draw)
        case "tpe":
            from tuner.samplers import optuna_samplers  # imports optuna

            return optuna_samplers.tpe(space, search, sign=sweep.objective.sign, seed=sweep.seed, first_draw=first_draw)
        case "gp":
            from tuner.samplers import optuna_samplers  # imports optuna and torch

            return optuna_samplers.gp(space, search, sign=sweep.objective.sign, seed=sweep.seed, first_draw=first_draw)
        case "model":
            from tuner.samplers import model  # imports scipy, half a second that other samplers need not wait

            otherwise = uniform.sampler(space, seed=sweep.seed)
            return model.sampler(
                space,
                seed=sweep.seed,
                sign=sweep.objective.sign,
                otherwise=otherwise,
                earlier=[one for earlier in search.transfer if isinstance(earlier, Earlier) for one in earlier.observations],
                candidates=model.from_space(space, feasible),
                keeps=model.counted(feasible),
            )
        case _ as unknown:
            assert_never(unknown)
