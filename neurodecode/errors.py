"""The one family of errors: every message names the value, what was expected and what to do."""

from __future__ import annotations

from pathlib import Path


class NeurodecodeError(Exception):
    """Base of every error that neurodecode raises on purpose."""


class DataError(NeurodecodeError, ValueError):
    """An argument or an array does not fit: wrong shape, type, range or name."""


class FormatError(NeurodecodeError):
    """A file is intact but is not what the reader expected, or holds something it does not support.

    Parameters
    ----------
    path : str or Path
        The file.
    what : str
        What is wrong: expected and got.
    remedy : str
        What the user can do about it.
    """

    def __init__(self, path: str | Path, what: str, remedy: str) -> None:
        super().__init__(f"{path}: {what}. {remedy}")
        self.path, self.what, self.remedy = str(path), what, remedy

    def __reduce__(self) -> tuple[type[FormatError], tuple[str, str, str]]:
        """Let the error travel between processes (its constructor takes three values)."""
        return type(self), (self.path, self.what, self.remedy)


class CorruptFileError(FormatError):
    """A file is damaged: truncated, altered, or contradicting its own header or checksum."""


class SplitLeakError(NeurodecodeError):
    """The same stimulus, recording or stretch of time stands on both sides of a split."""


class LeakWarning(UserWarning):
    """A split lets a model without any knowledge of the stimulus predict: neighbours in time stand on both sides."""


class ConfigError(NeurodecodeError, ValueError):
    """A pipeline configuration or a command line option is wrong."""


class DiskSpaceError(NeurodecodeError, OSError):
    """There was no room to write an output; nothing was left under its final name."""


class OutputExistsError(NeurodecodeError, FileExistsError):
    """The name of an output is taken by something that neurodecode did not write, and so must not replace."""


class MissingDependencyError(NeurodecodeError, ImportError):
    """A package of an optional extra is not installed.

    Parameters
    ----------
    package : str
        The package that could not be imported.
    purpose : str
        What it is needed for.
    extra : str
        The extra of neurodecode that brings it.
    """

    def __init__(self, package: str, purpose: str, extra: str) -> None:
        super().__init__(f"{package} is needed for {purpose} and is not installed: pip install 'neurodecode[{extra}]'")
        self.package, self.purpose, self.extra = package, purpose, extra

    def __reduce__(self) -> tuple[type[MissingDependencyError], tuple[str, str, str]]:
        """Let the error travel between processes (its constructor takes three values)."""
        return type(self), (self.package, self.purpose, self.extra)
