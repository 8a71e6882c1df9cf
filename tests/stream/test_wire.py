"""saccade/1: what is encoded comes back, and garbage is a WireError, whatever it is."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.camera.errors import SaccadeError
from saccade.stream import wire
from saccade.stream.wire import (
    Dropped,
    EmbeddingHeader,
    LabelHeader,
    StatusHeader,
    VocabularyHeader,
    WireError,
)

RUN = wire.new_run_id()
LABEL = LabelHeader(
    stream="cam",
    run=RUN,
    seq=7,
    t_begin_us=1_000,
    t_end_us=34_000,
    received_ns=5,
    published_ns=9,
    clock_offset_ns=-3,
    n_events=12,
    width=346,
    height=260,
    dropped=Dropped(queue=2),
    model="m",
    model_sha="ab",
    space="clip",
    vocabulary_rev=1,
    labels=["a mug", "une tasse à café"],
    scores=[0.75, 0.25],
    stage_us={"encode": 810.5},
)
OTHERS = [
    StatusHeader(stream="cam", run=RUN, state="ended", events_in=3, rate_eps=1e6),
    VocabularyHeader(stream="cam", run=RUN, rev=4, labels=["x"], space="clip"),
]


@pytest.mark.parametrize("header", [LABEL, *OTHERS], ids=lambda h: h.type)
def test_headers_come_back(header: wire.AnyHeader) -> None:
    message = wire.decode(wire.encode(header))
    assert message.header == header
    assert message.topic == f"{header.type}/cam/"
    assert message.blobs == {}


def test_the_map_on_the_wire_has_the_protocols_names() -> None:
    sent = msgspec.msgpack.decode(wire.encode(LABEL)[1])
    names = """v type stream run seq t_begin_us t_end_us received_ns published_ns clock_offset_ns
        n_events width height dropped model model_sha space vocabulary_rev labels scores groups
        group_scores stage_us blobs"""
    assert set(sent) == set(names.split())
    assert sent["v"] == 1
    assert sent["type"] == "label"
    assert set(sent["dropped"]) == {"source", "filter", "queue", "slice", "rate", "publish"}


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f2", "u1", "<i8", "?"])
@pytest.mark.parametrize("shape", [(), (3,), (0, 512), (2, 3, 4)])
def test_blobs_come_back_little_endian(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    parts = wire.encode(EmbeddingHeader(stream="c", run=RUN), {"embedding": array.T, "b": array})
    message = wire.decode(parts)
    np.testing.assert_array_equal(message.blobs["embedding"], array.T)
    assert message.blobs["b"].shape == shape
    assert [blob.name for blob in message.header.blobs] == ["embedding", "b"]
    assert not message.header.blobs[0].dtype.startswith(">")


def test_latest_is_one_part() -> None:
    parts = wire.encode(LABEL)
    latest = wire.encode_latest(parts)
    assert latest.startswith(b"latest/label/cam/\0")
    message = wire.decode([latest])
    assert message.topic == "latest/label/cam/"
    assert message.header == LABEL
    with pytest.raises(WireError, match="no one-part form"):
        wire.encode_latest([*parts, b"blob"])


def test_numpy_scores_are_numbers() -> None:
    scores = [np.float32(0.5), np.float64(0.25), np.int64(0)]
    header = msgspec.structs.replace(LABEL, labels=list("abc"), scores=scores)
    assert wire.decode(wire.encode(header)).header.scores == [0.5, 0.25, 0]


def test_unknown_fields_are_ignored_and_a_new_version_is_not() -> None:
    topic, payload = wire.encode(LABEL)
    fields = msgspec.msgpack.decode(payload)
    later = msgspec.msgpack.encode({**fields, "colour": {"of": ["events"]}})
    assert wire.decode([topic, later]).header == LABEL
    with pytest.raises(WireError, match=r"\bv\b|1"):
        wire.decode([topic, msgspec.msgpack.encode({**fields, "v": 2})])


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "status"},
        {"stream": "other"},
        {"run": "short"},
        {"seq": -1},
        {"seq": 1.5},
        {"labels": ["one"]},
        {"labels": [b"\xff"]},
        {"blobs": [{"name": "x", "dtype": "<f4", "shape": [1]}]},
    ],
    ids=str,
)
def test_wrong_fields_are_refused(changes: dict[str, object]) -> None:
    topic, payload = wire.encode(LABEL)
    fields = msgspec.msgpack.decode(payload) | changes
    with pytest.raises(WireError):
        wire.decode([topic, msgspec.msgpack.encode(fields)])


@pytest.mark.parametrize(
    "blob",
    [
        {"dtype": "|O"},
        {"dtype": "<M8[s]"},
        {"dtype": "<f4,<f4"},
        {"codec": "pickle"},
        {"shape": [3]},
        {"shape": [-2]},
        {"shape": [2**63]},
        {"shape": [0, 2**24, 2**24, 2**24]},
        {"shape": [1] * 9},
        {"name": ""},
    ],
    ids=str,
)
def test_wrong_blobs_are_refused(blob: dict[str, object]) -> None:
    good = {"name": "x", "dtype": "<f4", "shape": [2], "codec": "raw"}
    header = {"stream": "cam", "run": RUN, "blobs": [good]}
    data = b"" if 0 in blob.get("shape", ()) else bytes(8)  # type: ignore[operator]
    assert wire.decode([b"embedding/cam/", msgspec.msgpack.encode(header), bytes(8)]).blobs
    header["blobs"] = [good | blob]
    with pytest.raises(WireError):
        wire.decode([b"embedding/cam/", msgspec.msgpack.encode(header), data])


def test_sizes_are_checked_both_ways() -> None:
    many = VocabularyHeader(stream="cam", run=RUN, labels=["x" * 100] * 700)
    with pytest.raises(WireError, match="at most 65536"):
        wire.encode(many)
    big = np.zeros(wire.MAX_BLOB_BYTES + 1, np.uint8)
    with pytest.raises(WireError, match="at most 16777216"):
        wire.encode(EmbeddingHeader(stream="cam", run=RUN), {"embedding": big})
    topic, payload = wire.encode(LABEL)
    with pytest.raises(WireError, match="at most 65536"):
        wire.decode([topic, payload + bytes(65536)])
    with pytest.raises(WireError, match="at most 16777216"):
        wire.decode([topic, payload, big.tobytes()])
    with pytest.raises(WireError, match="parts"):
        wire.decode([topic, payload, *[b""] * 40])


@pytest.mark.parametrize("blob", [np.array(["x"]), np.array([object()]), np.zeros((1,) * 9)])
def test_arrays_that_the_wire_lacks_are_refused(blob: np.ndarray) -> None:
    with pytest.raises(WireError):
        wire.encode(EmbeddingHeader(stream="cam", run=RUN), {"x": blob})


def test_unencodable_headers_are_refused() -> None:
    with pytest.raises(WireError, match="2 labels with 0 scores"):
        wire.encode(msgspec.structs.replace(LABEL, scores=[]))
    with pytest.raises(WireError, match="msgpack"):
        wire.encode(msgspec.structs.replace(LABEL, seq=2**70))
    with pytest.raises(WireError, match="msgpack"):
        wire.encode(msgspec.structs.replace(LABEL, model=object()))  # type: ignore[arg-type]


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_random_parts_are_never_more_than_a_wire_error(parts: list[bytes]) -> None:
    for message in (parts, [b"label/cam/", *parts], [b"latest/label/cam/\0" + b"".join(parts)]):
        with pytest.raises(WireError):
            wire.decode(message)


def test_every_flipped_bit_decodes_or_is_a_wire_error() -> None:
    parts = wire.encode(EmbeddingHeader(stream="cam", run=RUN), {"e": np.ones((1, 4), "<f4")})
    for part in range(2):
        for bit in range(len(parts[part]) * 8):
            broken = [bytearray(each) for each in parts]
            broken[part][bit // 8] ^= 1 << bit % 8
            try_decode([bytes(each) for each in broken])


def test_truncation_and_hostile_lengths() -> None:
    topic, payload = wire.encode(LABEL)
    for end in range(len(payload)):
        with pytest.raises(WireError):
            wire.decode([topic, payload[:end]])
    for hostile in (
        b"\x81\xa6labels\xdd\xff\xff\xff\xff",
        b"\x81\xa8stage_us\xdf\xff\xff\xff\xff",
        b"\x81\xa1q\xc6\xff\xff\xff\xff",
        b"\x81\xa1q" + b"\x91" * 60_000,
    ):
        with pytest.raises(WireError):
            wire.decode([topic, hostile])


def try_decode(parts: list[bytes]) -> None:
    try:
        wire.decode(parts)
    except WireError as error:
        assert "\n" not in str(error)


def test_events_of_a_status_add_up_with_those_pending() -> None:
    sent = StatusHeader(stream="cam", run=RUN, events_in=9, events_published=4, events_pending=5)
    fields = msgspec.msgpack.decode(wire.encode(sent)[1])
    assert fields["events_pending"] == 5
    del fields["events_pending"]  # an older publisher has none
    older = wire.decode([b"status/cam/", msgspec.msgpack.encode(fields)]).header
    assert older == msgspec.structs.replace(sent, events_pending=0)


@pytest.mark.parametrize("name", ["cam", "a.b-c_D9", "x" * 64])
def test_stream_names(name: str) -> None:
    wire.check_stream(name)
    with pytest.raises(SaccadeError, match="use 1 to 64 letters"):
        wire.check_stream(name + "\n")


def test_run_ids_are_ulids() -> None:
    runs = [wire.new_run_id() for _ in range(100)]
    assert len(set(runs)) == 100
    assert all(len(run) == 26 and run[0] in "01234567" for run in runs)
    assert not set("".join(runs)) & set("ILOU")
    assert [run[:8] for run in runs] == sorted(run[:8] for run in runs)
