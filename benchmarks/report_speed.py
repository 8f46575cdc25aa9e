"""What the report costs: to build, to send, to open; and a leaderboard of very many trials.

    python -m benchmarks.report_speed [--trials 1000] [--epochs 100] [--repeats 5] [--board-trials 100000]

page         the report of a sweep in which every trial was trained in full, the most that there can be to tell: seconds from the stored
             journal to the file, bytes, and in headless Chromium, from the start of the navigation, milliseconds until something is
             painted, until everything in view is drawn, and until every picture below has been drawn too; megabytes of its JavaScript
             heap. Each opening is a fresh page, in a browser that has been started before.
leaderboard  seconds from a folded history to the table, beside the plain way: a data frame of all reports, grouped by trial

Prints means and standard deviations, as JSON.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import records
from benchmarks.records import spread
from results import leaderboard, report
from results.events import Event
from results.history import History
from tests import recorded
from tests.browsers import chromium, launched, opened


def full_sweep(trials: int, epochs: int) -> Iterator[Event]:
    """Yield a sweep in which every trial is trained to its last epoch."""
    rng = random.Random(0)
    yield from (recorded.started(num_trials=trials, max_epochs=epochs, ladder=(3, 9, 27)), recorded.driver())
    for number in range(1, trials + 1):
        trial, optimizer = f"t{number:05d}", rng.choice(["sgd", "adam"])
        values: dict[str, Any] = {
            "model": rng.choice(["small", "large"]), "optimizer": optimizer, "lr": 10 ** rng.uniform(-4, -1),
            "batch_size": rng.choice([32, 64, 128]), "flip": False,
        }  # fmt: skip
        if optimizer == "sgd":
            values["momentum"] = rng.uniform(0.8, 0.99)
        yield recorded.suggested(trial, draw=number, values=values)
        yield recorded.launched(trial, until_epoch=epochs)
        quality = rng.uniform(0.6, 1.0) - 0.05 * abs(rng.gauss(0, 1))
        for epoch in range(1, epochs + 1):
            score = quality * (1 - 0.9**epoch) + rng.gauss(0, 0.003)
            yield recorded.reported(trial, epoch, score, train_accuracy=score + 0.01, worker=f"node-{number % 4}:{4000 + number % 8}")
        yield recorded.ended(trial, "completed")
    yield recorded.stopped()


def seconds(work: Callable[[], Any], repeats: int) -> dict[str, Any]:
    """Return what a piece of work takes: on the clock, and of processors, which a busy machine does not lengthen as much."""
    clock, processors = [], []
    for _ in range(repeats):
        started, started_cpu = time.perf_counter(), time.process_time()
        work()
        clock.append(time.perf_counter() - started)
        processors.append(time.process_time() - started_cpu)
    return {"s": spread(clock), "cpu_s": spread(processors)}


def page_costs(trials: int, epochs: int, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as root:
        storage = recorded.store(Path(root) / "sweep", list(full_sweep(trials, epochs)))
        built = seconds(lambda: report.render(storage, now=time.time()), repeats)
        file = Path(root) / "report.html"
        file.write_text(report.render(storage, now=time.time()))
        costs: dict[str, Any] = {"trials": trials, "epochs": epochs, "bytes": file.stat().st_size}
        return costs | {f"build_{unit}": value for unit, value in built.items()} | openings(file, repeats)


def openings(file: Path, repeats: int) -> dict[str, Any]:
    """Return what opening a page costs in Chromium."""
    painted, shown, everything, heap = [], [], [], []
    with launched() as browser:
        for warm_up in (True, *[False] * repeats):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            opened(page, file)
            page.wait_for_timeout(500)
            first = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            in_view = page.evaluate("performance.getEntriesByName('shown')[0].startTime")
            rest = page.evaluate(
                """async () => { const started = performance.now();
                   for (let y = 0; y < document.documentElement.scrollHeight; y += 500) {
                     scrollTo(0, y); await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0))); }
                   return performance.now() - started; }"""
            )
            session = page.context.new_cdp_session(page)
            session.send("HeapProfiler.collectGarbage")
            used = session.send("Runtime.getHeapUsage")["usedSize"]
            if not warm_up:
                painted.append(first)
                shown.append(in_view)
                everything.append(rest)
                heap.append(used / 1e6)
            page.close()
    return {
        "first_paint_ms": spread(painted), "in_view_ms": spread(shown), "scroll_through_ms": spread(everything), "heap_mb": spread(heap),
    }  # fmt: skip


def board_costs(trials: int, repeats: int) -> dict[str, Any]:
    import pandas as pd

    history = History.of(recorded.sweep(trials))

    def plainly() -> pd.DataFrame:
        rows = [(report.trial, report.epoch, report.score) for record in history.trials.values() for report in record.curve.values()]
        frame = pd.DataFrame(rows, columns=["trial", "epoch", "score"])
        best = frame.groupby("trial").agg(best=("score", "max"), epochs=("epoch", "max"))
        return best.sort_values(["epochs", "best"], ascending=False)

    return {
        "trials": trials,
        **{f"derive_{unit}": value for unit, value in seconds(lambda: leaderboard.derive(history), repeats).items()},
        **{f"three_columns_by_pandas_{unit}": value for unit, value in seconds(plainly, repeats).items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--board-trials", type=int, default=100_000)
    arguments = parser.parse_args()
    started = records.start()
    page = page_costs(arguments.trials, arguments.epochs, arguments.repeats)
    board = board_costs(arguments.board_trials, arguments.repeats)
    about = started.about(n=arguments.repeats, settings=vars(arguments))
    records.show({"about": about | {"browser": Path(chromium()).name}, "page": page, "leaderboard": board})


if __name__ == "__main__":
    main()
