"""A folder of images -> what a finished model takes them for, a row each, as CSV.

Shapes: N images, H height, W width, C channels, K classes.
"""

import csv
import io
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from trainable.data.images import Pixels
from trainable.errors import DataError
from trainable.final.published import Published

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
NUM_BEST = 3
AT_ONCE = 512  # images in memory


@dataclass(frozen=True, slots=True)
class Answer:
    """What one image is taken for.

    Attributes:
        file: Relative to the folder, with forward slashes.
        best: Class and probability, the likeliest first; empty where the image cannot be read.
        problem: Why it cannot; empty where it can.
    """

    file: str
    best: tuple[tuple[str, float], ...]
    problem: str = ""


def find_images(folder: Path) -> list[Path]:
    """Return the images below a folder, by name; a file that is no picture by its suffix is left out, and so is a hidden one."""
    found = [file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()]
    return sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def predict(model: Published, files: Sequence[Path], folder: Path) -> Iterator[Answer]:
    """Yield an answer for each file, in their order; one that cannot be read has its reason.

    Args:
        model: The finished model.
        files: Images below the folder.
        folder: What their names are told relative to.
    """
    height, width, channels = model.image
    for first in range(0, len(files), AT_ONCE):
        some = files[first : first + AT_ONCE]
        read: dict[Path, Pixels] = {}
        problems: dict[Path, str] = {}
        for file in some:
            try:
                read[file] = pixels(file, height=height, width=width, channels=channels)
            except DataError as error:
                problems[file] = str(error)
        best = iter(_best(model, torch.from_numpy(np.stack(list(read.values()))))) if read else iter(())
        for file in some:
            name = file.relative_to(folder).as_posix()
            yield Answer(name, (), problems[file]) if file in problems else Answer(name, next(best))


def pixels(file: Path, *, height: int, width: int, channels: int) -> Pixels:
    """Return an image as a network reads it, uint8 HWC.

    Turned as its camera says; of several frames the first; transparent parts become white; grey from colours by ITU-R BT.601, 16 bits
    rounded down to 8; resized to the network's height and width, whatever its proportions (bicubic).

    Raises:
        DataError: It cannot be read; the message is the reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as opened:
                opened.load()
                image = ImageOps.exif_transpose(opened)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(" ".join(str(error).split()) or type(error).__name__) from error
    if image.mode in ("I", "F"):
        raise DataError(f"its pixels are of mode {image.mode}, whose white is not known; convert it to 8 or 16 bits")
    if image.mode.startswith("I;16"):
        # Pillow clips 16 bits to 255 where it is asked for 8.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(image).reshape(height, width, channels)


def csv_text(answers: Sequence[Answer], num_classes: int) -> str:
    """Return the answers as CSV: file, class, probability, the next likeliest with theirs, error."""
    ranks = range(2, min(NUM_BEST, num_classes) + 1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "class", "probability", *(f"{what}_{rank}" for rank in ranks for what in ("class", "probability")), "error"])
    for answer in answers:
        cells = [cell for name, probability in answer.best for cell in (name, f"{probability:.6f}")]
        writer.writerow([answer.file, *(cells or [""] * 2 * (1 + len(ranks))), answer.problem])
    return text.getvalue()


def write_atomic(file: Path, text: str) -> None:
    """Replace a file so that its readers find the old content or the new, never a part."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
            opened.flush()
            os.fchmod(opened.fileno(), 0o644)
            os.fsync(opened.fileno())
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _best(model: Published, images_NHWC: torch.Tensor) -> list[tuple[tuple[str, float], ...]]:
    highest = model.probabilities(images_NHWC).topk(min(NUM_BEST, len(model.classes)), dim=1)
    return [
        tuple((model.classes[number], share) for number, share in zip(numbers, shares, strict=True))
        for numbers, shares in zip(highest.indices.tolist(), highest.values.tolist(), strict=True)
    ]
