"""Recordings embedded by a cluster: Ray Data gives them to actors, which write into one folder."""

from __future__ import annotations

import importlib
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from saccade.camera.errors import SaccadeError, printable
from saccade.stream.embed_files import Job, Outcome
from saccade.stream.embedding import Embedder, Work

_CONNECT_S = 5
_MOST_BLOCKS = 5000  # that the driver keeps an eye on


def ray_module() -> Any:
    """Ray; SaccadeError with what to install where it is missing."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what goes wrong comes as exceptions
    try:
        importlib.import_module("ray.data")
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        return importlib.import_module("ray")
    except ImportError:
        raise SaccadeError("embed: --ray needs Ray; `pip install 'saccade[scale]'`") from None


class Actor:
    """A worker of the cluster. What it returns is small; its results are in the folder.

    A recording that it is given a second time, after a node was lost, is written again under the
    same name: the same slices, once.
    """

    def __init__(self, work: Work) -> None:
        self._embed: Embedder | None = None
        self._fault = ""
        try:
            self._embed = Embedder(work)
        except SaccadeError as error:  # as a row: Ray would start it again for ever
            self._fault = str(error)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row of an `Outcome` for the row of a `Job`; with a `fault`, no recording was read."""
        recording = os.fsdecode(row["recording"])
        job = Job(recording, int(row["size"]), int(row["mtime_ns"]))
        if self._embed is None:
            return _row(Outcome(job.recording), self._fault)
        return _row(self._embed(job), "")


def _row(outcome: Outcome, fault: str) -> dict[str, Any]:
    return {
        "recording": os.fsencode(outcome.recording),  # names need not be UTF-8
        "slices": outcome.slices,
        "events": outcome.events,
        "damage": outcome.damage,
        "error": outcome.error,
        "fault": fault,
    }


def _check_there(address: str) -> None:
    """Refuses a HOST:PORT where nobody listens: Ray tries it for minutes."""
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), _CONNECT_S).close()
    except (OSError, OverflowError) as error:
        what = f"ray {printable(address)}: nobody answers ({error})"
        raise SaccadeError(f"{what}; is the cluster running?") from None


class RayPool:
    """Iterate it once, for the outcome of each recording as it comes; a context manager."""

    def __init__(self, address: str, workers: int) -> None:
        """Joins the cluster at `address`, or with "local" starts one of `workers` cores here.

        Raises:
            SaccadeError: Ray is missing, or there is no cluster.
        """
        self._ray, self._size = ray_module(), workers
        _check_there(address)
        local: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False}
        try:
            self._ray.init(
                log_to_driver=False,
                logging_level="ERROR",
                **({"address": "local", **local} if address == "local" else {"address": address}),
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = printable(str(error).strip().partition("\n")[0])
            raise SaccadeError(f"ray {printable(address)}: {reason}; is it running?") from None

    def outcomes(self, work: Work, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Outcomes; recordings whose actors died too often are failures at the end.

        Raises:
            SaccadeError: an actor could not begin.
        """
        missing = {job.recording for job in jobs}
        for row in self._rows(work, jobs):
            if fault := row.pop("fault"):
                raise SaccadeError(fault)
            outcome = Outcome(**row | {"recording": os.fsdecode(row["recording"])})
            missing.discard(outcome.recording)
            yield outcome
        for recording in sorted(missing):
            yield Outcome(recording, error=f"{printable(recording)}: its workers died")

    def _rows(self, work: Work, jobs: Sequence[Job]) -> Iterator[dict[str, Any]]:
        data: Any = self._ray.data
        context: Any = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = -1  # one recording that fails does not stop the others
        items = [
            {"recording": os.fsencode(job.recording), "size": job.size, "mtime_ns": job.mtime_ns}
            for job in jobs
        ]
        # One recording a block: what is lost with an actor is what it had in hand. Ray gives that
        # to another one, or to the same begun anew, as often as it takes; `Embedder` counts.
        blocks = min(len(items), _MOST_BLOCKS)
        actors = data.ActorPoolStrategy(
            size=min(self._size, len(items)), max_tasks_in_flight_per_actor=1
        )
        embedded: Any = data.from_items(items, override_num_blocks=blocks).map(
            Actor, fn_constructor_args=(work,), compute=actors, num_cpus=1
        )
        yield from embedded.iter_rows()

    def close(self) -> None:
        """Leaves the cluster; one that was started here ends."""
        self._ray.shutdown()
