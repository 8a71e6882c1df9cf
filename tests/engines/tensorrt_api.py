"""All that saccade uses of TensorRT's Python API, to be found unchanged in 10.3 and in 11.4."""

from __future__ import annotations

#: Methods with the names of the arguments that we give, in their order.
METHODS: dict[str, dict[str, tuple[str, ...]]] = {
    "Builder": {
        "__init__": ("logger",),
        "create_network": ("flags",),
        "create_builder_config": (),
        "build_serialized_network": ("network", "config"),
    },
    "INetworkDefinition": {"get_input": ("index",)},
    "OnnxParser": {
        "__init__": ("network", "logger"),
        "parse": ("model",),
        "get_error": ("index",),
    },
    "ParserError": {"desc": (), "node_name": (), "node_operator": ()},
    "IBuilderConfig": {
        "set_memory_pool_limit": ("pool", "pool_size"),
        "clear_flag": ("flag",),
        "create_timing_cache": ("serialized_timing_cache",),
        "set_timing_cache": ("cache", "ignore_mismatch"),
    },
    "ITimingCache": {"serialize": ()},
    "Runtime": {"__init__": ("logger",), "deserialize_cuda_engine": ("serialized_engine",)},
    "ICudaEngine": {
        "get_tensor_name": ("index",),
        "get_tensor_mode": ("name",),
        "get_tensor_dtype": ("name",),
        "get_tensor_shape": ("name",),
        "create_execution_context": (),
    },
    "IExecutionContext": {
        "set_tensor_address": ("name", "memory"),
        "execute_async_v3": ("stream_handle",),
    },
    # What we write for TensorRT to call, with the arguments that it gives.
    "ILogger": {"__init__": (), "log": ("severity", "msg")},
    "IProgressMonitor": {
        "__init__": (),
        "phase_start": ("phase_name", "parent_phase", "num_steps"),
        "phase_finish": ("phase_name",),
        "step_complete": ("phase_name", "step"),
    },
    "Dims": {"__len__": (), "__getitem__": ("arg0",)},  # for tuple()
}
#: Properties, and whether we set them.
PROPERTIES: dict[str, dict[str, bool]] = {
    "INetworkDefinition": {"num_inputs": False},
    "ITensor": {"name": False, "shape": True},
    "OnnxParser": {"num_errors": False},
    "IBuilderConfig": {
        "builder_optimization_level": True,
        "max_aux_streams": True,
        "progress_monitor": True,
    },
    "ICudaEngine": {"num_io_tensors": False},
}
#: Members of enumerations.
MEMBERS: dict[str, tuple[str, ...]] = {
    "NetworkDefinitionCreationFlag": ("STRONGLY_TYPED",),
    "MemoryPoolType": ("WORKSPACE",),
    "BuilderFlag": ("TF32",),
    "TensorIOMode": ("INPUT", "OUTPUT"),
    "DataType": ("FLOAT", "HALF"),
    "ILogger.Severity": ("ERROR", "INTERNAL_ERROR"),
}
#: Classes whose objects are read as bytes, by the buffer protocol.
BUFFERS = ("IHostMemory",)


def names() -> set[str]:
    """Each of them as Class.member, without what Python itself calls."""
    found = {f"{c}.{m}" for c, members in METHODS.items() for m in members}
    found |= {f"{c}.{p}" for c, properties in PROPERTIES.items() for p in properties}
    found |= {f"{e}.{m}" for e, members in MEMBERS.items() for m in members}
    return {name for name in found if not name.startswith("Dims.")}
