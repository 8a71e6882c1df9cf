"""docs/schema.json is what the structs say, and has every field that is sent."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from saccade.stream import control_messages, schema, wire

COMMITTED = Path(__file__).parents[2] / "docs" / "schema.json"
RUN = wire.new_run_id()


def test_the_committed_schema_is_current() -> None:
    made = schema.text()
    assert COMMITTED.read_text() == made, "python -m saccade.stream.schema > docs/schema.json"


@pytest.mark.parametrize(
    "header",
    [wire.LabelHeader, wire.EmbeddingHeader, wire.StatusHeader, wire.VocabularyHeader],
)
def test_every_field_of_a_header_is_described(header: type) -> None:
    sent = msgspec.msgpack.decode(wire.encode(header(stream="cam", run=RUN))[1])
    found = schema.schema()
    properties = found["$defs"][header.__name__]["properties"]
    assert set(sent) == set(properties)
    assert found["topics"][sent["type"]] == {"$ref": f"#/$defs/{header.__name__}"}


def test_requests_and_replies_are_described_and_every_reference_leads_somewhere() -> None:
    found = schema.schema()
    assert list(found["requests"]) == list(control_messages.COMMANDS)
    assert found["$defs"]["SetLabels"]["required"] == ["id", "command", "run", "labels"]
    assert {"$ref": "#/$defs/ErrorReply"} in found["replies"]
    targets = re.findall(r'"#/\$defs/(\w+)"', schema.text())
    assert set(targets) <= set(found["$defs"])
