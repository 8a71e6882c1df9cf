"""`saccade listen`: prints what a publisher sends, and counts what is missing."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
from collections.abc import Iterator

import msgspec

from saccade.camera.errors import SaccadeError, printable
from saccade.stream.keys import ClientKeys
from saccade.stream.lines import best_text
from saccade.stream.subscriber import Subscriber
from saccade.stream.wire import LabelHeader, Message, VocabularyHeader


def listen_to(
    address: str,
    *,
    as_json: bool,
    count: int,
    timeout_s: float,
    until_end: bool,
    keys: ClientKeys | None = None,
) -> None:
    """Prints labels until `count` of them, a silence of `timeout_s`, the run's end or a signal.

    0 is never, for `count` and for `timeout_s`. SIGTERM ends it like Ctrl-C: with the counts.

    Raises:
        SaccadeError: a bad address, a negative count, a timeout that is no time, a publisher that
            refuses us.
    """
    if count < 0:
        raise SaccadeError(f"count {count}: must be 0 (never) or more")
    if not 0 <= timeout_s < math.inf:
        raise SaccadeError(f"timeout {timeout_s}: must be 0 (never) or a number of seconds")
    seen = 0
    with (
        sigterm_like_ctrl_c(),
        Subscriber(
            address,
            ("label/", "vocabulary/"),
            timeout_s=timeout_s or None,
            until_end=until_end,
            keys=keys,
        ) as subscriber,
    ):
        kinds: dict[str, str] = {}  # of scores, by stream
        try:
            for message in subscriber:
                header = message.header
                if isinstance(header, VocabularyHeader):
                    kinds[header.stream] = header.scores
                    continue
                seen += 1
                kind = kinds.get(header.stream, "softmax")
                print(printable(_json(message) if as_json else _line(message, kind)), flush=True)
                if seen == count:
                    break
            else:
                if until_end and not subscriber.ended:
                    print(f"no end seen: nothing came for {timeout_s:g} s", file=sys.stderr)
        except KeyboardInterrupt:
            pass
        print(
            f"{seen} labels, {_missing(subscriber)} missing, {subscriber.malformed} malformed",
            file=sys.stderr,
        )


def _missing(subscriber: Subscriber) -> int:
    """Labels that were lost; vocabularies are not labels."""
    return sum(n for topic, n in subscriber.gaps_by_topic.items() if "label/" in topic)


@contextlib.contextmanager
def sigterm_like_ctrl_c() -> Iterator[None]:
    """While this lasts, SIGTERM raises KeyboardInterrupt."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _json(message: Message) -> str:
    """The header's fields and the topic, in one line."""
    fields = msgspec.to_builtins(message.header)
    return msgspec.json.encode({"topic": message.topic, **fields}).decode()


def _line(message: Message, kind: str) -> str:
    header = message.header
    assert isinstance(header, LabelHeader)
    ranking = header.labels, header.scores, header.groups, header.group_scores
    best = best_text(*ranking, kind, header.n_events)
    return (
        f"{header.stream} #{header.seq}  {best}  |  {header.n_events} events, "
        f"{header.t_begin_us}-{header.t_end_us} us"
    )
