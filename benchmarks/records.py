"""What every record of a benchmark says of itself: how often, with which settings, on what, how quiet that was, by which software, when.

    started = records.start()
    ... measure ...
    records.show({"about": started.about(n=5, settings=vars(options)), **figures})

A program prints its record to standard output, as JSON, and its progress to standard error. `benchmarks.suite` keeps records in
`benchmarks/records/`, `benchmarks.render` makes docs/benchmarks.md of them.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.events import stamp
from tuner import provenance, slots

FOLDER = Path(__file__).parent / "records"
QUIET = 0.15  # share of the processors that may be at work before and after: a kernel and an idle desktop stay below it
LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Start:
    """The machine as it was before anything was measured.

    Attributes:
        clock: Seconds of `time.perf_counter`.
        load: Processes that wanted to run, the mean over the minute before; None where the system does not say.
        busy: Share of all processors' time that somebody used while this program slept, 0..1; None where the system does not say.
    """

    clock: float
    load: float | None
    busy: float | None

    def about(self, *, n: int, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the block that a record begins with; looks at the machine once more.

        Args:
            n: Repeats of each side.
            settings: Options of the program; of a path only the name is told.
        """
        wall_s = time.perf_counter() - self.clock
        busy = {"before": self.busy, "after": busy_share()}
        looks = [share for share in busy.values() if share is not None]
        return {
            "n": n,
            "settings": {name: _told(value) for name, value in (settings or {}).items()},
            "measured_at": stamp(time.time()),
            "wall_s": round(wall_s, 1),
            "processor": processor(),
            "cores": slots.local_cores(),
            "load": {"before": self.load, "after": _load()},
            "busy": busy,
            "quiet": all(share <= QUIET for share in looks) if looks else None,
            "commit": provenance.commit(),
            "versions": provenance.versions(),
        }


def start() -> Start:
    """Look at the machine, for half a second, before anything is measured."""
    return Start(load=_load(), busy=busy_share(), clock=time.perf_counter())


def spread(values: Sequence[float], digits: int = 4) -> dict[str, float]:
    """Return mean, standard deviation (0 where there is one value alone) and n."""
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": round(statistics.fmean(values), digits), "sd": round(sd, digits), "n": len(values)}


def show(record: Mapping[str, Any]) -> None:
    """Print a record, the last thing a program does."""
    print(text(record), end="")


def text(record: Mapping[str, Any]) -> str:
    """Return a record as it is printed and kept."""
    return json.dumps(record, indent=2) + "\n"


def busy_share(seconds: float = LOOK_S) -> float | None:
    """Return the share of all processors' time that was used while this process slept so long, 0..1; None where /proc/stat is not.

    Unlike the load average it forgets at once what this program did itself. Time that a virtual machine was not given counts as used.
    """
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None or after[0] == before[0]:
        return None
    return round(1 - (after[1] - before[1]) / (after[0] - before[0]), 3)


def processor() -> str:
    """Return the processor in words, with the instructions that matter here; no name of a machine."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    fields = {key.strip(): value for key, _, value in (line.partition(": ") for line in lines)}
    flags = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in fields.get("flags", "").split()]
    return " ".join([fields.get("model name") or platform.processor() or platform.machine(), *flags])


def _ticks() -> tuple[int, int] | None:
    """Return all ticks of all processors since they were started, and those in which they were idle or waited for a disk."""
    known = Path("/proc/stat")
    if not known.exists():
        return None
    ticks = [int(word) for word in known.read_text().split("\n", 1)[0].split()[1:9]]  # guests' time is in user's already
    return sum(ticks), ticks[3] + ticks[4]


def _load() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _told(value: Any) -> Any:
    match value:
        case Path():
            return value.name
        case list() | tuple():
            return [_told(each) for each in value]
        case _:
            return value
