"""Frames on a GPU: the kernels' code, run on the host by one thread after the other, and there."""

import numpy as np
import pytest
from tests.camera.formats.test_evt3 import sensor_words
from tests.camera.test_frames import random_packet
from tests.reference import frames

from saccade.camera import _native, cuda
from saccade.camera.cuda import CudaFrameMaker
from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.frames import FrameMaker, FrameSpec


@pytest.mark.parametrize("counting", ["sensor", "encoder"])
@pytest.mark.parametrize("kind", ["paper", "signed", "clamped"])
@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(346, 260, 224), (31, 17, 64), (96, 96, 96), (1, 1, 5), (7, 300, 33)],
)
def test_frame_equals_its_definition(device, kind, counting, width, height, size) -> None:
    spec = FrameSpec(kind, size, counting, clamp=3)
    maker = CudaFrameMaker(width, height, spec, device=device, slot_bytes=640, channels=3)
    halves = CudaFrameMaker(width, height, spec, device=device, channels=3, half=True)
    for n in (0, 1, 5, 5000):
        p = random_packet(n, width, height, seed=n)
        counted = frames.counts(p.x, p.y, p.on, width, height, size, counting)
        np.testing.assert_array_equal(maker.count([p[: n // 2], p[n // 2 :]]), counted)
        wanted = frames.frame(p.x, p.y, p.on, width, height, kind, size, counting, 3)
        found = maker.make([p]).to_host()
        assert found.shape == (3, size, size)
        np.testing.assert_allclose(found, np.stack([wanted] * 3), atol=1e-6, rtol=0)
        half = halves.make([p]).to_host()
        np.testing.assert_array_equal(half, found.astype(np.float16))
        np.testing.assert_allclose(half[2], wanted, atol=1e-3, rtol=0)
        on_host = np.empty((size, size), np.float32)
        assert maker.make([p], on_host) is on_host
        np.testing.assert_allclose(on_host, wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("counting", ["sensor", "encoder"])
def test_counters_that_overflow_equal_those_that_stop(device, counting) -> None:
    """OFF overflows into ON in one word: in any mixture, counts and losses are those of the CPU."""
    rng = np.random.default_rng(8)
    size, spec = (4, 3), FrameSpec("signed", 5, counting)
    maker = CudaFrameMaker(*size, spec, device=device, slot_bytes=1 << 18)
    reference = FrameMaker(*size, spec)
    for share_on in (0.0, 1.0, 0.5, 0.3, 0.9):
        n = 400_000
        x = rng.choice([0, 1, 2, 3], n, p=[0.9, 0.07, 0.02, 0.01]).astype(np.uint16)
        p = Packet(np.zeros(n, np.uint64), x, (x % 3).astype(np.uint16), rng.random(n) < share_on)
        wanted = reference.make([p])
        out = np.empty_like(wanted)
        np.testing.assert_allclose(maker.make([p], out), wanted, atol=1e-6, rtol=0)
        np.testing.assert_array_equal(maker.count([p]), reference.count([p]))
        assert maker.saturated == reference.saturated > 0


def test_full_counters_stay_full(device) -> None:
    maker = CudaFrameMaker(8, 8, FrameSpec("paper", 8, "sensor"), device=device)
    n = 65_536
    p = Packet(np.zeros(n, np.uint64), *[np.full(n, 3, np.uint16)] * 2, np.zeros(n, bool))
    maker.add([p])
    for extra in (1, 2, 65_535, 65_536):
        maker.add([p[:extra]])
        counts = maker.counts_to_host()
        assert (counts[0, 3, 3], counts[1].max()) == (65_535, 0)
    assert maker.saturated == 1 + 1 + 2 + 65_535 + 65_536


def test_events_outside_the_sensor_are_counted_never_written(device) -> None:
    x, y = np.array([8, 65_535, 0, 7], np.uint16), np.array([0, 0, 9, 7], np.uint16)
    maker = CudaFrameMaker(8, 8, FrameSpec("paper", 4, "encoder"), device=device)
    assert maker.count([Packet(np.zeros(4, np.uint64), x, y, np.ones(4, bool))]).sum() == 1
    assert maker.out_of_bounds == 3


def test_frames_do_not_leak_into_the_next_one(device) -> None:
    maker = CudaFrameMaker(64, 48, FrameSpec("paper", 32, "sensor"), device=device)
    p = random_packet(1000, 64, 48)
    first = maker.make([p]).to_host()
    for _ in range(3):
        assert not maker.make([]).to_host().any()
        np.testing.assert_array_equal(maker.make([p]).to_host(), first)
    with pytest.raises((TypeError, ValueError)):
        maker.make([p, Packet(p.t, p.x, p.y[:5], p.on)])
    assert not maker.make([]).to_host().any()


def test_scaled_coordinates_are_exact() -> None:
    """By a multiplication, x * size // width for every x, of widths and sizes of all magnitudes."""
    rng = np.random.default_rng(9)
    device = _native.HostDevice(1, 256, 1, True)
    widths = [1, 2, 3, 7, 640, 1279, 1280, 2047, 2048, *rng.integers(1, 2049, 12)]
    for width, size in zip(widths, [8192, 1, 5, 1000, 224, 2047, 224, 2046] * 3, strict=False):
        x = np.arange(width, dtype=np.uint16)
        p = Packet(np.zeros(width, np.uint64), x, np.zeros_like(x), np.ones(width, bool))
        spec = FrameSpec("paper", min(int(size), 2048), "encoder")
        maker = CudaFrameMaker(int(width), 1, spec, device=device)
        wanted = np.bincount(x.astype(np.int64) * spec.size // width, minlength=spec.size)
        np.testing.assert_array_equal(maker.count([p])[1, 0], wanted)


def pack(p: Packet) -> np.ndarray:
    return p.x | p.y.astype(np.uint32) << 11 | p.on.astype(np.uint32) << 22


def aligned(values: np.ndarray) -> np.ndarray:
    """A copy whose first byte lies at a multiple of 16."""
    room = np.zeros(values.nbytes + 16, np.uint8)
    start = -room.ctypes.data % 16
    room[start : start + values.nbytes] = values.view(np.uint8)
    return room[start : start + values.nbytes].view(values.dtype)


@pytest.fixture
def host() -> _native.HostDevice:
    """Arrays of its own device are NumPy's, so that DLPack is tried without a GPU."""
    return _native.HostDevice(2, 5, 3, False)


def test_arrays_on_the_device_are_taken_and_written_where_they_are(host) -> None:
    spec = FrameSpec("paper", 16, "sensor")
    maker, reference = CudaFrameMaker(64, 48, spec, device=host), FrameMaker(64, 48, spec)
    p = random_packet(1003, 64, 48)
    maker.add_packed(aligned(pack(p)))
    wanted = reference.make([p])
    np.testing.assert_allclose(np.from_dlpack(maker.finish())[0], wanted, atol=1e-6, rtol=0)
    with pytest.raises(BufferError, match="to_host"):
        np.from_dlpack(maker.frame_on_device(), copy=True)
    data = sensor_words(np.random.default_rng(1), 200, 64, 48)
    maker.add_evt3(aligned(np.frombuffer(data, "<u2")))
    counted = maker.counts_to_host()
    maker.make([])
    maker.add_evt3(data, again=True)
    np.testing.assert_array_equal(maker.counts_to_host(), counted)
    for address in (np.zeros((3, 16, 16), np.float32), np.zeros((3, 16, 16), np.float16)):
        maker.make([])
        maker.add([p])
        half = address.dtype == np.float16
        maker.finish_into(address.ctypes.data, channels=3, half=half)
        np.testing.assert_allclose(address[2], wanted, atol=1e-3 if half else 1e-6, rtol=0)


@pytest.mark.parametrize("source", ["packed", "evt3"])
def test_a_graph_makes_the_same_frames(device, source) -> None:
    spec = FrameSpec("clamped", 16, "sensor")
    maker = CudaFrameMaker(64, 48, spec, device=device)
    direct = CudaFrameMaker(64, 48, spec, device=device)
    graph = maker.capture(source)
    for seed in range(6):
        if source == "packed":
            p = random_packet(999 * seed, 64, 48, seed)
            maker.add([p], graph)
            direct.add([p])
        else:
            data = sensor_words(np.random.default_rng(seed), 100, 64, 48)
            maker.add_evt3(data, graph=graph)
            direct.add_evt3(data)
        wanted = direct.finish().to_host()
        np.testing.assert_array_equal(maker.frame_on_device().to_host(), wanted)
    with pytest.raises(SaccadeError, match="no graph"):
        maker.add_evt2(b"1234", graph=graph)


def test_a_graph_takes_one_piece(host) -> None:
    maker = CudaFrameMaker(64, 48, FrameSpec(), device=host, slot_bytes=64)
    graph = maker.capture("packed")
    with pytest.raises(SaccadeError, match="at most 64 bytes"):
        maker.add([random_packet(17, 64, 48)], graph)


def test_what_does_not_fit_is_refused_in_one_line(host) -> None:
    maker = CudaFrameMaker(64, 48, FrameSpec(size=8), device=host)
    words = aligned(np.zeros(8, np.uint16))
    with pytest.raises(SaccadeError, match=r"uint32 \[N\]"):
        maker.add_packed(words)
    with pytest.raises(SaccadeError, match="multiple of 16 bytes"):
        maker.add_evt3(words[1:])
    with pytest.raises(SaccadeError, match="no words yet"):
        maker.add_evt3(b"", again=True)
    maker.add_evt3(b"1")
    with pytest.raises(SaccadeError, match="end of their word"):
        maker.add_evt3(words)
    with pytest.raises(SaccadeError, match="decoders of their own"):
        maker.add_evt2(b"1234")
    with pytest.raises(SaccadeError, match=r"float32 \[8, 8\]"):
        maker.finish(np.zeros((8, 8)))
    with pytest.raises(SaccadeError, match="aligned address"):
        maker.finish_into(1, channels=1, half=True)
    for wrong in ({"width": 2049}, {"channels": 4}, {"slot_bytes": 10}):
        with pytest.raises(SaccadeError):
            CudaFrameMaker(**{"width": 8, "height": 8, "spec": FrameSpec(), "device": host} | wrong)


def test_without_a_gpu_the_call_says_what_to_do(monkeypatch) -> None:
    monkeypatch.setattr(_native, "cuda_built", False)
    assert not cuda.available()
    with pytest.raises(SaccadeError, match="SACCADE_CUDA=ON"):
        CudaFrameMaker(8, 8, FrameSpec())


@pytest.mark.gpu
def test_an_array_elsewhere_is_refused() -> None:
    maker = CudaFrameMaker(64, 48, FrameSpec())
    with pytest.raises(SaccadeError, match="copy it there first"):
        maker.add_packed(aligned(np.zeros(8, np.uint32)))
