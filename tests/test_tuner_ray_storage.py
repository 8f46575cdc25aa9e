"""Real sweeps through Ray on an object store, and a cluster of which one node does not see it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import object_stores
import pytest
from object_stores import FaultyProxy, machine
from test_tuner_ray_driver import SWEEP, call, start

from results import journal
from results.events import Launched, Repeated
from results.history import History
from results.storage import Storage
from tuner.checkpoints import LAST

pytestmark = pytest.mark.ray

RUNS = "s3://sweeps/runs"
SHORT = ("-s", "search.trials=2", "-s", "resources.workers=1", "-s", "resources.checkpoint_epochs=1", "-s", "data.train_examples=200")
SHORT += ("-s", "scheduler={none: {max_epochs: 4}}")
FINAL = ("-s", "final={top: 1, epochs: 2}")

# A node, and one with another endpoint that joins while a sweep is at work; then the start of a sweep on both, in a folder and in a bucket.
TWO_NODES = """
import logging, sys, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from results.storage import Storage
from tuner.errors import UsageError
from tuner.ray_nodes import last_words
from tuner.ray_storage import Nodes

logging.getLogger("tuner").addHandler(logging.StreamHandler(sys.stdout))
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
ray.init(address=cluster.address, log_to_driver=False, configure_logging=False)
nodes = Nodes(Storage.at("s3://sweeps/nodes/digits"))
first = set(nodes.usable)
elsewhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "SHORTLIST_CACHE": sys.argv[2]}
other = cluster.add_node(num_cpus=1, resources={"elsewhere": 1}, env_vars=elsewhere).node_id
while nodes.look().keys() == first and not nodes.refused:
    time.sleep(0.1)
for _ in range(3):
    nodes.look()
print(set(nodes.usable) == first, nodes.refused == {other})

def crash(address):
    import os
    from tuner import worker_log
    worker_log.attach(Storage.at(address, follow=False).path("trials/t00001"))
    os.write(2, b"the heap is corrupt\\n")
    os._exit(1)

ray.wait([ray.remote(resources={"elsewhere": 1}, max_retries=0)(crash).remote("s3://sweeps/nodes/digits")])
storage = Storage.at("s3://sweeps/nodes/digits")
print(*(last_words(storage, trial) for trial in ("t00001", "t00002")))
Nodes(Storage(Path(sys.argv[1])))
print("the folder is seen")
try:
    Nodes(Storage.at("s3://sweeps/nodes/digits"))
except UsageError as error:
    print(error)
ray.shutdown()
cluster.shutdown()
"""


# A worker without a cluster, told to train one epoch on a storage.
WORKER = """
import dataclasses, sys, warnings
sys.path.insert(0, "tests")
warnings.simplefilter("ignore")
from pictures import recipe
from tuner.decisions import Job
from tuner.ray_trial import RayTrial, WorkOrder

small = {"blocks": [1], "channels": 4}
config = recipe(model=small, lr=0.05, data={"name": "digits", "validation": 200, "train_examples": 200})
job = Job(trial="t00001", config=config, from_epoch=0, until_epoch=1, attempt=1, checkpoint=None, checkpoint_epochs=1)
worker = RayTrial(config={"order": dataclasses.asdict(WorkOrder.of(job, root=sys.argv[1], threads=1, export=False))})
print(worker.step()["outcome"])
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with object_stores.server() as url:
        yield url


def test_sweep_on_an_object_store_whose_driver_is_killed_goes_on_on_another_machine(url: str, tmp_path: Path) -> None:
    machines = [tmp_path / name for name in "abc"]
    for folder in machines:
        folder.mkdir()
        (folder / "tiny.yaml").write_text(SWEEP)
    a, b, c = machines

    uploads = []

    def kill_in_the_middle(method: str, path: str) -> None:
        """End the driver while its worker waits for its third checkpoint to be taken: the journal has two."""
        if method == "PUT" and path.endswith(f"/{LAST}"):
            uploads.append(path)
            if len(uploads) == 3:
                process.kill()

    proxy = FaultyProxy(url)
    proxy.fault = kill_in_the_middle
    with object_stores.using(proxy.url):
        process = start(a, "run", "tiny.yaml", *SHORT, *FINAL, "--storage", RUNS)
        output = process.communicate(timeout=240)[0]
    proxy.close()
    assert process.returncode == -signal.SIGKILL, output

    assert json.loads(call(b, "status", "tiny", "--storage", RUNS, "-o", "json").stdout)["state"] == "interrupted"
    assert call(b, "note", f"{RUNS}/tiny", "goes on elsewhere").stdout == f"noted on {RUNS}/tiny\n"
    resumed = call(b, "resume", "tiny", "--storage", RUNS)
    assert f"{RUNS}/tiny/finals/" in resumed.stdout

    with machine(tmp_path / "watching"):
        history = History.of(events := list(journal.read(Storage.at(f"{RUNS}/tiny"))))
    assert [(event.why, event.from_epoch) for event in events if isinstance(event, Launched)] == [("new", 0), ("resume", 2), ("new", 0)]
    assert all(list(record.curve) == [1, 2, 3, 4] for record in history.trials.values())
    assert not any(isinstance(event, Repeated) for event in events)
    assert [note.text for note in history.notes] == ["goes on elsewhere"]

    made = json.loads(call(c, "promote", "tiny", "--storage", RUNS, "-o", "json").stdout)  # nothing is trained again
    kept = object_stores.keys("runs/tiny/")
    assert {
        f"{made[0]['folder']}/{name}".removeprefix("s3://sweeps/") for name in ("model.safetensors", "model.py", "metrics.json")
    } <= set(kept)
    # Nobody starts from more than one checkpoint of a trial, and the driver deletes the rest.
    checkpoints = {key.rpartition("/")[0] for key in kept if "/checkpoints/" in key and "/finals/" not in key}
    assert len(checkpoints) == len(history.trials)
    stored = b"".join(object_stores.client().get_object(Bucket="sweeps", Key=key)["Body"].read() for key in kept)
    assert object_stores.SECRET.encode() not in stored
    assert not any(object_stores.SECRET.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_checkpoint_that_the_store_refuses_is_no_fault_of_the_trial(url: str, tmp_path: Path) -> None:
    proxy = FaultyProxy(url)
    proxy.fault = lambda method, path: 403 if method == "PUT" else None
    with object_stores.using(proxy.url), machine(tmp_path):
        root = Path(__file__).parents[1]
        done = subprocess.run(
            [sys.executable, "-c", WORKER, "s3://sweeps/refused/tiny"], cwd=root, capture_output=True, text=True, timeout=120
        )
    proxy.close()
    assert done.stdout.startswith("StorageFailed(reason='s3://sweeps/refused/tiny/trials/t00001/checkpoints/000001.1/"), done.stderr
    assert done.stdout.rstrip().endswith(": access denied')")


def test_node_that_does_not_see_the_storage_is_refused_or_not_used_and_a_workers_last_words_are_fetched_from_it(
    url: str, tmp_path: Path
) -> None:
    environment = os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[1]), "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(
        [sys.executable, "-c", TWO_NODES, str(tmp_path / "runs"), str(tmp_path / "elsewhere")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "(raylet)" not in line]  # Ray's own word about the worker that crashed
    assert len(lines) == 5, done.stdout
    warned, joined, said, seen, refused = lines
    assert warned.startswith("node ")
    assert " joined and is not used: it does not see the storage s3://sweeps/nodes/digits: a task on it " in warned
    assert joined == "True True"
    assert said == "('the heap is corrupt',) ()"
    assert seen == "the folder is seen"
    assert refused.startswith("1 of 2 nodes do not see the storage s3://sweeps/nodes/digits: a task on ")
    assert "EndpointConnectionError" in refused
    assert refused.endswith(
        "every node needs boto3, the endpoint and credentials in its own environment, or name another one with --storage"
    )
    assert object_stores.keys("nodes/") == []
    assert not (tmp_path / "runs").exists()
