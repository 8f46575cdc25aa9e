"""What can be wrong with a stored sweep.

ResultsError
├── NotASweep      the folder holds no sweep
├── Unreadable     a stored file is damaged
├── NewerFormat    a newer release wrote it
├── Locked         another driver holds the sweep
├── Changed        an object is not what a conditional write expected
├── Unsupported    what the storage needs is not installed
├── BadQuestion    what was asked of a table cannot be answered
└── CannotExport   something is in the way of an export
"""


class ResultsError(Exception):
    """Base of everything that `results` raises on purpose; the message says what was seen and what to do."""


class NotASweep(ResultsError):
    """No sweep is stored at the place that was named."""


class Unreadable(ResultsError):
    """A stored file is damaged in a way that a torn last line does not explain."""


class NewerFormat(ResultsError):
    """Written by a newer release."""


class Locked(ResultsError):
    """Another driver, alive, holds the sweep."""


class Changed(ResultsError):
    """An object was written by somebody else since it was last seen."""


class Unsupported(ResultsError):
    """The storage needs a package that is not installed, or cannot do what a sweep rests on."""


class BadQuestion(ResultsError):
    """A column that is not there, an epoch that nobody reached."""


class CannotExport(ResultsError):
    """Something else lies where an export belongs, or the package that it takes is not installed."""
