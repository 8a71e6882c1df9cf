"""Gray pictures from events: a network that takes voxel grids, fed by saccade.

    python examples/reconstruct.py RECORDING MODEL.onnx OUT.png [--window 20ms] [--to 1s]

Writes the picture at the end of the last whole window; an OUT with braces, such as
pictures/{:04d}.png, gets one picture for each window. Needs `pip install 'saccade[pictures]'`.

MODEL is stateful: its inputs are `events`, float32 [1, B, H, W], and its states, its outputs
`image`, [1, 1, H, W] from 0 to 1, and the states by their names with `_out` behind: FireNet+ of
EVREAL as exported to ONNX. For E2VID and FireNet add `--normalise`, and for networks that halve the
picture, like E2VID, `--multiple 8`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError
from saccade.camera.recordings import Recording, open_recording
from saccade.camera.representations import VoxelGrid
from saccade.camera.seeking import Section
from saccade.camera.slicing import Slice
from saccade.stream.durations import parse_section_us
from saccade.stream.settings import make_slicer, parse_geometry


class Reconstructor:
    """Turns slices of one sensor into pictures; its states go from slice to slice."""

    def __init__(
        self, path: str, width: int, height: int, normalise: bool = False, multiple: int = 1
    ) -> None:
        """Loads the model for a sensor of `width` x `height` pixels.

        Args:
            path: the ONNX file.
            width, height: the sensor's size.
            normalise: see `VoxelGrid`.
            multiple: the network's sides must be multiples of this: grids are padded with zeros
                to them, half on either side, and pictures are cropped.
        """
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        inputs = {tensor.name: tensor.shape for tensor in self._session.get_inputs()}
        if "events" not in inputs:
            raise SaccadeError(f"{path}: its inputs are {', '.join(inputs)}; none is `events`")
        bins = inputs.pop("events")[1]
        self._grid = VoxelGrid(width, height, bins, normalise=normalise)
        padded = [-(-side // multiple) * multiple for side in (height, width)]
        top, left = (padded[0] - height) // 2, (padded[1] - width) // 2
        self._inside = np.s_[..., top : top + height, left : left + width]
        self._input = np.zeros((1, bins, *padded), np.float32)
        self._states: dict[str, NDArray[np.float32]] = {
            name: np.zeros((1, shape[1], *padded), np.float32) for name, shape in inputs.items()
        }

    def __call__(self, cut: Slice) -> NDArray[np.float32]:
        """The picture at the slice's end, float32 [height, width], black 0 and white 1."""
        self._input[self._inside] = self._grid.view(cut)
        names = ["image", *(f"{name}_out" for name in self._states)]
        image, *states = self._session.run(names, {"events": self._input, **self._states})
        self._states = dict(zip(self._states, states, strict=True))
        return np.clip(image[self._inside][0, 0], 0, 1)


def pictures(
    recording: Recording, model: str, window: str, stop: str | None, normalise: bool, multiple: int
) -> Iterator[NDArray[np.float32]]:
    """The pictures of a recording's windows; a last one that is not whole is left out."""
    reconstruct = Reconstructor(model, recording.width, recording.height, normalise, multiple)
    slicer = make_slicer(window, None, None)
    for packet in Section(recording, *parse_section_us(None, stop)).packets():
        for cut in slicer.feed(packet):
            yield reconstruct(cut)


def write_picture(path: str, picture: NDArray[np.float32]) -> None:
    """Writes an 8-bit gray image, of the kind that the name's ending says."""
    try:
        from PIL import Image
    except ImportError as error:
        raise SaccadeError(
            "no Pillow to write pictures; pip install 'saccade[pictures]'"
        ) from error
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(picture * 255).astype(np.uint8)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Gray pictures from events.")
    parser.add_argument("recording", metavar="RECORDING")
    parser.add_argument("model", metavar="MODEL.onnx")
    parser.add_argument("out", metavar="OUT.png")
    parser.add_argument("--window", default="20ms", help="one picture each; 20ms by default")
    parser.add_argument("--to", help="end this long after the first event")
    parser.add_argument("--normalise", action="store_true", help="the grid, over what is not 0")
    parser.add_argument("--multiple", type=int, default=1, help="that sides are padded to")
    parser.add_argument("--geometry", help="WIDTHxHEIGHT, where the recording does not say it")
    options = parser.parse_args()
    try:
        n = run(options)
    except SaccadeError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{n} windows of {options.window}; the last: {options.out.format(n - 1)}")


def run(options: argparse.Namespace) -> int:
    """Writes what the arguments ask for; gives the number of windows."""
    n, picture = 0, None
    with open_recording(options.recording, parse_geometry(options.geometry)) as recording:
        for picture in pictures(
            recording,
            options.model,
            options.window,
            options.to,
            options.normalise,
            options.multiple,
        ):
            if "{" in options.out:
                write_picture(options.out.format(n), picture)
            n += 1
    if picture is None:
        raise SaccadeError(f"{options.recording}: shorter than a window of {options.window}")
    if "{" not in options.out:
        write_picture(options.out, picture)
    return n


if __name__ == "__main__":
    main()
