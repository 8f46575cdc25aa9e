"""How a trial ends badly.

    TrainableError
    ├── Diverged       the loss is no longer finite: the trial's result, never retried
    ├── OutOfMemory    the configuration does not fit the device: the sampler draws a replacement
    ├── DataError      the images cannot be read: the user mends the folder or the sweep file
    └── ModelError     the network cannot be built from its configuration
"""


class TrainableError(Exception):
    """Base of everything that `trainable` raises on purpose."""


class Diverged(TrainableError):
    """The training loss became infinite or not a number."""


class OutOfMemory(TrainableError):
    """The device has no room for this configuration."""


class DataError(TrainableError, ValueError):
    """The images cannot be read; the message says what was seen and what to do."""


class ModelError(TrainableError, ValueError):
    """The network cannot be built; the message says which field is wrong."""
