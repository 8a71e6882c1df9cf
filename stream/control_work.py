"""Requests that take their time: done one after the other, beside the socket that they came to."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from saccade.camera.errors import SaccadeError
from saccade.stream.control_messages import MAX_MESSAGE, ErrorReply, Reply, Request

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A request, who sent it, and what it asks for: raises SaccadeError where that cannot be."""

    sender: list[bytes]
    request: Request
    do: Callable[[], Reply]


class Worker:
    """A thread that does jobs; its owner, on one other thread, gives them and takes the replies."""

    def __init__(self, name: str, what: str, most: int) -> None:
        """`what` begins its errors, such as "labels"; at most so many jobs wait for their turn."""
        self._what, self._most = what, most
        self._jobs: queue.Queue[Job | None] = queue.Queue(most)
        self._made: deque[tuple[list[bytes], Reply]] = deque()
        self._thread = threading.Thread(target=self._work, name=f"saccade-{name}", daemon=True)
        self.waiting = 0  # jobs whose replies were not taken

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def give(self, job: Job) -> ErrorReply | None:
        """Takes a job up, or says that too many wait."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            what = f"{self._what}: {self._most} changes wait already; send this one again later"
            return ErrorReply(id=job.request.id, code="busy", message=what)
        self.waiting += 1
        return None

    def replies(self) -> Iterator[tuple[list[bytes], Reply]]:
        """Those that are made by now, each once, with whom they are for."""
        while self._made:
            self.waiting -= 1
            yield self._made.popleft()

    def close(self, timeout_s: float) -> Iterator[tuple[list[bytes], Reply]]:
        """Ends after the job in hand, which gets so long; the last replies."""
        with contextlib.suppress(queue.Empty):
            while (job := self._jobs.get_nowait()) is not None:
                what = f"{self._what}: the run has ended"
                yield job.sender, ErrorReply(id=job.request.id, code="refused", message=what)
        self._jobs.put(None)
        self._thread.join(timeout_s)
        yield from self.replies()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._made.append((job.sender, self._done(job)))

    def _done(self, job: Job) -> Reply:
        try:
            return job.do()
        except SaccadeError as error:
            code, what = "refused", str(error)
        except Exception as error:  # a fault of ours ends neither the thread nor the run
            _LOG.exception("a request that was not met")
            code, what = "failed", f"{self._what}: {type(error).__name__}: {error}"
        return ErrorReply(id=job.request.id, code=code, message=what[:MAX_MESSAGE])
