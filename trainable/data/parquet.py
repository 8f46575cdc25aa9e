"""Images in Parquet files, in the layout the Hugging Face hub uses for image classification.

A folder holds train*.parquet and test*.parquet. One column is a struct<bytes, path> of JPEG or PNG files, one an integer class label;
the `huggingface` key of the schema says which, and the names of the classes; without it the types decide.
"""

import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from trainable.data.images import Images, ImageShape, Labels, Pixels, Split
from trainable.errors import DataError

MODES = {"L": 1, "RGB": 3}  # PIL's mode -> channels
ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a file are read; no class names where the file has none."""

    image: str
    label: str
    class_names: tuple[str, ...] | None


class Parquet:
    """A folder of Parquet files."""

    def __init__(self, path: str | None) -> None:
        if path is None:
            raise DataError("data.path is not set, name parquet needs it; set it to a folder with train*.parquet and test*.parquet")
        self._folder = Path(path).expanduser()

    def key(self, split: Split) -> str:
        """Return the hash of the split's files."""
        digest = hashlib.sha256()
        for file in self._files(split):
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
        return digest.hexdigest()

    def read(self, split: Split) -> Images:
        """Decode one split."""
        parts = [_read_file(file) for file in self._files(split)]
        shapes = {images_NHWC.shape[1:] for images_NHWC, _, _ in parts}
        if len(shapes) > 1:
            raise DataError(f"{self._folder}: {split} files hold images of {sorted(shapes)}, must be one size; resize them beforehand")
        labels_N = np.concatenate([labels for _, labels, _ in parts])
        class_names = parts[0][2] or tuple(str(label) for label in range(int(labels_N.max()) + 1))
        return Images(np.concatenate([images for images, _, _ in parts]), labels_N, class_names)

    def shape(self) -> ImageShape:
        """Decode the first training image; read the labels only where the classes have no names."""
        files = self._files("train")
        with _opened(files[0]) as parquet:
            columns = _columns(files[0], parquet.schema_arrow)
            first = next(parquet.iter_batches(batch_size=1, columns=[columns.image]))
        height, width, channels = _decode(_encoded(files[0], first.column(0), 0)[0], files[0], 0).shape
        if columns.class_names:
            num_classes = len(columns.class_names)
        else:
            num_classes = 1 + max(int(pq.read_table(file, columns=[columns.label]).column(0).to_numpy().max()) for file in files)
        return ImageShape((channels, height, width), num_classes)

    def _files(self, split: Split) -> list[Path]:
        files = sorted(self._folder.glob(f"{split}*.parquet"))
        if not files:
            seen = "holds none" if self._folder.is_dir() else "does not exist"
            raise DataError(
                f"data.path: {self._folder.absolute()} {seen}, must be a folder with {split}*.parquet; put them there or mend data.path"
            )
        return files


def _read_file(file: Path) -> tuple[Pixels, Labels, tuple[str, ...] | None]:
    """Decode one file, on as many threads as this process has processors (PIL lets go of the interpreter while it decodes)."""
    with _opened(file) as parquet, ThreadPoolExecutor(_num_processors()) as threads:
        columns = _columns(file, parquet.schema_arrow)
        if parquet.metadata.num_rows == 0:
            raise DataError(f"{file} holds no rows, must hold images; remove it")
        batches = _batches(file, parquet, columns)
        pixels = list(threads.map(lambda batch: _decode_batch(file, *batch), batches))
        labels_N = _labels(file, parquet, columns)
    sizes = {batch.shape[1:] for batch in pixels}
    if len(sizes) > 1:
        raise DataError(f"{file}: images of {sorted(sizes)} (height, width, channels), must be one size and mode; resize them beforehand")
    return np.concatenate(pixels), labels_N, columns.class_names


def _batches(file: Path, parquet: pq.ParquetFile, columns: Columns) -> Iterator[tuple[int, Sequence[bytes]]]:
    """Yield the number of the first row and the encoded images, a batch at a time."""
    first_row = 0
    for batch in parquet.iter_batches(batch_size=ROWS_AT_ONCE, columns=[columns.image]):
        yield first_row, _encoded(file, batch.column(0), first_row)
        first_row += batch.num_rows


def _encoded(file: Path, column: pa.StructArray, first_row: int) -> list[bytes]:
    encoded: list[bytes | None] = column.field("bytes").to_pylist()
    if None in encoded or column.null_count:
        # A null struct may still carry bytes underneath, so both kinds of absence are looked for.
        absent = [content is None or not valid for content, valid in zip(encoded, column.is_valid().to_pylist(), strict=True)]
        row = first_row + absent.index(True)
        raise DataError(f"{file}: row {row} has no image bytes, must hold a JPEG or PNG file; embed the images in the file")
    return [content for content in encoded if content is not None]


def _decode_batch(file: Path, first_row: int, encoded: Sequence[bytes]) -> Pixels:
    first = _decode(encoded[0], file, first_row)
    images_NHWC = np.empty((len(encoded), *first.shape), dtype=np.uint8)
    images_NHWC[0] = first
    for row, content in enumerate(encoded[1:], start=1):
        image_HWC = _decode(content, file, first_row + row)
        if image_HWC.shape != first.shape:
            raise DataError(
                f"{file}: row {first_row + row} is {image_HWC.shape} (height, width, channels), row {first_row} {first.shape}; "
                "all images must have one size and mode; resize them beforehand"
            )
        images_NHWC[row] = image_HWC
    return images_NHWC


def _decode(content: bytes, file: Path, row: int) -> Pixels:
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            mode = image.mode
            pixels = np.asarray(image)
    except Exception as error:  # a damaged file can fail in any part of a decoder: OSError, SyntaxError, ValueError, zlib.error ...
        raise DataError(f"{file}: row {row} cannot be decoded ({error}), must be a JPEG or PNG file; replace or remove the row") from error
    if mode not in MODES:
        raise DataError(f"{file}: row {row} has mode {mode}, must be one of {', '.join(MODES)}; convert the images beforehand")
    return pixels.reshape(*pixels.shape[:2], MODES[mode])


def _labels(file: Path, parquet: pq.ParquetFile, columns: Columns) -> Labels:
    column = parquet.read(columns=[columns.label]).column(0).combine_chunks()
    if column.null_count:
        row = column.is_valid().to_pylist().index(False)
        raise DataError(f"{file}: row {row} has no {columns.label}, must be a class number; label or remove the row")
    labels_N: Labels = column.to_numpy(zero_copy_only=False).astype(np.int64)
    highest = len(columns.class_names) - 1 if columns.class_names else np.iinfo(np.int64).max
    wrong = np.flatnonzero((labels_N < 0) | (labels_N > highest))
    if len(wrong):
        allowed = f"0..{highest}" if columns.class_names else ">= 0"
        raise DataError(f"{file}: row {wrong[0]} has {columns.label} {labels_N[wrong[0]]}, must be {allowed}; mend or remove the row")
    return labels_N


def _columns(file: Path, schema: pa.Schema) -> Columns:
    """Find the image and the label by the hub's feature description, else by their types."""
    features: dict[str, Any] = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    kinds = {name: feature.get("_type") for name, feature in features.items() if isinstance(feature, dict) and name in schema.names}
    images = [name for name, kind in kinds.items() if kind == "Image"] or [field.name for field in schema if _holds_images(field.type)]
    labels = [name for name, kind in kinds.items() if kind == "ClassLabel"]
    class_names = tuple(features[labels[0]].get("names") or ()) if labels else ()
    labels = labels or [field.name for field in schema if pa.types.is_integer(field.type)]
    if len(images) != 1 or len(labels) != 1:
        raise DataError(
            f"{file}: among {schema.names} the image columns are {images}, the label columns {labels}; must be one of each, "
            "a struct<bytes, path> and an integer; drop the others"
        )
    return Columns(image=images[0], label=labels[0], class_names=class_names or None)


def _holds_images(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and any(kind.field(index).name == "bytes" for index in range(kind.num_fields))


def _opened(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file} cannot be read as Parquet ({error}); fetch or write it again") from error


def _num_processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
