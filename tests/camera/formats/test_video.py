"""Videos as events: chunks equal the formulas, and damage is told after what came before it."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from tests.camera.videos import HEIGHT, WIDTH, formula, moving_square, read_video, write_video

from saccade.camera.errors import RecordingError, SaccadeError
from saccade.camera.formats.video import VideoRecording
from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.camera.recordings import open_recording
from saccade.camera.simulate import Sensor
from saccade.camera.slicing import Slice
from saccade.camera.video import CLAMPS, ChunkSlicer, VideoSpec


def chunks(recording: VideoRecording) -> list[Slice]:
    slicer = ChunkSlicer(recording.clock, from_start=True)
    found = [cut for packet in recording.packets() for cut in slicer.feed(packet)]
    return [*found, *slicer.finish()]


@pytest.mark.parametrize("threshold", [10, 25, 12.5])
@pytest.mark.parametrize("kind", ["rgb", "gray"])
@pytest.mark.parametrize("name", ["video.avi", "video.mp4", "video.mkv"])
def test_each_chunk_of_a_square_video_is_the_formula(tmp_path, name, kind, threshold):
    path = write_video(tmp_path / name, moving_square(70, 64, 64))
    wanted = formula(read_video(path), kind, threshold)
    with open_recording(path, video=VideoSpec(kind, threshold)) as recording:
        assert isinstance(recording, VideoRecording)
        maker = FrameMaker(64, 64, FrameSpec("clamped", 64, "sensor", CLAMPS[kind]))
        cuts = chunks(recording)
        counts = [np.minimum(maker.count(cut).sum(0), CLAMPS[kind]) for cut in cuts]
        frames = [maker.make(cut) for cut in cuts]
    assert len(cuts) == len(wanted) == 5
    np.testing.assert_array_equal(counts, wanted)
    # The accumulator multiplies by 1 / max: the last bit of the quotient may differ.
    divided = [(total / max(total.max(), 1)).astype(np.float32) for total in wanted]
    np.testing.assert_array_max_ulp(np.array(frames), np.array(divided), 1)


@pytest.mark.parametrize("kind", ["rgb", "gray"])
@pytest.mark.parametrize("n", [2, 15, 16, 17, 18, 32, 33])
def test_chunks_are_as_many_as_have_a_difference(tmp_path, kind, n):
    path = write_video(tmp_path / "video.avi", moving_square(n))
    wanted = formula(read_video(path), kind, 10)
    with open_recording(path, video=VideoSpec(kind)) as recording:
        found = chunks(recording)
        maker = FrameMaker(WIDTH, HEIGHT, FrameSpec("clamped", 64, "sensor"))
        counts = [maker.count(cut).sum(0) for cut in found]
    assert len(found) == len(wanted)
    for count, frame in zip(counts, wanted, strict=True):
        np.testing.assert_array_equal(count > 0, frame > 0)


def test_still_chunks_are_chunks_too(tmp_path):
    frame = np.full((HEIGHT, WIDTH, 3), 80, np.uint8)
    frames = [frame] * 40 + [frame + 60] + [frame + 60] * 40
    path = write_video(tmp_path / "video.avi", frames)
    with open_recording(path) as recording:
        found = chunks(recording)
    assert [cut.n_events for cut in found] == [0, 0, WIDTH * HEIGHT, 0, 0, 0]
    assert [cut.t_begin_us for cut in found] == [k * 16 * 1_000_000 // 30 for k in range(6)]


def test_times_are_those_of_the_frame_rate_and_polarity_is_that_of_gray(tmp_path):
    frames = [np.full((HEIGHT, WIDTH, 3), value, np.uint8) for value in (50, 90, 90, 40)]
    path = write_video(tmp_path / "video.avi", frames, rate=24000 / 1001)
    with open_recording(path) as recording:
        assert (recording.width, recording.height, recording.format) == (WIDTH, HEIGHT, "video")
        packets = list(recording.packets())
        assert {s.name: s.count for s in recording.streams} == {
            "events": 2 * WIDTH * HEIGHT, "video": 4,
        }  # fmt: skip
    assert [int(p.t[0]) for p in packets] == [41_708, 125_125]
    assert packets[0].on.all() and not packets[1].on.any()


def test_a_simulated_sensor_sees_a_video_at_microseconds(tmp_path):
    frames = [np.full((HEIGHT, WIDTH, 3), value, np.uint8) for value in (20, 200)]
    path = write_video(tmp_path / "video.avi", frames)
    sensor = Sensor(1, 1, threshold_sigma=0, leak_hz=0, noise_hz=0)
    with open_recording(path, video=VideoSpec("simulated", sensor=sensor)) as recording:
        packets = list(recording.packets())
    t = np.concatenate([p.t for p in packets])
    assert np.all(np.diff(t.astype(np.int64)) >= 0)
    assert len(np.unique(t)) > 1000
    assert t.max() <= 33_333


def test_frames_are_scaled_to_a_geometry(tmp_path):
    path = write_video(tmp_path / "video.avi", moving_square(20))
    with open_recording(path, geometry=(32, 20)) as recording:
        assert (recording.width, recording.height) == (32, 20)
        assert max(int(p.x.max()) for p in recording.packets()) < 32


def test_a_video_that_stops_early_gives_what_came_before(tmp_path):
    path = write_video(tmp_path / "video.avi", moving_square(100))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with open_recording(path) as recording:
        assert isinstance(recording, VideoRecording)
        packets = []
        with pytest.raises(RecordingError, match=r"it ends after \d+ of 100 frames"):
            for packet in recording.packets():
                packets.append(packet)
    assert len(packets) > 20


def test_what_is_no_video_inside_its_container_is_refused(tmp_path):
    pytest.importorskip("cv2")
    path = write_video(tmp_path / "video.mp4", moving_square(20))
    start = path.read_bytes()[:200]
    for content in (start, b"RIFF\0\0\0\0AVI LIST" + bytes(100), b"\x1a\x45\xdf\xa3" + bytes(50)):
        path.write_bytes(content)
        with pytest.raises(RecordingError, match="video can"):
            open_recording(path)


def test_frames_of_another_size_end_it(tmp_path, monkeypatch):
    path = write_video(tmp_path / "video.avi", moving_square(20))
    with open_recording(path) as recording:
        assert isinstance(recording, VideoRecording)
        read, count = recording._read, iter(range(20))

        def growing(capture):
            found, frame = read(capture)
            return found, frame if next(count) < 10 else np.zeros((90, 80, 3), np.uint8)

        monkeypatch.setattr(recording, "_read", growing)
        packets = recording.packets()
        with pytest.raises(RecordingError, match="frame 10 is 80x90, those before are 64x48"):
            list(packets)


def test_without_opencv_it_says_what_to_install(tmp_path, monkeypatch):
    path = write_video(tmp_path / "video.avi", moving_square(2))
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(RecordingError, match=r"pip install 'saccade\[video\]'"):
        open_recording(path)


@pytest.mark.parametrize("wrong", [{"events": "rbg"}, {"threshold": -1.0}, {"threshold": 255.0}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(SaccadeError, match="video"):
        VideoSpec(**wrong)
