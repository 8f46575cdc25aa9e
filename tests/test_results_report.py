"""The report's one file: what is in it, what must not be, and that every state of a sweep has a page. No browser here."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from results import page_bundle, report, report_finals
from results.analysis.frames import Frames
from results.analysis.landscape import landscape
from results.errors import NotASweep
from results.events import Event, Noted
from results.storage import Storage
from tests import recorded

NOW = 1_780_100_000.0
EVIL = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> & \u2028"


class Parts(HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.title = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(attrs)
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        if self._inside == "title":
            self.title += data


def page(root: Path, events: Sequence[Event]) -> Parts:
    parts = Parts()
    parts.feed(report.render(recorded.store(root / "digits", events), now=NOW))
    return parts


def data(root: Path, events: Sequence[Event]) -> dict[str, Any]:
    return report.page_data(recorded.store(root / "digits", events), now=NOW)


@pytest.fixture(scope="module")
def sweep_page(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    return page(tmp_path_factory.mktemp("runs"), recorded.sweep(10))  # below the number from which importance is asked for


def test_page_holds_every_trial_column_curve_and_decision(sweep_page: Parts) -> None:
    told = json.loads(sweep_page.scripts[0])
    assert told["trials"]["values"]["trial"][:2] == ["t00007", "t00001"]
    assert all(len(values) == 10 for values in told["trials"]["values"].values())
    assert len(told["curves"]["val_accuracy"][0]) == recorded.MAX_EPOCHS
    assert told["curves"]["val_accuracy"][0][-1] == round(told["trials"]["values"]["score"][0] * told["curves"]["scale"])
    assert [decision[2] for decision in told["details"]["trials"][0]["decisions"]] == ["pause", "pause"]
    assert told["details"]["common"] == {"seed": "3", "lr": "0.1"}
    assert [section["id"] for section in told["sections"]] == [section.id for section in report.SECTIONS]


def test_page_asks_for_nothing_outside(sweep_page: Parts) -> None:
    own = page_bundle.script() + "".join(
        (resources.files("results") / "page" / name).read_text() for name in ("template.html", "style.css")
    )
    assert re.findall(r"\w+://|url\((?!#)|@import|\bfetch\b|XMLHttpRequest|WebSocket|EventSource|sendBeacon|\bimport\(", own) == []
    assert {value for name, value in sweep_page.attributes if name in {"src", "href", "action"}} == {"data:,", "#trials"}
    policy = next(value for name, value in sweep_page.attributes if value and "default-src" in value)
    assert policy.startswith("default-src 'none'")


def test_content_policy_allows_this_script_alone(sweep_page: Parts) -> None:
    digest = base64.b64encode(hashlib.sha256(sweep_page.scripts[1].encode()).digest()).decode()
    policy = next(value for name, value in sweep_page.attributes if value and "default-src" in value)
    assert f"script-src 'sha256-{digest}';" in policy


def test_markup_in_names_errors_and_notes_is_text(tmp_path: Path) -> None:
    def evil(trial: str) -> list[Event]:
        values = {"model": EVIL, "optimizer": "sgd", "lr": 0.1}
        return [
            recorded.suggested(trial, values=values, config={"name": EVIL}), recorded.launched(trial), recorded.reported(trial, 1, None),
            recorded.ended(trial, "diverged", EVIL), Noted(at=recorded.AT, request="r1", author=EVIL, trial=trial, text=EVIL),
        ]  # fmt: skip

    events = [
        recorded.started(sweep=EVIL, num_trials=1), recorded.driver(), *evil("t00001"),
        Noted(at=recorded.AT, request="r2", author="ann", trial=None, text=EVIL), recorded.stopped(),
    ]  # fmt: skip
    storage = recorded.store(tmp_path / "evil", events)
    storage.write_atomic("sweep.yaml", EVIL.encode())
    parts = Parts()
    parts.feed(report.render(storage, now=NOW))
    assert len(parts.scripts) == 2
    assert "img" not in parts.tags
    assert parts.title.startswith(EVIL)
    told = json.loads(parts.scripts[0])
    assert told["trials"]["values"]["config.model"] == [EVIL]
    assert told["provenance"]["file"] == EVIL
    assert told["pictures"]["failures"][0]["cause"] == EVIL


def test_no_module_of_the_page_reads_text_as_markup() -> None:
    code = page_bundle.script()
    assert re.findall(r"outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", code) == []
    assert re.findall(r"innerHTML = .*", code) == ['innerHTML = "<svg><\\/svg>";']


def test_empty_sweep_has_a_page(tmp_path: Path) -> None:
    told = data(tmp_path, [recorded.started()])
    assert told["sweep"]["state"] == "new"
    assert told["sweep"]["next"] == "shortlist resume digits"
    assert told["trials"]["values"]["trial"] == []
    assert told["pictures"]["findings"] == []
    assert told["pictures"]["importance"]["remark"]


def test_killed_sweep_has_a_page_that_says_how_to_go_on(tmp_path: Path) -> None:
    told = data(tmp_path, [recorded.started(), recorded.driver(), recorded.suggested("t00001"), recorded.launched("t00001")])
    assert told["sweep"]["state"] == "interrupted"
    assert told["sweep"]["counts"] == {"pending": 1}
    assert told["curves"] == {"scale": 10_000}


def test_wholly_failed_sweep_has_a_page_with_its_cause(tmp_path: Path) -> None:
    trials = [f"t{number:05d}" for number in range(1, 10)]
    failed = [
        fact
        for trial in trials
        for fact in (recorded.suggested(trial), recorded.launched(trial), recorded.ended(trial, "failed", f"no module at /a/b/{trial}.py"))
    ]
    told = data(tmp_path, [recorded.started(num_trials=9), recorded.driver(), *failed, recorded.stopped("failed")])
    assert told["trials"]["values"]["rank"] == [None] * 9
    assert [(cause["status"], len(cause["trials"])) for cause in told["pictures"]["failures"]] == [("failed", 9)]
    assert told["details"]["trials"][0]["log"] == ["last line"]


def test_page_of_copied_tables_does_without_the_journal(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path / "digits", recorded.sweep(10))
    copied = Storage(tmp_path / "copy")
    for name in ("leaderboard.parquet", "curves.parquet"):
        copied.write_atomic(name, storage.read(name))
    told = report.page_data(copied, now=NOW)
    assert told["trials"]["values"]["trial"][0] == "t00007"
    assert told["details"]["trials"] == [{}] * 10
    with pytest.raises(NotASweep):
        report.render(Storage(tmp_path / "nothing"), now=NOW)


def test_hundred_epochs_of_a_trial_take_less_than_four_kilobytes(tmp_path: Path) -> None:
    def stored(num: int) -> int:
        events: list[Event] = [recorded.started(max_epochs=100, num_trials=num), recorded.driver()]
        for number in range(1, num + 1):
            trial = f"t{number:05d}"
            values = {"model": "small", "optimizer": "sgd", "lr": 0.1 / number, "momentum": 0.9, "batch_size": 32, "flip": False}
            events += [recorded.suggested(trial, values=values), *recorded.segment(trial, range(1, 101), 0.9, attempt=1, rung=None)]
            events.append(recorded.ended(trial, "completed"))
        return len(report.render(recorded.store(tmp_path / str(num), [*events, recorded.stopped()], tables=False), now=NOW).encode())

    few, many = stored(2), stored(10)
    # A thousand of them, the page itself and as many pictures of finals as it takes stay below 5 MB.
    assert (most := (many - few) / 8) < 3_500
    assert few < 210_000
    assert 1000 * most + few + report_finals.MOST_IMAGE_BYTES < 5_000_000


def test_finals_stand_beside_their_trials_and_a_damaged_one_says_so(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path / "digits", recorded.sweep(10))
    run = {"seed": 0, "epochs": 30, "val_accuracy": 0.98, "test_accuracy": 0.97}
    metrics = {
        "epochs": 30, "parameters": 5, "val_accuracy": 0.98, "val_loss": 0.1, "test_accuracy": 0.97, "test_accuracy_low": 0.95,
        "test_accuracy_high": 0.99, "test_examples": 359, "runs": [run],
    }  # fmt: skip
    place = recorded.store(storage.path("finals/t00007-30ep-abcdef"), [recorded.started()])
    place.write_atomic("metrics.json", json.dumps(metrics).encode())
    Storage(storage.path("finals/t00001-30ep-abcdef")).write_atomic("metrics.json", b"{")
    good, bad = report.page_data(storage, now=NOW)["finals"]
    assert (good["trial"], good["test_accuracy"], good["runs"]) == (0, 0.97, [run])
    assert bad["trial"] == 1
    assert "damaged" in bad["remark"]


def test_landscape_has_a_band_where_only_the_learning_rate_differs() -> None:
    def suggested(number: int, lr: float, model: str) -> list[Event]:
        trial = f"t{number:05d}"
        losses = [recorded.reported(trial, epoch, 0.5, train_loss=lr / epoch) for epoch in (1, 2)]
        return [recorded.suggested(trial, values={"lr": lr, "model": model}), recorded.launched(trial), *losses]

    alike = [suggested(1, 1.0, "bn"), suggested(2, 2.0, "bn"), suggested(3, 4.0, "bn"), suggested(4, 9.0, "plain")]
    from results import curves, leaderboard
    from results.history import History

    history = History.of([recorded.started(), recorded.driver(), *(fact for facts in alike for fact in facts)])
    frames = Frames.of(leaderboard.derive(history), curves.derive(history))
    bands = landscape(frames)
    assert bands["group"].tolist() == ["bn", "bn"]
    assert bands[["at", "n", "low", "high"]].to_numpy().tolist() == [[1, 3, 1.0, 4.0], [2, 3, 0.5, 2.0]]
    assert set(bands["trials"]) == {"t00001 t00002 t00003"}
    steps = frames.curves.assign(step=frames.curves["epoch"] * 1000, train_loss=7.0)
    assert landscape(frames, steps)[["n", "low", "high"]].to_numpy().tolist() == [[3, 7.0, 7.0], [3, 7.0, 7.0]]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_is_read_on_both_surfaces(theme: int) -> None:
    style = (resources.files("results") / "page" / "style.css").read_text()
    block = re.findall(r":root[^{]*\{([^}]*)\}", style)[theme]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
    for name in ("ink", "faint", "accent", "good", "warn", "bad"):
        for surface in ("surface", "raised"):
            assert contrast(colours[name], colours[surface]) >= 4.5, (name, surface)
    picked = re.findall(r"(light|dark): \[([^\]]*#[^\]]*)\]", (resources.files("results") / "page" / "colour.js").read_text())[theme]
    for colour in re.findall(r"#[0-9a-f]{6}", picked[1]):
        assert contrast(colour, colours["surface"]) >= 4.5, colour


def test_modules_that_need_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n', "c.js": "export default 1;\n"}
    monkeypatch.setattr(page_bundle, "_file", texts.__getitem__)
    with pytest.raises(ValueError, match="imports itself"):
        page_bundle._collect("a.js", {}, ())
    with pytest.raises(ValueError, match="not understood"):
        page_bundle._collect("c.js", {}, ())
