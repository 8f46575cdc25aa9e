"""CUDA graphs as they would be on a CPU: recorded operations, done again on the same memory.

What matters of a graph holds here, too: capturing computes nothing; Python numbers and addresses are frozen, Python itself is not asked
again; draws go on where their generators are; what waits for the device cannot be captured.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

WAITS = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default, torch.ops.aten.equal.default)


class Recording(TorchDispatchMode):
    """Notes every operation with its operands, and what those held when they were first met."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Callable[..., Any], Any, Any, list[Any]]] = []
        self._made: set[int] = set()
        self._met: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in WAITS:
            raise RuntimeError(f"operation not permitted when stream is capturing: {function}")
        args, kwargs = tree_map(lambda leaf: leaf, (args, kwargs or {}))  # lists may be filled anew later
        for leaf in tree_flatten((args, kwargs))[0]:
            if isinstance(leaf, torch.Tensor) and place(leaf) not in self._made:
                self._met.setdefault(id(leaf), (leaf, leaf.detach().clone()))
        out = function(*args, **kwargs)
        results = tree_flatten(out)[0]
        known = {place(leaf) for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, torch.Tensor)}
        fresh = [leaf if isinstance(leaf, torch.Tensor) and place(leaf) not in known else None for leaf in results]
        self._made |= {place(leaf) for leaf in fresh if leaf is not None}
        self.calls.append((function, args, kwargs, fresh))
        return out

    def undo(self) -> None:
        """Give everything that was there before its old content."""
        with torch.no_grad():
            for tensor, before in self._met.values():
                tensor.detach().copy_(before)

    @torch.no_grad()
    def replay(self) -> None:
        """Do it all again; results go where they went before."""
        for function, args, kwargs, fresh in self.calls:
            for target, result in zip(fresh, tree_flatten(function(*args, **kwargs))[0], strict=True):
                if target is not None:
                    target.detach().copy_(result)


def place(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def recorded(work: Callable[[], None], generators: Sequence[torch.Generator]) -> Callable[[], None]:
    """Stand in for `captured.cuda_graph`."""
    drawing = (*generators, torch.default_generator)
    states = [generator.get_state() for generator in drawing]
    recording = Recording()
    try:
        with recording:
            work()
    finally:
        recording.undo()
        for generator, state in zip(drawing, states, strict=True):
            generator.set_state(state)
    return recording.replay
