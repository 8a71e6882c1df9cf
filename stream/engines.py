"""What `saccade engine` does and prints."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from saccade.camera.errors import printable
from saccade.engines.choose import Choice, choose, engine_for, precision_of, present
from saccade.engines.models import load_model
from saccade.engines.places import engines_folder
from saccade.engines.tensorrt.cache import Entry, PlanCache
from saccade.stream.signals import Signals
from saccade.stream.work import shown_work


def build_engine(
    model_name: str, precision: str | None, batch: int, level: int, workspace_mib: int
) -> None:
    """Builds what is missing of a model's plans and prints what there is then.

    Raises:
        SaccadeError: no TensorRT here, or it refuses the model, or its embeddings are wrong.
    """
    from saccade.engines.tensorrt.build import Settings
    from saccade.engines.tensorrt.open import Plans
    from saccade.engines.tensorrt.platform import open_platform
    from saccade.engines.tensorrt.runtime import batch_sizes

    settings, sizes = Settings(level, workspace_mib), batch_sizes(batch)
    model = load_model(model_name)
    platform = open_platform()
    at = precision_of(precision, model, Choice("tensorrt", "", on_gpu=True))
    assert at != "bf16", "TensorRT has none"
    with Signals() as signals, shown_work() as shown:
        report = signals.checking(shown)
        plans = Plans(platform, model, at, settings, report)
        found = [plans.obtain(n).entry for n in sizes]
    for entry in found:
        print(printable(_line(entry)))


def list_engines(*, as_json: bool) -> None:
    """Prints the plans in the cache, a line each."""
    cache = PlanCache(engines_folder())
    entries = cache.entries()
    if as_json:
        rows: list[dict[str, Any]] = [
            {"file": str(path), "damaged": entry is None}
            | (msgspec.to_builtins(entry) if entry else {})
            for path, entry in entries
        ]
        print(printable(msgspec.json.encode(rows).decode()))
        return
    for path, entry in entries:
        text = _line(entry) if entry else f"{path.name}  damaged: it is built again when needed"
        print(printable(text))
    if not entries:
        print(printable(f"nothing was built yet: {cache.folder} is empty"))


def _line(entry: Entry) -> str:
    key = entry.key
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.built))
    return (
        f"{entry.model}  {key.precision}  batch {key.shape[0]}  {entry.size / 1e6:.1f} MB  "
        f"cosine {entry.cosine:.5f}  level {key.level}  TensorRT {key.tensorrt}  {key.gpu}  "
        f"{when}  built in {entry.seconds:.0f} s"
    )


def verify_engine(model_name: str, wanted: str, precision: str | None, batch: int) -> None:
    """Prints how well an engine agrees with the reference; TensorRT's is built where it is missing.

    Raises:
        SaccadeError: the engine cannot be had, or agrees less than its precision should.
    """
    from saccade.engines.onnx import OnnxEngine
    from saccade.engines.verify import compare, event_frames

    model = load_model(model_name)
    choice = choose(wanted, present(model, wanted), precision)
    at = precision_of(precision, model, choice)
    with Signals() as signals, shown_work() as shown:
        report = signals.checking(shown)
        engine, note = engine_for(wanted, model, precision, batch, report)
        reference = OnnxEngine(model)
        try:
            found = compare(engine, reference, event_frames(model.frame_spec()), report)
        finally:
            engine.close()
            reference.close()
    found.require(f"{model.manifest.name}, engine {choice.engine}", at)
    print(
        printable(
            f"{model.manifest.name}, engine {note}: cosine {found.worst:.6f} at worst, "
            f"{found.mean:.6f} on average over {found.frames} frames"
        )
    )


def clean_engines(*, unusable: bool) -> None:
    """Removes plans, all of them or those that cannot be used here; prints how many.

    Raises:
        SaccadeError: what can be used here cannot be said without TensorRT and its GPU.
    """
    cache = PlanCache(engines_folder())
    if unusable:
        from saccade.engines.tensorrt.open import fits
        from saccade.engines.tensorrt.platform import open_platform

        platform = open_platform()
        files, size = cache.clean(lambda entry: fits(entry.key, platform))
    else:
        files, size = cache.clean(lambda entry: False)
    print(printable(f"{files} files removed, {size / 1e6:.1f} MB, from {cache.folder}"))
