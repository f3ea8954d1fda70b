"""What is done with a complete study: analysis in a child, then sending with patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cementct.core.errors import CementctError
from cementct.core.outcome import StudyState
from cementct.node.send import NotSent, send_results
from cementct.node.settings import NodeSettings
from cementct.node.spool import IMAGES, Job, Spool
from cementct.pipeline.batch import run_study_in_child
from cementct.pipeline.discover import discover_studies
from cementct.pipeline.options import RunOptions
from cementct.pipeline.task import StudyTask
from cementct.segmentation.presence import shows_cement

DICOM_FOLDER = "dicom"


@dataclass
class Worker:
    """Works off the spool, one study at a time.

    Attributes
    ----------
    settings, spool
        Of the node.
    note
        Takes what happened, for the log; nothing of a header in it.
    """

    settings: NodeSettings
    spool: Spool
    note: Callable[[str], None]

    def step(self) -> bool:
        """Do one thing that is due, and tell whether there was one."""
        work = self.settings.work
        for folder in self.spool.stable_studies(work.stable_s):
            job = self.spool.begin(folder)
            self.spool.note("complete", job=job.name)
            return True
        for job in self.spool.jobs():
            state = job.state()
            if not state.analysed:
                self._analyse(job)
                return True
            if state.next_try <= time.time():
                self._send(job)
                return True
        self.spool.forget(work.keep_hours * 3600.0)
        return False

    def _analyse(self, job: Job) -> None:
        self.spool.gather_earlier(job)
        why = self._why_not_analysed(job)
        if why is not None:
            self._bury(job, why)
            return
        state = job.state()
        state.analysed = True
        job.save(state)
        self.spool.note("analysed", job=job.name)
        self.note(f"{job.name}: analysed")

    def _why_not_analysed(self, job: Job) -> str | None:
        """Analyse a study; return why that was not possible."""
        work = self.settings.work
        options = RunOptions(formats=work.formats, study_timeout_s=work.study_timeout_s)
        try:
            sources = discover_studies([job.images], shows_cement)
        except CementctError as error:
            return str(error)
        if len(sources) != 1:
            return f"expected one study, found {len(sources)}"
        outcome = run_study_in_child(StudyTask(sources[0], options, job.results))
        return None if outcome.state is StudyState.DONE else outcome.why or "failed"

    def _send(self, job: Job) -> None:
        state, work = job.state(), self.settings.work
        files = sorted((job.results / IMAGES / DICOM_FOLDER).glob("*.dcm"))
        waiting = [path for path in files if path.name not in state.sent]

        def confirm(path: object) -> None:
            state.sent.append(getattr(path, "name", ""))
            job.save(state)

        try:
            send_results(waiting, self.settings.destination, self.settings.listen.ae_title, confirm)
        except NotSent as error:
            state.tries += 1
            if state.tries >= work.tries:
                self._bury(job, f"{error}; given up after {state.tries} tries")
                return
            state.next_try = time.time() + min(
                work.longest_wait_s, work.first_wait_s * 2 ** (state.tries - 1)
            )
            job.save(state)
            self.spool.note("not sent", job=job.name, why=str(error), tries=state.tries)
            self.note(f"{job.name}: {error}; next try later")
            return
        self.spool.note("sent", job=job.name, objects=len(files))
        self.note(f"{job.name}: {len(files)} results sent")
        self.spool.finish(job)

    def _bury(self, job: Job, why: str) -> None:
        self.spool.note("dead", job=job.name, why=why)
        self.note(f"{job.name}: given up: {why}")
        self.spool.bury(job, why)
