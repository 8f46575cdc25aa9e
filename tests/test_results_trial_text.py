"""One trial, and some trials side by side, as people read them."""

from results import compare, ranking, trial_text
from results.history import History
from results.terminal import Terminal
from tests import recorded

HISTORY = History.of(recorded.sweep())
RANKS = {record.trial: place if ranking.ranked(record) else None for place, record in enumerate(ranking.order(HISTORY), start=1)}
PLAIN = Terminal(width=80, color=False, unicode=False)


def shown(trial: str, terminal: Terminal = PLAIN) -> str:
    return "\n".join(trial_text.lines(HISTORY, HISTORY.trials[trial], rank=RANKS[trial], terminal=terminal, argument="digits"))


def leader() -> str:
    return next(trial for trial, rank in RANKS.items() if rank == 1)


def test_trial_is_told_from_configuration_to_decisions() -> None:
    text = shown(leader())
    assert f"digits {leader()}: " in text.splitlines()[0]
    assert "rank 1" in text.splitlines()[0]
    for part in ("searched parameters", "val_accuracy in % over epochs", "decisions", "segments (UTC)", "next: shortlist promote digits"):
        assert part in text
    for path in HISTORY.trials[leader()].values:
        assert path in text
    assert text.isascii()


def test_decisions_show_the_cut_off_that_was_met_or_missed() -> None:
    record = HISTORY.trials[leader()]
    text = shown(leader())
    for fact in record.decisions:
        assert fact.cutoff is not None
        assert f"{fact.cutoff * 100:.1f}" in text
        assert fact.action in text


def test_failed_trial_says_why_with_the_end_of_its_log() -> None:
    failed = next(record for record in HISTORY.trials.values() if record.ended is not None and record.ended.log_tail)
    text = shown(failed.trial)
    assert failed.reason in text
    assert failed.ended is not None
    assert failed.ended.log_tail[-1] in text


def test_every_trial_of_a_sweep_can_be_shown() -> None:
    for trial, record in HISTORY.trials.items():
        assert trial in shown(trial)
        assert trial in shown(trial, Terminal())
        assert trial_text.as_data(record, RANKS[trial])["trial"] == trial


def test_differences_come_first_and_what_is_the_same_is_left_out() -> None:
    two = [record for record in HISTORY.trials.values() if record.curve][:2]
    lines = compare.lines(HISTORY, two, RANKS, terminal=PLAIN, argument="digits")
    differing = compare.differing(two)
    assert differing
    first = lines[3].split()[0]
    assert first in differing
    assert all(values[0] != values[1] for values in differing.values())
    assert any(line.startswith("val_accuracy in % at 2") for line in lines)
    assert any(line.startswith("curve") for line in lines)


def test_a_trial_beside_itself_differs_in_nothing() -> None:
    record = HISTORY.trials[leader()]
    lines = compare.lines(HISTORY, [record, record], RANKS, terminal=PLAIN, argument="digits")
    assert "their configurations are the same" in lines[0]
