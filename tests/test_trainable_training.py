from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pictures import CPU, Flat, random_data, recipe

from trainable.data.resident import TrainingData
from trainable.errors import CheckpointError, DataError, Diverged, ModelError, OutOfMemory
from trainable.evaluate import Evaluation, evaluate
from trainable.metrics import EpochMetrics
from trainable.step import TrainStep
from trainable.training import Training

DATA = random_data()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def figures(metrics: EpochMetrics) -> tuple[float, ...]:
    """Return what must be equal to the last bit; times are not."""
    return (metrics.epoch, metrics.train_loss, metrics.train_accuracy, metrics.val_loss, metrics.val_accuracy, metrics.lr)


def same_weights(one: Training, other: Training) -> bool:
    pairs = zip(one.module.state_dict().values(), other.module.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_trial_in_a_reused_worker_equals_one_in_a_fresh_one() -> None:
    config = recipe(dropout=0.3)
    fresh = Training(config, DATA, CPU)
    expected = [figures(fresh.train_epoch()) for _ in range(2)]
    Training(recipe(seed=9, optimizer="adam"), DATA, CPU).train_epoch()
    torch.manual_seed(123)
    reused = Training(config, DATA, CPU)
    interleaved = Training(recipe(seed=5, dropout=0.1), DATA, CPU)
    seen = []
    for _ in range(2):
        seen.append(figures(reused.train_epoch()))
        interleaved.train_epoch()
    assert seen == expected


def test_nothing_global_is_left_behind() -> None:
    before = (torch.get_rng_state(), torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_num_threads())
    Training(recipe(precision="bfloat16", dropout=0.2), DATA, CPU).train_epoch()
    after = (torch.get_rng_state(), torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.get_num_threads())
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


def test_other_seed_other_numbers() -> None:
    one, other = (Training(recipe(seed=seed), DATA, CPU) for seed in (0, 1))
    assert not same_weights(one, other)
    assert figures(one.train_epoch()) != figures(other.train_epoch())


def test_training_learns_what_can_be_learnt() -> None:
    training = Training(recipe(max_epochs=6, augment={}), DATA, CPU)
    metrics = [training.train_epoch() for _ in range(6)][-1]
    assert metrics.train_loss < 0.5
    assert metrics.val_accuracy > 0.8
    assert metrics.epoch == training.epoch == 6
    assert 0 < metrics.device_s <= metrics.wall_s
    assert metrics.images_per_s > 0
    assert metrics.peak_memory_bytes > 1e6


def spoil(monkeypatch: pytest.MonkeyPatch, at_step: int, loss: float) -> list[int]:
    """Let the loss of one step be what it must not be; return the steps taken."""
    steps: list[int] = []
    step = TrainStep.__call__

    def spoilt(self: TrainStep, *args: Any) -> Any:
        steps.append(len(steps) + 1)
        found, num_right = step(self, *args)
        return (torch.tensor(loss) if len(steps) == at_step else found), num_right

    monkeypatch.setattr(TrainStep, "__call__", spoilt)
    return steps


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_loss_that_is_not_finite_ends_the_trial_at_that_step(monkeypatch: pytest.MonkeyPatch, loss: float) -> None:
    training = Training(recipe(schedule="cosine"), DATA, CPU)
    steps = spoil(monkeypatch, 8, loss)
    training.train_epoch()  # 70 images by 16 are five steps
    with pytest.raises(Diverged, match=rf"training loss is {loss} at step 3 of epoch 2, lr 0\.0363"):
        training.train_epoch()
    assert len(steps) == 8
    assert training.epoch == 1


def test_step_of_a_divergence_is_found_where_losses_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainable.training.STEPS_BETWEEN_LOOKS", {"cpu": 3})
    training = Training(recipe(), DATA, CPU)
    steps = spoil(monkeypatch, 5, float("nan"))
    with pytest.raises(Diverged, match="step 5 of epoch 1"):
        training.train_epoch()
    assert len(steps) == 5


def test_huge_learning_rate_diverges() -> None:
    training = Training(recipe(lr=1000, momentum=0.99, max_epochs=50), DATA, CPU)
    with pytest.raises(Diverged, match="lower lr"):
        [training.train_epoch() for _ in range(50)]


def test_validation_loss_that_is_not_finite_is_divergence(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(recipe(), DATA, CPU)
    for buffer in training.module.buffers():
        if buffer.is_floating_point():
            buffer.fill_(float("nan"))  # statistics that only evaluation reads; one training epoch does not wash out a nan
    with pytest.raises(Diverged, match="validation loss is nan after epoch 1"):
        training.train_epoch()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        MemoryError(),
    ],
)
def test_no_memory_left_is_said_so(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    training = Training(recipe(), DATA, CPU)
    monkeypatch.setattr(TrainStep, "__call__", fail)
    with pytest.raises(OutOfMemory) as caught:
        training.train_epoch()
    assert caught.value.__context__ is None  # whose traceback would keep the tensors alive


def test_real_allocation_that_fails_is_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainStep, "__call__", lambda *_: torch.empty(2**50))
    with pytest.raises(OutOfMemory, match="can't allocate memory"):
        Training(recipe(), DATA, CPU).train_epoch()


def test_other_runtime_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainStep, "__call__", lambda *_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        Training(recipe(), DATA, CPU).train_epoch()


@pytest.mark.parametrize(("num_train", "sizes"), [(33, [16, 16]), (34, [16, 16, 2]), (32, [16, 16])])
def test_last_batch_is_kept_unless_it_is_a_single_image(monkeypatch: pytest.MonkeyPatch, num_train: int, sizes: list[int]) -> None:
    seen: list[int] = []
    step = TrainStep.__call__
    monkeypatch.setattr(TrainStep, "__call__", lambda self, images, *rest: (seen.append(len(images)), step(self, images, *rest))[1])
    Training(recipe(), random_data(num_train=num_train), CPU).train_epoch()
    assert seen == sizes


def test_every_image_is_seen_once_an_epoch_in_another_order_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_data(num_train=64)
    orders: list[torch.Tensor] = []
    step = TrainStep.__call__
    monkeypatch.setattr(TrainStep, "__call__", lambda self, images, *rest: (orders.append(images), step(self, images, *rest))[1])
    training = Training(recipe(augment={}), data, CPU)
    for _ in range(2):
        training.train_epoch()
    first, second = torch.cat(orders[:4]), torch.cat(orders[4:])
    assert not torch.equal(first, second)
    expected = training.normalize(data.train_images_NHWC)
    for epoch in (first, second):
        assert {image.numpy().tobytes() for image in epoch.contiguous()} == {image.numpy().tobytes() for image in expected.contiguous()}


def test_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(DataError, match="batch_size: 128, must be at most the 70 training images"):
        Training(recipe(batch_size=128), DATA, CPU)


def test_images_of_one_class_are_refused() -> None:
    data = replace(DATA, train_labels_N=torch.ones(70, dtype=torch.int64))
    with pytest.raises(DataError, match="data: all 70 training images are of the class 'bright', must be of two or more"):
        Training(recipe(), data, CPU)


@pytest.mark.parametrize(
    ("outputs", "size", "message"),
    [(3, 9, r"images of 1 x 9 x 9 \(channels, height, width\) do not pass"), (5, 8, "an image of 1 x 8 x 8 gives 5 numbers, must be 3")],
)
def test_network_for_other_images_is_refused_before_training(
    monkeypatch: pytest.MonkeyPatch, outputs: int, size: int, message: str
) -> None:
    monkeypatch.setattr("trainable.family.build", lambda *_, **__: Flat(outputs=outputs))
    with pytest.raises(ModelError, match=message):
        Training(recipe(), random_data(size=size), CPU)


def test_divergence_in_a_later_batch_of_a_step_names_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(recipe(accumulation=2), DATA, CPU)
    spoil(monkeypatch, 4, float("nan"))
    with pytest.raises(Diverged, match=r"training loss is nan at step 2 of epoch 1, lr 0\.05"):
        training.train_epoch()


@pytest.mark.parametrize("fields", [{"ema_decay": 0.9}, {"lookahead_k": 2}, {"ema_decay": 0.9, "lookahead_k": 2}])
def test_averaged_weights_are_what_is_evaluated_and_exported(fields: dict[str, Any]) -> None:
    training = Training(recipe(**fields), DATA, CPU)
    metrics = [training.train_epoch() for _ in range(3)][-1]
    assert training.evaluated is training.kept is not training.module
    ours = evaluate(training.kept, DATA.val_images_NHWC, DATA.val_labels_N, normalize=training.normalize, number_format=torch.float32)
    assert (ours.loss, ours.accuracy) == (metrics.val_loss, metrics.val_accuracy)
    trained = evaluate(training.module, DATA.val_images_NHWC, DATA.val_labels_N, normalize=training.normalize, number_format=torch.float32)
    assert trained.loss != metrics.val_loss


def scripted(monkeypatch: pytest.MonkeyPatch, accuracies: list[float]) -> None:
    """Let validation say what the test wants."""
    script = iter(accuracies)
    monkeypatch.setattr("trainable.training.evaluate", lambda *_, **__: Evaluation(loss=1.0, accuracy=next(script), num_right=0))


def test_run_is_over_when_patience_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scripted(monkeypatch, [0.5, 0.6, 0.6, 0.4, 0.7])
    training = Training(recipe(patience=2, max_epochs=9), DATA, CPU)
    seen = []
    for _ in range(4):
        assert training.over is None
        training.train_epoch()
        seen.append(training.over)
    assert seen == [None, None, None, "no better val_accuracy in 2 epochs; the best was at epoch 2"]
    training.save(tmp_path / "checkpoint")
    again = Training(recipe(patience=2, max_epochs=9), DATA, CPU)
    again.load(tmp_path / "checkpoint")
    assert again.over == seen[-1]


def test_last_epoch_ends_a_run_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, [0.5, 0.4, 0.4])
    training = Training(recipe(patience=2, max_epochs=3), DATA, CPU)
    for _ in range(3):
        training.train_epoch()
    assert training.over is None


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_best_weights_are_kept_through_a_checkpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ema_decay: float) -> None:
    config = recipe(keep_best=True, ema_decay=ema_decay)
    scripted(monkeypatch, [0.5, 0.6, 0.4, 0.6])
    training = Training(config, DATA, CPU)
    states = []
    for epoch in range(4):
        training.train_epoch()
        states.append({name: tensor.clone() for name, tensor in training.evaluated.state_dict().items()})
        training.save(tmp_path / "checkpoint")
        training = Training(config, DATA, CPU)
        training.load(tmp_path / "checkpoint")
        assert training.kept_epoch == [1, 2, 2, 2][epoch]
    kept = training.kept.state_dict()
    assert all(torch.equal(kept[name], states[1][name]) for name in kept)
    assert not torch.equal(kept["head.weight"], states[3]["head.weight"])
    training.config = config.model_copy(update={"keep_best": False})
    assert training.kept_epoch == 4


def test_peak_memory_begins_anew_with_each_trial() -> None:
    """On Linux; elsewhere the highest so far goes on."""
    Training(recipe(), DATA, CPU)
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux forgets a process's peak")
    held = torch.ones(2**26)  # 256 MiB
    high = Training(recipe(), DATA, CPU).train_epoch().peak_memory_bytes
    del held
    low = Training(recipe(), DATA, CPU).train_epoch().peak_memory_bytes
    assert low < high - 2**27


def test_single_images_are_refused_where_batch_norm_has_nothing_to_average() -> None:
    config = recipe(batch_size=1, model={"blocks": [1, 1, 1, 1], "channels": 2})
    with pytest.raises(ModelError, match="batch_size: 1, too few for batch norm"):
        Training(config, random_data(num_train=9), CPU).train_epoch()


def trained(tmp_path: Path, data: TrainingData = DATA) -> Path:
    training = Training(recipe(), data, CPU)
    training.train_epoch()
    training.save(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_checkpoint_of_another_configuration_is_refused(tmp_path: Path) -> None:
    folder = trained(tmp_path)
    with pytest.raises(CheckpointError, match="another configuration"):
        Training(recipe(lr=0.06), DATA, CPU).load(folder)


def test_horizon_may_be_moved(tmp_path: Path) -> None:
    longer = Training(recipe(max_epochs=50), DATA, CPU)
    longer.load(trained(tmp_path))
    assert longer.epoch == 1


@pytest.mark.parametrize("name", ["model.safetensors", "state.pt", "meta.json"])
@pytest.mark.parametrize("keep", [0, 0.5, None])
def test_damaged_checkpoint_is_named(tmp_path: Path, name: str, keep: float | None) -> None:
    file = trained(tmp_path) / name
    content = file.read_bytes()
    file.unlink()
    if keep is not None:
        file.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(CheckpointError, match=r"checkpoint cannot be read .* continue from an earlier checkpoint"):
        Training(recipe(), DATA, CPU).load(tmp_path / "checkpoint")


def test_saving_again_replaces_the_folder_and_leaves_nothing_else(tmp_path: Path) -> None:
    folder = trained(tmp_path)
    training = Training(recipe(), DATA, CPU)
    training.load(folder)
    training.train_epoch()
    training.save(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    training.load(folder)
    assert training.epoch == 2


def test_checkpoint_holds_no_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return print, ("run while loading",)

    folder = trained(tmp_path)
    torch.save({0: {"step": Evil()}}, folder / "state.pt")
    with pytest.raises(CheckpointError):
        Training(recipe(), DATA, CPU).load(folder)


def test_repeats_show_each_image_so_many_times_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_data(num_train=32)
    seen: list[torch.Tensor] = []
    step = TrainStep.__call__
    monkeypatch.setattr(TrainStep, "__call__", lambda self, images, *rest: (seen.append(images), step(self, images, *rest))[1])
    training = Training(recipe(augment={"repeats": 3}), data, CPU)
    metrics = training.train_epoch()
    shown = Counter(image.numpy().tobytes() for image in torch.cat(seen).contiguous())
    assert set(shown.values()) == {3}
    assert len(shown) == 32
    assert metrics.epoch == 1


def test_without_normalization_pixels_are_scaled_to_one_everywhere() -> None:
    training = Training(recipe(normalize=False), DATA, CPU)
    images = DATA.val_images_NHWC
    assert torch.equal(training.normalize(images), images.permute(0, 3, 1, 2) / 255)
    assert (training.data.mean, training.data.std) == ((0.0,), (255.0,))  # what is exported with the network
    assert training.train_epoch().train_loss != Training(recipe(), DATA, CPU).train_epoch().train_loss


def test_losses_of_the_batches_average_to_the_loss_of_the_epoch() -> None:
    training = Training(recipe(), DATA, CPU)
    assert training.batch_losses == ()
    metrics = training.train_epoch()
    losses, sizes = training.batch_losses, [16, 16, 16, 16, 6]
    assert len(losses) == len(sizes)
    assert sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / 70 == pytest.approx(metrics.train_loss, rel=1e-6)
