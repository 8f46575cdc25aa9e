"""The report in a real Chromium: the table, its pictures and the panel; every control is used, and what it does is looked at."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browsers import draw_all, opened
from tests.report_pages import WIDE, address, ids, row

pytestmark = pytest.mark.browser


@pytest.fixture
def page(desk: Page, pages: dict[str, Path]) -> Page:
    desk.set_viewport_size(WIDE)
    opened(desk, pages["finished"])
    return desk


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
    page.locator("#slices").get_by_label("show", exact=True).select_option("score")
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


def test_only_rows_in_view_are_in_the_document(page: Page) -> None:
    total = int(page.locator("table.trials").get_attribute("aria-rowcount") or 0) - 1
    assert len(ids(page)) < total
    page.locator(".scroller").evaluate("element => element.scrollTo(0, 1e6)")
    page.wait_for_function("() => document.querySelector('.trials tbody tr[data-place]').getAttribute('aria-rowindex') > 2")
    assert len(ids(page)) < total


def test_finding_picks_the_trials_it_rests_on(page: Page) -> None:
    button = page.locator("ol.findings button").first
    number = int("".join(filter(str.isdigit, button.inner_text())))
    button.click()
    assert address(page).count("t0") == number
