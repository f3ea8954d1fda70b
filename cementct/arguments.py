"""Arguments and options of the command line, with the words that explain them to the user."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RUN_HELP = """Analyse one study, or a folder of studies, and write the reports.

\b
An INPUT is one of
  a DICOM folder, in any nesting, with any mix of series
  a folder with post.nii.gz, and perhaps pre.nii.gz, vertebrae.nii.gz, lesion.nii.gz, cement.nii.gz
  one .nii, .nii.gz, .nrrd or .mha file: the scan after injection
  a folder of such studies

\b
Examples
  cementct run patient17 --out results
  cementct run all_patients --out results --jobs 4 --skip-existing
  cementct run post.nii.gz --out results --vertebrae labels.nii.gz --label-scheme verse
  cementct run patient17 --out results --levels T12,L2 --format json,html

\b
Exit status
  0 done    1 internal error    2 usage    3 refused
  4 some of several studies not done    130 interrupted

The last line on standard output is a JSON object for machines.
"""

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Studies, or folders of studies.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results; made if missing.")]
Vertebrae = Annotated[
    str | None,
    typer.Option(
        "--vertebrae",
        metavar="ENGINE|FILE",
        help="What finds the vertebrae: 'embedded' (the default), 'totalsegmentator' (an extra), "
        "a label file, or a DICOM SEG with level codes.",
    ),
]
Scheme = Annotated[
    str | None,
    typer.Option(
        "--label-scheme",
        metavar="NAME",
        help="What the numbers of a vertebra label file mean: verse, totalsegmentator or spineps. "
        "Required with such a file, also with one in a study's own folder.",
    ),
]
TopLevel = Annotated[
    str | None,
    typer.Option(
        "--top-level", metavar="T12", help="The level of the uppermost vertebra whose body is whole in view."
    ),
]
Levels = Annotated[str | None, typer.Option("--levels", metavar="L2,L4", help="The treated levels.")]
PostUid = Annotated[
    str | None, typer.Option("--post", metavar="UID", help="Use this series as the scan after injection.")
]
PreUid = Annotated[
    str | None, typer.Option("--pre", metavar="UID", help="Use this series as the scan before injection.")
]
LesionFile = Annotated[str | None, typer.Option("--lesion", metavar="FILE", help="Mask of the lesion.")]
CementFile = Annotated[str | None, typer.Option("--cement", metavar="FILE", help="Mask of the cement.")]
AnatomyFile = Annotated[
    str | None,
    typer.Option(
        "--anatomy",
        metavar="FILE",
        help="Centres, endplates and levels of vertebrae given by hand, as JSON (docs/anatomy.md).",
    ),
]
Jobs = Annotated[int, typer.Option("--jobs", min=1, metavar="N", help="Studies worked on at once.")]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave studies alone whose report stands in DIR.")
]
Formats = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="LIST",
        help="Forms of the report, from json, csv, html, pdf, seg, sr, sc. Label maps always.",
    ),
]
StudyTimeout = Annotated[
    float | None,
    typer.Option(
        "--study-timeout",
        metavar="SECONDS",
        help="Give a study up after this time. Of several studies each has an hour where no time is named.",
    ),
]
StudyMemory = Annotated[
    float | None,
    typer.Option(
        "--study-memory", metavar="GB", help="Give a study up that needs more memory than this (Linux)."
    ),
]
ShardOf = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Do the I-th of N shares of the studies, for job arrays; then 'cementct merge DIR'.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Hand the studies to the Dask cluster of this scheduler, such as tcp://node7:8786 (an extra).",
    ),
]
JsonLog = Annotated[bool, typer.Option("--json-log", help="Progress as JSON lines on standard error.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Also say how decisions were made.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an internal error.")]
