"""Pictures of every page, to be looked at: phone and desk, light and dark, and each state of a sweep.

    python -m tests.screenshots [FOLDER] [--sweep STORED ...]

Writes <page>-<width>-<theme>.png. The pages are those of a made-up sweep that is the same every time, of sweeps that are empty, interrupted
or wholly failed, of trials alike but for the learning rate, and of the stored sweeps that are named; and the list of the made-up ones.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from playwright.sync_api import Browser

from results import report
from results.events import Event
from results.storage import Storage
from tests import demo_sweep, recorded
from tests.browsers import draw_all, launched, opened
from tests.served import TOKEN, serving

WIDTHS = {390: 844, 1280: 900}
THEMES = ("light", "dark")


def stored(root: Path) -> Iterator[tuple[str, Storage]]:
    """Yield name and sweep."""
    sweep = demo_sweep.demo(120)
    yield "report", demo_sweep.store(root / "report", sweep, demo_sweep.events(sweep))
    failed = [
        fact
        for number in range(1, 10)
        for fact in (
            recorded.suggested(f"t{number:05d}", values={"lr": 0.01 * number}),
            recorded.launched(f"t{number:05d}"),
            recorded.ended(f"t{number:05d}", "failed", f"no module named my_networks, looked for in /home/ann/sweeps/{number}"),
        )
    ]
    states: Mapping[str, list[Event]] = {
        "report-empty": [recorded.started()],
        "report-interrupted": demo_sweep.events(demo_sweep.demo(60), stop_after=150),
        "report-failed": [recorded.started(num_trials=9), recorded.driver(), *failed, recorded.stopped("failed")],
        "report-one": [recorded.started(num_trials=1), recorded.driver(), *recorded.trials(1)["t00001"], recorded.stopped()],
        "report-landscape": list(landscape()),
    }
    for name, events in states.items():
        yield name, recorded.store(root / name, events)


def landscape() -> Iterator[Event]:
    """Two networks with long names, each at six learning rates."""
    yield from (recorded.started(parameters=("model", "lr"), ladder=(), num_trials=12), recorded.driver())
    for number in range(12):
        name = ("vgg-a-with-batch-normalization", "vgg-a-without-normalization")[number % 2]
        lr, trial = 10 ** (-4 + number // 2 * 0.5), f"t{number + 1:05d}"
        yield from (recorded.suggested(trial, values={"model": name, "lr": lr}), recorded.launched(trial, until_epoch=recorded.MAX_EPOCHS))
        for epoch in range(1, recorded.MAX_EPOCHS + 1):
            spread = 0.2 + (number % 2) * 1.4
            loss = 2.3 * epoch ** -(0.35 + 0.6 / (1 + spread * abs(number // 2 - 3)))
            yield recorded.reported(trial, epoch, 1 - loss / 2.5, train_loss=loss, val_loss=loss * 1.1)
        yield recorded.ended(trial, "completed")
    yield recorded.stopped()


def pictures(browser: Browser, name: str, page_file: Path, folder: Path) -> Iterator[Path]:
    for width, height in WIDTHS.items():
        for theme in THEMES:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)  # type: ignore[arg-type]  # a word, not a literal
            page = context.new_page()
            opened(page, page_file)
            draw_all(page)
            page.screenshot(path=(target := folder / f"{name}-{width}-{theme}.png"), full_page=True)
            yield target
            if name == "report":
                if (width, theme) == (1280, "light"):  # the one in docs/, which the README shows
                    page.set_viewport_size({"width": 1280, "height": 620})
                    page.wait_for_timeout(300)
                    whole = {"x": 0, "y": 0, "width": 1280, "height": 1445}
                    page.screenshot(path=(target := folder / "readme.png"), full_page=True, clip=whole)  # type: ignore[arg-type]  # a TypedDict there
                    yield target
                opened(page, page_file, f"#open={page.locator('th[scope=row]').first.inner_text().strip()}")
                page.screenshot(path=(target := folder / f"{name}-panel-{width}-{theme}.png"))
                yield target
            context.close()


def list_pictures(browser: Browser, runs: Path, folder: Path) -> Iterator[Path]:
    """Draw the list of sweeps as the service gives it."""
    with serving(runs) as (client, _):
        for width, height in WIDTHS.items():
            for theme in THEMES:
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)  # type: ignore[arg-type]  # a tuple's str
                page = context.new_page()
                page.goto(f"{str(client.base_url).rstrip('/')}/?token={TOKEN}")
                page.wait_for_selector("tbody tr")
                page.screenshot(path=(target := folder / f"sweeps-{width}-{theme}.png"), full_page=True)
                yield target
                context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/screenshots"))
    parser.add_argument("--sweep", type=Path, nargs="*", default=[], help="folders of stored sweeps")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as root, launched() as browser:
        sweeps = [*stored(Path(root)), *((f"report-{folder.name}", Storage(folder)) for folder in arguments.sweep)]
        for name, storage in sweeps:
            file = Path(root) / f"{name}.html"
            file.write_text(report.render(storage, now=time.time()))
            for picture in pictures(browser, name, file, arguments.folder):
                print(picture)
        for picture in list_pictures(browser, Path(root), arguments.folder):
            print(picture)


if __name__ == "__main__":
    main()
