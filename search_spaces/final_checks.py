"""Rules about `final:` that span fields: what overrides may change, what stages may search, what needs a validation split."""

from collections.abc import Iterator, Mapping
from typing import Any

from search_spaces import trial_checks
from search_spaces.domain_words import WORDS
from search_spaces.errors import KeyPath, Problem
from search_spaces.flatten import flatten
from search_spaces.refusals import refusals
from search_spaces.trial_checks import no_field
from search_spaces.trial_fields import ELSEWHERE, field
from search_spaces.wording import described, shown

ELSEWHERE_IN_FINAL = {**ELSEWHERE, "max_epochs": "final.epochs or --epochs", "seed": "final.seeds or --seed"}

# Fields that pick an epoch by validation, and what switches each off.
PICKERS = {"patience": 0, "keep_best": False}


def problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield every broken rule.

    Args:
        data: The file, overrides included.
    """
    if not isinstance(final := data.get("final"), dict):
        return
    yield from _overrides(final, ("final",))
    stages = final.get("stages")
    for number, stage in enumerate(stages if isinstance(stages, list) else []):
        if isinstance(stage, dict):
            yield from _overrides(stage, ("final", "stages", number))
            yield from _search(stage.get("search"), ("final", "stages", number, "search"))
    if stages and final.get("epochs") is not None:
        yield Problem(("final", "epochs"), f"{shown(final['epochs'])} beside stages", "must be left out; each stage has its own epochs")
    if final.get("train_on") == "all":
        yield from _pickers(data, final)
    yield from _ensemble(final)
    yield from _confirm(final)


def recipes(final: Any) -> Iterator[tuple[dict[str, Any], Any, KeyPath]]:
    """Yield overrides, epochs and the overrides' place for each recipe that finals are trained with; `final` has no mistake in it."""
    if not isinstance(final, dict):
        return
    overrides = final.get("overrides") or {}
    if not final.get("stages"):
        if overrides:
            yield overrides, final.get("epochs"), ("final", "overrides")
        return
    for number, stage in enumerate(final["stages"]):
        yield {**overrides, **(stage.get("overrides") or {})}, stage["epochs"], ("final", "stages", number, "overrides")


def override_problems(overrides: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with changes to a recipe that is promoted, given as dotted paths."""
    return [problem for key, value in overrides.items() for problem in _override(tuple(key.split(".")), value, (key,))]


def _overrides(content: Mapping[str, Any], place: KeyPath) -> Iterator[Problem]:
    if isinstance(overrides := content.get("overrides"), dict):
        for key, value in overrides.items():
            yield from _override(tuple(key.split(".")), value, (*place, "overrides", key))


def _override(keys: KeyPath, value: Any, place: KeyPath) -> Iterator[Problem]:
    if keys[0] in ELSEWHERE_IN_FINAL:
        yield Problem(place, "set among the overrides", f"must be set by {ELSEWHERE_IN_FINAL[str(keys[0])]}; remove it here")
        return
    for depth in range(len(keys)):
        if field(keys[: depth + 1]) is None:
            yield no_field(keys, place, depth)
            return
    if isinstance(value, dict) and any(word in value for word in WORDS):
        yield Problem(place, "a domain", f"must be {described(field(keys))}; only `search` within a stage searches")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _override((*keys, key), item, (*place, key))
    else:
        yield from refusals(field(keys), value, place)


def _search(search: Any, place: KeyPath) -> Iterator[Problem]:
    """Yield what is wrong with the domains of a stage's search."""
    if not isinstance(search, dict) or not isinstance(parameters := search.get("parameters"), dict):
        return
    for path, domain in parameters.items():
        here = (*place, "parameters", path)
        keys = tuple(str(path).split("."))
        if keys[0] in ELSEWHERE_IN_FINAL:
            yield Problem(here, "searched", f"must be set by {ELSEWHERE_IN_FINAL[str(keys[0])]}; remove it here")
        elif (unknown := next((depth for depth in range(len(keys)) if field(keys[: depth + 1]) is None), None)) is not None:
            yield no_field(keys, here, unknown)
        elif not isinstance(domain, dict) or not any(word in domain for word in WORDS):
            yield Problem(here, shown(domain), "must be a domain, such as {loguniform: [1e-5, 1e-2]}; a constant goes among the overrides")
        elif len(keys) == 1:
            flattened = flatten({keys[0]: domain}, (*place, "parameters"))
            yield from flattened.problems
            yield from (found for found in trial_checks.problems(flattened) if found.seen != "missing")


def _ensemble(final: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield why nothing could be selected for an ensemble."""
    if not (ensemble := final.get("ensemble")) and not isinstance(ensemble, dict):
        return
    if final.get("train_on") == "all":
        yield Problem(
            ("final", "ensemble"),
            f"{shown(ensemble)} beside train_on: all",
            "must be left out, or train_on: train; no image is left to select by",
        )
    seeds = final.get("seeds")
    if final.get("top", 1) == 1 and (not isinstance(seeds, list) or len(seeds) < 2):
        yield Problem(
            ("final", "ensemble"), f"{shown(ensemble)} of one run", "needs two at least; raise final.top, or name several final.seeds"
        )


def _confirm(final: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield where a trial is to be promoted that can have no confirmation, which a gate asks for."""
    confirm, gates = final.get("confirm"), final.get("gates")
    if not isinstance(confirm, dict) or not isinstance(gates, dict) or gates.get("confirmed") is not True:
        return
    top, most = final.get("top", 1), confirm.get("top", 3)
    if isinstance(top, int) and isinstance(most, int) and most < top:
        yield Problem(("final", "confirm", "top"), f"{most}", f"must be >= {top}, the final.top, with gates.confirmed; raise it")


def _pickers(data: Mapping[str, Any], final: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what would pick an epoch, or a candidate, by images that are learned from."""
    trial = data.get("trial")
    overrides = final.get("overrides") if isinstance(final.get("overrides"), dict) else {}
    assert isinstance(overrides, dict)
    remedy = "must be off with final.train_on: all, which leaves no image to pick an epoch by"
    for name, off in PICKERS.items():
        if overrides.get(name):
            yield Problem(("final", "overrides", name), shown(overrides[name]), f"{remedy}; remove it, or train_on: train")
        elif name not in overrides and isinstance(trial, dict) and trial.get(name):
            yield Problem(
                ("final", "train_on"),
                f"all beside trial.{name}",
                f"{remedy}; add {name}: {shown(off)} to final.overrides, or train_on: train",
            )
    stages = final.get("stages")
    for number, stage in enumerate(stages if isinstance(stages, list) else []):
        if not isinstance(stage, dict):
            continue
        for name in PICKERS:
            if isinstance(stage.get("overrides"), dict) and stage["overrides"].get(name):
                yield Problem(("final", "stages", number, "overrides", name), shown(stage["overrides"][name]), f"{remedy}; remove it")
        if stage.get("search") is not None:
            yield Problem(
                ("final", "stages", number, "search"), "a search", "must be left out with final.train_on: all; nothing could choose"
            )
