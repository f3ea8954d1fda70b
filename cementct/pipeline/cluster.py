"""The studies of a batch on the workers of a running Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cementct.core.errors import StudyRefused, UsageError
from cementct.core.outcome import StudyOutcome, StudyState
from cementct.pipeline.alone import run_alone
from cementct.pipeline.task import StudyTask

# How long to wait for the scheduler's answer, in seconds.
CONNECT_S = 10.0


def run_on_cluster(tasks: Sequence[StudyTask], scheduler: str) -> Iterator[tuple[int, StudyOutcome]]:
    """Yield place and outcome of each study, in the order in which they end.

    A study whose worker dies is given to another; results are written whole or not at all, so that nothing
    is lost or doubled. Workers need this package, and must see input and output under the same paths.

    Parameters
    ----------
    tasks
        The studies.
    scheduler
        Address of the scheduler, such as ``tcp://node7:8786``.

    Raises
    ------
    UsageError
        Where the extra is not installed.
    StudyRefused
        Where no scheduler answers there.
    """
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise UsageError("--scheduler: needs an extra; pip install 'cementct[cluster]'") from error
    try:
        client = Client(scheduler, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise StudyRefused(f"--scheduler: expected a Dask scheduler at {scheduler}, none answers") from error
    with client:
        futures = {client.submit(run_alone, _anywhere(task), pure=False): i for i, task in enumerate(tasks)}
        for future in as_completed(futures):
            index = futures[future]
            failed = future.exception()
            if failed is None:
                yield index, future.result()
            else:
                why = f"the cluster gave it up ({type(failed).__name__})"
                yield index, StudyOutcome(tasks[index].source.name, StudyState.FAILED, why=why)
            future.release()


def _anywhere(task: StudyTask) -> StudyTask:
    """Return the task with paths that do not hang on the folder that a process stands in."""
    source = replace(task.source, path=task.source.path.resolve())
    files = ("vertebra_file", "lesion_file", "cement_file", "anatomy_file")
    absolute = {name: path.resolve() for name in files if (path := getattr(task.options, name)) is not None}
    return replace(task, source=source, out=task.out.resolve(), options=replace(task.options, **absolute))
