"""Why trials came to nothing, counted by cause."""

import re

import pandas as pd

from results.analysis.frames import Frames

_BADLY = ["diverged", "out_of_memory", "failed"]
# Figures, ids, paths and addresses differ between two trials with the same cause.
_PARTICULARS = re.compile(r"0x[0-9a-fA-F]+|t\d{5}|(?:/[\w.+-]+){2,}|-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?")


def failures(frames: Frames) -> pd.DataFrame:
    """Return one row per cause, the commonest first.

    Columns: `status`; `cause`, the reason of the first such trial; `n` trials; `trials`, their ids. Reasons that differ in
    figures, ids and paths alone are one cause.
    """
    badly = frames.board[frames.board["status"].isin(_BADLY)].sort_values("trial")
    reasons = badly["reason"].fillna("")
    kind = reasons.map(lambda reason: _PARTICULARS.sub("#", reason))
    rows = [
        {"status": status, "cause": reasons[group.index[0]], "n": len(group), "trials": list(group["trial"])}
        for (status, _), group in badly.groupby([badly["status"], kind], sort=True)
    ]
    causes = pd.DataFrame(rows, columns=["status", "cause", "n", "trials"])
    return causes.sort_values("n", ascending=False, kind="stable", ignore_index=True)
