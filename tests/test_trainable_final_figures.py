"""Figures of predictions, temperatures, views: against numbers worked out by hand, or by another route."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import CPU, random_data, recipe
from scipy.optimize import minimize_scalar
from torch.nn.functional import cross_entropy

from trainable.data.test_split import TestData
from trainable.final import temperature
from trainable.final.choices import Choice, choose
from trainable.final.export import export
from trainable.final.figures import confusion, figures, per_class, reliability
from trainable.final.published import load
from trainable.final.scores import score
from trainable.final.views import SETS, averaged, looked_at, view
from trainable.training import Training


def sure(*confidences: float) -> torch.Tensor:
    """Return logits of two classes, the first of which has these probabilities."""
    shares_N = torch.tensor(confidences, dtype=torch.float64)
    return torch.stack((shares_N, 1 - shares_N), dim=1).log()


def test_calibration_error_is_that_of_bins_added_up_by_hand() -> None:
    logits_NK, labels_N = sure(0.95, 0.95, 0.95, 0.62, 0.62), torch.tensor([0, 0, 1, 0, 1])
    rows = reliability(logits_NK, labels_N)
    assert [(row["examples"], round(row["low"] * 15), round(row["high"] * 15)) for row in rows] == [(2, 9, 10), (3, 14, 15)]
    expected = 3 / 5 * abs(2 / 3 - 0.95) + 2 / 5 * abs(1 / 2 - 0.62)
    seen = figures(logits_NK, labels_N)
    assert seen.calibration_error == pytest.approx(expected)
    assert seen.accuracy == 3 / 5
    assert seen.loss == pytest.approx(-(2 * math.log(0.95) + math.log(0.05) + math.log(0.62) + math.log(0.38)) / 5)


def test_confusion_and_classes_count_what_was_taken_for_what() -> None:
    logits_NK, labels_N = torch.eye(3)[[0, 1, 1, 2, 0]], torch.tensor([0, 0, 1, 1, 1])
    matrix = confusion(logits_NK, labels_N)
    assert matrix == [[1, 1, 0], [1, 1, 1], [0, 0, 0]]
    rows = per_class(matrix, ("a", "b", "c"))
    assert [(row["examples"], row["accuracy"], row["precision"]) for row in rows] == [(2, 1 / 2, 1 / 2), (3, 1 / 3, 1 / 2), (0, None, 0.0)]


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 3.0])
def test_temperature_is_the_one_another_search_finds_and_near_the_true_one(true_temperature: float) -> None:
    rng = np.random.default_rng(0)
    true_NK = torch.from_numpy(rng.normal(0, 2, (4000, 5)))
    labels_N = torch.multinomial(true_NK.softmax(1), 1, generator=torch.Generator().manual_seed(0)).squeeze(1)
    logits_NK = true_NK * true_temperature
    found = temperature.fit(logits_NK, labels_N)
    other = minimize_scalar(lambda log_t: float(cross_entropy(logits_NK / math.exp(log_t), labels_N)), bounds=(-3, 3), method="bounded")
    assert found == pytest.approx(math.exp(other.x), rel=1e-4)
    assert found == pytest.approx(true_temperature, rel=0.1)  # its standard error is about 2 %


def test_temperature_stays_within_its_bounds() -> None:
    labels_N = torch.tensor([0, 1])
    assert temperature.fit(torch.eye(2), labels_N) == pytest.approx(temperature.LOWEST)
    assert temperature.fit(-torch.eye(2), labels_N) == pytest.approx(temperature.HIGHEST)


def test_views_are_what_their_names_say() -> None:
    image_HW = torch.arange(12, dtype=torch.uint8).view(3, 4)
    images = image_HW[None, :, :, None]

    def seen(name: str) -> list[list[float]]:
        found: list[list[float]] = view(images, name)[0, :, :, 0].tolist()
        return found

    assert seen("plain") == image_HW.tolist()
    assert seen("mirrored")[0] == [3, 2, 1, 0]
    assert seen("up") == image_HW[[1, 2, 2]].tolist()
    assert seen("down") == image_HW[[0, 0, 1]].tolist()
    assert seen("left")[0] == [1, 2, 3, 3]
    assert seen("mirrored right")[0] == [3, 3, 2, 1]
    assert seen("blurred")[1] == [4.25, 5, 6, 6.75]  # a ramp stays a ramp, but at its repeated edges
    assert seen("darker")[2] == pytest.approx([7.2, 8.1, 9.0, 9.9])
    assert np.mean(seen("more_contrast")) == pytest.approx(5.5, abs=0.05)  # but for the black pixel, which cannot be darker
    with pytest.raises(ValueError, match="unknown"):
        view(images, "upside_down")


def test_averaged_views_are_the_mean_of_probabilities() -> None:
    logits_VNK = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(averaged(logits_VNK).exp(), logits_VNK.softmax(2).mean(0))
    images = torch.randint(0, 256, (5, 2, 2, 1), dtype=torch.uint8)
    assert torch.equal(looked_at(images, ("plain",), lambda seen: seen.float().flatten(1)), images.float().flatten(1))


@pytest.fixture(scope="module")
def training() -> Training:
    """A network that was trained for too long at labels that are partly wrong: much too sure."""
    torch.set_num_threads(1)
    data = random_data(channels=3, num_train=60, num_val=90)
    labels_N = data.val_labels_N
    labels_N[::7] = (labels_N[::7] + 1) % 3
    training = Training(recipe(max_epochs=12, augment={}), data, CPU)
    for _ in range(12):
        training.train_epoch()
    return training


def test_choice_is_the_likeliest_of_the_views_that_lose_no_image_and_knows_validation_alone(training: Training) -> None:
    choice = choose(training.kept, training.data, learned_from_all=False)
    candidates = choice.validation["views"]
    assert set(candidates) == set(SETS)
    able = {name: one["loss"] for name, one in candidates.items() if one["accuracy"] >= candidates["plain"]["accuracy"]}
    assert able[choice.views] == min(able.values()) <= able["plain"]
    assert (choice.temperature, choice.views_temperature) == (candidates["plain"]["temperature"], candidates[choice.views]["temperature"])
    assert choice.temperature > 1.2
    assert choice.validation["calibrated"]["loss"] < choice.validation["plain"]["loss"]
    assert choice.validation["calibrated"]["accuracy"] == choice.validation["plain"]["accuracy"]
    assert choose(training.kept, training.data, learned_from_all=False) == choice


def test_images_that_were_learned_from_choose_nothing(training: Training) -> None:
    choice = choose(training.kept, training.data, learned_from_all=True)
    assert (choice.temperature, choice.views, choice.validation) == (1.0, "plain", {})


def test_scores_of_the_split_that_chose_are_those_the_choice_was_made_by(training: Training) -> None:
    data = training.data
    choice = choose(training.kept, data, learned_from_all=False)
    same = TestData(data.val_images_NHWC, data.val_labels_N, data.class_names, "")
    scores, details = score(training.kept, same, data, choice)
    assert scores.test_loss == choice.validation["plain"]["loss"]
    assert scores.test_loss_calibrated == choice.validation["calibrated"]["loss"]
    assert scores.test_loss_views == pytest.approx(choice.validation["views"][choice.views]["loss"], rel=1e-6)
    assert scores.test_accuracy_views == choice.validation["views"][choice.views]["accuracy"]
    assert sum(map(sum, details["confusion"])) == scores.test_examples == 90
    assert [row["class"] for row in details["per_class"]] == list(data.class_names)


@pytest.mark.parametrize("views", SETS)
def test_model_file_asks_the_network_as_it_was_chosen(training: Training, tmp_path: Path, views: str) -> None:
    data = training.data
    export(training.kept, training.config, data, tmp_path, Choice(temperature=9.0, views=views, views_temperature=1.7))
    images = data.val_images_NHWC
    expected_NK = looked_at(images, SETS[views], lambda seen: training.kept(training.normalize(seen)).detach())
    model = load(tmp_path, CPU)
    assert torch.allclose(model.probabilities(images), (expected_NK / 1.7).softmax(1), atol=1e-6)
    assert torch.equal(model.functions["predict"](images, model.module), expected_NK.argmax(1))
    assert ("def view(" in (tmp_path / "model.py").read_text()) == (views != "plain")
