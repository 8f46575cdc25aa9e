"""What a promotion will train: the recipe re-derived, every change of it said, stages, and what is refused."""

import pytest
from sweeps import START, by_quality, make_search
from test_tuner_finals import first, searched

from results.history import TrialRecord
from search_spaces.final_options import FinalOptions
from search_spaces.sweep import ResourceOptions, Sweep
from tuner import final_plan
from tuner.errors import UsageError
from tuner.final_plan import FinalPlan, changes
from tuner.simulate import simulate


def planned(record: TrialRecord | None = None, **options: object) -> FinalPlan:
    sweep, history = searched()
    return final_plan.plan(sweep, record or first(history, sweep), FinalOptions.model_validate(options), ResourceOptions())


def sgd() -> TrialRecord:
    _, history = searched()
    return next(record for record in history.trials.values() if record.config["optimizer"] == "sgd")


def configs(options: Sweep) -> list[dict[str, object]]:
    search, _ = make_search(options)
    simulate(search, by_quality(0), num_workers=2, start_s=START)
    return [dict(record.config) for record in search.history.trials.values()]


def test_final_keeps_the_recipe_and_re_derives_the_horizon() -> None:
    plan = planned(epochs=200)
    search, _ = make_search(plan.stage(0))
    job = search.next_job(START)
    assert job is not None
    assert job.until_epoch == job.config.max_epochs == 200
    assert job.config.model_dump(mode="json") == dict(plan.record.config) | {"max_epochs": 200}
    assert changes(plan) == [
        f"epochs 27 -> 200; the cosine schedule is derived anew for them; lr stays {plan.record.config['lr']:g}",
    ]


def test_overrides_and_seeds_are_applied_and_said() -> None:
    plan = planned(epochs=10, seeds=(2, 0, 1), overrides={"dropout": 0.2, "augment.crop": 2})
    found = configs(plan.stage(0))
    assert [config["seed"] for config in found] == [0, 1, 2]
    assert {config["dropout"] for config in found} == {0.2}
    assert changes(plan)[1:] == ["augment.crop 1 -> 2", "dropout 0 -> 0.2"]
    assert plan.epochs_in_all == 30


def test_override_of_the_optimizer_forgets_what_only_the_old_one_read() -> None:
    plan = planned(sgd(), overrides={"optimizer": "adam"})
    assert plan.contents[0]["optimizer"] == "adam"
    assert "momentum" not in plan.contents[0]


def test_override_that_does_not_fit_is_refused() -> None:
    for overrides in ({"lr": -1}, {"learning_rate": 0.1}, {"model.colour": "red"}):
        with pytest.raises(UsageError, match="do not fit"):
            planned(overrides=overrides)


def test_same_promotion_has_the_same_name_and_any_other_another() -> None:
    def name(**options: object) -> str:
        return planned(**options).name

    assert name(epochs=5) == name(epochs=5)
    assert name(seeds=[1, 0]) == name(seeds=[0, 1]) == name(seeds=[0, 1, 1])
    stages = [{"epochs": 3}, {"epochs": 2, "search": {"trials": 2, "parameters": {"lr": {"loguniform": [1e-4, 1e-2]}}}}]
    more = [{"epochs": 3}, {"epochs": 2, "search": {"trials": 3, "parameters": {"lr": {"loguniform": [1e-4, 1e-2]}}}}]
    names = {
        name(epochs=5), name(epochs=6), name(epochs=5, seeds=[1]), name(epochs=5, overrides={"dropout": 0.1}),
        name(epochs=5, train_on="all"), name(stages=stages), name(stages=more), name(stages=stages[:1] * 2),
    }  # fmt: skip
    assert len(names) == 8


def test_lr_never_follows_the_batch_size_in_silence() -> None:
    record = sgd()
    lr, batch_size = record.config["lr"], record.config["batch_size"]
    kept = planned(record, overrides={"batch_size": 4 * batch_size})
    assert kept.contents[0]["lr"] == lr
    assert changes(kept)[-1].startswith(f"lr stays {lr:g}, though a step has 4 times the images; the linear rule makes it {4 * lr:g}")
    assert planned(record, overrides={"batch_size": 4 * batch_size}, lr_scaling="linear").contents[0]["lr"] == pytest.approx(4 * lr)
    assert planned(record, overrides={"batch_size": 4 * batch_size}, lr_scaling="sqrt").contents[0]["lr"] == pytest.approx(2 * lr)
    scaled = planned(record, overrides={"accumulation": 2}, lr_scaling="linear")
    assert scaled.contents[0]["lr"] == pytest.approx(2 * lr)
    assert f"lr {lr:g} -> {2 * lr:g}" in changes(scaled)
    explicit = planned(record, overrides={"batch_size": 4 * batch_size, "lr": 0.5}, lr_scaling="linear")
    assert explicit.contents[0]["lr"] == 0.5


def test_training_on_all_images_leaves_none_to_pick_by() -> None:
    plan = planned(train_on="all", overrides={"ema_decay": 0.99})
    assert plan.stage(0).data.train_on == "all"
    assert any("nothing picks an epoch or a seed" in line for line in changes(plan))
    for overrides, words in (({"patience": 3}, "patience is 3"), ({"keep_best": True}, "keep_best is true")):
        with pytest.raises(UsageError, match=rf"{words}.* must be .*final\.train_on: all.*add -s"):
            planned(train_on="all", overrides=overrides)
    search = {"trials": 2, "parameters": {"lr": {"loguniform": [1e-4, 1e-2]}}}
    with pytest.raises(UsageError, match=r"must have none with final\.train_on: all"):
        planned(train_on="all", stages=[{"epochs": 2, "search": search}])


def test_stages_follow_each_other_with_lengths_and_rates_of_their_own() -> None:
    plan = planned(
        seeds=[0, 1], overrides={"weight_decay": 1e-4},
        stages=[{"epochs": 50}, {"epochs": 40, "overrides": {"lr": 1e-3}}, {"epochs": 5, "overrides": {"weight_decay": 0}}],
    )  # fmt: skip
    assert [plan.folder(number) for number in range(3)] == ["stages/01", "stages/02", ""]
    assert (plan.epochs, plan.epochs_in_all) == (95, 190)
    second = plan.stage(1, seeds=[1], initial="0123456789abcdef")
    assert (second.max_epochs, second.trial["lr"], second.trial["initial"]) == (40, 1e-3, "0123456789abcdef")
    (config,) = configs(second)
    assert (config["seed"], config["max_epochs"], config["keep_best"], config["weight_decay"]) == (1, 40, True, 1e-4)
    assert plan.contents[2]["weight_decay"] == 0
    assert not plan.contents[2]["keep_best"]
    assert "starts from the best weights of stage 1, with a new optimizer" in changes(plan, 1)


def test_search_within_a_stage_gives_every_seed_the_same_candidates() -> None:
    search = {"trials": 3, "parameters": {"lr": {"loguniform": [1e-6, 1e-2]}, "weight_decay": {"loguniform": [1e-6, 1e-4]}}}
    plan = planned(seeds=[0, 1], stages=[{"epochs": 2}, {"epochs": 1, "search": search}])
    found = configs(plan.stage(1, initial="0123456789abcdef"))
    by_seed = {seed: [(c["lr"], c["weight_decay"]) for c in found if c["seed"] == seed] for seed in (0, 1)}
    assert by_seed[0] == by_seed[1]
    assert len(set(by_seed[0])) == 3
    assert plan.epochs_in_all == 2 * (2 + 3 * 1)
    assert not any(line.startswith("lr ") for line in changes(plan, 1))
    alone = configs(planned(seeds=[7], stages=[{"epochs": 2}, {"epochs": 1, "search": search}]).stage(1, initial="0123456789abcdef"))
    assert [config["seed"] for config in alone] == [7, 7, 7]
