"""`saccade run` with an engine that takes ten times as long for a while: a part of `load`.

`python -m benchmarks.load_slow BEGIN_S END_S ARGUMENTS...`, seconds after its first frame.
"""

from __future__ import annotations

import sys
import time

from saccade.engines.onnx import OnnxEngine
from saccade.stream.cli import main

FACTOR = 10


def slow_down(begin_s: float, end_s: float) -> None:
    """Makes every ONNX engine of this process slower between the two times."""
    run, started = OnnxEngine.run, [0.0]

    def slower(self: OnnxEngine, n: int, stream: int = 0) -> None:
        begun = time.monotonic()
        started[0] = started[0] or begun
        run(self, n, stream)
        if begin_s <= begun - started[0] < end_s:
            time.sleep((FACTOR - 1) * (time.monotonic() - begun))

    OnnxEngine.run = slower


if __name__ == "__main__":
    slow_down(float(sys.argv[1]), float(sys.argv[2]))
    del sys.argv[1:3]
    main()
