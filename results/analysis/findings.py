"""What a sweep has shown, in up to seven plain sentences, each with its figure and the trials it rests on.

A sentence is only said where chance would hardly have made it: every candidate sentence of a sweep is a test, and their p-values are
corrected for how many were tried (Holm's step-down, over all kinds together). So tables of random scores are met with silence.

Sources: Holm, Scandinavian Journal of Statistics 6, 1979; the tests are scipy's (Fisher's exact, Mann-Whitney, Spearman).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from results.analysis.frames import PREFIX, Frames, is_numeric

MAX_FINDINGS = 7
# Chance that a sweep without any structure is given a sentence at all.
ALPHA = 0.005
MIN_TRIALS = 8
MIN_GROUP = 4  # trials on each side of a comparison
EDGE = 0.15  # of the searched range, on its scale
MAX_CUTS = 12  # thresholds tried for one number

# Kinds of a sentence, the most useful first; within a kind the surest first.
KINDS = ("diverged", "choice", "edge", "trend")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence.

    Attributes:
        kind: One of `KINDS`.
        text: The sentence.
        parameter: Path of the parameter it speaks of.
        trials: The trials that show it.
        p_value: Chance of so clear a picture without structure, corrected for all that was tried.
    """

    kind: str
    text: str
    parameter: str
    trials: tuple[str, ...]
    p_value: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    kind: str
    parameter: str
    p_value: float
    trials: tuple[str, ...]
    text: Callable[[], str]
    worth_saying: bool = True  # tried either way, so it counts in the correction


def findings(frames: Frames) -> list[Finding]:
    """Return what a sweep has shown, most useful first; empty where nothing stands out from chance."""
    if len(frames.judged) < MIN_TRIALS:
        return []
    tried = [*_divergence(frames), *_choices(frames), *_numbers(frames)]
    said = []
    for candidate, p_value in zip(tried, _holm([candidate.p_value for candidate in tried]), strict=True):
        if p_value <= ALPHA and candidate.worth_saying:
            said.append(
                Finding(kind=candidate.kind, text=candidate.text(), parameter=candidate.parameter, trials=candidate.trials, p_value=p_value)
            )
    said.sort(key=lambda finding: (KINDS.index(finding.kind), finding.p_value, finding.parameter))
    return _without_repetition(said)[:MAX_FINDINGS]


def _divergence(frames: Frames) -> Iterator[_Candidate]:
    """Try every number's upper and lower end, among all trials and within each choice, and every choice: who diverged?"""
    board = frames.board[(frames.board["epochs"] > 0) | (frames.board["status"] == "diverged")]
    diverged = (board["status"] == "diverged").to_numpy()
    if not diverged.any():
        return
    for where, members in _parts(frames, board):
        for path in frames.varied:
            values = board[PREFIX + path]
            active = values.notna().to_numpy() & members
            if diverged[active].sum() < 3 or active.sum() < MIN_TRIALS:
                continue
            for side, inside, worded in _regions(values, active):
                yield _diverging(board, path, where, diverged, inside, active & ~inside, side + worded)


def _diverging(
    board: pd.DataFrame, path: str, where: str, diverged: np.ndarray, inside: np.ndarray, outside: np.ndarray, worded: str
) -> _Candidate:
    from scipy.stats import fisher_exact

    in_bad, in_all, out_bad, out_all = (int(x) for x in (diverged[inside].sum(), inside.sum(), diverged[outside].sum(), outside.sum()))
    p_value = float(fisher_exact([[in_bad, in_all - in_bad], [out_bad, out_all - out_bad]], alternative="greater").pvalue)
    trials = tuple(board["trial"].to_numpy()[inside & diverged])

    def text() -> str:
        return f"{_short(path)} {worded} diverged in {in_bad} of {in_all} {where}trials, elsewhere in {out_bad} of {out_all}"

    return _Candidate("diverged", path, p_value, trials, text, worth_saying=in_bad >= in_all / 2)


def _choices(frames: Frames) -> Iterator[_Candidate]:
    """Compare the standings of each choice with those of the other choices."""
    from scipy.stats import mannwhitneyu

    judged = frames.judged
    for path in frames.varied:
        values = judged[PREFIX + path]
        if is_numeric(values) and values.nunique() > 2:
            continue
        active = values.notna()
        for value in sorted(values[active].unique(), key=str):
            chosen = (values == value).fillna(False) & active
            others = active & ~chosen
            if chosen.sum() < MIN_GROUP or others.sum() < MIN_GROUP:
                continue
            ours, theirs = judged.loc[chosen, "standing"], judged.loc[others, "standing"]
            p_value = float(mannwhitneyu(ours, theirs, alternative="greater").pvalue)
            yield _Candidate("choice", path, p_value, tuple(judged.loc[chosen, "trial"]), _choice_text(path, value, ours, theirs))


def _choice_text(path: str, value: object, ours: pd.Series, theirs: pd.Series) -> Callable[[], str]:
    def text() -> str:
        wins = float(np.mean([np.mean(theirs.to_numpy() < standing) for standing in ours]))
        return f"{_short(path)} {_shown(value)} does best: its {len(ours)} trials beat {wins:.0%} of the {len(theirs)} others, on average"

    return text


def _numbers(frames: Frames) -> Iterator[_Candidate]:
    """Follow each number up and down, among all trials and within each choice: does the standing rise with it, up to the edge?"""
    from scipy.stats import spearmanr

    judged = frames.judged
    for where, members in _parts(frames, judged):
        for path in frames.varied:
            column = judged[PREFIX + path]
            if not is_numeric(column) or column.nunique() <= 2:
                continue
            active = column.notna().to_numpy() & members
            values, standing = column.to_numpy(dtype=float, na_value=np.nan)[active], judged["standing"].to_numpy()[active]
            if len(values) < MIN_TRIALS or len(np.unique(values)) <= 2:
                continue
            found = spearmanr(values, standing)
            p_value = 1.0 if np.isnan(found.pvalue) else float(found.pvalue)
            rising = bool(found.statistic > 0)
            best = values[np.argsort(-standing, kind="stable")][: max(3, len(values) // 10)]
            position = _unit(best, values)
            at_edge = bool(np.median(position) > 1 - EDGE) if rising else bool(np.median(position) < EDGE)
            trials = tuple(judged["trial"].to_numpy()[active][np.argsort(-standing, kind="stable")][: len(best)])
            text = _edge_text if at_edge else _trend_text
            yield _Candidate(
                "edge" if at_edge else "trend", path, p_value, trials, text(path, where, values, best, rising, found.statistic)
            )


def _edge_text(path: str, where: str, values: np.ndarray, best: np.ndarray, rising: bool, rho: float) -> Callable[[], str]:
    def text() -> str:
        edge, limit = ("upper", values.max()) if rising else ("lower", values.min())
        return (
            f"the best {_short(path)} lies at the {edge} edge of what was tried: the best {len(best)} {where}trials have "
            f"{best.min():.3g} to {best.max():.3g}, the {edge} end is {limit:.3g}; widen its range (rank correlation {rho:+.2f})"
        )

    return text


def _trend_text(path: str, where: str, values: np.ndarray, best: np.ndarray, rising: bool, rho: float) -> Callable[[], str]:
    def text() -> str:
        more = "larger" if rising else "smaller"
        return (
            f"{more} {_short(path)} stands higher among the {len(values)} {where}trials (rank correlation {rho:+.2f}); "
            f"the best {len(best)} have {best.min():.3g} to {best.max():.3g}"
        )

    return text


def _parts(frames: Frames, board: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Yield all trials, then those of each choice, with the words that name them."""
    yield "", np.ones(len(board), dtype=bool)
    for path in frames.varied:
        values = board[PREFIX + path]
        if is_numeric(values) or values.nunique() > 6:
            continue
        for value in sorted(values.dropna().unique(), key=str):
            members = (values == value).fillna(False).to_numpy(dtype=bool)
            if MIN_TRIALS <= members.sum() < len(board):
                yield f"{_shown(value)} ", members


def _regions(values: pd.Series, active: np.ndarray) -> Iterator[tuple[str, np.ndarray, str]]:
    """Yield parts of a parameter's values: above and below some cuts of a number, each of a few choices."""
    if is_numeric(values):
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        for cut in np.unique(np.quantile(numbers[active], np.linspace(0.1, 0.9, MAX_CUTS), method="lower")):
            for side, inside in (("above ", active & (numbers > cut)), ("up to ", active & (numbers <= cut))):
                if MIN_GROUP <= inside.sum() <= active.sum() - MIN_GROUP:
                    yield side, inside, f"{cut:.3g}"
        return
    for value in sorted(values[active].unique(), key=str):
        inside = active & (values == value).fillna(False).to_numpy(dtype=bool)
        if MIN_GROUP <= inside.sum() <= active.sum() - MIN_GROUP:
            yield "", inside, _shown(value)


def _unit(best: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return where the best values lie on the range that was tried, 0..1; logarithmic where that spans more than a factor of 20."""
    low, high = values.min(), values.max()
    if low > 0 and high / low > 20:
        best, low, high = np.log(best), np.log(low), np.log(high)
    return np.asarray((best - low) / (high - low))


def _holm(p_values: list[float]) -> list[float]:
    """Return the p-values corrected for how many they are."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, worst = [1.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        worst = max(worst, min(1.0, p_values[index] * (len(p_values) - place)))
        corrected[index] = worst
    return corrected


def _without_repetition(said: list[Finding]) -> list[Finding]:
    """Keep the surest sentence of each kind on each parameter: cuts beside one another say the same."""
    kept: dict[tuple[str, str], Finding] = {}
    for finding in said:
        kept.setdefault(("number" if finding.kind in {"edge", "trend"} else finding.kind, finding.parameter), finding)
    return list(kept.values())


def _short(path: str) -> str:
    return path.removeprefix("model.")


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
