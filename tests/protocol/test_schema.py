"""The exported JSON Schema describes what the validators take."""

import json
import re
import subprocess
import sys
from dataclasses import MISSING, fields
from typing import Any

import pytest

from nixfleet_protocol.schema import API_BODIES, field_docs, schema
from tests.protocol.strategies import EVERY_MESSAGE

DOCUMENT = schema()
DEFINITIONS = DOCUMENT["$defs"]


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_reference_leads_somewhere() -> None:
    assert references(DOCUMENT) <= {f"#/$defs/{name}" for name in DEFINITIONS}


@pytest.mark.parametrize(
    "cls", [*(cls for _, _, cls in EVERY_MESSAGE), *API_BODIES], ids=lambda cls: cls.__name__
)
def test_a_definition_has_every_field_and_says_which_are_required(cls: type) -> None:
    definition = DEFINITIONS[cls.__name__]
    required = {f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING}
    assert set(definition["properties"]) == {field.name for field in fields(cls)}
    assert set(definition.get("required", [])) == required
    assert definition["description"]
    for name, text in field_docs(cls).items():
        assert definition["properties"][name].get("description", "") == text


@pytest.mark.parametrize(
    ("direction", "name", "cls"), EVERY_MESSAGE, ids=[name for _, name, _ in EVERY_MESSAGE]
)
def test_each_direction_lists_its_messages(direction: str, name: str, cls: type) -> None:
    frame = DEFINITIONS[re.sub(" → ", "To", direction.title())]
    payloads = {
        one["properties"]["type"]["const"]: one["properties"]["payload"]["$ref"]
        for one in frame["anyOf"]
        if one["type"] == "object"
    }
    assert payloads[name] == f"#/$defs/{cls.__name__}"


def test_bounds_patterns_and_words_are_there() -> None:
    run_id = DEFINITIONS["Output"]["properties"]["run_id"]
    assert (run_id["maxLength"], run_id["pattern"]) == (32, "^(?:[0-9a-f]{32})$")
    assert DEFINITIONS["Output"]["properties"]["stream"]["enum"] == ["stdout", "stderr", "note"]
    assert DEFINITIONS["Register"]["properties"]["platform"]["anyOf"][0]["enum"][0] == "nixos"
    assert DEFINITIONS["Register"]["properties"]["runs"]["maxItems"] == 256


def test_the_command_prints_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nixfleet_protocol", "schema"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == DOCUMENT
