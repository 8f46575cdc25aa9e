"""Ray's words about actors that died, as it wrote them on a cluster that lost workers and nodes."""

import pytest

from tuner.ray_losses import UNKNOWN, Loss, told

DIED = "Failure # 1 (occurred at ...)\nThe actor died unexpectedly before finishing this task.\n\tclass_name: {}\n\tactor_id: 5ec6\n"
NODE = DIED + "The actor died because its node has died. Node Id: 47bc\n\tthe actor's node was terminated expectedly: received SIGTERM\n"
PROCESS = DIED + "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: End of file.\n"
ENDED = DIED + "The actor is dead because it was killed by `ray.kill`.\n"
START = DIED + "The actor died because of an error raised in its creation task, ray::X.__init__()\n  File x\nImportError: libcuda.so.1\n"
MEMORY = "Failure # 1\nTask was killed due to the node running low on memory.\n"


@pytest.mark.parametrize("node_left", [True, False])
@pytest.mark.parametrize(
    ("text", "loss"),
    [
        (NODE, Loss("its node went away", node_lost=True)),
        (PROCESS, Loss(UNKNOWN)),
        (ENDED, Loss(UNKNOWN)),
        (START, Loss("the worker could not start: ImportError: libcuda.so.1")),
        (MEMORY, Loss("Ray ended the worker process, its node was low on memory")),
    ],
)
def test_what_ray_says_decides_whoever_left(text: str, loss: Loss, node_left: bool) -> None:
    assert told(text, node_left=node_left) == loss


def test_a_death_without_a_cause_is_its_nodes_where_one_has_left() -> None:
    assert told(DIED, node_left=True) == Loss("its node was taken away", node_lost=True)
    assert told(DIED, node_left=False) == Loss(UNKNOWN)
