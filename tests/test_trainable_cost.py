import time

import torch
from torch import nn

from trainable.config.families import ResNetConfig, WideResNetConfig
from trainable.cost import measure
from trainable.memory import peak_bytes


def test_operations_and_activations_agree_with_a_count_by_hand() -> None:
    cost = measure(ResNetConfig(blocks=(1,), channels=4, skip_kernel=1), (1, 8, 8), 3)
    pixels = 8 * 8
    # stem 1 -> 4, two convolutions 4 -> 4, each 3x3; linear 4 -> 3. A multiply-add counts as two.
    assert cost.flops_per_image == 2 * (pixels * 9 * (1 * 4 + 4 * 4 + 4 * 4) + 4 * 3)
    assert cost.parameters == 9 * (4 + 16 + 16) + 3 * 2 * 4 + 4 * 3 + 3
    # The image; what each of three norms reads; what each of three ReLUs gives; the pooled features.
    assert cost.activation_bytes_per_image == 4 * (pixels * (1 + 3 * 4 + 3 * 4) + 4)


def test_network_that_would_not_fit_in_memory_is_counted() -> None:
    cost = measure(ResNetConfig(blocks=(3, 3, 3), channels=65_536), (3, 32, 32), 10)
    assert cost.parameters > 4e12


def test_network_of_ten_billion_parameters_is_counted_without_its_memory() -> None:
    model = WideResNetConfig(family="wide_resnet", depth=28, width=166)
    measure(model, (3, 32, 32), 10)  # what torch sets up the first time is not the network's
    before = peak_bytes(torch.device("cpu"))
    started = time.perf_counter()
    cost = measure(model, (3, 32, 32), 10)
    wall_s = time.perf_counter() - started
    assert cost.parameters == 10_039_149_274
    assert peak_bytes(torch.device("cpu")) - before < 2**26  # its weights alone would be 40 GB
    assert wall_s < 5  # about 0.1 s here: the limit only tells counting from building


def test_counting_leaves_the_generator_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    measure(ResNetConfig(blocks=(1,), channels=4), (3, 32, 32), 10)
    assert torch.equal(torch.get_rng_state(), before)
    assert nn.Linear(1, 1).weight.device.type == "cpu"
