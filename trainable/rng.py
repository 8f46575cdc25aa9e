"""Generators from one seed. Nothing is carried from epoch to epoch, so a checkpoint needs no generator state."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Purpose = Literal["weights", "order", "augment", "mix", "dropout"]


def derive(seed: int, epoch: int, purpose: Purpose) -> int:
    """Return the seed of one stream of numbers, 0 <= seed < 2**63. Neighbouring seeds and epochs give unrelated streams."""
    digest = hashlib.sha256(f"{seed}/{epoch}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, epoch: int, purpose: Purpose, device: torch.device) -> torch.Generator:
    """Return a fresh generator on the device."""
    return torch.Generator(device).manual_seed(derive(seed, epoch, purpose))


@contextmanager
def seeded(seed: int, epoch: int, purpose: Purpose, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators, which modules draw from (initial weights, dropout), and put them back afterwards."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(derive(seed, epoch, purpose))
        yield
