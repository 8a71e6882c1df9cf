"""Where labels go: `zmq://HOST:PORT`, `ipc://PATH`, `jsonl:FILE`, `jsonl:-`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import msgspec

from saccade.camera.errors import SaccadeError
from saccade.stream.pipeline import Pipeline
from saccade.stream.prediction import Prediction

if TYPE_CHECKING:
    from saccade.stream.keys import ServerKeys


class Sink(Protocol):
    """Takes every prediction of a run. Opened before the model loads: a refusal is early.

    Attributes:
        where: its address or file, for people; a port that was left open is filled in.
    """

    where: str

    def start(self, pipeline: Pipeline) -> None:
        """The pipeline is ready and about to run."""
        ...

    def write(self, prediction: Prediction) -> None:
        """One prediction, in order."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


class JsonLines:
    """One JSON object a line; all that differs from run to run lies under its key `timing`.

    What a file held before is lost only when the run starts, not when it is refused.
    """

    def __init__(self, target: str, stream: str, run: str) -> None:
        """Writes to the file `target`, or to standard output for `-`.

        Raises:
            SaccadeError: the file cannot be written.
        """
        self.where = "standard output" if target == "-" else target
        self._stream, self._run = stream, run
        self._fixed: dict[str, object] = {}
        self._made = None if target == "-" or Path(target).exists() else Path(target)
        try:
            # Bytes: JSON is UTF-8, whatever the terminal's encoding.
            self._file: BinaryIO = (
                sys.stdout.buffer if target == "-" else open(target, "ab")  # noqa: PTH123, SIM115
            )
        except OSError as error:
            raise SaccadeError(
                f"output jsonl:{target}: {error.strerror}; name a file that can be written"
            ) from None

    def start(self, pipeline: Pipeline) -> None:
        """Empties the file, and notes what is the same in every line."""
        self._made = None
        if self._file is not sys.stdout.buffer and Path(self.where).is_file():
            self._file.truncate(0)
        manifest = pipeline.model.manifest
        self._fixed = {
            "stream": self._stream,
            "width": pipeline.recording.width,
            "height": pipeline.recording.height,
            "model": manifest.name,
            "model_sha": manifest.sha256,
            "space": manifest.embedding.space,
        }

    def write(self, prediction: Prediction) -> None:
        """Writes and flushes one line, so that `tail -f` follows.

        Raises:
            SaccadeError: the disk is full or the file went away.
        """
        timing = prediction.timing
        line = {
            "seq": prediction.seq,
            "t_begin_us": prediction.t_begin_us,
            "t_end_us": prediction.t_end_us,
            "n_events": prediction.n_events,
            "vocabulary_rev": prediction.vocabulary_rev,
            "labels": prediction.labels,
            "scores": [round(score, 6) for score in prediction.scores],
            **_groups(prediction),
            "dropped": prediction.dropped,
            **self._fixed,
            "timing": {
                "run": self._run,
                "received_ns": timing.received_ns,
                "published_ns": timing.published_ns,
                "latency_us": round(timing.latency_us, 1),
                "stage_us": {k: round(v, 1) for k, v in timing.stage_us.items()},
            },
        }
        try:
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()
        except BrokenPipeError:
            raise  # the reader has seen enough: the command line ends quietly
        except OSError as error:
            raise SaccadeError(
                f"output {self.where}: {error.strerror}; {prediction.seq} lines were written"
            ) from None

    def close(self) -> None:
        """Closes the file, and removes one that was made for nothing; standard output stays."""
        if self._made is not None:
            self._made.unlink(missing_ok=True)
        if self._file is not sys.stdout.buffer:
            # Every line was flushed: what fails here failed in `write`, which has said so.
            with contextlib.suppress(OSError):
                self._file.close()


def _groups(prediction: Prediction) -> dict[str, object]:
    """The groups of a line, which it has where the words are in groups."""
    if not prediction.groups:
        return {}
    scores = [round(score, 6) for score in prediction.group_scores]
    return {"groups": prediction.groups, "group_scores": scores}


def open_sinks(
    uris: Sequence[str],
    streams: Sequence[str],
    run: str,
    wait_for: int = 0,
    keys: ServerKeys | None = None,
    insecure_no_auth: bool = False,
) -> dict[str, list[Sink]]:
    """For each stream one sink per URI, on one address or in one file with those of the others.

    Those that cannot be opened are refused before anything runs.

    Args:
        wait_for: subscribers that publishing waits for.
        keys, insecure_no_auth: as in `Publisher`.

    Raises:
        SaccadeError: an unknown scheme, a bad address, a port in use, a file that cannot be
            written.
    """
    sinks: dict[str, list[Sink]] = {stream: [] for stream in streams}
    try:
        for uri in uris:
            first: Sink | None = None
            for stream in streams:
                sink = _open_sink(uri, stream, run, wait_for, keys, insecure_no_auth, first)
                first = first or sink
                sinks[stream].append(sink)
    except SaccadeError:
        for opened in sinks.values():
            for sink in opened:
                sink.close()
        raise
    return sinks


def _open_sink(
    uri: str,
    stream: str,
    run: str,
    wait_for: int,
    keys: ServerKeys | None,
    insecure_no_auth: bool,
    beside: Sink | None,
) -> Sink:
    scheme, _, rest = uri.partition(":")
    if scheme == "jsonl" and rest:
        return JsonLines(rest, stream, run)
    if scheme in ("zmq", "tcp", "ipc"):
        from saccade.stream.publishing import Publishing

        other = beside if isinstance(beside, Publishing) else None
        return Publishing(uri, stream, run, wait_for, keys, insecure_no_auth, other)
    raise SaccadeError(
        f"output {uri!r}: unknown; use zmq://127.0.0.1:5556, ipc://PATH, jsonl:FILE or jsonl:-"
    )
