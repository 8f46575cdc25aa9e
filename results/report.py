"""One HTML file that tells a whole sweep: nothing outside it is asked for, now or ever. Reads the stored sweep, prints nothing.

The pictures are hand-written SVG (`results/page/plots/`), not a plotting library: the smallest one would be larger than everything else
in the file together, would be parsed before the first picture stands, and knows neither rungs nor this page's selection.
"""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from results import (
    curves,
    journal,
    leaderboard,
    leaderboard_text,
    lock,
    overview,
    page_bundle,
    report_finals,
    report_pictures,
    report_trials,
    steps,
)
from results.analysis.frames import Frames
from results.events import DriverStopped
from results.history import STATUSES, History
from results.storage import Storage

if TYPE_CHECKING:
    import pandas as pd

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page.

    Attributes:
        id: Its anchor, and the name of what draws it: `results/page/app.js` for the first two, `results/page/plots/<id>.js`.
        name: As the table of contents says it.
        wide: Whether it takes the whole width of the page; two others stand side by side.
    """

    id: str
    name: str
    wide: bool = True


# In the order in which a sweep is told.
SECTIONS: tuple[Section, ...] = (
    Section("findings", "Findings"),
    Section("trials", "Trials"),
    Section("progress", "Best so far", wide=False),
    Section("funnel", "Rungs", wide=False),
    Section("curves", "Learning curves"),
    Section("parallel", "Parameters together"),
    Section("importance", "Importance", wide=False),
    Section("pareto", "Score and cost", wide=False),
    Section("slices", "Parameters one by one"),
    Section("timeline", "Timeline"),
    Section("failures", "Failures"),
    Section("finals", "Finals"),
    Section("landscape", "Loss landscape"),
    Section("provenance", "Provenance"),
)


def render(storage: Storage, *, now: float) -> str:
    """Return the page of a stored sweep, whatever its state.

    Args:
        storage: The sweep's folder.
        now: When the page is made, in seconds since 1970.

    Raises:
        NotASweep: There is neither a table nor a journal.
        NewerFormat: A newer release wrote it.
        Unreadable: A file is damaged.
    """
    return page_bundle.page(page_data(storage, now=now))


def page_data(storage: Storage, *, now: float) -> dict[str, Any]:
    """Return everything that the page shows, ready for JSON. Arguments and errors as in `render`."""
    history = _history(storage)
    if history is None:  # only the tables were copied here
        board, told = leaderboard.read_table(storage), curves.read_table(storage)
    else:
        board, told = leaderboard.derive(history), curves.derive(history)
    frames = Frames.of(board, told)
    trials = [str(trial) for trial in frames.board["trial"]]
    parameters = report_trials.parameters(frames)
    finals = report_finals.told(storage, frames)
    told_details = {"common": {}, "trials": [{} for _ in trials]} if history is None else report_trials.details(history, trials)
    return {
        "version": FORMAT_VERSION,
        "made_at": int(now),
        "sections": [asdict(section) | {"shown": section.id != "finals" or bool(finals)} for section in SECTIONS],
        "sweep": _sweep(storage, frames, now) | {"next": leaderboard_text.next_command(board, frames.about.sweep)},
        "parameters": parameters,
        "trials": report_trials.table(frames, parameters),
        "curves": report_trials.curves(frames),
        "details": told_details,
        "pictures": report_pictures.pictures(frames, _steps(storage)),
        "finals": finals,
        "provenance": _provenance(storage, history),
    }


def _history(storage: Storage) -> History | None:
    """Return the folded journal, with the word of a driver that is gone without one; None where there is no journal."""
    if not storage.exists(journal.FOLDER):
        return None
    history = History.of(journal.read(storage))
    if history.driver is not None and lock.holder(storage) is None:
        history.apply(DriverStopped(at=history.last_at, reason="interrupted"))
    return history


def _steps(storage: Storage) -> "pd.DataFrame | None":
    """Return the loss of every batch; None where the sweep does not record it."""
    return steps.read(storage) if storage.exists(steps.NAME) else None


def _sweep(storage: Storage, frames: Frames, now: float) -> dict[str, Any]:
    seen = overview.overview(storage, now)
    about = frames.about
    status = frames.board["status"].tolist()
    return {
        "name": about.sweep,
        "state": about.state,
        "state_at": seen.state_at[:19],
        "metric": about.metric,
        "mode": about.mode,
        "percent": about.metric.endswith("accuracy"),
        "ladder": list(about.ladder),
        "max_epochs": about.max_epochs,
        "num_trials": about.num_trials,
        "counts": {name: status.count(name) for name in STATUSES if name in status},
        "epochs": seen.epochs.spent,
        "device_s": round(float(frames.board["device_s"].sum()), 1),
        "wall_s": round(seen.wall_s.spent, 1),
        "slots": seen.slots,
        "busy": seen.busy,
        "left_s": seen.left_s,
        "limits": {"epochs": seen.epochs.limit, "gpu_hours": seen.device_hours.limit, "wall_s": seen.wall_s.limit},
        "notes": seen.notes,
        "gpu": any("cuda" in str(device) or "gpu" in str(device).lower() for device in frames.board["device"].dropna()),
    }


def _provenance(storage: Storage, history: History | None) -> dict[str, Any]:
    """Return where the figures come from: software, data, machines, the sweep file as its author wrote it."""
    stored = json.loads(storage.read("sweep.json")) if storage.exists("sweep.json") else {}
    started = None if history is None else history.started
    made_with = stored.get("provenance", {})
    records = [] if history is None else list(history.trials.values())
    return {
        "commit": None if started is None else started.commit,
        "sweep_hash": None if started is None else started.sweep_hash,
        "started_at": None if started is None else started.at[:19],
        "versions": {} if started is None else dict(started.versions),
        "platform": made_with.get("platform"),
        "data": stored.get("sweep", {}).get("data"),
        "seed": stored.get("sweep", {}).get("seed"),
        "scheduler": stored.get("sweep", {}).get("scheduler"),
        "sampler": (stored.get("sweep", {}).get("search") or {}).get("sampler"),
        "hosts": sorted({record.host for record in records if record.host}),
        "devices": sorted({record.device for record in records if record.device}),
        "rejected": {} if history is None else dict(history.rejected),
        "lost": sum(record.num_lost for record in records),
        "file": storage.read("sweep.yaml").decode(errors="replace") if storage.exists("sweep.yaml") else None,
        "folder": storage.root.name,
    }
