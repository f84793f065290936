"""What a run leaves behind beside its units: description, results, configuration, report, provenance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neurodecode import __version__
from neurodecode.data.atomic import write_text
from neurodecode.data.hashing import jsonable
from neurodecode.data.leftovers import is_leftover
from neurodecode.errors import ConfigError
from neurodecode.pipeline.config import Config
from neurodecode.pipeline.step import PROVENANCE, read_provenance, write_provenance

_DESCRIPTION = ("dataset_description.json", ".bidsignore")
_TOP_FILES = (*_DESCRIPTION, "config.json", "results.json", "scores.tsv", "methods.md", "references.bib", "report.html")
_COMPARED = ("*_desc-compared*/", "*_desc-prepared/", "features/")
_TOP_FOLDERS = ("figures", "maps", "report_data")


def describe_output(config: Config, data: Path, out: Path) -> None:
    """Make the output folder a BIDS derivative; a folder that describes other data is refused."""
    path = out / "dataset_description.json"
    if path.is_file() and '"Name": "neurodecode"' not in path.read_text(encoding="utf-8"):
        raise ConfigError(f"{out} holds another data set ({path.name} is not by neurodecode): choose another output folder")
    description = {
        "Name": config.title,
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "neurodecode", "Version": __version__, "Description": f"pipeline {config.pipeline}"}],
        "SourceDatasets": [{"URL": f"bids:raw:{data.resolve().name}"}],
    }
    write_text(path, json.dumps(description, indent=1) + "\n")
    ignored = (
        "*_desc-prepared_*/",
        "*_desc-decoded_*/",
        *_COMPARED,
        "report*",
        "results.json",
        "scores.tsv",
        "figures/",
        "maps/",
    )
    write_text(out / ".bidsignore", "\n".join([*ignored, "methods.md", "*.bib", PROVENANCE, "config.json"]) + "\n")


def write_outputs(config: Config, out: Path, contents: Any, results: dict[str, Any], seconds: float) -> None:
    """Write results, configuration and report in place of those of an earlier run, and the provenance last.

    Parameters
    ----------
    config : FMRIDecoding, MEEGDecoding or IEEGQuality
        Configuration.
    out : Path
        Folder of the run.
    contents : RunContents
        For the report.
    results : dict
        For ``results.json``.
    seconds : float
        Wall time of the run; it goes into the provenance only.
    """
    from neurodecode.report import write

    settings = config.model_dump(mode="json")
    _remove_older(out)
    write_text(out / "results.json", json.dumps(jsonable(results), indent=1, sort_keys=True, allow_nan=False) + "\n")
    write_text(out / "config.json", json.dumps(settings, indent=1, sort_keys=True) + "\n")
    write(contents, out)
    recipe = {"step": config.pipeline, "version": 1, "parameters": settings, "inputs": contents.hashes}
    write_provenance(out, recipe, seconds, _own_files(out))


def _remove_older(out: Path) -> None:
    """Remove the files that an earlier run wrote beside the units; its folders are replaced as a whole.

    The list goes last: a run that is killed here is continued here.
    """
    if not (out / PROVENANCE).is_file():
        return
    written = read_provenance(out)["outputs"]
    for name in _TOP_FILES:
        if name in written and name not in _DESCRIPTION:
            (out / name).unlink(missing_ok=True)
    (out / PROVENANCE).unlink()


def _own_files(out: Path) -> list[Path]:
    """Files of the run that belong to none of its units, which have a provenance of their own."""
    top = [out / name for name in _TOP_FILES]
    nested = [path for folder in _TOP_FOLDERS for path in (out / folder).rglob("*")]
    return sorted(path for path in [*top, *nested] if path.is_file() and not is_leftover(path.relative_to(out)))


def redraw(out: str | Path) -> Path:
    """Draw the report of a finished run again, and record its new bytes.

    Parameters
    ----------
    out : str or Path
        Folder of the run.

    Returns
    -------
    Path
        ``report.html``.

    Raises
    ------
    NeurodecodeError
        If the folder holds no finished run.
    """
    from neurodecode.report import rerender

    folder = Path(out)
    old = read_provenance(folder)
    page = rerender(folder)
    write_provenance(folder, old["recipe"], old["seconds"], _own_files(folder))
    return page
