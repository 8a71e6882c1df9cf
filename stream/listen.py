"""`saccade listen`: prints what a publisher sends, and counts what is missing."""

from __future__ import annotations

import sys

import msgspec

from saccade.stream.subscriber import Subscriber
from saccade.stream.wire import LabelHeader, Message


def listen_to(
    address: str, *, as_json: bool, count: int, timeout_s: float | None, until_end: bool
) -> None:
    """Prints labels until `count` of them, a silence of `timeout_s`, the run's end or Ctrl-C.

    Raises:
        SaccadeError: a bad address.
    """
    seen = 0
    with Subscriber(address, timeout_s=timeout_s, until_end=until_end) as subscriber:
        try:
            for message in subscriber:
                seen += 1
                print(_json(message) if as_json else _line(message), flush=True)
                if count and seen >= count:
                    break
        except KeyboardInterrupt:
            pass
        print(
            f"{seen} labels, {subscriber.gaps} missing, {subscriber.malformed} malformed",
            file=sys.stderr,
        )


def _json(message: Message) -> str:
    """The header's fields and the topic, in one line."""
    fields = msgspec.to_builtins(message.header)
    return msgspec.json.encode({"topic": message.topic, **fields}).decode()


def _line(message: Message) -> str:
    header = message.header
    assert isinstance(header, LabelHeader)
    best = "  ".join(
        f"{label} {score:.0%}"
        for label, score in list(zip(header.labels, header.scores, strict=True))[:3]
    )
    return (
        f"{header.stream} #{header.seq}  {best}  |  {header.n_events} events, "
        f"{header.t_begin_us}-{header.t_end_us} us"
    )
