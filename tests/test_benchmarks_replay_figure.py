"""The figure of a record: every table a panel, every method a line in it, ours on top."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from made_up_curves import recorded

from benchmarks import replay_figure

SVG = "{http://www.w3.org/2000/svg}"
METHODS = ["random", "ray-asha", "optuna-sha", "optuna-hyperband", "shortlist-promotion", "shortlist-default"]


def drawn(svg: str, kind: str) -> list[ET.Element]:
    """Return the paths of a kind that stand in panels; those of the legend have no title."""
    found = [path for path in ET.fromstring(svg).iter(f"{SVG}path") if path.get("class", "").split()[0] == kind]
    return [path for path in found if kind != "line" or path.find(f"{SVG}title") is not None]


def named(path: ET.Element) -> str:
    return path.findtext(f"{SVG}title", "")


def ends(path: ET.Element) -> list[tuple[float, float]]:
    points = [point.split() for point in path.get("d", "").removeprefix("M").removesuffix("z").split("L")]
    return [(float(x), float(y)) for x, y in points]


def test_each_table_has_a_line_and_a_band_for_each_method_and_ours_is_drawn_last() -> None:
    svg = replay_figure.figure(recorded(METHODS, repeats=5))
    lines = [named(line) for line in drawn(svg, "line")]
    assert len(lines) == len(drawn(svg, "band")) == 2 * len(METHODS)
    assert sorted(lines[: len(METHODS)]) == sorted(METHODS)
    assert lines[len(METHODS) - 1] == lines[-1] == "shortlist-default"
    texts = [text.text for text in ET.fromstring(svg).iter(f"{SVG}text")]
    assert {"one", "two", *METHODS} <= set(texts)
    assert "4 workers · mean of 5 orders" in str(texts)


def test_a_line_lies_within_its_band_and_falls_as_regret_falls() -> None:
    svg = replay_figure.figure(recorded(METHODS, repeats=5))
    for line, band in zip(drawn(svg, "line"), drawn(svg, "band"), strict=True):
        means, around = ends(line), ends(band)
        upper, lower = around[: len(means)], around[len(means) :][::-1]
        assert all(high[1] <= mean[1] <= low[1] for high, mean, low in zip(upper, means, lower, strict=True)), "y grows downwards"
        assert means[0][1] < means[-1][1]
        assert [x for x, _ in means] == sorted(x for x, _ in means)


def test_methods_of_one_product_differ_in_their_dash() -> None:
    lines = drawn(replay_figure.figure(recorded(METHODS, repeats=5)), "line")
    looks = {named(line): (line.get("class"), line.get("stroke-dasharray")) for line in lines}
    assert len(set(looks.values())) == len(METHODS)


def test_no_regret_at_all_is_drawn_at_the_floor() -> None:
    record = recorded(["ray-asha", "shortlist-default"], repeats=2)
    for at in record["tables"]["one"]["shortlist-default"]["regret_curve"].values():
        at |= {"mean": 0.0, "low": 0.0, "high": 0.0}
    svg = replay_figure.figure(record)
    assert len({y for _, y in ends(drawn(svg, "line")[1])}) == 1
    assert "≤ 0.001" in svg


def test_a_method_of_fewer_orders_says_of_how_many() -> None:
    record = recorded(["ray-asha", "syne-tune-cqr"], repeats=5)
    record["about"]["methods"]["syne-tune-cqr"] = record["about"]["methods"]["syne-tune-cqr"] | {"repeats": 1}
    assert "syne-tune-cqr (1 order)" in replay_figure.figure(record)


def test_the_file_is_written_and_an_old_record_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = recorded(METHODS, repeats=2)
    (tmp_path / "record.json").write_text(json.dumps(record))
    call = [str(tmp_path / "record.json"), "-o", str(tmp_path / "figure.svg")]
    assert replay_figure.main(call) == 0
    assert (tmp_path / "figure.svg").read_text() == replay_figure.figure(record)
    del record["tables"]["two"]["ray-asha"]["regret_curve"]
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert replay_figure.main(call) == 2
    assert "no regret_curve for two; an older release wrote it, replay it again" in capsys.readouterr().err
