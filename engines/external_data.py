"""Finds the weights that an ONNX file keeps in other files, which its own sha256 does not cover.

ONNX Runtime would read them from beside the model or, for a model given as bytes, from the working
directory. Only the structure of the protobuf is walked: a tensor's own content is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator

#: The messages of onnx.proto on the way to a tensor: which field leads to which message.
FIELDS: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        **{5: "TensorProto", 10: "TensorProto", 6: "GraphProto", 11: "GraphProto"},
        **{22: "SparseTensorProto", 23: "SparseTensorProto"},
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {},
}
#: `TensorProto.external_data`: the name of the other file, offset and length.
EXTERNAL_DATA = 13


def has_external_data(model: bytes) -> bool:
    """Whether a tensor of this ONNX file lies in another file.

    Raises ValueError where `model` is no protobuf.
    """
    todo = [("ModelProto", memoryview(model))]
    while todo:
        kind, message = todo.pop()
        for number, content in _messages(message):
            if kind == "TensorProto" and number == EXTERNAL_DATA:
                return True
            if number in FIELDS[kind]:
                todo.append((FIELDS[kind][number], content))
    return False


def _messages(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields of a message that may be messages themselves: their numbers and contents."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == 0:
            _, at = _varint(data, at)
        elif wire_type in (1, 5):
            at += 8 if wire_type == 1 else 4
        elif wire_type == 2:
            size, at = _varint(data, at)
            yield number, data[at : at + size]
            at += size
        else:
            raise ValueError("it is no protobuf")
    if at > len(data):
        raise ValueError("it is cut off")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number at `at`, 7 bits a byte, and where the next field starts."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("it is cut off")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("it is no protobuf")
