"""The finals of the report in a real Chromium: each is chosen, drawn, named, saved; and what their files say stays text."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from results import report
from results.storage import Storage
from tests import demo_finals, demo_sweep, recorded
from tests.browsers import draw_all, opened
from tests.report_pages import EVIL, PHONE, WIDE, address

pytestmark = pytest.mark.browser


@pytest.fixture
def page(desk: Page, pages: dict[str, Path]) -> Page:
    desk.set_viewport_size(WIDE)
    opened(desk, pages["finished"], "#at=finals")
    draw_all(desk)
    return desk


def finals(page: Page) -> list[str]:
    return [cell.strip() for cell in page.locator(".finals tbody th").all_inner_texts()]


def test_final_that_is_chosen_is_the_one_that_is_drawn_and_that_the_address_names(page: Page, pages: dict[str, Path]) -> None:
    first, second, third, working = finals(page)
    title = page.locator(".final-versus h3")
    expect(title).to_contain_text(f"{first[:6]}, trained in full: ")
    page.locator(".finals").get_by_role("button", name=second).click()
    expect(title).to_contain_text(f"{second[:6]}, trained in full: ")
    expect(page.locator(".finals").get_by_role("button", name=second)).to_be_focused()
    expect(page.locator(".final-curves h3")).to_have_text("4 stages, 200 epochs")
    expect(page.locator(".final-curves .rung")).to_have_count(3)
    assert address(page) == f"final={second}"
    opened(page, pages["finished"], f"#{address(page)}")
    expect(page.locator("#finals")).to_be_in_viewport()
    expect(title).to_contain_text(f"{second[:6]}, trained in full: ")
    page.locator(".finals").get_by_role("button", name=third).click()
    expect(page.locator(".final-mistakes")).to_contain_text("learned from the validation images")
    expect(page.locator(".final-versus")).not_to_contain_text("final, validation")
    page.locator(".finals").get_by_role("button", name=working).click()
    expect(page.locator(".final-versus")).to_contain_text("is not finished")
    for picture in ("final-classes", "final-confusion", "final-calibration", "final-mistakes"):
        expect(page.locator(f".{picture}")).to_be_hidden()
    page.locator(".finals").get_by_role("button", name=first).click()
    assert address(page) == ""


def test_test_figure_is_marked_as_read_once_and_each_figure_has_its_interval(page: Page) -> None:
    versus = page.locator(".final-versus svg")
    for name in ("search", "confirmed", "final, validation", "final, test", "read once"):
        expect(versus.get_by_text(name, exact=True)).to_have_count(1)
    assert versus.locator("line[stroke-width]").count() == 4
    expect(page.locator(".final-versus .subtitle")).to_contain_text("The test split was read once")


def test_cells_of_the_confusion_matrix_hold_their_images(page: Page) -> None:
    data = json.loads(page.locator("#data").text_content() or "")
    matrix = data["finals"][0]["confusion"]["matrix"]
    cells = page.locator(".final-confusion rect")
    titles = cells.locator("title").all_text_contents()
    assert len(titles) == sum(images > 0 for row in matrix for images in row)
    assert f"cat taken for dog: {matrix[3][5]}" in titles
    is_, as_, images = data["finals"][0]["confusion"]["pairs"][0]
    names = data["finals"][0]["classes"]["class"]
    expect(page.locator(".final-confusion h3")).to_contain_text(f"{names[is_]} taken for {names[as_]}, {images} of ")


def test_mistaken_images_are_embedded_named_and_drawn(page: Page) -> None:
    images = page.locator(".mistakes img")
    expect(images).to_have_count(24)
    for image in images.all():
        assert " taken for " in (image.get_attribute("alt") or "")
        assert (image.get_attribute("src") or "").startswith("data:image/png;base64,")
    assert page.evaluate("[...document.querySelectorAll('.mistakes img')].every((image) => image.complete && image.naturalWidth === 32)")


def test_rows_behind_each_picture_of_a_final_are_saved(page: Page) -> None:
    expected = {
        "finals": "final,state,trial", "final-versus": "what,accuracy", "final-curves": "stage,run,seed", "final-classes": "class,examples",
        "final-confusion": "true,airplane", "final-calibration": "temperature,examples", "mistakes": "number,true", "lineage": "step,name",
    }  # fmt: skip
    for name, header in expected.items():
        with page.expect_download() as saved:
            page.locator(f'#finals a[download="{name}.csv"]').click()
        lines = Path(saved.value.path()).read_text().splitlines()
        assert lines[0].startswith(header)
        assert len(lines) > 2


def test_lineage_is_a_list_of_steps_with_whole_hashes_at_hand(page: Page) -> None:
    steps = page.locator(".lineage .step").all_inner_texts()
    assert steps == ["data", "sweep", "trial", "confirmation", "final", "test split", "files"]
    titles = page.locator(".lineage code").evaluate_all("elements => elements.map((element) => [element.textContent, element.title])")
    assert all(title.startswith(text) for text, title in titles)
    assert max(len(title) for _, title in titles) == 64


@pytest.mark.parametrize("width", [PHONE["width"], 768, 1280, 2560])
def test_nothing_of_a_final_makes_the_page_scroll_sideways_or_lies_over_something_else(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    draw_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    boxes = [box for part in page.locator(".promotion > :visible").all() if (box := part.bounding_box()) is not None]
    assert len(boxes) == 8
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            apart = one["x"] + one["width"] <= other["x"] + 1 or other["x"] + other["width"] <= one["x"] + 1
            assert apart or one["y"] + one["height"] <= other["y"] + 1 or other["y"] + other["height"] <= one["y"] + 1


def test_a_phone_shows_what_the_test_split_said_without_scrolling_sideways(page: Page) -> None:
    page.set_viewport_size(PHONE)
    assert page.locator(".final-list .sideways").evaluate("box => box.scrollWidth <= box.clientWidth")
    assert page.locator(".finals tbody tr").first.locator("td:visible").all_inner_texts() == ["91.7\u00a0%", "91.3\u00a0%"]


def test_loss_is_drawn_when_it_is_asked_for(page: Page) -> None:
    page.locator(".final-curves svg").scroll_into_view_if_needed()
    page.locator(".final-curves select").select_option("loss")
    expect(page.locator(".final-curves .axis .name").first).to_have_text("loss, nats, lower is better")


def test_section_is_not_there_without_a_final_and_comes_with_the_first(desk: Page, pages: dict[str, Path]) -> None:
    opened(desk, pages["running"])
    expect(desk.locator("#finals")).to_be_hidden()
    contents = desk.get_by_role("navigation").get_by_role("link", name="Finals")
    expect(contents).to_have_count(0)
    given = "JSON.parse(document.getElementById('data').textContent)"
    final = json.dumps({"id": "t00001-9ep-aaaaaa", "trial": None, "remark": "", "state": "at work", "epochs": None, "parameters": None,
                        "val_accuracy": None, "test_accuracy": None, "runs": [], "stages": [], "search": None, "lineage": []})  # fmt: skip
    desk.evaluate(
        f"""() => {{ const data = {given}; data.finals = [{final}]; for (const one of data.sections) one.shown = true;
            document.dispatchEvent(new CustomEvent('shortlist:data', {{detail: data}})); }}"""
    )
    expect(desk.locator("#finals")).to_be_visible()
    expect(contents).to_have_count(1)
    expect(desk.locator(".finals")).to_contain_text("at work")


def test_markup_in_the_files_of_a_final_is_shown_as_text(desk: Page, tmp_path: Path) -> None:
    storage = recorded.store(tmp_path / "digits", recorded.sweep(4))
    place = demo_finals.store(storage, "t00001", 0.9, 5)
    metrics, mistakes, lineage = (json.loads(place.read(name)) for name in ("metrics.json", "mistakes.json", "lineage.json"))
    for row in metrics["test"]["per_class"]:
        row["class"] = EVIL + row["class"]
    mistakes["images"][0] |= {"true": EVIL, "predicted": EVIL}
    lineage["data"]["name"] = lineage["config_hash"] = EVIL
    for name, content in {"metrics.json": metrics, "mistakes.json": mistakes, "lineage.json": lineage}.items():
        place.write_atomic(name, json.dumps(content).encode())
    Storage(storage.path(f"finals/{EVIL.replace('/', '')}")).write_atomic("metrics.json", b"{")
    (tmp_path / "evil.html").write_text(report.render(storage, now=demo_sweep.START))
    opened(desk, tmp_path / "evil.html")
    draw_all(desk)
    expect(desk.locator(".mistakes .what").first).to_have_text(f"{EVIL} → {EVIL}")
    expect(desk.locator(".lineage strong").first).to_have_text(EVIL)
    assert desk.locator("img").count() == 24
    assert desk.locator("script").count() == 2
