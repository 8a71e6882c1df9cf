"""TOML as it is written reads back the same."""

from __future__ import annotations

import msgspec
import pytest

from saccade.camera.toml import to_toml

TABLE = {
    "text": 'a "quote", a \\, ä \U0001f600 and \x00\x1f\x7f\n',
    "numbers": [1, -2, 0.1, 1e-300, 1e22],
    "yes": True,
    "a.b c": 1,
    "": [["x"], []],
    "table": {"x": 1, "file.onnx": {"deep": {"y": [1.5]}}, "z": "after"},
}


def test_it_reads_back_the_same():
    assert msgspec.toml.decode(to_toml(TABLE), type=dict) == TABLE


def test_none_is_left_out_and_the_rest_is_refused():
    assert to_toml({"a": None, "b": 1, "c": {"d": None}}) == "b = 1\n\n[c]\n"
    with pytest.raises(TypeError, match="bytes"):
        to_toml({"a": b"x"})
