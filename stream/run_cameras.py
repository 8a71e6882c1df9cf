"""`saccade run` with several sources: a pipeline for each, one process, one publisher's address."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.filters import LEARN
from saccade.stream.cameras import Cameras, check_streams
from saccade.stream.display import Display
from saccade.stream.files import SummaryFile, refuse_overwriting
from saccade.stream.keys import server_keys
from saccade.stream.live_run import ending_after, watching
from saccade.stream.recordings import Recordings
from saccade.stream.run import RunOptions, pipeline_settings
from saccade.stream.signals import Signals
from saccade.stream.sinks import Sink, open_sinks
from saccade.stream.wire import new_run_id
from saccade.stream.work import shown_work

__all__ = ["check_streams", "run_cameras"]
_STREAM = "{stream}"  # in --record: the stream's name


def run_cameras(options: RunOptions, sources: Sequence[str], streams: Sequence[str]) -> int:
    """As `run_source`, of several; `streams` are their names, or none.

    Gives the events lost by all of them.

    Raises:
        SaccadeError: as `run_source`, or one of them failed; the others went on to their end.
        KeyboardInterrupt: a signal before the first slice, or a second one.
    """
    _refuse(options)
    mask = None if options.hot_pixels == LEARN else options.hot_pixels
    for source in sources:
        refuse_overwriting(source, options.labels, options.out, options.summary, mask)
    with contextlib.ExitStack() as stack:
        signals = stack.enter_context(Signals())
        keys = None if options.insecure_no_auth else server_keys(options.key, options.allow)
        summary = stack.enter_context(SummaryFile(options.summary))
        with shown_work() as report:
            settings = pipeline_settings(options, signals.checking(report))
            cameras = stack.enter_context(
                Cameras(sources, streams=streams, on_failure=_tell, **settings)
            )
        names = list(cameras.pipelines)
        run, open_to_all = new_run_id(), options.insecure_no_auth
        sinks = open_sinks(options.out, names, run, options.wait_for, keys, open_to_all)
        for sink in (sink for opened in sinks.values() for sink in opened):
            stack.callback(sink.close)
        recordings = _record(options, cameras, stack)
        displays = {
            name: Display(
                pipeline,
                [sink.where for sink in sinks[name]],
                to_stderr="jsonl:-" in options.out,
                name=name,
            )
            for name, pipeline in cameras.pipelines.items()
        }
        try:
            _run(options, cameras, sinks, displays, signals)
        finally:
            cameras.close()
            summary.write(cameras.summaries)
            for display in displays.values():
                display.summary()
        _finish(cameras, recordings)
        return sum(total.events_lost for total in cameras.summaries.values())


def _refuse(options: RunOptions) -> None:
    if options.control is not None:
        what = "it answers for one source; start a run for each, and `saccade broker`"
        raise SaccadeError(f"control: {what}")
    if options.record is not None and _STREAM not in options.record:
        what = f"several sources need a file each; write {_STREAM} in its name"
        raise SaccadeError(f"record {printable(options.record)}: {what}")


def _record(
    options: RunOptions, cameras: Cameras, stack: contextlib.ExitStack
) -> Mapping[str, Recordings]:
    if options.record is None:
        return {}
    found: dict[str, Recordings] = {}
    for name, pipeline in cameras.pipelines.items():
        found[name] = Recordings(pipeline.capture)
        found[name].begin(options.record.replace(_STREAM, name))
        stack.callback(found[name].close)
    return found


def _run(
    options: RunOptions,
    cameras: Cameras,
    sinks: Mapping[str, Sequence[Sink]],
    displays: Mapping[str, Display],
    signals: Signals,
) -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(ending_after(options.seconds, cameras.stop))
        with signals.interrupting():
            for name, pipeline in cameras.pipelines.items():
                for sink in sinks[name]:
                    sink.start(pipeline)
        for name, display in displays.items():
            stack.enter_context(display)
            stack.enter_context(watching(cameras.pipelines[name], display))
        stack.enter_context(signals.stopping(cameras.stop))
        for name, prediction in cameras:
            taken = False
            try:
                for sink in sinks[name]:
                    sink.write(prediction)
                    taken = True
            except BaseException:
                if not taken:
                    cameras.pipelines[name].lose_latest()
                raise
            displays[name].update(prediction)


def _tell(name: str, error: Exception) -> None:
    print(f"{name} ended: {printable(str(error))}", file=sys.stderr, flush=True)


def _finish(cameras: Cameras, recordings: Mapping[str, Recordings]) -> None:
    """Ends the recordings; raises SaccadeError for what failed, once for all."""
    failed = {name: str(error) for name, error in cameras.failures.items()}
    for name, each in recordings.items():
        try:
            each.finish()
        except SaccadeError as error:
            failed[name] = str(error)
    for error in cameras.failures.values():
        if not isinstance(error, SaccadeError):
            raise error
    if failed:
        listed = "; ".join(f"{name}: {what}" for name, what in failed.items())
        raise SaccadeError(f"{len(failed)} of {len(cameras.pipelines)} failed: {listed}")
