"""The messages of the control socket: msgpack maps, one a message, each with the id of its request.

A request is one part, sent by a DEALER (or a REQ) to the ROUTER; its reply is one part too. `v`,
`id` and `command` are in every request. Fields that are not known are ignored, as on the wire.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from saccade.stream.headers import MAX_HEADER_BYTES, Count, StatusHeader

#: What a vocabulary may be on the wire, a request for it must not exceed.
MAX_REQUEST_BYTES = MAX_HEADER_BYTES
MAX_MESSAGE = 4096  # characters of an error
VERSION = 1
DEFAULT_CONTROL = "zmq://127.0.0.1:5558"

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Word: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1024)]


class Request(Struct, frozen=True, kw_only=True):
    """What every request has; `hello`, `time` and `status` have nothing else.

    Attributes:
        v: the protocol's version, `VERSION`; another one is a "bad_request".
        id: chosen by the client; the reply names it.
        command: one of `COMMANDS`.
    """

    v: int = 1
    id: Id
    command: Annotated[str, Meta(max_length=64)]


class SetLabels(Request, frozen=True, kw_only=True):
    """Other words from now on.

    Attributes:
        run: the run that is meant, as `hello` and every header say it. So a run that has taken
            another's place is not changed, and a web page that writes blindly to the port, which
            browsers let it do, can change nothing.
        labels: the words: "cup", or with synonyms "cup | mug".
        groups: names of labels by the name of their group.
    """

    run: Annotated[str, Meta(max_length=64)]
    labels: Annotated[list[Word], Meta(min_length=1, max_length=16_384)]
    groups: Annotated[dict[Word, list[Word]], Meta(max_length=16_384)] = {}


class RecordStart(Request, frozen=True, kw_only=True):
    """Record the live source from now on, in the folder that the run was given for it.

    Attributes:
        run: the run that is meant, as in `SetLabels`.
        name: a plain file name that ends in .aedat4 or .raw; no file is ever replaced.
    """

    run: Annotated[str, Meta(max_length=64)]
    name: Annotated[str, Meta(min_length=1, max_length=255)]


class RecordStop(Request, frozen=True, kw_only=True):
    """End the recording, whoever began it; `run` is as in `SetLabels`."""

    run: Annotated[str, Meta(max_length=64)]


#: Each command's request.
COMMANDS: dict[str, type[Request]] = {
    "hello": Request,
    "time": Request,
    "status": Request,
    "set_labels": SetLabels,
    "record_start": RecordStart,
    "record_stop": RecordStop,
}


class Reply(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every reply has: `id` is the request's."""

    v: Literal[1] = 1
    id: str


class HelloReply(Reply, frozen=True, kw_only=True, tag="hello"):
    """Who answers: the run, its model, and the commands that it knows."""

    saccade: str
    stream: str
    run: str
    model: str
    model_sha: str
    space: str
    width: Count
    height: Count
    commands: list[str]
    vocabulary_rev: Count


class TimeReply(Reply, frozen=True, kw_only=True, tag="time"):
    """The clocks of the run.

    Attributes:
        received_ns, sent_ns: the monotonic clock (that of `received_ns` and `published_ns` in
            headers) when the request was read and when this was written, ns.
        wall_ns: wall clock at `sent_ns`, ns since 1970.
    """

    received_ns: Count
    sent_ns: Count
    wall_ns: Count


class StatusReply(Reply, frozen=True, kw_only=True, tag="status"):
    """The accounts of the run as `status/` has them, and those of this socket.

    Attributes:
        status: without a `seq`, which is a topic's; `labels` are those made so far.
        vocabulary_rev: the words in use, and `words` how many they are.
        requests: requests answered so far.
        malformed: messages that were none.
    """

    status: StatusHeader
    vocabulary_rev: Count
    words: Count
    requests: Count
    malformed: Count


class SetLabelsReply(Reply, frozen=True, kw_only=True, tag="set_labels"):
    """The words in use from now on: slices that are scored after this carry `vocabulary_rev`."""

    vocabulary_rev: Count
    labels: list[str]


class RecordStartReply(Reply, frozen=True, kw_only=True, tag="record_start"):
    """It is being recorded into `path`, there; the status says so too, as `recording`."""

    path: str


class RecordStopReply(Reply, frozen=True, kw_only=True, tag="record_stop"):
    """The recording is over.

    Attributes:
        path: the file, there; `path`.json lists its gaps.
        events: how many are in it.
        gaps: how many gaps there are.
        lost: events in them, by who lost them: source, recorder, disk.
        error: why it ended before it was stopped; "" where it did not.
    """

    path: str
    events: Count
    gaps: Count
    lost: dict[str, Count]
    error: str


class ErrorReply(Reply, frozen=True, kw_only=True, tag="error"):
    """Nothing was changed, and why.

    Attributes:
        code: "unknown_command" (then `known` lists those that there are), "bad_request" (its
            fields are not what the command takes), "wrong_run" (another run than this one is
            meant), "refused" (the words cannot be used, the file not made), "busy" (too many
            changes wait) or "failed" (a fault of the program).
        message: one line for people.
    """

    code: str
    message: str
    known: list[str] = msgspec.field(default_factory=list[str])


AnyReply: TypeAlias = (
    HelloReply
    | TimeReply
    | StatusReply
    | SetLabelsReply
    | RecordStartReply
    | RecordStopReply
    | ErrorReply
)

_ENCODER = msgspec.msgpack.Encoder()
_REQUEST = msgspec.msgpack.Decoder(Request)
_COMMANDS: dict[str, msgspec.msgpack.Decoder[Any]] = {
    name: msgspec.msgpack.Decoder(kind) for name, kind in COMMANDS.items()
}
_REPLY: msgspec.msgpack.Decoder[AnyReply] = msgspec.msgpack.Decoder(AnyReply)
_FAULTS = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)


def encode(message: Request | Reply) -> bytes:
    """A message as msgpack."""
    return _ENCODER.encode(message)


def decode_request(payload: bytes) -> Request | None:
    """What is common to all requests, or None for what is no request at all."""
    try:
        return _REQUEST.decode(payload)
    except _FAULTS:
        return None


def decode_command(request: Request, payload: bytes) -> Request:
    """The whole of a request whose command is one of `COMMANDS`.

    Raises:
        ValueError: its fields are not what the command takes.
    """
    try:
        return _COMMANDS[request.command].decode(payload)
    except _FAULTS as error:
        raise ValueError(str(error)) from None


def decode_reply(payload: bytes) -> AnyReply | None:
    """A reply, or None for what is none."""
    try:
        return _REPLY.decode(payload)
    except _FAULTS:
        return None
