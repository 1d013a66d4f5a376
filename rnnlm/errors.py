"""Errors that a user can cause, and the exit status that tells the shell which kind it was.

Every error that a user can cause is a `RnnlmError`: one line that names the thing, what was found and what was wanted,
and a hint that says what to do. Anything else that escapes is a bug.
"""


class RnnlmError(Exception):
    """A failure that the user can do something about: `message` in one line, `hint` saying what to do."""

    exit_code = 1

    def __init__(self, message: str, hint: str):
        super().__init__(message)
        self.message, self.hint = message, hint


class DataError(RnnlmError):
    """Missing or broken data, model or run (exit status 1)."""


class UsageError(RnnlmError):
    """A wrong option, argument or configuration (exit status 2)."""

    exit_code = 2


class NumericalError(RnnlmError):
    """Training diverged, or a gradient check failed (exit status 3)."""

    exit_code = 3


class TextWarning(UserWarning):
    """A text is read otherwise than it seems to be written; the command line shows this as a note."""
