"""Would a trial that was dropped have won? An estimate from those that went on."""

from dataclasses import dataclass

import numpy as np

from results.analysis.frames import Frames

MIN_SURVIVORS = 5  # trained in full
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Discarded:
    """What the dropped trials might have become.

    Attributes:
        probability: That at least one of them, trained in full, would have passed the winner, 0..1; NaN where nothing is said.
        low: Lower end of a 95 % interval of it, over survivors drawn again.
        high: Upper end.
        likeliest: The trial that most often would have; None where none ever does.
        n: Trials dropped at a rung.
        remark: Why nothing is said; empty where something is.
    """

    probability: float
    low: float
    high: float
    likeliest: str | None
    n: int
    remark: str = ""


def discarded(frames: Frames, *, seed: int = 0) -> Discarded:
    """Estimate whether early stopping lost the winner.

    A dropped trial is assumed to gain, from its rung to the last epoch, what a survivor gained from the same rung, drawn at random.
    Survivors were chosen for their high scores there, which in part were luck, so that they gain a little less than a dropped
    trial would: the estimate leans towards "no". The winner's own score counts as it is.
    """
    scores = frames.scores.dropna(subset=["score"])
    table = scores.pivot_table(index="trial", columns="epoch", values="score") * frames.sign
    last = frames.about.max_epochs
    full = table[table[last].notna()] if last in table.columns else table.iloc[:0]
    status = frames.board.set_index("trial")["status"]
    dropped = [
        (str(trial), int(rung), float(table.loc[trial, rung]))
        for trial, rung in frames.board.loc[frames.board["rank"].notna(), ["trial", "rung_epochs"]].itertuples(index=False)
        if rung < last and status[trial] in {"paused", "stopped"} and rung in table.columns
    ]
    if len(full) < MIN_SURVIVORS or not dropped:
        remark = f"{len(full)} trials were trained in full, {MIN_SURVIVORS} are needed to say" if dropped else "no trial was dropped"
        return Discarded(float("nan"), float("nan"), float("nan"), None, len(dropped), remark)
    rng = np.random.default_rng(seed)
    winner = float(full[last].max())
    gains = {rung: (full[last] - full[rung]).to_numpy() for rung in {rung for _, rung, _ in dropped}}
    picks = rng.integers(len(full), size=(RESAMPLES, len(full)))
    drawn = np.stack([np.bincount(row, minlength=len(full)) for row in picks]).astype(float) / len(full)  # (RESAMPLES, survivors)
    # (survivors, dropped trials): whose gain would carry which dropped trial past the winner.
    carries = np.column_stack([score + gains[rung] > winner for _, rung, score in dropped])
    hopeful = np.flatnonzero(carries.any(axis=0))  # of thousands that were dropped, few have a chance at all
    passing = drawn @ carries[:, hopeful].astype(float)
    any_passes = 1 - np.prod(1 - passing, axis=1)
    means = passing.mean(axis=0)
    low, high = np.quantile(any_passes, [0.025, 0.975])
    likeliest = dropped[hopeful[int(means.argmax())]][0] if len(hopeful) else None
    return Discarded(float(any_passes.mean()), float(low), float(high), likeliest, len(dropped))
