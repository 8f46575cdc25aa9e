import pytest
import torch
from torch.nn.functional import one_hot

from trainable.loss import Targets, mean_loss

LOGITS = torch.randn((5, 3), generator=torch.Generator().manual_seed(0))
LABELS, OTHERS = torch.tensor([0, 1, 2, 1, 0]), torch.tensor([0, 2, 1, 0, 2])
SHARES = torch.tensor([1.0, 0.3, 0.5, 0.0, 0.8])


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("mixed", [False, True])
def test_loss_is_the_cross_entropy_against_probabilities_written_out(smoothing: float, mixed: bool) -> None:
    targets = Targets(LABELS, OTHERS, SHARES) if mixed else Targets(LABELS)
    wanted = one_hot(LABELS, 3).float()
    if mixed:
        wanted = SHARES[:, None] * wanted + (1 - SHARES)[:, None] * one_hot(OTHERS, 3)
    wanted = (1 - smoothing) * wanted + smoothing / 3
    expected = -(wanted * LOGITS.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(mean_loss(LOGITS, targets, smoothing), expected)
