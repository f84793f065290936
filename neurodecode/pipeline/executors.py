"""Where items of work run: this process, own processes that survive a dead worker, or many machines through dask."""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from neurodecode.data.validate import require, suggest
from neurodecode.errors import ConfigError

_PURPOSE, _EXTRA = "--executor dask", "cluster"


class SerialExecutor(Executor):
    """Runs each item at once in this process: for debugging, tests, and one job."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call `fn` now and hold its result or error.

        Parameters
        ----------
        fn : callable
            What to call.
        *args, **kwargs
            Passed to it.

        Returns
        -------
        Future
            Already finished.
        """
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # an executor hands every error to whoever asks for the result
            future.set_exception(error)
        return future


class ProcessExecutor(Executor):
    """Spawned processes that can be started again after one of them has died.

    Parameters
    ----------
    jobs : int
        Processes at the same time.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        filters = list(warnings.filters)
        return ProcessPoolExecutor(self.jobs, mp_context=context, initializer=_start_worker, initargs=(filters,))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a call to a process.

        Parameters
        ----------
        fn : callable
            Module-level function.
        *args, **kwargs
            Passed to it; picklable.

        Returns
        -------
        Future
            Its result, or `BrokenProcessPool` if a process died meanwhile.
        """
        return self._pool.submit(fn, *args, **kwargs)

    def rebuild(self) -> None:
        """Start new processes in place of a pool of which one has died."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._start()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes.

        Parameters
        ----------
        wait : bool
            Return only when they have ended.
        cancel_futures : bool
            Drop the calls that have not begun.
        """
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def _start_worker(filters: list[Any]) -> None:
    """Give a worker the parent's warning filters."""
    warnings.filters[:] = filters  # type: ignore[index]  # the documented list, typed as a sequence


@contextmanager
def make_executor(
    jobs: int, kind: Literal["serial", "processes", "dask"] | None = None, cluster: str | Path | None = None
) -> Iterator[Executor]:
    """An executor for a number of jobs; the numbers do not depend on it.

    Parameters
    ----------
    jobs : int
        Items at the same time.
    kind : {"serial", "processes", "dask"}, optional
        By default this process for one job, spawned processes for more.
    cluster : str or Path, optional
        For dask: address of a scheduler (``tcp://host:8786``), or a YAML file with the fields of `ClusterConfig`. By default
        `jobs` workers on this machine. Every machine must see the data and the output under the same absolute paths.

    Yields
    ------
    Executor
        Closed afterwards; items not yet begun are dropped if the block fails.

    Raises
    ------
    ConfigError
        If a cluster is given without dask, or its file is wrong.
    MissingDependencyError
        If dask is asked for and not installed.
    """
    if cluster is not None and kind != "dask":
        raise ConfigError(f"a cluster ({cluster}) needs the executor dask, got {kind or 'the default'!r}")
    if kind == "dask":
        with _dask_executor(jobs, cluster) as pool:
            yield pool
    elif kind == "serial" or (kind is None and jobs <= 1):
        yield SerialExecutor()
    else:
        processes = ProcessExecutor(jobs)
        try:
            yield processes
        finally:
            processes.shutdown(wait=True, cancel_futures=True)


@contextmanager
def chosen_executor(kind: str | None, jobs: int, cluster: str | None) -> Iterator[tuple[Executor | None, int]]:
    """What `run_pipeline` is given for the options of the command line.

    Parameters
    ----------
    kind : {"serial", "processes", "dask"}, optional
        By default processes where there are more jobs than one.
    jobs : int
        Items at the same time.
    cluster : str, optional
        As in `make_executor`.

    Yields
    ------
    executor : Executor or None
        None for one that fits the number of items.
    jobs : int
        1 for "serial".

    Raises
    ------
    ConfigError
        If there is no such executor, or a cluster is given without dask.
    """
    if kind not in (None, "serial", "processes", "dask"):
        raise ConfigError(f"executor {kind!r} is unknown: {suggest(kind, ['serial', 'processes', 'dask'])}")
    if kind == "dask" or cluster is not None:
        with make_executor(jobs, kind, cluster) as pool:  # type: ignore[arg-type]  # one of the three, as was seen above
            yield pool, jobs
    else:
        yield None, 1 if kind == "serial" else jobs


class ClusterConfig(BaseModel):
    """What one job of a batch system gets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["local", "slurm", "address"] = "local"
    """Processes of this machine, jobs of SLURM, or a scheduler that runs already."""
    address: str | None = Field(None, description="of the scheduler, for kind: address")
    cores: int = Field(1, ge=1, description="processors of one job, each with a worker")
    memory: str = Field("4GB", pattern=r"^\d+(\.\d+)? ?(MB|GB|TB)$", description="memory of one job")
    walltime: str = Field("04:00:00", pattern=r"^(\d+-)?\d{1,2}:\d{2}:\d{2}$", description="longest time of one job")
    queue: str | None = Field(None, description="partition")
    account: str | None = None
    max_jobs: int | None = Field(None, ge=1, description="workers at the same time instead of --jobs")
    extra: tuple[str, ...] = Field((), description="more directives, e.g. --constraint=avx2")


def load_cluster(cluster: str | Path | None) -> ClusterConfig:
    """Read what is said about a cluster.

    Parameters
    ----------
    cluster : str or Path, optional
        Address of a scheduler, or a YAML file; nothing means this machine.

    Returns
    -------
    ClusterConfig
        The settings.

    Raises
    ------
    ConfigError
        If it is neither an address nor a file, or a setting is wrong.
    """
    import yaml

    if cluster is None:
        return ClusterConfig()
    path = Path(cluster)
    if path.suffix not in (".yaml", ".yml"):
        if "://" not in str(cluster):
            raise ConfigError(f"cluster: expected an address like tcp://host:8786 or a YAML file, got {str(cluster)!r}")
        return ClusterConfig(kind="address", address=str(cluster))
    try:
        config = ClusterConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({error}); see the documentation of --cluster") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, got {e['input']!r}" for e in error.errors())
        raise ConfigError(f"{path}: {wrong}") from error
    if (config.kind == "address") != (config.address is not None):
        raise ConfigError(f"{path}: kind {config.kind!r} with address {config.address!r}; an address needs kind: address")
    return config


@contextmanager
def _dask_executor(jobs: int, cluster: str | Path | None) -> Iterator[Executor]:
    config = load_cluster(cluster)
    distributed = require("distributed", _PURPOSE, _EXTRA)
    if config.kind == "address":
        with distributed.Client(config.address, set_as_default=False) as client:
            yield client.get_executor(pure=False)
        return
    with make_cluster(config, jobs) as workers, distributed.Client(workers, set_as_default=False) as client:
        yield client.get_executor(pure=False)


def make_cluster(config: ClusterConfig, jobs: int) -> Any:
    """Start a scheduler for workers of this machine or of SLURM, without its web page.

    Parameters
    ----------
    config : ClusterConfig
        Of kind "local" or "slurm".
    jobs : int
        Workers, unless `config` says otherwise.

    Returns
    -------
    distributed.LocalCluster or dask_jobqueue.SLURMCluster
        To be used in a ``with`` block.
    """
    workers = config.max_jobs or jobs
    if config.kind == "local":
        distributed = require("distributed", _PURPOSE, _EXTRA)
        return distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        )
    jobqueue = require("dask_jobqueue", "--cluster with kind: slurm", _EXTRA)
    cluster = jobqueue.SLURMCluster(
        cores=config.cores,
        processes=config.cores,
        memory=config.memory,
        walltime=config.walltime,
        queue=config.queue,
        account=config.account,
        job_extra_directives=list(config.extra),
        scheduler_options={"dashboard": False},
    )
    cluster.scale(workers)
    return cluster
