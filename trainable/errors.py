"""How a trial ends badly.

TrainableError
├── Diverged         the loss is no longer finite: the trial's result, never retried
├── OutOfMemory      the configuration does not fit the device: the sampler draws a replacement
├── DataError        the images cannot be read: the user mends the folder or the sweep file
├── ModelError       the network cannot be built from its configuration, or not trained with this recipe
├── CheckpointError  the checkpoint is damaged or belongs to another configuration: go back to an earlier one
├── ExportError      the exported files do not compute what the trained network computes: nothing is published
└── TestedAlready    the test split was read for other weights of this final: it is not read again
"""


class TrainableError(Exception):
    """Base of everything that `trainable` raises on purpose."""


class Diverged(TrainableError):
    """The loss became infinite or not a number; the message says at which step, and with which learning rate."""


class OutOfMemory(TrainableError):
    """The device has no room for this configuration."""


class DataError(TrainableError, ValueError):
    """The images cannot be read; the message says what was seen and what to do."""


class ModelError(TrainableError, ValueError):
    """The network cannot be built or trained; the message says which field is wrong."""


class CheckpointError(TrainableError):
    """The checkpoint cannot be continued from; the message names the folder."""


class TestedAlready(TrainableError):
    """The test split was read once for this final; the message says when, and for which weights."""


class ExportError(TrainableError):
    """The exported model is not the trained one; the message says where they part."""
