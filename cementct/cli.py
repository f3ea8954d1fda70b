"""The command line: words to the user, exit codes, and the wires between reading, analysis and report.

Heavy packages are imported inside the commands, so that help comes at once.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cementct.arguments import (
    RUN_HELP,
    AnatomyFile,
    CementFile,
    Debug,
    Formats,
    Inputs,
    Jobs,
    JsonLog,
    LesionFile,
    Levels,
    Out,
    PostUid,
    PreUid,
    Quiet,
    Scheduler,
    Scheme,
    ShardOf,
    SkipExisting,
    StudyMemory,
    StudyTimeout,
    TopLevel,
    Verbose,
    Vertebrae,
)
from cementct.core.children import keep_memory, own_environment
from cementct.core.errors import (
    DEBUG_VARIABLE,
    CementctError,
    StudyRefused,
    UsageError,
    describe_internal_error,
)

if TYPE_CHECKING:
    from cementct.console import ProgressStyle
    from cementct.pipeline.batch import BatchResult
    from cementct.pipeline.options import RunOptions

# Narrower than this a table of series cannot be read, and lines had better be cut by the terminal.
_NARROWEST_TABLE = 80


class ExitStatus(IntEnum):
    """What the shell is told."""

    DONE = 0
    INTERNAL_ERROR = 1
    USAGE = 2
    REFUSED = 3
    SOME_NOT_DONE = 4
    INTERRUPTED = 130


app = typer.Typer(
    name="cementct",
    help="Measures bone cement, lesion filling and cement leakage on CT after vertebroplasty.\n\n"
    "For research; not a medical device. Start with: cementct sample",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the form that typer calls
    if wanted:
        from cementct import __version__

        typer.echo(f"cementct {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    del version


@app.command("run", help=RUN_HELP)
def run_command(  # noqa: PLR0913 - one argument an option of the contract
    inputs: Inputs,
    out: Out,
    *,
    vertebrae: Vertebrae = None,
    label_scheme: Scheme = None,
    top_level: TopLevel = None,
    levels: Levels = None,
    post: PostUid = None,
    pre: PreUid = None,
    lesion: LesionFile = None,
    cement: CementFile = None,
    anatomy: AnatomyFile = None,
    jobs: Jobs = 1,
    skip_existing: SkipExisting = False,
    formats: Formats = "json,csv,html",
    study_timeout: StudyTimeout = None,
    study_memory: StudyMemory = None,
    shard: ShardOf = None,
    scheduler: Scheduler = None,
    json_log: JsonLog = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Read the words of the command line into options and run the batch."""
    with _errors_in_words(debug=debug):
        from cementct.pipeline import options as parse
        from cementct.pipeline.shards import parse_shard

        if verbose and quiet:
            raise UsageError("--verbose and --quiet: expected one of them at most, got both")
        engine, vertebra_file = parse.parse_vertebrae(vertebrae) if vertebrae else (None, None)
        wanted = parse.RunOptions(
            engine=engine,
            vertebra_file=vertebra_file,
            label_scheme=parse.parse_label_scheme(label_scheme) if label_scheme else None,
            top_level=parse.parse_level(top_level, option="--top-level") if top_level else None,
            levels=parse.parse_levels(levels) if levels else (),
            post_uid=post,
            pre_uid=pre,
            lesion_file=parse.existing_file(lesion, option="--lesion") if lesion else None,
            cement_file=parse.existing_file(cement, option="--cement") if cement else None,
            anatomy_file=parse.existing_file(anatomy, option="--anatomy") if anatomy else None,
            jobs=jobs,
            skip_existing=skip_existing,
            formats=parse.parse_formats(formats),
            study_timeout_s=study_timeout,
            study_memory_gb=study_memory,
            shard=parse_shard(shard) if shard else None,
            scheduler=scheduler,
        )
        if verbose:
            logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
        style = _style(json_log=json_log, quiet=quiet)
        result = _run([Path(text) for text in inputs], out, wanted, style)
        status = int(result.exit_status)
    raise typer.Exit(status)


@app.command("merge")
def merge_command(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that all shards wrote to.")],
    *,
    debug: Debug = False,
) -> None:
    """Write the summary of a batch that was run in shards."""
    with _errors_in_words(debug=debug):
        from cementct.core.outcome import StudyState
        from cementct.pipeline.shards import merge_shards

        states = {str(study["study"]): str(study["state"]) for study in merge_shards(out).studies}
        done = all(state == StudyState.DONE.value for state in states.values())
        status = ExitStatus.DONE if done else ExitStatus.SOME_NOT_DONE
        typer.echo(json.dumps({"exit_status": int(status), "out": str(out), "studies": states}))
    raise typer.Exit(status)


@app.command("sample")
def sample_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.")] = Path("sample_study"),
    *,
    debug: Debug = False,
) -> None:
    """Write a small simulated study to try things on, with its truth beside it."""
    with _errors_in_words(debug=debug):
        from cementct.testing.sample import write_sample_study

        write_sample_study(folder)
    typer.echo(f"Wrote a sample study to {folder}. Now try: cementct run {folder} --out results")


@app.command("info")
def info_command(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="A study, or a folder of studies.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for machines.")] = False,
    debug: Debug = False,
) -> None:
    """Say which series a folder holds and which of them would be used, without analysing them."""
    with _errors_in_words(debug=debug):
        import shutil

        from cementct import listing
        from cementct.segmentation.presence import shows_cement

        studies = listing.list_inputs(Path(folder), shows_cement)
        width = max(shutil.get_terminal_size((110, 24)).columns, _NARROWEST_TABLE)
        typer.echo(listing.as_json(studies) if as_json else listing.as_table(studies, width))
    if len(studies) == 1 and studies[0].refused:
        raise typer.Exit(ExitStatus.REFUSED)


@app.command("serve")
def serve_command(
    config: Annotated[str, typer.Option("--config", metavar="FILE", help="Settings of the node, TOML.")],
    *,
    debug: Debug = False,
) -> None:
    """Receive studies as a DICOM node, analyse each once it is complete, and send the results on."""
    with _errors_in_words(debug=debug):
        from cementct.node.serve import serve
        from cementct.node.settings import read_settings

        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
        # What these libraries log may hold values of a header.
        for library in ("pynetdicom", "pydicom", "highdicom"):
            logging.getLogger(library).setLevel(logging.CRITICAL)
        serve(read_settings(Path(config)))


@app.command("mercure")
def mercure_command(*, debug: Debug = False) -> None:
    """Run as a processing module of the mercure router (MERCURE_IN_DIR, MERCURE_OUT_DIR, task.json)."""
    with _errors_in_words(debug=debug):
        from cementct.node.mercure import run_module
        from cementct.pipeline.batch import BatchResult

        outcome = run_module(os.environ)
        if outcome.why:
            _complain(outcome.why)
        status = BatchResult((outcome,)).exit_status
    raise typer.Exit(status)


@app.command("schema")
def schema_command() -> None:
    """Print the JSON schema of report.json, with the registry of quality flags under "x-flags"."""
    from cementct.report.schema import encode_schema

    typer.echo(encode_schema().decode("utf-8"), nl=False)


def main() -> None:
    """Run the command line; the entry point of the ``cementct`` script."""
    # A job scheduler ends a run with this signal; what Ctrl-C does is right then too.
    signal.signal(signal.SIGTERM, _interrupt)
    # One thread for linear algebra: sums are the same, to the last digit, as in the children of a batch.
    os.environ.update(own_environment())
    keep_memory()
    # What libraries warn of may quote a header, and a header names its patient.
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(ExitStatus.INTERRUPTED)


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt


def _run(inputs: list[Path], out: Path, wanted: RunOptions, style: ProgressStyle) -> BatchResult:
    from cementct.console import watching
    from cementct.pipeline.batch import run_batch

    with watching(style, sys.stderr) as listener:
        result = run_batch(inputs, out, wanted, listener)
    typer.echo(_last_line(result, out))
    return result


def _last_line(result: BatchResult, out: Path) -> str:
    """Return the outcome as one line of JSON."""
    studies = {entry.study: entry.state.value for entry in result.entries}
    return json.dumps(
        {"exit_status": int(result.exit_status), "out": str(out), "studies": studies}, ensure_ascii=False
    )


def _style(*, json_log: bool, quiet: bool) -> ProgressStyle:
    from cementct.console import ProgressStyle

    if json_log:
        return ProgressStyle.JSON
    if quiet:
        return ProgressStyle.QUIET
    return ProgressStyle.BAR if sys.stderr.isatty() else ProgressStyle.PLAIN


@contextmanager
def _errors_in_words(*, debug: bool) -> Iterator[None]:
    """Turn what goes wrong into one line on standard error and the contract's exit status."""
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"  # reaches the children of a batch
    try:
        yield
    except KeyboardInterrupt:
        _complain("interrupted; nothing half-written was left")
        raise typer.Exit(ExitStatus.INTERRUPTED) from None
    except UsageError as error:
        _complain(str(error))
        raise typer.Exit(ExitStatus.USAGE) from None
    except StudyRefused as error:
        _complain(str(error))
        raise typer.Exit(ExitStatus.REFUSED) from None
    except CementctError as error:
        _complain(str(error))
        raise typer.Exit(ExitStatus.INTERNAL_ERROR) from None
    except Exception as error:  # noqa: BLE001 - the last resort: a user sees one line, not a traceback
        if os.environ.get(DEBUG_VARIABLE):
            traceback.print_exc()
        _complain(f"{describe_internal_error(error)}; run again with --debug for the traceback")
        raise typer.Exit(ExitStatus.INTERNAL_ERROR) from None


def _complain(words: str) -> None:
    typer.echo(f"cementct: {words}", err=True)


if __name__ == "__main__":
    main()
