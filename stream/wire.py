"""The messages of saccade/1: msgpack headers and raw little-endian blobs. No socket, no pickle.

A message is `[b"label/<stream>/", header, blob, ...]`; `latest/label/<stream>/` is one part,
`topic NUL header`, because ZMQ_CONFLATE keeps only the last part of a message.
"""

from __future__ import annotations

import math
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError
from saccade.stream.headers import (
    MAX_BLOB_BYTES,
    MAX_HEADER_BYTES,
    AnyHeader,
    Blob,
    Dropped,
    EmbeddingHeader,
    Header,
    LabelHeader,
    ResultHeader,
    StatusHeader,
    VocabularyHeader,
)

__all__ = [
    "MAX_BLOB_BYTES",
    "MAX_HEADER_BYTES",
    "AnyHeader",
    "Blob",
    "Dropped",
    "EmbeddingHeader",
    "Header",
    "LabelHeader",
    "Message",
    "ResultHeader",
    "StatusHeader",
    "VocabularyHeader",
    "WireError",
    "check_sizes",
    "check_stream",
    "decode",
    "encode",
    "encode_latest",
    "new_run_id",
    "split_topic",
    "topic_of",
]

MAX_PARTS = 2 + 16
_MAX_TOPIC_BYTES = 256

_STREAM_NAME = r"[A-Za-z0-9_.\-]{1,64}"
_TOPIC = re.compile(rf"(latest/)?([a-z]{{1,16}})/({_STREAM_NAME})/")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RUN_ID = re.compile(rf"[0-7][{_CROCKFORD}]{{25}}")
# A dtype string from the network reaches numpy only when it is one of these.
_DTYPES = ("|b1", "|u1", "|i1", "<u2", "<u4", "<u8", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8")
# What an array is here -> what it is on the wire: big-endian arrays are turned round.
_WIRE_DTYPES: dict[np.dtype[Any], str] = {
    np.dtype(order + name[1:]): name for name in _DTYPES for order in (name[0], ">")
}


class WireError(SaccadeError):
    """A message that is not saccade/1, or one that would not be if it were sent."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came: the topic, its header, and read-only arrays by name."""

    topic: str
    header: AnyHeader
    blobs: dict[str, NDArray[Any]]


def _plain(value: Any) -> object:
    """numpy scalars as Python numbers: scores come out of arrays."""
    number: Any = value  # isinstance() would narrow it to a type that pyright knows in part
    if isinstance(value, np.floating):
        return float(number)
    if isinstance(value, np.integer):
        return int(number)
    raise TypeError(f"{type(value).__name__} has no msgpack form")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain)
_DECODERS: dict[str, msgspec.msgpack.Decoder[Any]] = {
    "label": msgspec.msgpack.Decoder(LabelHeader),
    "embedding": msgspec.msgpack.Decoder(EmbeddingHeader),
    "status": msgspec.msgpack.Decoder(StatusHeader),
    "vocabulary": msgspec.msgpack.Decoder(VocabularyHeader),
}


def new_run_id() -> str:
    """A ULID: 26 characters of Crockford's base 32, 48 bits of wall clock (ms) and 80 random."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))


def check_stream(name: str) -> None:
    """Refuses a stream's name that no topic can hold.

    Raises:
        SaccadeError: not 1 to 64 of the letters, digits and signs that it may have.
    """
    if not re.fullmatch(_STREAM_NAME, name):
        raise SaccadeError(f"stream {name!r}: use 1 to 64 letters, digits, '_', '-' or '.'")


def topic_of(header: AnyHeader) -> str:
    """`<type>/<stream>/`: it ends in "/" because cam1 is not cam10."""
    return f"{header.type}/{header.stream}/"


def encode(header: AnyHeader, blobs: Mapping[str, NDArray[Any]] | None = None) -> list[bytes]:
    """The parts of a message; `header.blobs` is written from `blobs` (any shape, C order).

    Raises:
        WireError: a size above the protocol's, a dtype that it lacks, labels without scores.
    """
    encoded = [_encode_blob(name, array) for name, array in (blobs or {}).items()]
    header = msgspec.structs.replace(header, blobs=[info for info, _ in encoded])
    parts = [topic_of(header).encode(), _encode_header(header), *(raw for _, raw in encoded)]
    check_sizes(parts)
    return parts


def encode_latest(parts: Sequence[bytes]) -> bytes:
    """The one-part, CONFLATE-safe form of a message without blobs: `latest/<topic> NUL header`."""
    if len(parts) != 2:
        raise WireError(f"a latest/ message of {len(parts)} parts: blobs have no one-part form")
    return b"latest/" + parts[0] + b"\0" + parts[1]


def decode(parts: Sequence[bytes]) -> Message:
    """A message from its parts, or from the single part of a `latest/` topic.

    Blobs are read-only views of the parts. Fields that are not known here are ignored.

    Raises:
        WireError: anything that is not a message of saccade/1; nothing else is raised.
    """
    if len(parts) == 1:
        topic, nul, payload = parts[0][: MAX_HEADER_BYTES * 2].partition(b"\0")
        if not nul or not topic.startswith(b"latest/"):
            raise WireError("one part without a latest/ topic: not a saccade/1 message")
        parts = (topic, payload)
    elif not parts or parts[0].startswith(b"latest/"):
        raise WireError(f"{len(parts)} parts where a latest/ topic has one")
    check_sizes(parts)
    match = _TOPIC.fullmatch(parts[0].decode("latin-1"))
    if match is None or match[2] not in _DECODERS:
        raise WireError(f"unknown topic {parts[0][:80]!r}: not one of {', '.join(_DECODERS)}")
    header = _decode_header(match[2], match[3], parts[1])
    return Message(match[0], header, _decode_blobs(header.blobs, parts[2:]))


def split_topic(parts: Sequence[bytes]) -> tuple[bytes, str, str, bool]:
    """The topic of a message of any kind, also one that is not known here, without decoding it.

    Returns:
        The topic, its kind ("label"), its stream, and whether it is the one part of a `latest/`.

    Raises:
        WireError: no topic of saccade/1.
    """
    topic = parts[0].partition(b"\0")[0] if len(parts) == 1 else parts[0]
    match = _TOPIC.fullmatch(topic[:_MAX_TOPIC_BYTES].decode("latin-1"))
    if match is None or (match[1] is None) != (len(parts) > 1):
        raise WireError(f"no topic of saccade/1: {topic[:80]!r}")
    return topic, match[2], match[3], match[1] is not None


def _encode_blob(name: str, array: NDArray[Any]) -> tuple[Blob, bytes]:
    dtype = _WIRE_DTYPES.get(array.dtype)
    if dtype is None:
        raise WireError(f"blob {name!r} is {array.dtype}: give it as one of {', '.join(_DTYPES)}")
    if not 1 <= len(name) <= 64 or array.ndim > 8:
        raise WireError(f"blob {name!r} of {array.ndim} axes: a name of 1 to 64, at most 8 axes")
    return Blob(name=name, dtype=dtype, shape=array.shape), array.astype(dtype).tobytes()


def _encode_header(header: AnyHeader) -> bytes:
    _check_scores(header)
    try:
        return _ENCODER.encode(header)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WireError(f"a {header.type} header that msgpack cannot hold: {error}") from error


def _decode_header(kind: str, stream: str, payload: bytes) -> AnyHeader:
    try:
        header: AnyHeader = _DECODERS[kind].decode(payload)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise WireError(f"not a {kind} header of saccade/1: {error}") from error
    # Defaults are for those who build a header: on the wire an unstamped one is a stranger's.
    if header.stream != stream or not _RUN_ID.fullmatch(header.run):
        raise WireError(f"a {kind} header of stream {header.stream[:64]!r} on the topic {stream!r}")
    _check_scores(header)
    return header


def _check_scores(header: AnyHeader) -> None:
    if not isinstance(header, LabelHeader):
        return
    for what, names, scores in (
        ("labels", header.labels, header.scores),
        ("groups", header.groups, header.group_scores),
    ):
        if len(names) != len(scores):
            raise WireError(f"{len(names)} {what} with {len(scores)} scores")


def check_sizes(parts: Sequence[bytes]) -> None:
    """Refuses a message, of topic, header and blobs, that is too large or too long.

    Raises:
        WireError: above `MAX_PARTS`, `MAX_HEADER_BYTES` or `MAX_BLOB_BYTES`.
    """
    if not 2 <= len(parts) <= MAX_PARTS:
        raise WireError(f"{len(parts)} parts: a message has 2 to {MAX_PARTS}")
    if len(parts[1]) > MAX_HEADER_BYTES:
        raise WireError(
            f"a header of {len(parts[1])} bytes: at most {MAX_HEADER_BYTES}, use fewer labels"
        )
    largest = max((len(part) for part in parts[2:]), default=0)
    if largest > MAX_BLOB_BYTES:
        raise WireError(f"a blob of {largest} bytes: at most {MAX_BLOB_BYTES}")


def _decode_blobs(infos: Sequence[Blob], parts: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    names = {info.name for info in infos}
    if len(infos) != len(parts) or len(names) != len(infos):
        raise WireError(f"{len(infos)} blobs described, {len(names)} names, {len(parts)} sent")
    return {info.name: _decode_blob(info, part) for info, part in zip(infos, parts, strict=True)}


def _decode_blob(info: Blob, part: bytes) -> NDArray[Any]:
    if info.codec != "raw" or info.dtype not in _DTYPES:
        raise WireError(f"blob {info.name!r}: unknown codec or dtype")
    dtype = np.dtype(info.dtype)
    if math.prod(info.shape) * dtype.itemsize != len(part):
        raise WireError(f"blob {info.name!r}: {len(part)} bytes do not make {info.shape} {dtype}")
    try:
        return np.ndarray(info.shape, dtype, buffer=part)
    except ValueError as error:  # (0, 2**24, 2**24, 2**24): nothing in it, yet too big for numpy
        raise WireError(f"blob {info.name!r}: shape {info.shape}: {error}") from error
