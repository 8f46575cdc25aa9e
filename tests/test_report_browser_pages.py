"""The report in a real Chromium as a page: its widths, colours, paper, names, states; and that text stays text."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browsers import draw_all, opened
from tests.report_pages import EVIL, WIDE, address, ids, row

pytestmark = pytest.mark.browser


@pytest.fixture
def page(desk: Page, pages: dict[str, Path]) -> Page:
    desk.set_viewport_size(WIDE)
    opened(desk, pages["finished"])
    return desk


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
    for picture in (
        "progress",
        "funnel",
        "curves",
        "parallel",
        "importance",
        "pareto",
        "slices",
        "timeline",
        "final-versus",
        "final-confusion",
    ):
        expect(page.locator(f".{picture} svg").first).to_be_attached()
    assert len(ids(page)) == 40
    expect(page.get_by_role("searchbox")).to_be_hidden()
    expect(page.locator(".trials tr.empty")).to_contain_text("more")
    page.emulate_media(media="screen", color_scheme="light")
    assert page.pdf(width="210mm", height="297mm")[:5] == b"%PDF-"


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
    assert pictures.count() == 13
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
