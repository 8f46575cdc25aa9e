"""What each record shows, in words and figures, beside the goal where there is one. Pure functions: record -> claims.

A record with some of its parts has the claims of those parts.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """One line of the table.

    Attributes:
        what: What was measured, in words.
        seen: The figure with its spread and unit.
        n: Repeats behind it.
        goal: What was to be reached; empty where there is no goal.
        met: Whether it was; None without a goal.
    """

    what: str
    seen: str
    n: int
    goal: str = ""
    met: bool | None = None


def measured(
    what: str, figure: Mapping[str, Any], unit: str = "", *, digits: int = 2, scale: float = 1.0, least: float | None = None,
    most: float | None = None,
) -> Claim:  # fmt: skip
    """Return the claim of a figure.

    Args:
        what: In words.
        figure: `mean`, `sd` and `n`.
        unit: After the figure, with the blank before it.
        digits: After the point.
        scale: What the figure is multiplied by; the goal is said in the scaled unit.
        least: Goal: at least so much.
        most: Goal: at most so much. One of the two, or neither.
    """
    mean, sd = figure["mean"] * scale, figure["sd"] * scale
    spread = f" ± {sd:,.{digits}f}" if figure["n"] > 1 else ""
    goal, met = "", None
    if least is not None:
        goal, met = f"≥ {least:g}{unit}", mean >= least
    elif most is not None:
        goal, met = f"≤ {most:g}{unit}", mean <= most
    return Claim(what, f"{mean:,.{digits}f}{spread}{unit}", figure["n"], goal, met)


def tutorial_way(record: Record) -> Iterator[Claim]:
    settings, ours, theirs = record["about"]["settings"], record["shortlist"], record["tutorial"]
    size = f"{settings['configurations']} configurations, {settings['images']:,} images, at most {settings['epochs']} epochs"
    yield measured(f"{size}: wall time of the tutorial way over ours, both from start to end of the process",
                   record["wall_s_tutorial_over_shortlist"], " times", least=4)  # fmt: skip
    yield measured("the same without the start of Python and Ray", record["search_s_tutorial_over_shortlist"], " times", least=4)
    yield measured("best validation accuracy of any epoch, ours minus the tutorial's, in points",
                   record["best_accuracy_shortlist_minus_tutorial"], "", scale=100, least=0)  # fmt: skip
    for name, side in (("ours", ours), ("the tutorial way", theirs)):
        yield measured(f"{name}: wall time", side["wall_s"], " s", digits=0)
        yield measured(f"{name}: epochs trained", side["epochs"], digits=0)
        yield measured(f"{name}: best validation accuracy", side["best_accuracy"], " %", scale=100)
    yield from _busy("ours", ours, 95)


def utilisation(record: Record) -> Iterator[Claim]:
    names = {"second": ("epochs of one second", 90), "cifar10_small": ("`cifar10_small`", 95)}
    for name, (words, goal) in names.items():
        if name in record:
            yield from _busy(words, record[name], goal)


def _busy(words: str, figures: Mapping[str, Any], goal: float) -> Iterator[Claim]:
    what = f"{words}: share of the workers' time spent training"
    yield measured(f"{what}, once they train", figures["training_after_start"], " %", digits=1, scale=100, least=goal)
    yield measured(f"{what}, their start included", figures["training"], " %", digits=1, scale=100, least=goal)


def segment_switch(record: Record) -> Iterator[Claim]:
    ours = record["shortlist"]
    yield measured("between two segments on a worker, median", ours["gap_median_s"], " s", digits=3, most=0.2)
    yield measured("segments that follow within 0.2 s", ours["gaps_within_0.2_s"], " %", digits=1, scale=100)
    yield measured("the longest wait of a run", ours["gap_largest_s"], " s")
    yield measured("median wait, plain Ray Tune's over ours", record["gap_median_s_theirs_over_ours"], " times")
    yield measured(
        "idle time of a slot for each segment, plain Ray Tune's over ours", record["idle_s_per_segment_theirs_over_ours"], " times"
    )


def driver_scale(record: Record) -> Iterator[Claim]:
    if found := record.get("engine"):
        for trials, figure in found["microseconds_per_epoch"].items():
            yield measured(f"search engine, {int(trials):,} trials: an epoch costs", figure, " µs", digits=0, most=100)
        yield measured("an epoch at 10,000 trials over one at 500", found["large_over_small"], " times", most=1.2)
    if found := record.get("flat"):
        what = f"{found['trials']:,} trials on {found['slots']} simulated workers: an event of the last thousand over one of the first"
        yield measured(f"{what}, processor time", found["processor_s_last_over_first"], " times", most=1.2)
        yield measured(f"{what}, memory kept", found["bytes_last_over_first"], " times", most=1.2)
        yield measured("an event at the end costs", found["processor_s_per_event"]["last"], " µs", digits=0, scale=1e6)
    if found := record.get("fold"):
        what = f"a restart reads {found['trials']:,} trials with {found['epochs']:,} epochs"
        yield measured(f"{what} in", found["seconds"], " s", most=5)
        yield measured(f"{what}: most memory", found["peak_bytes"], " MiB", digits=0, scale=2**-20, most=2048)
    if found := record.get("ray"):
        ours, reusing, fresh = (found[name] for name in ("shortlist", "ray_tune_reusing_actors", "ray_tune"))
        yield measured(
            f"{ours['trials']:,} trials that do nothing, through Ray: each takes",
            ours["s_per_trial_after_start"],
            " ms",
            digits=1,
            scale=1000,
        )
        yield measured("plain Ray Tune that reuses actors, over ours", reusing["s_per_trial_over_ours"], " times")
        yield measured(
            f"plain Ray Tune as it is by default ({fresh['trials']} trials), over ours", fresh["s_per_trial_over_ours"], " times", digits=0
        )


def trial_speed(record: Record) -> Iterator[Claim]:
    for row in record["networks"]:
        network = f"{row['blocks']} x {row['channels']} channels, batch {row['batch_size']}"
        goal = (3.5 if row["channels"] == 64 else 2.5) if row["batch_size"] == 128 else None
        yield measured(f"{network}: images a second over the tutorial loop's", row["ratio"], " times", least=goal)
        beside = row["shares_of_our_epoch"]["beside_the_network"]
        most = None if goal is None else 10
        yield measured(f"{network}: share of an epoch that is not the network", beside, " %", digits=1, scale=100, most=most)


def trial_speed_gpu(record: Record) -> Iterator[Claim]:
    for goal in record["goals"]:
        yield Claim(goal["goal"].partition(":")[0], goal["seen"], record["about"].get("n", 1), goal["goal"], goal["met"])


def plan_accuracy(record: Record) -> Iterator[Claim]:
    for name, figure in record["predicted_over_real"].items():
        claim = measured(f"`{name}`: wall time that `plan --calibrate` foretold over the real one", figure, " times")
        yield Claim(claim.what, claim.seen, claim.n, "0.85 to 1.15 times", 0.85 <= figure["mean"] <= 1.15)


def review_speed(record: Record) -> Iterator[Claim]:
    if found := record.get("commands"):
        for name, figures in found["commands"].items():
            yield measured(f"`{name}`, {found['trials']:,} trials with {found['epochs']:,} epochs", figures["wall_s"], " s", most=1)
    if found := record.get("derive"):
        yield measured(f"a leaderboard of {found['trials']:,} trials, from the history", found["wall_s"], " s", most=3)


def report_speed(record: Record) -> Iterator[Claim]:
    page, board = record["page"], record["leaderboard"]
    what = f"report of {page['trials']:,} trials x {page['epochs']} epochs"
    size_mb = page["bytes"] / 1e6
    yield measured(f"{what}: built in", page["build_s"], " s", most=10)
    yield Claim(f"{what}: its file", f"{size_mb:.2f} MB", 1, "≤ 5 MB", size_mb <= 5)
    yield measured(f"{what}: something is painted in Chromium after", page["first_paint_ms"], " ms", digits=0, most=1000)
    yield measured(f"{what}: all pictures, scrolled through", page["scroll_through_ms"], " ms", digits=0)
    yield measured(f"a leaderboard of {board['trials']:,} trials, from the history", board["derive_s"], " s", most=3)


def serve_load(record: Record) -> Iterator[Claim]:
    clients, ratio = record["about"]["settings"]["clients"], record["watched_over_alone"]
    error = 2 * ratio["sd"] / ratio["n"] ** 0.5
    claim = measured(f"a driver's processor time for an epoch with {clients} clients watching, over nobody watching", ratio, " times")
    yield Claim(claim.what, claim.seen, claim.n, "1 within two standard errors, or less", ratio["mean"] - error <= 1)
    watched = record["watched"]
    yield measured("share of one core that the server takes", watched["server_processor_share"], " %", digits=0, scale=100)
    yield measured("a leaderboard of 100 rows meanwhile, median", watched["leaderboard_ms_median"], " ms", digits=0)


def storage(record: Record) -> Iterator[Claim]:
    yield measured("a decision waits for a folder", record["folder"]["mean_ms"], " ms")
    yield measured(f"a decision waits for an object store ({record['about']['server']})", record["store"]["mean_ms"], " ms")
    yield measured("object store over folder", record["store_over_folder"], " times", digits=1)
    yield measured("an empty machine reads the journal in", record["read_s"], " s")


def replay(record: Record) -> Iterator[Claim]:
    about, ours = record["about"], record["ratios"]["shortlist-default"]
    what = f"training by our default over Ray's ASHA, {len(about['rows'])} tables, {about['num_workers']} workers"
    n = about["methods"]["shortlist-default"]["repeats"]
    goals = {"top1": ("until a top 1 % configuration is trained in full", 0.55), "top5": ("until one of the top 5 % is", 0.8)}
    for name, (words, goal) in goals.items():
        yield _ratio(f"{what}: {words}", ours[name], n, goal)
    for after, goal in {"3": 0.2, "5": 0.5, "10": 0.6, "20": 0.5}.items():
        yield _ratio(f"regret of our default over Ray's ASHA after {after} full trainings", ours["regret"][after], n, goal)


def replay_of_few_orders(record: Record) -> Iterator[Claim]:
    """The same without goals, which so few orders neither meet nor miss."""
    yield from (replace(claim, goal="", met=None) for claim in replay(record))


def samplers(record: Record) -> Iterator[Claim]:
    last = list(next(iter(record["ratios"]["all"].values())))[-1]
    for name, figures in record["ratios"]["all"].items():
        if name != record["about"]["reference"]:
            what = (
                f"regret of `{name}` over `{record['about']['reference']}` after {last} full trainings, {len(record['problems'])} problems"
            )
            yield _ratio(what, figures[last], record["about"]["repeats"][name], None)


def _ratio(what: str, figures: Mapping[str, Any], n: int, goal: float | None) -> Claim:
    """Return the claim of a geometric mean over tables with its 95 % interval."""
    if figures["ratio"] is None:
        return Claim(what, "never in half of the orders", n, f"≤ {goal:g} times" if goal else "", False if goal else None)
    seen = f"{figures['ratio']:.2f} [{figures['low']:.2f}, {figures['high']:.2f}] times"
    return Claim(what, seen, n, f"≤ {goal:g} times" if goal else "", figures["ratio"] <= goal if goal else None)


Claims = Callable[[Record], Iterator[Claim]]
