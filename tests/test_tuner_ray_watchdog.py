from tuner.ray_watchdog import LEAST_S, LONGEST_EPOCHS, Watchdog


def test_a_worker_that_is_silent_for_longer_than_it_may_be_is_named_once() -> None:
    dog = Watchdog(60.0)
    assert dog.silent(["a", "b"], 100.0) == []
    dog.heard("b", 5.0)
    assert dog.silent(["a", "b"], 150.0) == []  # b is counted from here on
    assert dog.silent(["a", "b"], 161.0) == ["a"]
    assert dog.silent(["a", "b"], 162.0) == []
    assert dog.silent(["a", "b"], 222.0) == ["a", "b"]


def test_a_segment_without_a_worker_is_not_late_however_long_it_waits() -> None:
    dog = Watchdog(60.0)
    dog.silent([], 0.0)
    assert dog.silent(["a"], 1000.0) == []
    assert dog.silent([], 1050.0) == []
    assert dog.silent(["a"], 1070.0) == []
    assert dog.silent(["a"], 1131.0) == ["a"]


def test_without_a_setting_nobody_is_ended_before_the_first_epoch_and_long_epochs_make_it_patient() -> None:
    dog = Watchdog(None)
    assert dog.limit_s is None
    dog.silent(["a"], 0.0)
    assert dog.silent(["a"], 1e9) == []
    dog.heard("a", 3.0)
    assert dog.limit_s == LEAST_S
    dog.heard("a", 600.0)
    assert dog.limit_s == LONGEST_EPOCHS * 600.0
    assert Watchdog(None, longest_s=3600.0).limit_s == LONGEST_EPOCHS * 3600.0
