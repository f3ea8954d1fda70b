"""The examples for Slurm and Kubernetes hold together: syntax, options, equal numbers of shards."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from cementct.cli import app

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TEXTS = [
    DEPLOY / "slurm" / "array.sbatch",
    *sorted(DEPLOY.glob("*/dask_batch.py")),
    DEPLOY / "kubernetes" / "job.yaml",
]


def options_of_run() -> set[str]:
    command: Any = get_command(app)
    return {name for option in command.commands["run"].params for name in option.opts}


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*/*.py")), ids=lambda path: path.parent.name)
def test_a_script_is_python_that_imports_only_what_it_names(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = ast.get_docstring(tree) or ""
    modules = {
        node.module.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
    }
    for module in modules - {"__future__", "typing"}:
        assert module.replace("_", "-") in documented


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_an_example_uses_only_options_that_the_command_has(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = set(re.findall(r"(?<=[\s\"])--(?:out|shard|skip|study|scheduler|jobs|format)[a-z-]*", text))
    assert "--out" in used
    assert used <= options_of_run()


def test_the_slurm_script_is_one_that_bash_understands() -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash here")
    checked = subprocess.run(
        [bash, "-n", str(DEPLOY / "slurm" / "array.sbatch")], capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_the_kubernetes_job_counts_as_many_shards_as_it_has_pods() -> None:
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((DEPLOY / "kubernetes" / "job.yaml").read_text(encoding="utf-8"))
    container = job["spec"]["template"]["spec"]["containers"][0]
    pods = job["spec"]["completions"]
    assert (job["kind"], job["spec"]["completionMode"]) == ("Job", "Indexed")
    assert f"$((JOB_COMPLETION_INDEX + 1))/{pods}" in container["args"][0]
    mounted = {volume["name"] for volume in job["spec"]["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == mounted


@pytest.mark.parametrize("package", ["dask_jobqueue", "dask_kubernetes"])
def test_the_packages_of_the_examples_have_what_is_called(package: str) -> None:
    pytest.importorskip(package, reason=f"{package} is no dependency of this project")
    if package == "dask_jobqueue":
        from dask_jobqueue import SLURMCluster

        assert "SLURMCluster" in SLURMCluster.__name__
    else:
        from dask_kubernetes.operator import make_cluster_spec

        assert make_cluster_spec(name="x")["spec"]["worker"]["spec"]["containers"][0]["args"]
