"""The JSON schema of the report, and the registry of flags that may stand in it."""

from __future__ import annotations

from typing import Any

import msgspec

from cementct.core.findings import SCHEMA_VERSION, StudyReport
from cementct.core.flags import REGISTRY

# Spaces in front of a line in the docstring of a class; what describes a field stands further in.
_DOCSTRING_INDENT = 4


def report_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of ``report.json``.

    Every key is required, because the report always holds every key. The registry of flags stands under
    ``x-flags``, each with its severity and its meaning.
    """
    schema = msgspec.json.schema(StudyReport)
    for definition in schema["$defs"].values():
        if definition.get("type") == "object" and "properties" in definition:
            definition["required"] = list(definition["properties"])
            definition["additionalProperties"] = False
            for field in definition["properties"].values():
                field.pop("default", None)
        if "description" in definition:
            _move_descriptions(definition)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Report of cementct, schema version {SCHEMA_VERSION}",
        **schema,
        "x-flags": {
            flag.value: {"severity": definition.severity.value, "meaning": definition.meaning}
            for flag, definition in REGISTRY.items()
        },
    }


def encode_schema() -> bytes:
    """Return the schema as indented UTF-8 JSON with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(report_schema()), indent=2) + b"\n"


def _move_descriptions(definition: dict[str, Any]) -> None:
    """Bring what a docstring says of each field to that field; the first paragraph stays."""
    whole, _, attributes = definition["description"].partition("Attributes\n")
    definition["description"] = whole.strip()
    names: list[str] = []
    for line in attributes.splitlines()[1:]:
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if indent == _DOCSTRING_INDENT and text:
            names = [name.strip() for name in text.split(",")]
            continue
        for name in names if text else []:
            field = definition["properties"][name]
            field["description"] = f"{field.get('description', '')} {text}".strip()
