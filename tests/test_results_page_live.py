"""The pages of the web service, in a real browser while a sweep runs."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browsers
import pytest
import recorded
from driven import driving
from served import TOKEN, serving

from results import page_bundle, page_live
from results.storage import Storage
from tests import demo_finals


def test_policy_lets_a_pages_own_scripts_run_and_no_others() -> None:
    page = "<script>one()</script><script data-a='b'>two()</script>"
    policy = page_live.policy(page)
    assert [f"'{page_bundle.digest(code)}'" in policy for code in ("one()", "two()", "three()")] == [True, True, False]
    assert policy.startswith("default-src 'none'; ")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsers.launched() as started:
        yield started


@pytest.mark.browser
def test_list_and_report_move_while_a_sweep_runs(tmp_path: Path, browser: Any) -> None:
    recorded.store(tmp_path / "digits", recorded.sweep())
    with driving(tmp_path / "moving", "--trials", "400", "--epoch-s", "0.2"), serving(tmp_path) as (client, _):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        base = str(client.base_url).rstrip("/")
        page.goto(f"{base}/?token={TOKEN}")
        page.wait_for_selector("tbody tr >> nth=1")
        assert TOKEN not in page.url
        assert page.inner_text("#said") == "2 sweeps, 1 running"
        assert page.locator("tbody th").all_inner_texts() == ["moving", "digits"], "who is running comes first"
        before = page.inner_text("tbody tr >> nth=0")
        page.wait_for_function("before => document.querySelectorAll('tbody tr')[0].innerText !== before", arg=before)
        page.get_by_role("combobox").select_option("name")
        assert page.locator("tbody th").all_inner_texts() == ["digits", "moving"]
        page.get_by_role("searchbox").fill("MOV")
        assert page.locator("tbody th").all_inner_texts() == ["moving"]
        assert page.evaluate("document.activeElement.id") == "search", "drawing anew leaves the reader where he types"
        page.click("a:text-is('moving')")
        page.wait_for_selector("html[data-shown]")
        shown = int(re.search(r"(\d+) of 400 trials", page.inner_text("#head"))[1])  # type: ignore[index]  # None fails the test
        page.wait_for_function(r"shown => +/(\d+) of 400 trials/.exec(document.getElementById('head').innerText)[1] > shown", arg=shown)
        page.wait_for_function("document.getElementById('live').innerText.startsWith('live · ')")
        assert page.is_hidden("#finals")
        demo_finals.store(Storage(tmp_path / "moving"), "t00001", 0.9, 77_850)
        page.wait_for_selector(".lineage li >> nth=5", state="attached")
        assert "t00001, trained in full" in page.text_content(".final-versus h3")
        page.goto(f"{base}/")
        page.click("a:text-is('t00001-200ep-1a2b3c')")
        page.wait_for_selector("#finals h3:text('trained in full')")
        page.wait_for_function("Math.abs(document.getElementById('finals').getBoundingClientRect().top) < 120")
        assert said == []
        assert {url.split("/")[2] for url in asked} == {base.split("/")[2]}, "nobody else is asked for anything"
        page.close()
