"""What early stopping did not train."""

from dataclasses import dataclass

from results.analysis.frames import Frames


@dataclass(frozen=True, slots=True)
class Savings:
    """What was trained, beside training every trial in full.

    Attributes:
        epochs: Trained, repeated ones left out.
        epochs_in_full: If every trial that did not end badly had been trained to the last epoch.
        device_s: Seconds of devices, repeated epochs included.
        device_s_in_full: The same trials in full, each at its own seconds per epoch.
    """

    epochs: int
    epochs_in_full: int
    device_s: float
    device_s_in_full: float

    @property
    def share(self) -> float:
        """Return the share of the devices' time that was not needed, 0..1."""
        return 1 - self.device_s / self.device_s_in_full if self.device_s_in_full else 0.0


def savings(frames: Frames) -> Savings:
    """Return what a sweep has trained and what it would have trained without a scheduler."""
    board = frames.board[frames.board["epochs"] > 0]
    epochs = board["epochs"].astype(float)
    ended_badly = board["status"].isin(["diverged", "failed", "out_of_memory"])
    in_full = epochs.where(ended_badly, float(frames.about.max_epochs)).clip(lower=epochs)
    return Savings(
        epochs=int(epochs.sum()),
        epochs_in_full=int(in_full.sum()),
        device_s=float(board["device_s"].sum()),
        device_s_in_full=float((board["device_s"] * in_full / epochs).sum()),
    )
