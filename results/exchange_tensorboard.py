"""Trials as TensorBoard runs: an event file each, with curves, parameters and how it ended. The one module that imports tensorboard."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from results.derived import About
from results.errors import CannotExport

# Curves -> tag; TensorBoard puts tags of one beginning into one section.
TAGS = {
    "val_accuracy": "accuracy/val",
    "train_accuracy": "accuracy/train",
    "val_loss": "loss/val",
    "train_loss": "loss/train",
    "lr": "lr",
    "images_per_s": "speed/images_per_s",
}

_PREFIX = "config."
_FAILED = frozenset({"diverged", "out_of_memory", "failed"})


def write(folder: Path, board: pa.Table, curves: pa.Table) -> None:
    """Write one run per trial, `<folder>/<trial>/events.out.tfevents.*`.

    Scalars are 32-bit floats, as TensorBoard keeps them. `score` (at the rung reached) and the parameters are in its HPARAMS tab.

    Raises:
        CannotExport: tensorboard is not installed.
    """
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError as error:
        raise CannotExport(
            f"tensorboard cannot be imported ({error}); install it: pip install tensorboard, or in the checkout: pip install -e '.[export]'"
        ) from error
    told = _by_trial(curves)
    for row in board.to_pylist():
        run = folder / str(row["trial"])
        run.mkdir()
        began = _seconds(row["started_at"])
        with (run / f"events.out.tfevents.{int(began):010d}.shortlist").open("wb") as file:
            writer = RecordWriter(file)
            writer.write(Event(wall_time=began, file_version="brain.Event:2").SerializeToString())
            for event in _events(row, told.get(row["trial"], []), About.of(board)):
                writer.write(event.SerializeToString())
            writer.flush()


def _events(row: Mapping[str, Any], epochs: list[dict[str, Any]], about: About) -> Iterator[Any]:
    """Yield what happened to a trial: parameters, its curve, its score, its end."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    began = _seconds(row["started_at"])
    start = plugin_data_pb2.SessionStartInfo(group_name=row["trial"], start_time_secs=began)
    for name, value in row.items():
        if not name.startswith(_PREFIX) or value is None:
            continue
        parameter = start.hparams[name.removeprefix(_PREFIX)]
        match value:
            case bool():
                parameter.bool_value = value
            case int() | float():
                parameter.number_value = value
            case _:
                parameter.string_value = str(value)
    yield Event(
        wall_time=began,
        summary=_told(metadata.SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=start, version=0)),
    )
    ended = began
    for epoch in epochs:
        ended = _seconds(epoch["at"])
        values = [Summary.Value(tag=tag, simple_value=epoch[name]) for name, tag in TAGS.items() if epoch.get(name) is not None]
        yield Event(wall_time=ended, step=epoch["epoch"], summary=Summary(value=values))
    if row["score"] is not None:
        yield Event(
            wall_time=ended, step=row["rung_epochs"], summary=Summary(value=[Summary.Value(tag="score", simple_value=row["score"])])
        )
    status = api_pb2.STATUS_FAILURE if row["status"] in _FAILED else api_pb2.STATUS_SUCCESS
    if row["status"] == "running" and about.state == "running":
        status = api_pb2.STATUS_RUNNING
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ended)
    yield Event(
        wall_time=ended, summary=_told(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end, version=0))
    )


def _told(tag: str, content: Any) -> Any:
    """Return what the HPARAMS tab reads, as a summary."""
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.plugins.hparams import metadata

    plugin = SummaryMetadata.PluginData(plugin_name=metadata.PLUGIN_NAME, content=content.SerializeToString())
    return Summary(value=[Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin), tensor=metadata.NULL_TENSOR)])


def _by_trial(curves: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Return trial -> its epochs, ascending."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in curves.to_pylist():
        found.setdefault(row["trial"], []).append(row)
    return found


def _seconds(at: datetime | None) -> float:
    return 0.0 if at is None else at.timestamp()
