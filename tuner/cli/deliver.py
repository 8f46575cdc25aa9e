"""Use a finished model, and see that it is what it was: predict, verify."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tuner.cli.arguments import Format, Output, Runs

if TYPE_CHECKING:
    from tuner.verify import Verified

FinalArgument = Annotated[str, typer.Argument(help="A final: its folder, SWEEP/finals/ID, or its id.", metavar="FINAL", show_default=False)]


def predict(
    final: FinalArgument,
    folder: Annotated[Path, typer.Argument(help="Folder of images; those below it, too.", metavar="FOLDER", show_default=False)],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="CSV file to write; printed by default.", metavar="FILE")] = None,
    storage: Runs = Path("runs"),
) -> None:
    """Classify a folder of images by a finished model, as CSV.

    Columns: file, class, probability, the next two with theirs, error. Images of other sizes are resized, of other modes converted. One
    that cannot be read has its reason in `error`; then the exit code is 1, and the others are classified.
    Example: `shortlist predict t00007-30ep-1a2b3c photos -o predictions.csv`
    """
    from trainable.errors import TrainableError
    from trainable.final import predict as predictions
    from trainable.final import published
    from tuner.errors import SweepFailed, UsageError
    from tuner.verify import find_final

    place = find_final(final, storage)
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; name one that holds images")
    if output is not None and not output.absolute().parent.is_dir():
        raise UsageError(f"--output is {output}, whose folder does not exist; make it")
    files = predictions.find_images(folder)
    if not files:
        raise UsageError(f"{folder} holds no image ({', '.join(sorted(predictions.SUFFIXES))}); name a folder that does")
    try:
        model = published.load(place.root, published.here())
    except TrainableError as error:
        raise SweepFailed(str(error)) from error
    answers = list(predictions.predict(model, files, folder))
    text = predictions.csv_text(answers, len(model.classes))
    if output is None:
        print(text, end="")
    else:
        predictions.write_atomic(output, text)
    unreadable = [answer for answer in answers if answer.problem]
    typer.echo(f"{len(answers) - len(unreadable):,} of {len(answers):,} images classified" + (f": {output}" if output else ""), err=True)
    for answer in unreadable:
        typer.echo(f"{folder / answer.file} cannot be read: {answer.problem}", err=True)
    if unreadable:
        raise typer.Exit(1)


def verify(
    final: FinalArgument,
    test: Annotated[
        bool, typer.Option("--test", help="Read the test split once more, too; the lineage counts it as another look.")
    ] = False,
    storage: Runs = Path("runs"),
    output: Output = Format.table,
) -> None:
    """Compare a finished model's files with their checksums and its figures with new ones.

    The held-out images are classified again by the final's own model.py. Exit code 1 where something is not as it was.
    Example: `shortlist verify t00007-30ep-1a2b3c`
    """
    import json
    from dataclasses import asdict

    from tuner.verify import find_final
    from tuner.verify import verify as verified

    place = find_final(final, storage)
    found = verified(place, test=test)
    if output is Format.json:
        print(json.dumps({"good": found.good, **asdict(found)}, indent=2))
    else:
        print("\n".join(_lines(found, str(place.root))))
    if not found.good:
        raise typer.Exit(1)


def _lines(found: "Verified", folder: str) -> list[str]:
    if found.damaged:
        return [*(f"{folder}/{line}" for line in found.damaged), "the files are not those that were written; take them from a backup"]
    lines = ["files: as they were written"]
    for one in found.compared:
        told, seen = one.told, one.seen
        if one.same:
            verdict = "the same to the last digit"
        else:
            verdict = f"was {told['accuracy']:.4%}, loss {told['loss']:.6f}: " + (
                "the same within what another machine may make of it" if one.agree else "NOT what it was"
            )
        lines.append(f"{one.split}: accuracy {seen['accuracy']:.4%}, loss {seen['loss']:.6f}, {seen['examples']:,} images; {verdict}")
    if not found.compared:
        lines.append("figures: none were kept to compare with, by an older release")
    return lines
