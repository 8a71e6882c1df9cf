"""What `saccade embed` does: recordings of a folder become Parquet files, and an index of them."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

import saccade
from saccade.camera.errors import SaccadeError, printable
from saccade.engines.host import usable_cores
from saccade.stream.embed_files import (
    Found,
    Job,
    Outcome,
    arrow,
    find,
    parquet_path,
    read_about,
    sole_writer,
    sweep,
)
from saccade.stream.embed_pool import Pool
from saccade.stream.embed_ray import RayPool
from saccade.stream.embedding import EmbedSettings, Prepared, Work
from saccade.stream.progress import Count
from saccade.stream.signals import Signals

INDEX = "index.json"
_SHOWN = 3  # other files that are named on the terminal; the index has all


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """The arguments and options of `saccade embed`, as the user wrote them."""

    folder: Path
    out: Path
    settings: EmbedSettings
    workers: int | None = None
    ray: str | None = None
    again: bool = False
    as_json: bool = False


@dataclass(slots=True)
class _Accounts:
    """What is known of each recording; `kept` were done by an earlier run."""

    kept: list[Outcome]
    failures: list[Outcome]
    done: list[Outcome] = field(default_factory=list[Outcome])
    seconds: float = 0.0

    def take(self, outcome: Outcome) -> None:
        (self.failures if outcome.error else self.done).append(outcome)

    @property
    def whole(self) -> list[Outcome]:
        """All that have a file, in the order of their names."""
        return sorted([*self.kept, *self.done], key=lambda each: each.recording)

    @property
    def faults(self) -> list[str]:
        """A line for each recording that failed or is damaged."""
        failed = [each.error for each in self.failures]
        return failed + [f"{each.damage}; what came before is kept" for each in self.damaged]

    @property
    def damaged(self) -> list[Outcome]:
        return [each for each in self.whole if each.damage]

    def totals(self) -> dict[str, Any]:
        """The summary."""
        return {
            "recordings": len(self.whole),
            "embedded": len(self.done),
            "kept": len(self.kept),
            "damaged": len(self.damaged),
            "failed": len(self.failures),
            "slices": sum(each.slices for each in self.whole),
            "events": sum(each.events for each in self.whole),
            "seconds": round(self.seconds, 3),
        }


def embed(options: EmbedOptions) -> bool:
    """Embeds what is not yet embedded, and writes the index; whether every recording is whole.

    Raises:
        SaccadeError: a setting is refused, or the folder has results of others.
        KeyboardInterrupt: a signal; recordings that were finished stay.
    """
    arrow()
    _check(options)
    made = Prepared(options.settings)
    work = Work(options.folder.resolve(), options.out.resolve(), made.settings, made.key)
    workers = options.workers or (1 if made.choice.on_gpu else usable_cores())
    del made  # the workers have their own
    with sole_writer(options.out):
        sweep(options.out)
        found = find(work.folder, work.out)
        _tell_left_out(found.left_out)
        kept, todo = _sort(work, found.jobs, options.again)
        accounts = _Accounts(kept, [*found.failures])
        started = time.monotonic()
        try:
            _run(options, work, todo, workers, accounts)
        finally:
            accounts.seconds = time.monotonic() - started
            sweep(options.out)
        _write_index(work, found, accounts)
    _report(options, accounts)
    return not accounts.faults


def _check(options: EmbedOptions) -> None:
    folder, out = options.folder, options.out
    if not folder.is_dir():
        what = f"{printable(str(folder))}: no folder"
        raise SaccadeError(f"{what}; name one that has recordings in it")
    if out.resolve() == folder.resolve():
        raise SaccadeError(f"out {printable(str(out))}: the recordings' folder; name another")
    if options.workers is not None and options.workers < 1:
        raise SaccadeError(f"workers {options.workers}: must be at least 1")


def _sort(work: Work, jobs: Sequence[Job], again: bool) -> tuple[list[Outcome], list[Job]]:
    """What has been done already, and what is to be done.

    A recording that has changed is done again. Results of other settings are only with `again`:
    they may have taken days.
    """
    kept: list[Outcome] = []
    todo: list[Job] = []
    for job in jobs:
        path = parquet_path(work.out, job.recording)
        if (read := read_about(path)) is None:
            todo.append(job)
            continue
        about, slices = read
        if about["key"] != work.key and not again:
            raise SaccadeError(
                f"{printable(str(path))}: made with other settings, words or another model "
                f"({printable(about['settings'])}); name another folder, or do it --again"
            )
        if (about["key"], about["size"], about["mtime_ns"]) != (
            work.key, str(job.size), str(job.mtime_ns),
        ):  # fmt: skip
            todo.append(job)
            continue
        kept.append(Outcome(job.recording, slices, int(about["events"]), about["damage"]))
    return kept, todo


def _run(
    options: EmbedOptions, work: Work, todo: Sequence[Job], workers: int, accounts: _Accounts
) -> None:
    if not todo:
        return
    count = Count("recordings", len(todo))
    with contextlib.closing(_outcomes(options.ray, work, todo, workers, count)) as outcomes:
        count(0)
        try:
            for done, outcome in enumerate(outcomes, 1):
                accounts.take(outcome)
                count(done)
        finally:
            count.clear()


def _outcomes(
    ray: str | None, work: Work, todo: Sequence[Job], workers: int, count: Count
) -> Generator[Outcome]:
    """Outcomes of the pool, which finishes what it has in hand at a first signal, or of Ray.

    Raises KeyboardInterrupt after a signal.
    """

    def tell(what: str) -> None:
        count.clear()
        print(printable(what), file=sys.stderr)

    if ray is not None:
        cluster = RayPool(ray, workers)
        try:
            # Its news of workers that died are printed. It has handlers of its own, which end here.
            talk = contextlib.redirect_stdout(sys.stderr)
            with talk, Signals() as signals, signals.interrupting():
                yield from cluster.outcomes(work, todo)
        finally:
            cluster.close()
        return
    pool = Pool(work, todo, workers, tell)

    def stop() -> None:
        pool.stop()
        tell("finishing the recordings in hand; once more drops them")

    with Signals() as signals, signals.stopping(stop):
        yield from pool
    if pool.stopped:
        raise KeyboardInterrupt


def _tell_left_out(names: Sequence[str]) -> None:
    if names:
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        what = f"left out, for they are no recordings: {len(names)} ({shown})"
        print(printable(what), file=sys.stderr)


def _write_index(work: Work, found: Found, accounts: _Accounts) -> None:
    index = {
        "saccade": saccade.__version__,
        "folder": printable(str(work.folder)),
        "settings": asdict(work.settings),
        "key": work.key,
        **accounts.totals(),
        "files": [
            {
                "recording": printable(each.recording),
                "parquet": printable(f"{each.recording}.parquet"),
                "slices": each.slices,
                "events": each.events,
                "damage": each.damage,
            }
            for each in accounts.whole
        ],
        "failures": [
            {"recording": printable(each.recording), "error": each.error}
            for each in accounts.failures
        ],
        "left_out": [*map(printable, found.left_out)],
    }
    part = work.out / f".{INDEX}.{os.getpid()}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(index)) + b"\n")
    part.replace(work.out / INDEX)


def _report(options: EmbedOptions, accounts: _Accounts) -> None:
    for fault in accounts.faults:
        print(f"error: {fault}", file=sys.stderr)
    totals = accounts.totals()
    if options.as_json:
        print(msgspec.json.encode(totals).decode())
        return
    new = sum(each.slices for each in accounts.done)
    rate = f", {new / accounts.seconds:,.0f} slices/s" if new else ""
    print(
        f"{totals['recordings']:,} recordings, {totals['kept']:,} of them from before: "
        f"{totals['slices']:,} slices of {totals['events']:,} events; {totals['damaged']:,} "
        f"damaged, {totals['failed']:,} failed{rate}; {printable(str(options.out / INDEX))}"
    )
