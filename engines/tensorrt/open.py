"""Opens a model in TensorRT: its plans from the cache, or built, compared and then kept."""

from __future__ import annotations

import sys
import time
from functools import cached_property
from os import uname

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import printable
from saccade.engines.manifest import Precision, encoder_file
from saccade.engines.models import Model
from saccade.engines.onnx import OnnxEngine
from saccade.engines.places import engines_folder
from saccade.engines.reporting import Report, silent
from saccade.engines.tensorrt.build import Network, Settings, build_plan
from saccade.engines.tensorrt.cache import Key, PlanCache, Stored, stored
from saccade.engines.tensorrt.platform import Platform, open_platform
from saccade.engines.tensorrt.runtime import PlanError, TensorRtEngine, batch_sizes
from saccade.engines.verify import agreement, embed, event_frames


class Plans:
    """The plans of one model at one precision, on one platform."""

    def __init__(
        self,
        platform: Platform,
        model: Model,
        precision: Precision,
        settings: Settings,
        report: Report = silent,
    ) -> None:
        """Reads no file of the model: it is known by its sha256.

        Raises:
            ModelError: there is none of this precision.
        """
        self._platform, self._model = platform, model
        self._precision: Precision = precision
        self._settings, self._report = settings, report
        sums = {encoder_file("fp32"): model.manifest.sha256, **model.manifest.files}
        self._file = encoder_file(precision, qdq=True)
        if self._file not in sums:
            model.file(self._file)  # which says what there is
        self._sha256 = sums[self._file].lower()
        self.cache = PlanCache(engines_folder())

    def key(self, n: int) -> Key:
        """What the plan of batch size `n` depends on."""
        manifest, gpu = self._model.manifest, self._platform.gpu
        return Key(
            onnx=self._sha256,
            precision=self._precision,
            shape=(n, manifest.input.channels, manifest.input.size, manifest.input.size),
            level=self._settings.level,
            workspace_mib=self._settings.workspace_mib,
            tensorrt=str(self._platform.trt.__version__),
            gpu=gpu.name,
            capability=gpu.capability,
            processors=gpu.processors,
            driver=gpu.driver,
            system=sys.platform,
            machine=uname().machine,
        )

    def obtain(self, n: int) -> Stored:
        """The plan of batch size `n`, built where there is none.

        Raises:
            EngineError: TensorRT refuses to build it, its embeddings are not those of the
                reference engine, or the cache cannot be written.
        """
        key = self.key(n)
        return self.cache.obtain(
            self._model.manifest.name,
            key,
            lambda: self._make(n, key),
            lambda: self._report("waiting for another process that builds an engine"),
        )

    def drop(self, n: int) -> None:
        """Forgets the plan of batch size `n`."""
        self.cache.drop(self._model.manifest.name, self.key(n))

    def _make(self, n: int, key: Key) -> Stored:
        begun = time.monotonic()
        manifest = self._model.manifest
        name = f"{manifest.name} {self._precision}, batch {n}"
        network = Network(
            name=printable(name),
            onnx=self._model.network(self._file),
            input=manifest.input.name,
            shape=key.shape,
            exact=self._precision == "fp32",
        )
        timing = self.cache.timing(key)
        built = build_plan(self._platform, network, self._settings, timing, self._report)
        self.cache.save_timing(key, built.timing)  # even if what follows refuses the plan
        engine = TensorRtEngine(self._platform, self._model, {n: built.plan})
        try:
            frames, wanted = self._reference
            found = embed(engine, frames, lambda share: self._report("comparing", share))
        finally:
            engine.close()
        agreed = agreement(found, wanted)
        agreed.require(printable(name), self._precision)
        seconds = time.monotonic() - begun
        return stored(manifest.name, key, built.plan, agreed.worst, seconds)

    @cached_property
    def _reference(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Frames, and their embeddings by ONNX Runtime in fp32 on the CPU."""
        frames = event_frames(self._model.frame_spec())
        engine = OnnxEngine(self._model)
        try:
            return frames, embed(
                engine, frames, lambda share: self._report("asking the reference engine", share)
            )
        finally:
            engine.close()


def fits(key: Key, platform: Platform) -> bool:
    """Whether the plan of a key runs on a platform."""
    gpu = platform.gpu
    here = (str(platform.trt.__version__), gpu.name, gpu.capability, gpu.processors, gpu.driver)
    built = (key.tensorrt, key.gpu, key.capability, key.processors, key.driver)
    return here == built and (key.system, key.machine) == (sys.platform, uname().machine)


def open_tensorrt(
    model: Model,
    batch: int = 1,
    precision: Precision = "fp16",
    settings: Settings | None = None,
    report: Report = silent,
    platform: Platform | None = None,
) -> TensorRtEngine:
    """A model in TensorRT, for up to `batch` frames at a time; minutes the first time.

    Raises:
        ModelError: the model has no file of this precision.
        EngineError: TensorRT is not here, or as `Plans.obtain`.
    """
    sizes = batch_sizes(batch)
    platform = platform or open_platform()
    plans = Plans(platform, model, precision, settings or Settings(), report)
    found = {n: plans.obtain(n).plan for n in sizes}
    try:
        return TensorRtEngine(platform, model, found)
    except PlanError as error:
        # It is whole and made here, but a library of TensorRT may have been exchanged since.
        report(f"building again: {error}")
        plans.drop(error.n)
        found[error.n] = plans.obtain(error.n).plan
    return TensorRtEngine(platform, model, found)
