"""``metrics.jsonl``: one line per logged step, none twice and none missing after a resume; and the curve read from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from neurodecode.data.atomic import write_text
from neurodecode.errors import CorruptFileError, FormatError

METRICS = "metrics.jsonl"


class MetricLog:
    """Lines of a training, in memory and, with a folder, in ``metrics.jsonl``.

    Parameters
    ----------
    folder : Path, optional
        Folder of the run.
    tensorboard : bool
        Also write to ``folder/tensorboard``.
    """

    def __init__(self, folder: Path | None = None, tensorboard: bool = False) -> None:
        self.path = None if folder is None else folder / METRICS
        self.records: list[dict[str, Any]] = []
        self._writer: Any = _tensorboard(folder) if tensorboard and folder is not None else None

    def rewind(self, step: int) -> None:
        """Forget what was logged after a step; the run will log it again.

        Parameters
        ----------
        step : int
            Steps of the checkpoint; 0 for a run that begins.
        """
        if self.path is None:
            return
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() and step else []
        self.records = [record for record in map(_parsed, lines) if record is not None and record["step"] <= step]
        write_text(self.path, "".join(map(_line, self.records)))

    def write(self, record: dict[str, Any]) -> None:
        """Add a line.

        Parameters
        ----------
        record : dict
            ``step, epoch, loss, lr`` and validated values.
        """
        self.records.append(record)
        if self.path is not None:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(_line(record))
        if self._writer is not None:
            for name, value in record.items():
                if isinstance(value, float):
                    self._writer.add_scalar(name, value, record["step"])
            self._writer.flush()

    def curve(self) -> pd.DataFrame:
        """Give the lines as a table.

        Returns
        -------
        DataFrame
            As `read_curve` gives it.
        """
        return pd.DataFrame(self.records, columns=_columns(self.records))


def read_curve(folder: str | Path) -> pd.DataFrame:
    """Read the loss curve of a run.

    Parameters
    ----------
    folder : str or Path
        Folder of the run.

    Returns
    -------
    DataFrame
        One row per logged step: ``step, epoch, loss, lr``, what else the loss told, and ``validation_...``
        where it was validated.

    Raises
    ------
    FormatError
        If there is no ``metrics.jsonl``.
    CorruptFileError
        If a line other than the last is damaged (the last may be cut while a run is going on).
    """
    path = Path(folder) / METRICS
    if not path.is_file():
        raise FormatError(path, "there is no such file", "Give the folder of a run of Trainer")
    lines = path.read_text(encoding="utf-8").splitlines()
    records = [_parsed(line) for line in lines]
    if None in records[:-1]:
        raise CorruptFileError(
            path, f"line {records.index(None) + 1} of {len(lines)} is damaged", "Resume the run: it mends the file"
        )
    whole = [record for record in records if record is not None]
    return pd.DataFrame(whole, columns=_columns(whole))


def _columns(records: list[dict[str, Any]]) -> list[str]:
    """Names in order of appearance."""
    return list(dict.fromkeys(["step", "epoch", "loss", "lr", *(name for record in records for name in record)]))


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record) + "\n"


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("step"), int) else None


def _tensorboard(folder: Path) -> Any:
    from neurodecode.errors import ConfigError

    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(f"tensorboard=True needs a package that is not there ({error}): pip install tensorboard") from error
    return SummaryWriter(str(folder / "tensorboard"))
