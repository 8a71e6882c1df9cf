"""The torch engine: eager on a CPU, CUDA graphs on a GPU, where it is the reference for TensorRT.

Torch is an extra, imported when an engine is opened.
"""

from __future__ import annotations

import importlib
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import printable
from saccade.engines.engine import EngineError, OutputCheck, check_batch, check_frames
from saccade.engines.models import Model, ModelError

TorchPrecision = Literal["fp32", "fp16", "bf16"]
INSTALL = "`pip install 'saccade[torch]'`"
_WEIGHTS = "weights.safetensors"
#: Batch sizes with a CUDA graph of their own; another number of frames runs in the next larger one.
_SIZES = (1, 2, 4, 8)


class TorchEngine:
    """A CLIP's event tower in torch, of the model's `weights.safetensors` and `[architecture]`.

    Attributes:
        input_address: on a GPU, where `input` is copied to and what `run_on_device` encodes:
            `input_dtype` [batch, channels, size, size]; 0 on a CPU.
        input_dtype: float16 at fp16, else float32.
        stream: the engine's own CUDA stream; 0 on a CPU.
        cuda_device: the number of the GPU; 0 on a CPU, too.
    """

    def __init__(
        self,
        model: Model,
        batch: int = 1,
        device: str | None = None,
        precision: TorchPrecision = "fp32",
        cuda_graph: bool = True,
    ) -> None:
        """Loads `model` for up to `batch` frames a run, 8 at most.

        Args:
            model: a CLIP of the model store.
            batch: frames a run.
            device: "cpu", "cuda" or "cuda:1"; None is a GPU where torch sees one.
            precision: fp16 is for GPUs, bf16 for both.
            cuda_graph: on a GPU, launch the network as one graph rather than layer by layer.

        Raises:
            EngineError: torch, the device or the precision cannot be had, or the model has no
                weights for torch, or the embedding of a test frame is none.
            ModelError: a file of the model is not the manifest's.
            CheckpointError: the weights are not those of `[architecture]`.
        """
        check_batch(batch)
        self._torch: Any = _import_torch()
        self._device: Any = _find_device(self._torch, device)
        on_gpu = self._device.type == "cuda"
        self._dtype: Any = _find_dtype(self._torch, precision, on_gpu)
        self._tower: Any = self._load(model)
        manifest = model.manifest
        size = manifest.input.size
        self.input_dtype: np.dtype[Any] = np.dtype(np.float16 if precision == "fp16" else "f4")
        ends = self._torch.float16 if precision == "fp16" else self._torch.float32
        shape = (batch, manifest.input.channels, size, size)
        # Pinned memory, so that a graph can hold the copies.
        self._host: Any = self._torch.zeros(shape, dtype=ends, pin_memory=on_gpu)
        self._frames: Any = self._host.to(self._device)  # the same memory on a CPU
        shape = (batch, manifest.embedding.dimension)
        self._results: Any = self._torch.zeros(shape, pin_memory=on_gpu)
        self._input: NDArray[Any] = self._host.numpy()
        self._output: NDArray[np.float32] = self._results.numpy()
        self._check = OutputCheck(self._output)
        self.input_address = int(self._frames.data_ptr()) if on_gpu else 0
        self._own: Any = self._torch.cuda.Stream(self._device) if on_gpu else None
        self.stream = int(self._own.cuda_stream) if on_gpu else 0
        self.cuda_device = int(self._frames.device.index) if on_gpu else 0
        self._graphs: dict[tuple[int, bool], Any] = {}
        if on_gpu:  # weights were copied on another stream, which the own one does not wait for
            self._torch.cuda.synchronize(self._device)
        if on_gpu and cuda_graph:
            self._capture(batch)
        self._try(printable(manifest.name))

    def _load(self, model: Model) -> Any:
        """The tower on the device, at the precision; norms keep their float32 weights."""
        if _WEIGHTS not in model.manifest.files:
            raise EngineError(
                f"engine torch: model {printable(model.manifest.name)} has no weights for torch "
                f"({_WEIGHTS}); use --engine onnx, or a CLIP of `saccade models add`"
            )
        load: Any = importlib.import_module("saccade.engines.clip.load")
        tower = load.event_tower(model)
        found = tower.conv1.in_channels, tower.proj.shape[1]
        wanted = model.manifest.input.channels, model.manifest.embedding.dimension
        if found != wanted:
            raise ModelError(
                f"{printable(str(model.folder))}: the weights take {found[0]} channels and give "
                f"{found[1]} numbers, the manifest says {wanted[0]} and {wanted[1]}; add the model "
                "again"
            )
        tower.to(self._device, self._dtype)
        for module in tower.modules():
            if isinstance(module, self._torch.nn.LayerNorm):
                module.float()
        return tower

    def _encode(self, n: int, from_host: bool) -> None:
        """Queues `n` frames: to the device if `from_host`, the network, embeddings to the host."""
        if from_host and self._own is not None:
            self._frames[:n].copy_(self._host[:n], non_blocking=True)
        features = self._tower.features(self._frames[:n].to(self._dtype)).float()
        found = self._torch.nn.functional.normalize(features, dim=-1)
        self._results[:n].copy_(found, non_blocking=True)

    def _capture(self, batch: int) -> None:
        """A graph for each batch size, with frames of the host and with frames on the device.

        They share memory: only one of them runs at a time, and its results are on the host then.
        """
        cuda = self._torch.cuda
        pool = cuda.graph_pool_handle()
        for n in sorted({min(size, batch) for size in _SIZES}):
            for from_host in (True, False):
                # Libraries allocate in their first runs, which a capture forbids.
                with self._torch.inference_mode(), cuda.stream(self._own):
                    for _ in range(3):
                        self._encode(n, from_host)
                self._own.synchronize()
                graph = cuda.CUDAGraph()
                # Other threads may use CUDA meanwhile: only this one's calls belong to the graph.
                with (
                    self._torch.inference_mode(),
                    cuda.graph(
                        graph, pool=pool, stream=self._own, capture_error_mode="thread_local"
                    ),
                ):
                    self._encode(n, from_host)
                self._graphs[n, from_host] = graph

    def _try(self, name: str) -> None:
        """Runs a ramp, an empty frame may have no direction, in each graph over cleared results."""
        for n in sorted({n for n, _ in self._graphs}) or [1]:
            self._input[:n] = np.linspace(0, 1, self._input.shape[3])
            self._output[:n] = 0
            self.run(n)
            norm = float(np.linalg.norm(self._output[:n].astype(np.float64), axis=1).min())
            if not abs(norm - 1) <= 1e-3:
                raise EngineError(
                    f"engine torch: {name} gives a test frame an embedding of norm {norm:.4g}, not "
                    f"1, in a batch of {n}; use --engine onnx"
                )
        self._input[:] = 0
        self._output[:] = 0

    @property
    def input(self) -> NDArray[Any]:
        """`input_dtype` [batch, channels, size, size]: a float32 frame is rounded to it."""
        return self._input

    @property
    def output(self) -> NDArray[np.float32]:
        """float32 [batch, dimension], L2-normalised, on the host."""
        return self._output

    def run(self, n: int, stream: int = 0) -> None:
        """Encodes the first `n` frames of `input`; torch releases the GIL while it works.

        Raises:
            EngineError: an embedding is not finite.
        """
        self._run(n, stream, from_host=True)

    def run_on_device(self, n: int, stream: int) -> None:
        """Encodes `n` frames at `input_address`, which work queued on `stream` has written."""
        if self._own is None:
            raise ValueError("frames on the device: this engine runs on the host")
        self._run(n, stream, from_host=False)

    def _run(self, n: int, stream: int, from_host: bool) -> None:
        check_frames(n, len(self._input))
        if self._own is None:
            if stream:
                raise ValueError(f"stream {stream}: this engine runs on the host and joins none")
            with self._torch.inference_mode():
                self._encode(n, from_host)
        else:
            self._run_on_gpu(n, stream, from_host)
        self._check(n)

    def _run_on_gpu(self, n: int, stream: int, from_host: bool) -> None:
        cuda = self._torch.cuda
        joined = cuda.ExternalStream(stream, device=self._device) if stream else self._own
        with self._torch.inference_mode(), cuda.stream(joined):
            if self._graphs:
                self._graphs[min(m for m, _ in self._graphs if m >= n), from_host].replay()
            else:
                self._encode(n, from_host)
        joined.synchronize()

    def close(self) -> None:
        """Gives the memory back: graphs before what they read and write."""
        self._graphs = {}
        self._tower = self._frames = self._own = None
        self.input_address = 0


def _import_torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise EngineError(
            f"engine torch: torch cannot be imported ({printable(str(error))}); {INSTALL}"
        ) from None


def _find_device(torch: Any, device: str | None) -> Any:
    """The device of this name; without one the GPU that torch sees, else the CPU."""
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(device)
    except RuntimeError:
        found = None
    if found is None or found.type not in ("cpu", "cuda"):
        raise EngineError(f"engine torch: device {printable(repr(device))}: use cpu or cuda")
    if found.type == "cuda" and not torch.cuda.is_available():
        built = "its driver" if torch.version.cuda else "a torch built for CUDA (pytorch.org)"
        raise EngineError(
            f"engine torch: device {device}: torch {torch.__version__} sees no GPU; install "
            f"{built}, or use device cpu"
        )
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise EngineError(f"engine torch: device {device}: there are {count} GPUs, from cuda:0 on")
    return found


def _find_dtype(torch: Any, precision: str, on_gpu: bool) -> Any:
    if precision not in get_args(TorchPrecision):
        raise EngineError(
            f"precision {precision}: torch has {', '.join(get_args(TorchPrecision))}; int8 is for "
            "--engine onnx or openvino on a CPU"
        )
    if precision == "fp16" and not on_gpu:
        raise EngineError(
            "precision fp16: torch has no fast float16 on CPUs; use bf16 or fp32 there"
        )
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
