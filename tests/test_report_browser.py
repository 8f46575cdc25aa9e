"""The report in a real Chromium: every control is used, and what it does is looked at."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Browser, Page, expect

from results import report
from results.events import Event, Noted
from tests import demo_sweep, recorded
from tests.browsers import draw_all, opened, watched

pytestmark = pytest.mark.browser

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return name -> a page: a finished sweep, and three that are not."""
    root = tmp_path_factory.mktemp("pages")
    sweep = demo_sweep.demo(60)
    finished = demo_sweep.store(root / "finished", sweep, demo_sweep.events(sweep))
    models = {"t00001": EVIL, "t00002": "b"}
    suggested = [recorded.suggested(trial, values={"model": model, "lr": 0.1}) for trial, model in models.items()]
    ended = [fact for trial in models for fact in (recorded.launched(trial), recorded.ended(trial, "failed", EVIL))]
    note = Noted(at=recorded.AT, request="r1", author=EVIL, trial="t00001", text=EVIL)
    states: dict[str, list[Event]] = {
        "empty": [recorded.started()],
        "running": demo_sweep.events(demo_sweep.demo(20), stop_after=40, killed=True),
        "failed": [recorded.started(sweep=EVIL, num_trials=2), recorded.driver(), *suggested, *ended, note, recorded.stopped("failed")],
    }
    stores = {"finished": finished} | {name: recorded.store(root / name, events) for name, events in states.items()}
    for name, storage in stores.items():
        (root / f"{name}.html").write_text(report.render(storage, now=recorded_now()))
    return {name: root / f"{name}.html" for name in stores}


def recorded_now() -> float:
    return demo_sweep.START + 86_400


@pytest.fixture(scope="module")
def desk(browser: Browser) -> Iterator[Page]:
    """One wide window for all tests; each opens the page anew. Whatever it complains of, or asks the network for, fails the last test."""
    yield from watched(browser, viewport=WIDE, color_scheme="light", accept_downloads=True)


@pytest.fixture
def page(desk: Page, pages: dict[str, Path]) -> Page:
    desk.set_viewport_size({"width": 1440, "height": 900})
    opened(desk, pages["finished"])
    return desk


def ids(page: Page) -> list[str]:
    """Return the trials of the rows in the document, in order."""
    return [row.inner_text().strip() for row in page.query_selector_all(".trials tbody tr[data-place] th")]


def address(page: Page) -> str:
    return page.url.partition("#")[2]


def row(page: Page, number: int) -> Any:
    return page.locator(".trials tbody tr[data-place]").nth(number)


def test_rows_are_sorted_by_a_click_on_a_header_and_back_by_a_third(page: Page) -> None:
    first = ids(page)
    header = page.locator('th[data-column="config.lr"]')
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    rates = [float(text) for text in page.locator(".trials tbody tr[data-place] td:nth-child(11)").all_inner_texts()]
    assert rates == sorted(rates, reverse=True)
    assert "sort=-config.lr" in address(page)
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    header.get_by_role("button").click()
    assert ids(page) == first
    assert address(page) == ""


def test_filter_takes_words_and_comparisons_and_names_what_it_does_not_know(page: Page) -> None:
    box = page.get_by_role("searchbox")
    box.fill("adam lr<0.01")
    optimizers = page.locator(".trials tbody tr[data-place] td:nth-child(10)").all_inner_texts()
    assert set(optimizers) == {"adam"}
    rates = [float(text) for text in page.locator(".trials tbody tr[data-place] td:nth-child(11)").all_inner_texts()]
    assert max(rates) < 0.01
    assert "filter=adam+lr" in address(page)
    expect(page.locator(".statuses .count")).to_contain_text(f"{len(rates)} of ")
    box.fill("t00011")
    assert ids(page) == ["t00011"]
    box.fill("score>60 status=completed")
    assert all("completed" in text for text in page.locator(".trials td.status").all_inner_texts())
    box.fill("speed>3")
    expect(page.get_by_role("alert")).to_have_text("no column is called speed")
    box.fill("nothing has this")
    expect(page.locator(".trials tr.empty")).to_have_text("no trial fits the filter")


def test_a_status_is_filtered_by_its_button(page: Page) -> None:
    button = page.locator(".statuses").get_by_role("button", name="completed")
    button.click()
    expect(page.get_by_role("searchbox")).to_have_value("status=completed")
    assert len(ids(page)) == int("".join(filter(str.isdigit, button.inner_text())))
    button.click()
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_columns_are_chosen_and_stay_in_the_address(page: Page, pages: dict[str, Path]) -> None:
    page.get_by_text("columns", exact=True).click()
    menu = page.locator(".menu")
    menu.get_by_label("device time").check()
    menu.get_by_label("parameters", exact=True).uncheck()
    headers = page.locator(".trials thead").inner_text()
    assert "device time" in headers
    assert "parameters" not in headers
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    opened(page, pages["finished"], f"#{address(page)}")
    assert "device time" in page.locator(".trials thead").inner_text()
    page.get_by_text("columns", exact=True).click()
    menu.get_by_role("button", name="as at first").click()
    assert "parameters" in page.locator(".trials thead").inner_text()
    assert address(page) == ""


def test_picked_rows_stand_out_in_every_picture_and_in_the_address(page: Page, pages: dict[str, Path]) -> None:
    row(page, 0).click()
    row(page, 2).click()
    chosen = [ids(page)[0], ids(page)[2]]
    assert address(page) == f"picked={','.join(chosen)}"
    opened(page, pages["finished"], f"#{address(page)}")
    assert [text.strip() for text in page.locator(".trials tr[aria-selected=true] th").all_inner_texts()] == chosen
    draw_all(page)
    for picture in ("curves", "parallel", "pareto", "slices", "timeline"):
        assert page.locator(f".{picture} .highlight > *").count() > 0, picture
    labels = page.locator(".curves .highlight text").all_text_contents()
    assert sorted(labels) == sorted(chosen)
    page.get_by_role("button", name="only these").click()
    assert ids(page) == chosen
    page.get_by_role("button", name="clear").click()
    assert address(page) == ""
    assert len(ids(page)) > 10


def test_a_picture_shows_the_trial_under_the_pointer_and_picks_it(page: Page) -> None:
    draw_all(page)
    page.locator("#pareto").scroll_into_view_if_needed()
    page.locator(".pareto circle").last.hover()
    tip = page.locator("#tip")
    expect(tip).to_be_visible()
    trial = tip.locator("b").inner_text()
    page.locator(".pareto circle").last.click()
    assert address(page) == f"picked={trial}"
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()


def test_dragging_along_an_axis_filters_the_table(page: Page) -> None:
    draw_all(page)
    page.locator("#parallel").scroll_into_view_if_needed()
    box = page.locator(".parallel .handle").last.bounding_box()
    assert box is not None
    x, top, bottom = box["x"] + box["width"] / 2, box["y"] + 2, box["y"] + box["height"] / 3
    page.mouse.move(x, top)
    page.mouse.down()
    page.mouse.move(x, bottom, steps=4)
    page.mouse.up()
    text = page.get_by_role("searchbox").input_value()
    assert text.startswith("score>=")
    assert "score<=" in text
    shown = [float(cell) for cell in page.locator(".trials tbody tr[data-place] td:nth-child(4)").all_inner_texts()]
    assert shown
    assert min(shown) > 60
    page.locator(".parallel text.clear", has_text="score").click()
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_controls_of_the_pictures_draw_them_anew(page: Page) -> None:
    draw_all(page)
    page.locator("#curves").scroll_into_view_if_needed()
    page.get_by_label("show", exact=True).first.select_option("train_loss")
    expect(page.locator(".curves .axis .name").first).to_contain_text("training loss, nats, lower is better")
    ticks = page.locator(".curves .axis").nth(1)
    before = ticks.text_content() or ""
    page.get_by_label("log epochs", exact=True).check()
    expect(ticks).not_to_have_text(before)
    outside = page.locator(".curves text", has_text="of the values lie")
    expect(outside).to_have_count(1)
    page.get_by_label("whole range").check()
    expect(outside).to_have_count(0)
    page.locator("#pareto").scroll_into_view_if_needed()
    page.get_by_label("against", exact=True).select_option("device_s")
    expect(page.locator(".pareto .axis .name").last).to_contain_text("device time")
    page.locator("#slices").scroll_into_view_if_needed()
    page.get_by_label("show", exact=True).last.select_option("score")
    expect(page.locator(".slices .interval")).to_have_count(0)


def test_a_panel_opens_closes_and_steps_by_keyboard(page: Page) -> None:
    page.get_by_role("searchbox").focus()
    row(page, 0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog")
    expect(panel).to_be_visible()
    expect(panel).to_be_focused()
    first, second, third = ids(page)[:3]
    expect(panel.get_by_role("heading", level=2)).to_have_text(second)
    for part in ("Searched parameters", "Decisions", "Segments (UTC)", "Whole configuration"):
        expect(panel.get_by_text(part)).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(panel.get_by_role("heading", level=2)).to_have_text(third)
    panel.get_by_role("button", name="previous row").click()
    expect(panel.get_by_role("heading", level=2)).to_have_text(second)
    assert f"open={second}" in address(page)
    panel.get_by_role("button", name="pick", exact=True).click()
    assert f"picked={second}" in address(page)
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(row(page, 1)).to_be_focused()
    row(page, 0).get_by_role("button", name=f"open {first}").click()
    expect(panel.get_by_role("heading", level=2)).to_have_text(first)
    panel.get_by_role("button", name="close").click()
    expect(panel).to_be_hidden()


def test_rows_are_walked_picked_and_scrolled_by_keyboard(page: Page) -> None:
    row(page, 0).focus()
    page.keyboard.press("End")
    last = page.locator(".trials tbody tr:focus")
    expect(last).to_be_visible()
    assert last.get_attribute("aria-rowindex") == page.locator("table.trials").get_attribute("aria-rowcount")
    page.keyboard.press("Space")
    expect(last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Home")
    expect(page.locator(".trials tbody tr:focus")).to_have_attribute("aria-rowindex", "2")


def test_colours_follow_the_system_and_the_switch(page: Page, pages: dict[str, Path]) -> None:
    def surface() -> str:
        return str(page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor"))

    assert surface() == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert surface() == "rgb(20, 24, 29)"
    page.get_by_role("button", name="switch to light colours").click()
    assert surface() == "rgb(255, 255, 255)"
    opened(page, pages["finished"])
    assert surface() == "rgb(255, 255, 255)"
    page.get_by_role("button", name="switch to dark colours").click()
    page.get_by_role("button", name="switch to light colours").click()
    page.evaluate("localStorage.clear()")
    page.emulate_media(color_scheme="light")


def test_paper_gets_every_picture_light_and_the_first_rows(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    for picture in ("progress", "funnel", "curves", "parallel", "importance", "pareto", "slices", "timeline", "finals"):
        expect(page.locator(f".{picture} svg").first).to_be_attached()
    assert len(ids(page)) == 40
    expect(page.get_by_role("searchbox")).to_be_hidden()
    expect(page.locator(".trials tr.empty")).to_contain_text("more")
    page.emulate_media(media="screen", color_scheme="light")
    assert page.pdf(width="210mm", height="297mm")[:5] == b"%PDF-"


def test_only_rows_in_view_are_in_the_document(page: Page) -> None:
    total = int(page.locator("table.trials").get_attribute("aria-rowcount") or 0) - 1
    assert len(ids(page)) < total
    page.locator(".scroller").evaluate("element => element.scrollTo(0, 1e6)")
    page.wait_for_function("() => document.querySelector('.trials tbody tr[data-place]').getAttribute('aria-rowindex') > 2")
    assert len(ids(page)) < total


def test_data_links_save_the_rows_behind_each_picture(page: Page) -> None:
    for name in ("trials", "curves", "pareto", "failures"):
        with page.expect_download() as saved:
            page.get_by_role("link", name=f"data: {name} as CSV").click()
        lines = Path(saved.value.path()).read_text().splitlines()
        assert saved.value.suggested_filename == f"{name}.csv"
        assert len(lines) > 1
        assert "trial" in lines[0]


def test_every_picture_has_a_name_and_every_control_a_label(page: Page) -> None:
    draw_all(page)
    pictures = page.locator(".stage svg")
    assert pictures.count() == 9
    for picture in pictures.all():
        assert len(picture.get_attribute("aria-label") or "") > 30
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, a, input, select, summary')]
             .filter((element) => !(element.textContent.trim() || element.getAttribute('aria-label') || element.labels?.length))
             .map((element) => element.outerHTML)"""
    )
    assert nameless == []


def test_contents_lead_to_each_section_and_leave_the_choices(page: Page) -> None:
    row(page, 0).click()
    kept = address(page)
    page.get_by_role("navigation").get_by_role("link", name="Timeline").click()
    assert page.locator("#timeline").evaluate("element => Math.abs(element.getBoundingClientRect().top) < 120")
    assert address(page) == kept


def test_finding_picks_the_trials_it_rests_on(page: Page) -> None:
    button = page.locator("ol.findings button").first
    number = int("".join(filter(str.isdigit, button.inner_text())))
    button.click()
    assert address(page).count("t0") == number


def test_new_data_leave_choices_and_scrolling_as_they_are(page: Page) -> None:
    row(page, 1).click()
    page.get_by_role("searchbox").fill("score>10")
    page.locator(".scroller").evaluate("element => element.scrollTo(0, 200)")
    before = address(page), page.locator(".scroller").evaluate("element => element.scrollTop")
    page.evaluate(
        "document.dispatchEvent(new CustomEvent('shortlist:data', {detail: JSON.parse(document.getElementById('data').textContent)}))"
    )
    assert (address(page), page.locator(".scroller").evaluate("element => element.scrollTop")) == before
    assert page.locator(".picked .pick").count() == 1


@pytest.mark.parametrize("width", [390, 768, 1280, 2560])
def test_no_width_makes_the_page_scroll_sideways(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    draw_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_phone_keeps_rank_score_and_trial_and_opens_the_rest_below(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".trials thead th")).to_have_count(4)
    row(page, 0).click()
    details = page.locator(".trials tr.details")
    expect(details).to_contain_text("optimizer")
    details.get_by_role("button", name="Pick").click()
    assert address(page) == f"picked={ids(page)[0]}"
    details.get_by_role("button", name="Open").click()
    panel = page.get_by_role("dialog")
    assert (panel.bounding_box() or {})["width"] == 390
    page.keyboard.press("Escape")
    row(page, 0).click()
    expect(details).to_have_count(0)
    page.get_by_text("contents", exact=True).click()
    page.locator(".contents-menu").get_by_role("link", name="Provenance").click()
    expect(page.locator("#provenance")).to_be_in_viewport()


@pytest.mark.parametrize(
    ("state", "headline"),
    [
        ("empty", "No trial has been suggested yet"),
        ("running", "leads: "),
        ("failed", "All 2 trials came to nothing"),
    ],
)
def test_other_states_have_pages_too(desk: Page, pages: dict[str, Path], state: str, headline: str) -> None:
    desk.set_viewport_size({"width": 1440, "height": 900})
    opened(desk, pages[state])
    expect(desk.locator(".headline")).to_contain_text(headline)
    draw_all(desk)
    assert desk.locator("p.empty").count() >= 1


def test_markup_in_trials_is_shown_as_text(desk: Page, pages: dict[str, Path]) -> None:
    opened(desk, pages["failed"], "#open=t00001")
    expect(desk.get_by_role("dialog")).to_contain_text(EVIL)
    expect(desk.locator(".cause").first).to_have_text(EVIL)
    expect(desk.locator("h1")).to_have_text(EVIL)
    assert desk.locator("img").count() == 0
    assert desk.locator("script").count() == 2
