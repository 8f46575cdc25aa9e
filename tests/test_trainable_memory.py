"""Memory of a worker over many trials, in a process of its own: this one's is full of other tests."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

MIB = 2**20


def in_a_process(program: str) -> list[Any]:
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


TWENTY_TRIALS = """
import gc, json, os
import torch
from pathlib import Path
from pictures import CPU, random_data, recipe
from trainable.memory import give_back
from trainable.training import Training

torch.set_num_threads(1)
gc.disable()  # what a trial held must go with it, not when Python next looks for cycles
data = random_data(num_train=128, size=32, channels=3)
for trial in range(20):
    fields = {"optimizer": ("sgd", "adam")[trial % 2], "mixup": 0.2 * (trial % 3), "ema_decay": 0.9, "lookahead_k": 2, "keep_best": True}
    training = Training(recipe(model={"blocks": [1], "channels": (16, 48)[trial % 2]}, batch_size=128, **fields), data, CPU)
    metrics = training.train_epoch()
    del training
    give_back()  # as the next trial does
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    print(json.dumps([pages * os.sysconf("SC_PAGE_SIZE"), metrics.peak_memory_bytes]))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux says what a process has in memory")
def test_memory_is_flat_over_twenty_trials() -> None:
    """Tolerance 8 MiB over the last fifteen trials, each of which holds 80 to 200 MiB while it lasts."""
    seen = in_a_process(TWENTY_TRIALS)
    resident, peaks = [now for now, _ in seen], [peak for _, peak in seen]
    assert max(peak - now for now, peak in seen) > 150 * MIB, "what is measured is too small to tell a leak by"
    assert max(resident[5:]) - min(resident[5:]) < 8 * MIB, [now // MIB for now in resident]
    assert all(peak >= now for now, peak in seen)
    assert max(peaks[4::2]) < min(peaks[5::2]), "a small trial's peak is its own, not that of the larger one before it"
