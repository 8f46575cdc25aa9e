"""The web service, asked over real HTTP."""

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import recorded
from driven import driving
from served import serving

from results import curves, leaderboard, live, tables
from results.history import History
from results.journal import Journal
from results.live import Feeds
from results.lock import SweepLock
from results.storage import Storage

EVENTS = recorded.sweep()
HISTORY = History.of(EVENTS)
SWEEP = "/api/v1/sweeps/digits"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    recorded.store(folder / "runs" / "digits", EVENTS)
    (folder / "runs" / "broken").mkdir()
    (folder / "runs" / "broken" / "leaderboard.parquet").write_bytes(b"not Parquet")
    (folder / "secret").mkdir()
    (folder / "secret" / "leaderboard.parquet").write_bytes(b"not yours")
    return folder / "runs"


@pytest.fixture(scope="module")
def client(runs: Path) -> Iterator[httpx.Client]:
    with serving(runs) as (client, _):
        yield client


def messages(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield kind and data of server-sent events."""
    kind = ""
    for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        if line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


def test_sweeps_are_listed_with_their_leaders_and_a_damaged_one_hides_nobody(client: httpx.Client) -> None:
    rows = {row["sweep"]: row for row in client.get("/api/v1/sweeps").json()}
    assert set(rows) == {"broken", "digits"}
    assert (rows["digits"]["trial"], rows["digits"]["state"], rows["digits"]["trials"]) == ("t00007", "finished", 16)
    assert rows["broken"]["remark"].startswith("broken/leaderboard.parquet: not a whole Parquet file")


def test_overview_says_where_a_sweep_stands(client: httpx.Client) -> None:
    told = client.get(SWEEP).json()
    assert told["leader"]["trial"] == "t00007"
    assert sum(told["counts"].values()) == 16
    assert told["driver"] is None


def test_leaderboard_is_that_of_the_file_in_parts_of_any_size(client: httpx.Client, runs: Path) -> None:
    whole = client.get(f"{SWEEP}/leaderboard")
    assert whole.json() == json.loads(tables.json_text(leaderboard.read_table(Storage(runs / "digits"))))
    assert whole.headers["x-total-count"] == "16"
    part = client.get(f"{SWEEP}/leaderboard", params={"limit": 3, "offset": 2}).json()
    assert part == whole.json()[2:5]
    for wrong in ({"limit": 0}, {"limit": 10_001}, {"offset": -1}, {"limit": "many"}):
        assert client.get(f"{SWEEP}/leaderboard", params=wrong).status_code == 422


def test_curves_are_those_of_the_trials_named(client: httpx.Client, runs: Path) -> None:
    told = client.get(f"{SWEEP}/curves", params={"trial": ["t00007", "t00001"]}).json()
    table = json.loads(tables.json_text(curves.read_table(Storage(runs / "digits"))))
    assert told == [row for row in table if row["trial"] in {"t00001", "t00007"}]
    assert client.get(f"{SWEEP}/curves").status_code == 422
    assert client.get(f"{SWEEP}/curves", params={"trial": ["t1"] * 201}).status_code == 422


def test_trial_is_told_whole(client: httpx.Client) -> None:
    told = client.get(f"{SWEEP}/trials/t00007").json()
    assert (told["rank"], told["status"], len(told["curve"])) == (1, "completed", 18)
    assert client.get(f"{SWEEP}/trials/t00005").json()["log_tail"] == ["last line"]
    assert client.get(f"{SWEEP}/trials/t99999").status_code == 404


@pytest.mark.parametrize(
    "name",
    ["nowhere", "..%2Fsecret", "%2e%2e%2fsecret", "..", "%2e%2e", "digits%2F..%2F..%2Fsecret", "digits%00", "%2Fetc", "..%5Csecret"],
)
@pytest.mark.parametrize("part", ["", "/leaderboard", "/events", "/page", "/trials/t00001"])
def test_no_name_leads_out_of_the_storage(client: httpx.Client, name: str, part: str) -> None:
    answer = client.get(f"/api/v1/sweeps/{name}{part}")
    assert answer.status_code == 404
    assert "not yours" not in answer.text
    assert "Parquet" not in answer.text


def test_damaged_sweep_is_an_error_that_does_not_say_where_it_lies(client: httpx.Client, runs: Path) -> None:
    answer = client.get("/api/v1/sweeps/broken")
    assert answer.status_code == 500
    assert answer.text.startswith("broken/leaderboard.parquet: not a whole Parquet file")
    assert str(runs) not in answer.text


def test_who_has_the_answer_is_told_that_it_is_still_true(client: httpx.Client, runs: Path) -> None:
    first = client.get(f"{SWEEP}/leaderboard")
    again = client.get(f"{SWEEP}/leaderboard", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"{SWEEP}/leaderboard", params={"limit": 2}, headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200
    time.sleep(0.01)
    leaderboard.write(Storage(runs / "digits"), HISTORY)
    assert client.get(f"{SWEEP}/leaderboard", headers={"if-none-match": first.headers["etag"]}).status_code == 200


def test_answers_are_compressed_and_streams_are_not(client: httpx.Client) -> None:
    with client.stream("GET", f"{SWEEP}/leaderboard", headers={"accept-encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert json.loads(gzip.decompress(b"".join(answer.iter_raw())))[0]["trial"] == "t00007"
    with client.stream("GET", f"{SWEEP}/events", headers={"accept-encoding": "gzip"}) as answer:
        assert "content-encoding" not in answer.headers
        assert answer.headers["content-type"].startswith("text/event-stream")


def test_interface_is_described_and_asks_for_nothing_from_elsewhere(client: httpx.Client) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    kinds = ("", "/leaderboard", "/curves", "/trials/{trial}", "/page", "/events")
    assert set(paths) == {"/api/v1/sweeps", *(f"/api/v1/sweeps/{{sweep}}{kind}" for kind in kinds)}
    assert all(set(methods) == {"get"} for methods in paths.values())
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
    page = client.get("/")
    assert "://" not in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.split("style-src")[0]


def test_stream_begins_with_where_things_stand_and_goes_on_with_what_is_new(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path / "digits", recorded.sweep(reason=None))
    writer = Journal(storage)
    with SweepLock(storage), serving(tmp_path) as (client, _), client.stream("GET", f"{SWEEP}/events") as answer:
        told = messages(answer.iter_lines())
        kind, first = next(told)
        assert kind == "state"
        assert first["overview"]["driver"] is not None
        assert first["rungs"][0] == {"epochs": 2, "trials": 13}
        at = recorded.stamp(1_780_000_050.0)
        writer.append([recorded.launched("t00001", attempt=3, from_epoch=6, until_epoch=18, at=at)], sync=False)
        _, second = next(told)
        assert [worker["trial"] for worker in second["workers"]] == ["t00001"]
        assert second["events"][-1]["text"] == "t00001 starts, until epoch 18"
        assert second["version"] == first["version"]
        leaderboard.write(storage, HISTORY)
        _, third = next(told)
        assert third["version"] != first["version"], "the table was written anew"
    writer.close()


def test_damage_is_told_and_the_stream_goes_on(tmp_path: Path) -> None:
    storage = recorded.store(tmp_path / "digits", EVENTS)
    whole = storage.read(leaderboard.NAME)
    with serving(tmp_path) as (client, _), client.stream("GET", f"{SWEEP}/events") as answer:
        told = messages(answer.iter_lines())
        assert next(told)[0] == "state"
        time.sleep(0.01)
        storage.write_atomic(leaderboard.NAME, b"broken")
        kind, said = next(told)
        assert (kind, "not a whole Parquet file" in said["error"]) == ("error", True)
        time.sleep(0.01)
        storage.write_atomic(leaderboard.NAME, whole)
        assert next(told)[0] == "state"


def test_many_who_follow_cost_one_look_and_too_many_are_refused(runs: Path) -> None:
    with serving(runs, max_streams=5) as (client, feeds):
        with ExitStack() as streams:
            lines = [streams.enter_context(client.stream("GET", f"{SWEEP}/events")).iter_lines() for _ in range(5)]
            told = [messages(each) for each in lines]  # kept: who lets his lines go has left
            assert [next(each)[0] for each in told] == ["state"] * 5
            refused = client.get(f"{SWEEP}/events")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
            [feed] = feeds._feeds.values()
            assert feed.followers == 5
            began, looked = time.monotonic(), feed.looks
            while feed.looks < looked + 3:
                time.sleep(0.01)
            assert time.monotonic() - began >= 0.15, "five followers, one look every tenth of a second"
        deadline = time.monotonic() + 10
        while feed.followers and time.monotonic() < deadline:
            time.sleep(0.01)
        assert feed.followers == 0, "who has left is forgotten"
        looked = feed.looks
        time.sleep(0.3)
        assert feed.looks <= looked + 1, "nobody follows, so nobody looks"


def test_slow_client_gets_the_newest_state(runs: Path) -> None:
    import asyncio

    async def scene() -> None:
        feed = live.Feed(Storage(runs / "digits"), look_s=60)
        stream = feed.follow()
        assert (await anext(stream)).startswith(b"retry: ")
        first = await anext(stream)
        for number in range(5):
            feed._send("state", {"number": number})
        assert b'"number": 4' in await anext(stream)
        assert first.startswith(b"event: state\nid: 1\n")
        await stream.aclose()  # type: ignore[attr-defined]  # of a generator
        assert feed.followers == 0

    asyncio.run(scene())


@pytest.mark.slow
def test_table_moves_while_trials_run(tmp_path: Path) -> None:
    with driving(tmp_path / "moving", "--trials", "60", "--epoch-s", "0.1") as driver, serving(tmp_path) as (client, _):
        seen: list[dict[str, Any]] = []
        with client.stream("GET", "/api/v1/sweeps/moving/events") as answer:
            for kind, told in messages(answer.iter_lines()):
                assert kind == "state", told
                seen.append(told)
                if told["overview"]["state"] == "finished":
                    break
        assert driver.wait(timeout=30) == 0
        assert len({told["version"] for told in seen}) >= 3
        epochs = [told["epochs"] for told in seen]
        assert epochs == sorted(epochs)
        assert seen[-1]["overview"]["counts"].get("running") is None
        rows = client.get("/api/v1/sweeps/moving/leaderboard").json()
        assert len(rows) == 60
        assert rows[0]["trial"] == seen[-1]["overview"]["leader"]["trial"]


def test_a_feed_is_shared_by_all_who_follow_one_sweep() -> None:
    feeds = Feeds()
    opened: list[int] = []

    def storage() -> Storage:
        opened.append(1)
        return Storage(Path("nowhere"))

    feeds.follow("a", storage)
    feeds.follow("a", storage)
    feeds.follow("b", storage)
    assert len(opened) == 2
