"""The manifests of other people's engines keep to the formats that those engines publish.

The formats are written down here as records that allow no other field, after

* MONAI Application Package, https://github.com/Project-MONAI/monai-deploy/blob/main/guidelines/monai-application-package.md;
* XNAT's command definition, https://wiki.xnat.org/container-service/json-command-definition-122978875.html;
* mercure's modules, class ``Module`` of https://github.com/mercure-imaging/mercure/blob/main/common/types.py.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from cementct import __version__
from cementct.node.mercure import options_of, read_module_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"

Semantic = Annotated[str, msgspec.Meta(pattern=r"^\d+\.\d+\.\d+$")]
Absolute = Annotated[str, msgspec.Meta(pattern="^/")]
Memory = Annotated[str, msgspec.Meta(pattern=r"^\d+(\.\d)?(Mi|Gi)$")]
Name = Annotated[str, msgspec.Meta(min_length=1)]


class _Exact(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A record of the MONAI specification: names in camel case, no field but those listed."""


class MapInput(_Exact):
    formats: Annotated[list[Literal["none", "network", "file"]], msgspec.Meta(min_length=1)]
    path: str = "input/"


class MapOutput(_Exact):
    format: Literal["none", "screen", "file", "network"]
    path: str = "output/"


class MapApplication(_Exact):
    type: Literal["service", "application"]
    command: Name
    environment: dict[str, str]
    input: MapInput
    output: MapOutput
    api_version: Semantic = "0.0.0"
    sdk: str | None = None
    sdk_version: Semantic = "0.0.0"
    timeout: Annotated[int, msgspec.Meta(ge=0)] = 0
    version: Semantic = "0.0.0"
    working_directory: Absolute = "/var/holoscan/"


class MapResources(_Exact):
    cpu: Annotated[float, msgspec.Meta(gt=0)] = 1
    cpu_limit: float | None = None
    gpu: Annotated[float, msgspec.Meta(ge=0)] = 0
    memory: Memory = "1Gi"
    memory_limit: Memory | None = None
    shared_memory: Memory = "64Mi"


class MapPackage(_Exact):
    application_root: Absolute
    api_version: Semantic = "0.0.0"
    model_root: Absolute = "/opt/holoscan/models/"
    resources: MapResources = msgspec.field(default_factory=MapResources)
    version: Semantic = "0.0.0"


class _Kebab(msgspec.Struct, forbid_unknown_fields=True, rename="kebab"):
    """A record of XNAT's command definition."""


class XnatMount(_Kebab):
    name: Name
    path: Absolute
    writable: bool = False


class XnatOutput(_Kebab):
    name: Name
    mount: Name
    description: str = ""
    required: bool = True
    path: str = ""
    glob: str = ""


class XnatExternalInput(_Kebab):
    name: Name
    type: Literal["string", "boolean", "number", "file", "Project", "Session", "Scan", "Assessor", "Resource"]
    label: str = ""
    description: str = ""
    required: bool = False
    user_settable: bool = True
    load_children: bool = True
    provides_value_for_command_input: str = ""
    provides_files_for_command_mount: str = ""


class XnatOutputHandler(_Kebab):
    name: Name
    type: Literal["Resource", "Scan", "Assessor"]
    accepts_command_output: Name
    as_a_child_of: Name
    label: str = ""


class XnatWrapper(_Kebab):
    name: Name
    contexts: list[str]
    external_inputs: list[XnatExternalInput]
    output_handlers: list[XnatOutputHandler]
    label: str = ""
    description: str = ""
    derived_inputs: list[dict[str, Any]] = []


class XnatCommand(_Kebab):
    name: Name
    schema_version: Literal["1.0"]
    type: Literal["docker"]
    image: Name
    command_line: Name
    mounts: list[XnatMount]
    inputs: list[dict[str, Any]]
    outputs: list[XnatOutput]
    xnat: list[XnatWrapper]
    label: str = ""
    description: str = ""
    version: str = ""
    override_entrypoint: bool = False
    network: str = ""
    limit_memory: int | None = None
    reserve_memory: int | None = None
    environment_variables: dict[str, str] = {}


class MercureModule(msgspec.Struct, forbid_unknown_fields=True):
    docker_tag: Name
    docker_arguments: str = ""
    additional_volumes: str = ""
    environment: str = ""
    settings: dict[str, Any] = {}
    contact: str = ""
    comment: str = ""
    constraints: str = ""
    resources: str = ""
    requires_root: bool = False


def test_the_monai_manifests_hold_every_field_that_a_package_must_have_and_no_other() -> None:
    app = msgspec.json.decode((DEPLOY / "monai" / "app.json").read_bytes(), type=MapApplication)
    package = msgspec.json.decode((DEPLOY / "monai" / "pkg.json").read_bytes(), type=MapPackage)
    assert app.version == package.version == __version__
    assert app.input.path == app.environment["HOLOSCAN_INPUT_PATH"]
    assert app.output.path == app.environment["HOLOSCAN_OUTPUT_PATH"]


def test_the_image_holds_its_manifests_where_the_monai_specification_looks_for_them() -> None:
    recipe = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert "deploy/monai/app.json deploy/monai/pkg.json /etc/holoscan/" in recipe
    assert "org.opencontainers.image.title" in recipe
    stated = re.search(r'org.opencontainers.image.version="([^"]+)"', recipe)
    assert stated is not None
    assert stated.group(1) == __version__


def test_the_xnat_command_names_only_mounts_and_outputs_that_it_defines() -> None:
    command = msgspec.json.decode((DEPLOY / "xnat" / "command.json").read_bytes(), type=XnatCommand)
    mounts = {m.name: m for m in command.mounts}
    assert command.version == __version__
    for output in command.outputs:
        assert mounts[output.mount].writable
    for wrapper in command.xnat:
        inputs = {i.name for i in wrapper.external_inputs}
        for given in wrapper.external_inputs:
            assert not mounts[given.provides_files_for_command_mount].writable
        for handler in wrapper.output_handlers:
            assert handler.as_a_child_of in inputs
            assert handler.accepts_command_output in {o.name for o in command.outputs}


def test_the_mercure_module_has_settings_that_the_module_itself_understands(tmp_path: Path) -> None:
    module = msgspec.json.decode((DEPLOY / "mercure" / "module.json").read_bytes(), type=MercureModule)
    task = tmp_path / "task.json"
    task.write_text(json.dumps({"process": {"settings": module.settings}}))
    options = options_of(read_module_settings(task))
    assert {f.value for f in options.formats} == set(module.settings["formats"].split(","))
    assert json.loads(module.docker_arguments)["network_mode"] == "none"


@pytest.mark.parametrize("manifest", ["monai/app.json", "xnat/command.json"])
def test_the_command_of_a_manifest_is_one_that_the_tool_has(manifest: str) -> None:
    told = json.loads((DEPLOY / manifest).read_text(encoding="utf-8"))
    words = (told.get("command") or told.get("command-line")).split()
    assert words[:2] == ["cementct", "run"]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert words[0] in scripts
