"""`saccade frames`: slices as arrays on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.commands import command
from tests.recordings import HEIGHT, WIDTH, quarters

from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.camera.representations import Histogram, TimeSurface, VoxelGrid
from saccade.camera.slicing import CountSlicer, Slice, Slicer, TimeSlicer

SIZE = WIDTH, HEIGHT


def slices(slicer: Slicer) -> list[Slice]:
    cuts = [cut for packet in quarters() for cut in slicer.feed(packet)]
    return [*cuts, *slicer.finish()]


@pytest.mark.parametrize(
    ("options", "make"),
    [
        (["--kind", "histogram"], lambda: Histogram(*SIZE)),
        (["--kind", "voxel_grid"], lambda: VoxelGrid(*SIZE)),
        (
            ["--kind", "voxel_grid", "--bins", 3, "--interval", "window", "--normalise"],
            lambda: VoxelGrid(*SIZE, 3, "window", True),
        ),
        (["--kind", "time_surface"], lambda: TimeSurface(*SIZE, 50_000)),
        (
            ["--kind", "time_surface", "--tau", "7ms", "--decay", "linear"],
            lambda: TimeSurface(*SIZE, 7000, "linear"),
        ),
        (["--kind", "signed", "--size", 32], lambda: FrameMaker(*SIZE, FrameSpec("signed", 32))),
        ([], lambda: FrameMaker(*SIZE, FrameSpec("paper", 224))),
    ],
)
def test_every_kind_is_what_the_library_makes(recording, tmp_path, options, make):
    accumulator = make()
    out = tmp_path / "out.npz"
    done = command("frames", recording, out, *options, "--window", "50ms")
    assert (done.returncode, done.stderr) == (0, "")
    cuts = slices(TimeSlicer(50_000))
    shape = [len(cuts), *accumulator.shape]
    assert f"{accumulator.dtype} {shape}, 0 events dropped" in done.stdout
    assert list(tmp_path.iterdir()) == [out]
    with np.load(out) as found:
        assert sorted(found) == ["frames", "n_events", "t_begin_us", "t_end_us"]
        assert found["n_events"].tolist() == [cut.n_events for cut in cuts]
        assert found["t_begin_us"].tolist() == [cut.t_begin_us for cut in cuts]
        assert found["t_end_us"].tolist() == [cut.t_end_us for cut in cuts]
        assert found["frames"].dtype == accumulator.dtype
        np.testing.assert_array_equal(found["frames"], [accumulator.make(cut) for cut in cuts])


def test_a_folder_holds_arrays_that_can_be_mapped(recording, tmp_path):
    out = tmp_path / "new" / "folder"
    done = command("frames", recording, out, "--kind", "histogram", "--count", 3000)
    assert done.returncode == 0, done.stderr
    cuts, histogram = slices(CountSlicer(3000)), Histogram(*SIZE)
    frames = np.load(out / "frames.npy", mmap_mode="r")
    np.testing.assert_array_equal(frames, [histogram.make(cut) for cut in cuts])
    assert np.load(out / "n_events.npy").sum() == 20_000


def test_what_is_before_the_damage_is_written(recording, tmp_path):
    cut, out = tmp_path / "cut.aedat4", tmp_path / "out"
    cut.write_bytes(recording.read_bytes()[: recording.stat().st_size // 2])
    done = command("frames", cut, out, "--kind", "histogram")
    assert done.returncode == 2
    assert "byte" in done.stderr
    n = np.load(out / "n_events.npy").sum()
    assert 0 < n < 20_000
    assert np.load(out / "frames.npy").sum() == n


def test_bad_input_is_one_line_and_the_files_stay(recording, tmp_path):
    taken = tmp_path / "taken"
    taken.write_bytes(b"mine")
    out, before = tmp_path / "out", recording.read_bytes()
    for part, arguments in {
        "would be lost": [recording, recording],
        "kind 'gray'": [recording, out, "--kind", "gray"],
        "bins: paper has none": [recording, out, "--bins", 5],
        "bins 0": [recording, out, "--kind", "voxel_grid", "--bins", 0],
        "interval 'all'": [recording, out, "--kind", "voxel_grid", "--interval", "all"],
        "decay 'slow'": [recording, out, "--kind", "time_surface", "--decay", "slow"],
        "--tau 30ms": [recording, out, "--kind", "time_surface", "--count", 9],
        "frame size 0": [recording, out, "--size", 0],
        "cannot be made": [recording, taken],
        "missing": [tmp_path / "missing", out],
    }.items():
        done = command("frames", *arguments)
        assert done.returncode == 2, (part, done.stderr)
        assert part in done.stderr
        assert done.stderr.count("\n") == 1
    assert (taken.read_bytes(), recording.read_bytes()) == (b"mine", before)
    assert not out.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line(recording, tmp_path):
    (tmp_path / "frames.npy").symlink_to("/dev/full")
    done = command("frames", recording, tmp_path)
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert done.stderr.count("\n") == 1
