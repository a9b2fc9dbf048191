"""Errors that a user can cause: one clear sentence that says what to do next, and a documented exit code."""

from __future__ import annotations

_LONGEST = 2000
"""Characters of a message; what a file says of itself may be in it."""


class LamoError(Exception):
    """The run failed; the message is one sentence for the user (exit code 1)."""

    exit_code = 1

    def __init__(self, *parts: str) -> None:
        super().__init__(*map(_shortened, parts))


def _shortened(text: str) -> str:
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]} … {text[-half:]}"


class UsageError(LamoError):
    """A wrong argument, preset, key or value (exit code 2)."""

    exit_code = 2


class MissingError(LamoError):
    """Data or a model that is not on this machine; the message names the command that gets it (exit code 3)."""

    exit_code = 3


class DeviceError(LamoError):
    """A device that is absent or out of memory (exit code 4)."""

    exit_code = 4


class CheckpointError(LamoError):
    """A checkpoint that is cut, foreign or does not fit its backbone (exit code 5)."""

    exit_code = 5


class AdvisedError(LamoError):
    """An error of two arguments: what is wrong, and what to do about it; its text joins both."""

    def __str__(self) -> str:
        return "; ".join(map(str, self.args))


class DataError(AdvisedError):
    """Data on disk that cannot be used (exit code 6); of data sets one of the two kinds below is raised."""

    exit_code = 6


class DamagedDataError(DataError):
    """Data that are cut, changed or not what their hash says; the advice tells how to have them whole again."""

    def __init__(self, problem: str, advice: str = "get it again") -> None:
        super().__init__(problem, advice)


class UnsupportedDataError(DataError):
    """Whole data of a kind that lamo does not take; the advice tells what it takes, or how to convert."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(problem, advice)


class TaskMismatchError(AdvisedError, UsageError):
    """Whole data that are not for the task they were asked for; the advice tells which task they fit (exit code 2)."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(problem, advice)


class StorageError(LamoError):
    """A file that could not be written: full disk or no permission (exit code 7)."""

    exit_code = 7


class EnvironmentFault(LamoError):
    """An environment that raised, or returned what none may; the policy is not to blame (exit code 8).

    In training it ends one evaluation, not the run; only after a failed final evaluation the run ends with this code.
    """

    exit_code = 8


STOPPED_RESUMABLE = 75
"""Exit code of a run that was asked to stop, saved a checkpoint and can be resumed (sysexits' EX_TEMPFAIL)."""
