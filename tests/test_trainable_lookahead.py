import pytest
import torch
from torch import nn

from trainable.lookahead import Lookahead


def slow_of(lookahead: Lookahead) -> torch.Tensor:
    weight = lookahead.module().weight
    assert isinstance(weight, torch.Tensor)
    return weight


def test_slow_weights_follow_algorithm_1() -> None:
    """Against the paper's algorithm written out with numbers: the fast weight goes up by one each step."""
    module = nn.Linear(1, 1)
    nn.init.zeros_(module.weight)
    lookahead = Lookahead(module, k=3, alpha=0.5)
    fast = slow = 0.0
    for step in range(1, 11):
        with torch.no_grad():
            module.weight += 1.0
        lookahead.update()
        fast += 1.0
        if step % 3 == 0:
            slow += 0.5 * (fast - slow)
            fast = slow
        assert (module.weight.item(), slow_of(lookahead).item()) == (fast, slow)
    assert (fast, slow) == (5.5, 4.5)


def test_slow_network_has_the_statistics_of_the_fast_one_and_its_own_weights() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    lookahead = Lookahead(module, k=5, alpha=0.5)
    module(torch.rand(4, 1, 3, 3))
    with torch.no_grad():
        module[0].weight += 1.0
    lookahead.update()
    slow = lookahead.module()
    assert all(torch.equal(a, b) for a, b in zip(slow.buffers(), module.buffers(), strict=True))
    assert not torch.equal(next(slow.parameters()), next(module.parameters()))
    assert not slow.training
    assert not any(parameter.requires_grad for parameter in slow.parameters())
    assert module.training


@pytest.mark.parametrize("steps", [1, 3, 4])
def test_state_goes_on_where_it_was(steps: int) -> None:
    def run(lookahead: Lookahead, module: nn.Linear, count: int) -> None:
        for _ in range(count):
            with torch.no_grad():
                module.weight.mul_(1.1).add_(0.1)
            lookahead.update()

    torch.manual_seed(0)
    module = nn.Linear(2, 2)
    lookahead = Lookahead(module, k=3, alpha=0.8)
    run(lookahead, module, steps)
    other = nn.Linear(2, 2)
    again = Lookahead(other, k=3, alpha=0.8)
    other.load_state_dict(module.state_dict())
    again.load_state_dict(lookahead.state_dict())
    run(lookahead, module, 5)
    run(again, other, 5)
    assert torch.equal(other.weight, module.weight)
    assert torch.equal(slow_of(again), slow_of(lookahead))
