"""How good the leader was after how much work."""

import pandas as pd

from results.analysis.frames import Frames


def best_so_far(frames: Frames) -> pd.DataFrame:
    """Return one row per change of the leader, in the order of time.

    The leader is the leaderboard's: highest rung first, then the score there; so a step down is possible, where a trial that has come
    further passes one that looked better early. Columns: `device_h`, hours of devices spent until then, all trials together; `epochs`,
    the same in epochs; `trial`; `rung_epochs`; `score`; `best`, the best score of any trial at any epoch until then.
    """
    rungs = {*frames.about.ladder, frames.about.max_epochs}
    curves = frames.scores.sort_values(["at", "trial", "epoch"], kind="stable")
    leader: tuple[int, float] | None = None
    best = float("-inf")
    device_s, rows = 0.0, []
    for epochs, (trial, epoch, score, spent) in enumerate(
        zip(curves["trial"], curves["epoch"], curves["score"] * frames.sign, curves["device_s"], strict=True), start=1
    ):
        device_s += spent
        if score != score:  # NaN: diverged
            continue
        best = max(best, score)
        if epoch in rungs and (leader is None or (epoch, score) > leader):
            leader = (int(epoch), score)
            rows.append(
                {
                    "device_h": device_s / 3600,
                    "epochs": epochs,
                    "trial": trial,
                    "rung_epochs": int(epoch),
                    "score": score * frames.sign,
                    "best": best * frames.sign,
                }
            )
    return pd.DataFrame(rows, columns=["device_h", "epochs", "trial", "rung_epochs", "score", "best"])
