"""Recordings embedded by processes of this machine, each of which opens the model once."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait

from saccade.camera.errors import SaccadeError, printable
from saccade.stream.embed_files import TRIES, Job, Outcome
from saccade.stream.embedding import Embedder, Work

_POLL_S = 0.2  # until a stop is seen


def serve(work: Work, pipe: Connection) -> None:
    """A worker: says that it is ready, then embeds what the pipe says until it says None.

    Ctrl-C is the command's to answer. Where the command dies, the pipe ends, and so does this.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            embed = Embedder(work)
        except SaccadeError as error:
            pipe.send(error)
            return
        pipe.send(None)
        while (job := pipe.recv()) is not None:
            pipe.send(embed(job))


class _Worker:
    """The command's side of a process; `job` is what it has in hand, None while it starts."""

    def __init__(self, work: Work) -> None:
        # Spawned: what libraries hold in threads and locks does not survive a fork.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(work, theirs), daemon=True)
        self.job: Job | None = None
        with _uninterrupted():
            self.process.start()
        theirs.close()  # so that the pipe ends with the process

    def receive(self) -> Outcome | SaccadeError | None:
        """What it says; EOFError where it has died."""
        try:
            return self.pipe.recv()
        except ConnectionResetError:
            raise EOFError from None

    def give(self, job: Job | None) -> None:
        """The next recording; None ends it."""
        self.job = job
        with contextlib.suppress(OSError):  # where it has died, `receive` says so
            self.pipe.send(job)

    def death(self) -> str:
        """How it ended, in words."""
        self.process.join()
        code = self.process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

    def end(self) -> None:
        """Kills it, if it still lives."""
        self.pipe.close()
        self.process.kill()
        self.process.join()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """What is started meanwhile never sees Ctrl-C, not while it loads either."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Pool:
    """Iterate it once, for the outcome of each recording as it comes."""

    def __init__(
        self, work: Work, jobs: Sequence[Job], workers: int, tell: Callable[[str], None]
    ) -> None:
        """`tell` is told of each worker that died. `stopped` says that `stop` was called."""
        self._work, self._left, self._tell = work, deque(jobs), tell
        self._tried: dict[str, int] = {}
        self._size = workers
        self._workers: list[_Worker] = []
        self.stopped = False

    def stop(self) -> None:
        """No further recordings: those in hand are finished."""
        self.stopped = True
        self._left.clear()

    def __iter__(self) -> Iterator[Outcome]:
        """Outcomes; whatever ends this ends the workers.

        Raises:
            SaccadeError: a worker could not begin.
        """
        try:
            self._start()
            while self._workers:
                ready = wait([worker.pipe for worker in self._workers], _POLL_S)
                for worker in [each for each in self._workers if each.pipe in ready]:
                    yield from self._hear(worker)
        finally:
            for worker in self._workers:
                worker.end()

    def _start(self) -> None:
        """As many workers as there is work for."""
        while len(self._workers) < self._size and self._idle_work():
            self._workers.append(_Worker(self._work))

    def _idle_work(self) -> bool:
        return len(self._left) > sum(worker.job is None for worker in self._workers)

    def _hear(self, worker: _Worker) -> Iterator[Outcome]:
        try:
            said = worker.receive()
        except EOFError:
            yield from self._bury(worker)
            return
        if isinstance(said, SaccadeError):
            raise said
        if said is not None:
            yield said
        worker.give(self._left.popleft() if self._left else None)
        if worker.job is None:
            worker.process.join()
            worker.end()
            self._workers.remove(worker)

    def _bury(self, worker: _Worker) -> Iterator[Outcome]:
        """Its recording is tried once more, by another process."""
        self._workers.remove(worker)
        death, job = worker.death(), worker.job
        worker.end()
        if job is None:
            raise SaccadeError(f"embed: a worker {death} before it began; use fewer --workers")
        tries = self._tried[job.recording] = self._tried.get(job.recording, 0) + 1
        what = f"{printable(job.recording)}: its worker {death}"
        if tries < TRIES and not self.stopped:
            self._tell(f"{what}; it is tried again")
            self._left.appendleft(job)
        else:
            yield Outcome(job.recording, error=f"{what}, {tries} time{'s' * (tries != 1)}")
        self._start()
