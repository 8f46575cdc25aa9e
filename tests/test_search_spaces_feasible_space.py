"""Candidates that keep every limit: drawn as the domains say, however few there are."""

import math
from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from search_spaces import parts
from search_spaces.feasible_space import Feasible
from search_spaces.space import Space
from search_spaces.sweep import Sweep
from trainable.config.cost import ArchitectureCost
from trainable.config.train import TrainConfig

CALLS: list[int] = []


def feasible_of(trial: dict[str, Any], **constraints: Any) -> Feasible:
    content = {"name": "test", "data": {"name": "digits"}, "search": {"trials": 9}, "scheduler": {"none": {"max_epochs": 3}}}
    tree = {"model": {"blocks": [1], "channels": 8}, "lr": 0.1, **trial}
    sweep = Sweep.model_validate({**content, "trial": tree, "constraints": constraints})
    return Feasible(Space.parse(tree), sweep, cost)


def cost(config: TrainConfig) -> ArchitectureCost:
    CALLS.append(1)
    channels, blocks = config.model.channels, config.model.blocks
    assert isinstance(channels, int)
    return ArchitectureCost(parameters=channels * sum(blocks), flops_per_image=channels, activation_bytes_per_image=1)


def drawn(feasible: Feasible, number: int) -> list[dict[str, Any]]:
    found = [feasible.sample(Random(f"0/{draw}")) for draw in range(number)]
    assert None not in found
    return [values for values in found if values is not None]


def chi_square(observed: Iterable[int], expected: Iterable[float]) -> float:
    """Return how many standard deviations the statistic lies above its mean; > 5 of 24 degrees: once in 10^4."""
    pairs = list(zip(observed, expected, strict=True))
    degrees = len(pairs) - 1
    return (sum((seen - wanted) ** 2 / wanted for seen, wanted in pairs) - degrees) / math.sqrt(2 * degrees)


LISTED = {
    "optimizer": {"choice": ["sgd", "adam"]},
    "momentum": {"choice": [0.5, 0.8, 0.9], "when": {"optimizer": "sgd"}},
    "batch_size": {"lograndint": [1, 64]},
    "accumulation": {"randint": [1, 16]},
}


@pytest.mark.parametrize("plain", [0, parts.PLAIN])
def test_listed_part_is_drawn_with_the_weights_of_its_domains(plain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PLAIN", plain)
    feasible = feasible_of(LISTED, where=["batch_size * accumulation <= 6", "momentum == null or momentum * batch_size < 2.1"])
    expected: dict[tuple[Any, ...], float] = {}
    for optimizer, momenta in (("sgd", (0.5, 0.8, 0.9)), ("adam", (None,))):
        for momentum in momenta:
            for size in range(1, 65):
                for steps in range(1, 17):
                    if size * steps <= 6 and (momentum is None or momentum * size < 2.1):
                        weight = 0.5 / len(momenta) * math.log((size + 1) / size) / math.log(65) / 16
                        expected[optimizer, momentum, size, steps] = weight
    number = 5_000
    seen = Counter((v["optimizer"], v.get("momentum"), v["batch_size"], v["accumulation"]) for v in drawn(feasible, number))
    assert set(seen) <= set(expected)
    total = sum(expected.values())
    assert chi_square([seen[key] for key in expected], [number * weight / total for weight in expected.values()]) < 5


@pytest.mark.parametrize("limit", [0.0141, 0.00141])  # of the square: 1e-4 and 1e-6
def test_tiny_continuous_part_is_drawn_evenly(limit: float) -> None:
    trial = {"dropout": {"uniform": [0, 0.5]}, "weight_decay": {"uniform": [0, 1]}}
    feasible = feasible_of(trial, where=f"2 * dropout + weight_decay < {limit}")
    number, cells = 2_000, 5
    seen: Counter[tuple[int, int]] = Counter()
    for values in drawn(feasible, number):
        x, y = 2 * values["dropout"] / limit, values["weight_decay"] / limit
        # Of a triangle drawn evenly, 1 - (1 - x)**2 and y / (1 - x) are independent and even on 0..1.
        seen[int(cells * (1 - (1 - x) ** 2)), int(cells * min(y / (1 - x), 1 - 1e-12))] += 1
    expected = [number / cells**2] * cells**2
    assert chi_square([seen[i, j] for i in range(cells) for j in range(cells)], expected) < 5


MIXED = {
    "model": {
        "choice": [
            {"label": "s", "blocks": [1], "channels": {"choice": [8, 16]}},
            {"label": "d", "blocks": [2], "channels": {"randint": [8, 64]}},
        ]
    },
    "optimizer": {"choice": ["sgd", "adam"]},
    "lr": [{"loguniform": [1e-3, 1], "when": {"optimizer": "sgd"}}, {"loguniform": [1e-5, 1e-1], "when": {"optimizer": "adam"}}],
    "momentum": {"uniform": [0, 0.99], "when": {"optimizer": "sgd"}},
    "batch_size": {"choice": [16, 64, 256]},
}
LIMITS = {"where": ["lr * 64 <= batch_size * 0.01", "momentum < lr * 200"], "max_parameters": 60, "max_memory": 1_000}


def binned(values: dict[str, Any]) -> tuple[Any, ...]:
    return (values["model"], values["optimizer"], int(math.log10(values["lr"])), values["batch_size"], int(2 * values.get("momentum", 0)))


def test_boxes_and_plain_rejection_draw_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PLAIN", 0)
    feasible = feasible_of(MIXED, **LIMITS)
    number = 2_000
    found = Counter(binned(values) for values in drawn(feasible, number))
    rng = Random(1)
    plain: Counter[tuple[Any, ...]] = Counter()
    while plain.total() < number:
        values = feasible.space.sample(rng)
        if feasible.accepts(values) is None:
            plain[binned(values)] += 1
    cells = [key for key in found | plain if found[key] + plain[key] >= 20]
    # Two samples of the same size: (a - b)^2 / (a + b), one degree of freedom a cell.
    statistic = sum((found[key] - plain[key]) ** 2 / (found[key] + plain[key]) for key in cells)
    assert len(cells) > 10
    assert (statistic - len(cells)) / math.sqrt(2 * len(cells)) < 5
    assert sum(found[key] for key in found if key not in cells) < 0.1 * number


def test_draw_that_keeps_all_limits_is_that_of_the_space() -> None:
    feasible = feasible_of(MIXED)
    assert [feasible.sample(Random(n)) for n in range(20)] == [feasible.space.sample(Random(n)) for n in range(20)]


def test_draws_follow_from_the_generator_alone() -> None:
    first, second = (feasible_of(MIXED, **LIMITS) for _ in range(2))
    forwards = [first.sample(Random(n)) for n in range(30)]
    assert [second.sample(Random(n)) for n in reversed(range(30))] == forwards[::-1]


def test_parts_are_what_conditions_and_limits_tie_together() -> None:
    def paths(**constraints: Any) -> list[list[str]]:
        return [sorted(part.paths) for part in feasible_of(MIXED, **constraints).parts]

    model, rest = ["model", "model.channels"], ["lr", "momentum", "optimizer"]
    assert paths() == [model, rest, ["batch_size"]]
    assert paths(where="lr < batch_size") == [model, sorted([*rest, "batch_size"])]
    assert paths(max_parameters=9) == [model, rest, ["batch_size"]]
    assert paths(max_memory=9) == [sorted([*model, *rest, "batch_size"])]
    assert paths(where="beta1 == null or batch_size > 16") == [model, sorted([*rest, "batch_size"])]


def test_rejection_costs_the_sum_of_the_parts_and_not_the_product() -> None:
    trial = {name: {"uniform": [0, 0.9]} for name in ("dropout", "weight_decay", "label_smoothing", "ema_decay")}
    feasible = feasible_of(trial, where=[f"{name} < 0.045" for name in trial])
    assert len(feasible.parts) == 4
    for values in drawn(feasible, 50):
        assert all(value < 0.045 for value in values.values())


def test_networks_that_are_too_many_to_count_are_walked_among() -> None:
    stages = [{"randint": [1, 64]}] * 4
    feasible = feasible_of({"model": {"blocks": stages, "channels": {"randint": [1, 512]}}, "lr": {"uniform": [0.1, 1]}}, max_parameters=40)
    CALLS.clear()
    found = drawn(feasible, 20)  # one network in 2e5 fits
    assert all(values["model.channels"] * sum(values[f"model.blocks.{i}"] for i in range(4)) <= 40 for values in found)
    assert len({tuple(values.values()) for values in found}) > 15
    # Those of the starts, and of each draw COUNTED_TRIES twice and the steps of the walk.
    assert len(CALLS) <= parts.COUNTED_STARTS * parts.COUNTED_CLIMB + 20 * (2 * parts.COUNTED_TRIES + parts.COUNTED_WALK)


def test_nothing_is_found_where_nothing_is() -> None:
    assert feasible_of(MIXED, where="lr > 1").sample(Random(0)) is None
    assert feasible_of(MIXED, max_parameters=7).sample(Random(0)) is None
    assert feasible_of({"batch_size": 64}, where="batch_size > 64").sample(Random(0)) is None
    assert feasible_of({"batch_size": {"choice": [1, 2]}}, where="batch_size > 2").all() == ()


def test_nearest_leaves_alone_what_keeps_its_limits() -> None:
    feasible = feasible_of(MIXED, where="lr <= 1e-3")
    values = {"model": "s", "model.channels": 8, "optimizer": "adam", "lr": 0.05, "batch_size": 64}
    found = feasible.nearest(values, Random(0))
    assert found is not None
    assert {**found, "lr": 0.05} == values
    assert 5e-4 < found["lr"] <= 1e-3  # type: ignore[operator]  # a number
    assert feasible.nearest(found, Random(1)) == found


def test_the_rest_of_a_small_space_is_listed() -> None:
    feasible = feasible_of(
        {"batch_size": {"choice": [1, 2, 4]}, "accumulation": {"randint": [1, 3]}}, where="batch_size * accumulation <= 4"
    )
    every = feasible.all()
    assert every is not None
    assert len(every) == feasible.num_candidates() == 3 + 2 + 1
    used = [dict(values) for values in every[:-1]]
    assert feasible.unused(Random(0), used.__contains__) == every[-1]
    assert feasible.unused(Random(0), lambda values: True) is None
    assert feasible_of(MIXED).all() is None


# --- any space of conditions, nested up to four deep, under any limit ---

FIELDS = ("ema_decay", "weight_decay", "label_smoothing", "batch_size", "accumulation", "clip_norm", "patience")


@st.composite
def spaces(draw: st.DrawFn) -> dict[str, Any]:
    """Return a tree in which later parameters may depend on earlier ones, and options of a model hold further choices."""
    tree: dict[str, Any] = {}
    for name in FIELDS:
        if draw(st.booleans()):
            continue
        values = draw(st.lists(st.sampled_from([1, 2, 3, 5, 8]), min_size=1, max_size=3, unique=True))
        if name in ("ema_decay", "label_smoothing"):
            values = [value / 10 for value in values]
        deciders = {key: node["choice"] for key, node in tree.items() if isinstance(node, dict)} | {"model": ["a", "b"]}
        if draw(st.booleans()):
            key = draw(st.sampled_from(sorted(deciders)))
            first = draw(st.lists(st.sampled_from(deciders[key]), min_size=1, unique=True))
            rest = [value for value in deciders[key] if value not in first]
            alternatives: list[dict[str, Any]] = [{"choice": values, "when": {key: first}}]
            if rest and draw(st.booleans()):
                alternatives.append({"value": values[0], "when": {key: rest}})
            tree[name] = alternatives
        else:
            tree[name] = {"choice": values}
    depth = draw(st.integers(0, 2))
    kwargs: dict[str, Any] = {"width": {"choice": [1, 2]}}
    for level in range(depth):
        kwargs = {"level": {"choice": [{"label": f"flat-{level}"}, {"label": f"deep-{level}", **kwargs}]}, "size": {"choice": [level, 9]}}
    networks = [{"label": "a", "blocks": [1], "channels": {"choice": [8, 16]}}, {"label": "b", "builder": "nets:make", "kwargs": kwargs}]
    tree["model"] = {"choice": networks}
    return {"lr": 0.1, **tree}


TERMS = st.sampled_from([*FIELDS, "model.channels", "model.kwargs.size", "model.kwargs.width", "lr", "momentum", "2", "0.5"])
LIMIT = st.builds("{} {} {} {} {}".format, TERMS, st.sampled_from("+-*"), TERMS, st.sampled_from(["<", "<=", ">", "==", "!="]), TERMS)


@given(spaces(), st.lists(LIMIT, max_size=2), st.booleans(), st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_any_space_gives_exactly_the_candidates_that_keep_its_limits(
    tree: dict[str, Any], where: list[str], boxes: bool, seed: int
) -> None:
    space = Space.parse(tree)
    for name in {word for text in where for word in text.split()}:
        assume(not name.startswith("model.kwargs") or any(setting.path == name for setting in space.settings))
    feasible = feasible_of(tree, where=where)
    wanted = [values for values in space.grid() if feasible.accepts(values) is None]
    original = parts.PLAIN, parts.MAX_LISTED
    parts.PLAIN, parts.MAX_LISTED = 0, 0 if boxes else original[1]
    try:
        found = feasible.sample(Random(seed))
    finally:
        parts.PLAIN, parts.MAX_LISTED = original
    if not wanted:
        assert found is None
        return
    assert found in wanted
    settings_of = space.active(found)  # raises unless exactly the active parameters have values
    assert {setting.path for setting in settings_of} >= set(found)
    config = feasible.build(found)
    assert config.model.label == found["model"]
    assert all(getattr(config, path) == value for path, value in found.items() if "." not in path and path != "model")
    listed = feasible_of(tree, where=where).all()
    assert listed is None or {frozenset(values.items()) for values in listed} == {frozenset(values.items()) for values in wanted}
