"""What a decision waits for: one synced append to the journal, in a folder and on an object store; and what a second machine downloads.

    python -m benchmarks.storage [--appends 400] [--repeats 3] [--bucket NAME]

Without --bucket a server of moto's is started here: it shows what our own side costs, next to no network. With it, the bucket is one that
boto3 reaches, and what is measured is that store; what was written is deleted. A folder and the store take turns. Prints milliseconds per
append (mean and 95th percentile, with standard deviations over the repeats), their ratio, and the seconds in which an empty machine
reads it all.
"""

import argparse
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import records
from benchmarks.records import spread
from results import journal
from results.events import Decided, Reported, stamp
from results.journal import Journal
from results.lock import SweepLock
from results.storage import Storage


@contextmanager
def own_server() -> Iterator[str]:
    """Start moto's server with a bucket; yield its name."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    boto3.client("s3").create_bucket(Bucket="benchmark")
    try:
        yield "benchmark"
    finally:
        server.stop()


def appends(storage: Storage, number: int) -> list[float]:
    """Return the seconds of each append of an epoch's report and the decision that follows it."""
    at = stamp(time.time())
    report = Reported(
        at=at, trial="t00001", attempt=1, score=0.5, checkpoint=None, worker="host:1", device="cpu", epoch=1, val_accuracy=0.5,
        val_loss=1.0, train_accuracy=0.5, train_loss=1.0, lr=0.1, wall_s=1.0, device_s=1.0, images_per_s=1.0, peak_memory_bytes=0,
    )  # fmt: skip
    decision = Decided(at=at, trial="t00001", epoch=1, rung_epochs=1, score=0.5, action="pause", cutoff=0.4, reason="waits at rung 1")
    taken = []
    with SweepLock(storage):
        writer = Journal(storage)
        for _ in range(number):
            started = time.perf_counter()
            writer.append([report, decision], sync=True)
            taken.append(time.perf_counter() - started)
        writer.close()
    return taken


def read_s(address: str, folder: Path, expected: int) -> float:
    """Return the seconds in which a machine with an empty disk reads a journal."""
    os.environ["SHORTLIST_CACHE"] = str(folder)
    started = time.perf_counter()
    found = sum(1 for _ in journal.read(Storage.at(address)))
    assert found == expected
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--appends", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bucket")
    options = parser.parse_args()
    started = records.start()
    taken: dict[str, list[list[float]]] = {"folder": [], "store": []}
    reads = []
    with (
        tempfile.TemporaryDirectory(prefix="storage-") as scratch,
        own_server() if options.bucket is None else _given(options.bucket) as bucket,
    ):
        for repeat in range(options.repeats):
            os.environ["SHORTLIST_CACHE"] = f"{scratch}/driver-{repeat}"
            address = f"s3://{bucket}/shortlist-benchmark/{repeat}"
            taken["folder"].append(appends(Storage(Path(scratch) / f"folder-{repeat}"), options.appends))
            stored = Storage.at(address)
            taken["store"].append(appends(stored, options.appends))
            reads.append(read_s(address, Path(scratch) / f"reader-{repeat}", 2 * options.appends))
            assert stored.mirror is not None
            stored.mirror.delete(stored.mirror.files("journal"))
    seen = {name: _summary(runs) for name, runs in taken.items()}
    ratios = [statistics.fmean(store) / statistics.fmean(folder) for folder, store in zip(*taken.values(), strict=True)]
    about = started.about(n=options.repeats, settings={"appends": options.appends})
    server = "the bucket that was given" if options.bucket else "moto, on this machine"
    records.show({"about": about | {"server": server}, **seen, "store_over_folder": spread(ratios), "read_s": spread(reads)})


@contextmanager
def _given(bucket: str) -> Iterator[str]:
    yield bucket


def _summary(runs: list[list[float]]) -> dict[str, dict[str, float]]:
    p95s_ms = [sorted(run)[int(0.95 * len(run))] * 1e3 for run in runs]
    return {"mean_ms": spread([statistics.fmean(run) * 1e3 for run in runs]), "p95_ms": spread(p95s_ms)}


if __name__ == "__main__":
    main()
