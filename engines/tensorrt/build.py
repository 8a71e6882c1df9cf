"""Builds a plan: TensorRT's program for one network, one batch size and one GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saccade.camera.errors import printable
from saccade.engines.engine import EngineError
from saccade.engines.reporting import Report, silent
from saccade.engines.tensorrt.platform import Platform, make_log, make_monitor

LEVELS = range(6)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the builder searches.

    Attributes:
        level: builder_optimization_level, 0 (fast to build) to 5 (searches for many minutes).
        workspace_mib: memory of the GPU that one layer may use, MiB.

    Raises:
        EngineError: one is out of range.
    """

    level: int = 3
    workspace_mib: int = 2048

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise EngineError(f"level {self.level}: must be from 0 to 5")
        if self.workspace_mib < 1:
            raise EngineError(f"workspace {self.workspace_mib}: must be at least 1 MiB")


@dataclass(frozen=True, slots=True)
class Network:
    """An encoder to build.

    Attributes:
        name: how errors call it.
        onnx: the file; its types are the plan's, so the precision lies in it.
        input: the input's name.
        shape: [N, channels, size, size] of the frames, none of them open.
        exact: float32 products are not rounded to TF32's ten bits.
    """

    name: str
    onnx: bytes
    input: str
    shape: tuple[int, int, int, int]
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """A plan, and what the builder measured on the way, which makes the next one faster."""

    plan: bytes
    timing: bytes


def build_plan(
    platform: Platform,
    network: Network,
    settings: Settings,
    timing: bytes = b"",
    report: Report = silent,
) -> Built:
    """Builds for minutes; `timing` is that of a plan before, or empty.

    Raises:
        EngineError: TensorRT's parser or builder refuses it, in one line.
    """
    trt = platform.trt
    log = make_log(trt)
    builder = trt.Builder(log)
    definition = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(definition, log)  # the weights are its own: it must outlive the build
    if not parser.parse(network.onnx):
        raise EngineError(f"{network.name}: {_parser_error(parser)}")
    _set_shape(definition, network)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, settings.workspace_mib << 20)
    config.builder_optimization_level = settings.level
    config.max_aux_streams = 0  # one stream, so that one capture holds all of it
    if network.exact:
        config.clear_flag(trt.BuilderFlag.TF32)
    monitor = make_monitor(trt, lambda share: report(f"building {network.name}", share))
    config.progress_monitor = monitor
    # A cache of another TensorRT or GPU is refused: then it begins with an empty one.
    cache = config.create_timing_cache(timing)
    if cache is None or not config.set_timing_cache(cache, False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    plan = builder.build_serialized_network(definition, config)
    if monitor.broken is not None:
        raise monitor.broken
    if plan is None:
        reason = log.last_error or "it says no reason"
        raise EngineError(
            f"{network.name}: TensorRT cannot build it ({reason}); try a smaller --batch, another "
            "--precision or more --workspace"
        )
    return Built(bytes(memoryview(plan)), bytes(memoryview(cache.serialize())))


def _set_shape(definition: Any, network: Network) -> None:
    """Makes every shape a fixed one: what is open in the file is only the number of frames."""
    names = [definition.get_input(i).name for i in range(definition.num_inputs)]
    if names != [network.input]:
        found = printable(", ".join(names)) or "none"
        raise EngineError(
            f"{network.name}: its inputs are {found}, not {network.input}; export it with the "
            "frames as its only one"
        )
    frames = definition.get_input(0)
    found = tuple(frames.shape)
    wanted = network.shape
    if len(found) != 4 or any(a not in (-1, b) for a, b in zip(found, wanted, strict=True)):
        raise EngineError(
            f"{network.name}: {network.input} is {list(found)}, not {list(wanted)} with an open "
            "first dimension; export it again"
        )
    frames.shape = wanted


def _parser_error(parser: Any) -> str:
    """The parser's first error, which causes the others."""
    what, remedy = "it says no reason", "export it again, or choose another --precision"
    if parser.num_errors:
        error = parser.get_error(0)
        what = " ".join(str(error.desc()).split())
        where = f"{error.node_operator()} {error.node_name()}".strip()
        what += f", at {where}" if where else ""
    return f"TensorRT's parser refuses it ({printable(what)}); {remedy}"
