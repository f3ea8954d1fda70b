"""Which studies an INPUT holds: one study, or a folder of studies in any mix of forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cementct.core.errors import StudyRefused
from cementct.io.dicom import DicomFolder, reasons_in_short
from cementct.io.files import VOLUME_SUFFIXES, is_dicom, volume_suffix
from cementct.io.walk import FoundFiles, find_files
from cementct.pipeline.evidence import Evidence, ShowsCement
from cementct.pipeline.names import StudyNames, without_suffix
from cementct.pipeline.parts import Part, scanned
from cementct.pipeline.patients import OnePatient
from cementct.pipeline.preference import ranked, tier
from cementct.pipeline.timing import acquisitions, order_key

# Names of volumes and masks in a NIfTI folder; only the first makes it one.
POST, PRE = "post", "pre"
MASKS = ("vertebrae", "lesion", "cement")


class StudyForm(StrEnum):
    """How a study is stored."""

    DICOM = "dicom"
    VOLUME_FOLDER = "volume-folder"
    VOLUME_FILE = "volume-file"


@dataclass(frozen=True)
class StudySource:
    """One study to analyse, before anything but headers was read.

    Attributes
    ----------
    name
        Name of its folder in the output.
    path
        Its folder or file.
    shown
        Path relative to INPUT, for messages; empty where it is INPUT itself.
    form
        How it is stored.
    refused
        Why it cannot be analysed, where that is known already; else None.
    """

    name: str
    path: Path
    shown: str
    form: StudyForm
    refused: str | None = None


def discover_studies(inputs: Sequence[Path], shows_cement: ShowsCement) -> tuple[StudySource, ...]:
    """Return the studies that the inputs hold, in the order of inputs and names.

    What cannot be read comes as a study that is refused, with the reason, so that the others go on.

    Parameters
    ----------
    inputs
        Files and folders as the user named them.
    shows_cement
        Looks at a volume for cement; called only where subfolders of one patient hold different studies.
    """
    finder = _Finder(Evidence(shows_cement))
    for path in inputs:
        finder.add_input(path)
    return tuple(finder.studies)


class _Finder:
    """Collects studies, and names them."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._names = StudyNames()
        self.studies: list[StudySource] = []

    def add_input(self, path: Path) -> None:
        name = path.name if path.name not in {"", ".", ".."} else path.resolve().name
        try:
            if not path.exists():
                self._refuse(path, name, "", "expected a file or folder, there is none")
            elif path.is_file():
                self._add_file(path, name, "")
            elif not path.is_dir():
                self._refuse(path, name, "", "expected a file or folder, found something else")
            elif post_volume(path) is not None:
                self._add(path, name, "", StudyForm.VOLUME_FOLDER)
            else:
                self._add_folder(path, name)
        except StudyRefused as refusal:
            self._refuse(path, name, "", str(refusal))
        except OSError as error:
            self._refuse(path, name, "", f"cannot be read ({error.strerror})")

    def _add(self, path: Path, name: str, shown: str, form: StudyForm) -> None:
        self.studies.append(StudySource(self._names.name(name), path, shown, form))

    def _refuse(self, path: Path, name: str, shown: str, why: str) -> None:
        source = StudySource(
            self._names.name(name), path, shown, StudyForm.VOLUME_FILE, f"{shown or name}: {why}"
        )
        self.studies.append(source)

    def _add_file(self, path: Path, name: str, shown: str) -> None:
        if volume_suffix(path) is not None:
            self._add(path, name, shown, StudyForm.VOLUME_FILE)
        elif is_dicom(path):
            self._add_dicom(
                path, name, shown, scanned(path.parent, FoundFiles(path.parent, (path.name,), ()))
            )
        else:
            self._refuse(
                path, name, shown, "expected a DICOM folder or a .nii, .nii.gz, .nrrd or .mha volume"
            )

    def _add_dicom(self, path: Path, name: str, shown: str, part: Part) -> None:
        private = part.folder.private
        named = self._names.name(name, private=private, study_uid=part.study_uid)
        self.studies.append(StudySource(named, path, private.redact(shown) if shown else "", StudyForm.DICOM))

    def _add_folder(self, root: Path, name: str) -> None:
        """Add a folder that is no NIfTI study itself, and what cannot be listed below it as refused."""
        found = find_files(root)
        closed = found.closed
        if found.files or not closed:
            self._add_found(root, name, found)
        for folder, why in closed.items():
            self._refuse(root / folder, Path(folder).name, folder, why)

    def _add_found(self, root: Path, name: str, found: FoundFiles) -> None:
        """Add what a folder holds: one DICOM study, or a folder of studies."""
        children = sorted({file.split("/")[0] for file in found.files if "/" in file})
        nearby = any(post_volume(root / child) is not None for child in children)
        if _volumes_in(found) or nearby or _holds_post_volume(found):
            self._add_children(root, found)
            return
        base, parts = _subfolders(found)
        if len(parts) < 2:
            whole = scanned(root, found)
            if parts and whole.several_patients:
                base, parts = _subfolders(found, f"{base}{parts[0]}/")
            if len(parts) < 2:
                self._add_one(root, name, "", whole)
                return
        skip = len(base)
        loose = [file for file in found.files if file.startswith(base) and "/" not in file[skip:]]
        beside = scanned(root, FoundFiles(root, tuple(loose), ()))
        parted = self._parted(root, found.parts(base), beside)
        if parted is None:
            self._add_one(root, name, "", scanned(root, found))
            return
        for part in _folders_in(root / base, found):
            own = parted.get(part) or scanned(root, FoundFiles(root, (), ()))
            self._add_one(root / base / part, part, base + part, own)
        if beside.folder.series:
            self._refuse(root, name, "", "expected studies in subfolders, found DICOM images beside them")

    def _parted(self, root: Path, parts: dict[str, FoundFiles], beside: Part) -> dict[str, Part] | None:
        """Return what each subfolder holds where each is a study of its own, None where all are one study."""
        parted: dict[str, Part] = {}
        patient = OnePatient()
        patient.take(beside.folder)
        for name, found in parts.items():
            part = scanned(root, found)
            was_one = patient.still
            parted[name] = part if patient.take(part.folder) else part.without_series()
            if was_one and not patient.still:
                parted = {name: earlier.without_series() for name, earlier in parted.items()}
        everything = [*(part.folder for part in parted.values()), beside.folder]
        return None if patient.still and not self._several_injections(everything) else parted

    def _add_children(self, root: Path, found: FoundFiles, below: str = "") -> None:
        """Add each subfolder and each volume of a folder of studies, and what folders of folders hold."""
        parts = found.parts("")
        volumes = _volumes_in(found)
        for child in sorted([*_folders_in(root, found), *volumes]):
            path, shown = root / child, f"{below}{child}"
            own = parts.get(child, FoundFiles(root, (), ()))
            if child in volumes:
                self._add_file(path, child, shown)
            elif post_volume(path) is not None:
                self._add(path, child, shown, StudyForm.VOLUME_FOLDER)
            elif _holds_post_volume(own):
                self._add_children(path, own.moved(child), f"{shown}/")
            else:
                self._add_one(path, child, shown, scanned(root, own))

    def _add_one(self, path: Path, name: str, shown: str, part: Part) -> None:
        """Add one DICOM study, or say why the folder is none."""
        folder = part.folder
        if part.refused is not None:
            self._refuse(path, name, shown, part.refused)
        elif not folder.dicom_files:
            shown = folder.private.redact(shown) if shown else ""
            expected = "expected DICOM images, post.nii.gz, or subfolders with studies"
            has_pre = any((path / f"{PRE}{suffix}").exists() for suffix in (".nii.gz", ".nii"))
            reasons = reasons_in_short(folder.ignored)
            found = "pre.nii.gz alone" if has_pre else "none" + (f" ({reasons})" if reasons else "")
            self._refuse(path, name, shown, f"{expected}, found {found}")
        elif part.several_patients:
            named = self._names.name(name, private=folder.private, study_uid=part.study_uid)
            why = f"{named}: expected the images of one patient, found several; name their folders one by one"
            self.studies.append(StudySource(named, path, named if shown else "", StudyForm.DICOM, why))
        else:
            self._add_dicom(path, name, shown, part)

    def _several_injections(self, folders: Sequence[DicomFolder]) -> bool:
        """Tell whether two subfolders each hold a post-injection series of their own.

        Series of one study are of one treatment, however they are spread over folders: portions of cement are
        checked one after another. Only different studies, or copies of the same series, count.
        """
        kinds = {(s.header.study_uid, s.header.raw_uid) for folder in folders for s in folder.series}
        apart = len({study for study, _ in kinds}) > 1
        copies = sum(len({s.header.raw_uid for s in folder.series}) for folder in folders) > len(kinds)
        if not (apart or copies):
            return False
        injected: list[tuple[str | None, str]] = []
        # The earliest first: where it shows none of the two that it takes, no other has to be looked at.
        waiting = sorted((folder for folder in folders if folder.series), key=_earliest)
        while len(waiting) + len(injected) > 1 and waiting:
            shown = self._series_with_cement(waiting.pop(0))
            if shown is None:
                continue
            if any(shown[0] != study or shown[1] == series for study, series in injected):
                return True
            injected.append(shown)
        return False

    def _series_with_cement(self, folder: DicomFolder) -> tuple[str | None, str] | None:
        for group in acquisitions(folder.series):
            for series in [s for s in ranked(group) if tier(s) < 3][:1]:
                seen = self._evidence.of(series)
                if seen is not None and seen.cement:
                    return series.header.study_uid, series.header.raw_uid
        return None


def post_volume(folder: Path) -> Path | None:
    """Return the post-injection volume of a NIfTI folder, or None where it is none."""
    return named_volume(folder, POST)


def named_volume(folder: Path, stem: str) -> Path | None:
    """Return the volume or mask of a NIfTI folder that has the given name, or None."""
    if not folder.is_dir():
        return None
    for suffix in VOLUME_SUFFIXES:
        path = folder / f"{stem}{suffix}"
        if path.is_file():
            return path
    return None


def _volumes_in(found: FoundFiles) -> list[str]:
    """Return the volumes that lie in the folder itself, each a study."""
    return [file for file in found.files if "/" not in file and _is_study_volume(Path(file))]


def _holds_post_volume(found: FoundFiles) -> bool:
    """Tell whether a NIfTI study lies anywhere among files."""
    names = {f"{POST}{suffix}" for suffix in VOLUME_SUFFIXES}
    return any(file.rpartition("/")[2] in names for file in found.files)


def _folders_in(folder: Path, found: FoundFiles) -> list[str]:
    """Return the names of the subfolders, empty ones included; links, hidden and closed ones are left out."""
    closed = {found.root / name for name in found.closed}
    return sorted(
        p.name
        for p in folder.iterdir()
        if p.is_dir() and not p.is_symlink() and p.name[0] != "." and p not in closed
    )


def _earliest(folder: DicomFolder) -> tuple[object, ...]:
    return min(order_key(series) for series in folder.series)


def _is_study_volume(path: Path) -> bool:
    return volume_suffix(path) is not None and without_suffix(path.name) not in {*MASKS, PRE}


def _subfolders(found: FoundFiles, base: str = "") -> tuple[str, list[str]]:
    """Return the folder below `base` at which files part, with a slash at its end, and its subfolders."""
    while True:
        rest = [file[len(base) :] for file in found.files if file.startswith(base)]
        parts = sorted({file.split("/")[0] for file in rest if "/" in file})
        if len(parts) != 1 or any("/" not in file for file in rest):
            return base, parts
        base += f"{parts[0]}/"
