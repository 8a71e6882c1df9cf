"""The triggers of EVT2 and EVT3: as the plain reader has them, for any chunking."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.camera.fixtures import EVT2_HEADER, RAW_HEADER
from tests.reference import triggers as reference

from saccade.camera import _native
from saccade.camera.errors import RecordingError
from saccade.camera.formats.file import RecordingFile
from saccade.camera.formats.stream import StreamRecording
from saccade.camera.inspection import inspect
from saccade.camera.recordings import open_recording

DATA = os.environ.get("SACCADE_DATA")
_WIDTHS = {"evt2": 32, "evt3": 16}
_PLAIN = {"evt2": reference.evt2, "evt3": reference.evt3}


def _words(encoding: str, n: int, seed: int) -> bytes:
    """n words of any type and content, but the upper time, which rises from word to word."""
    rng, bits = np.random.default_rng(seed), _WIDTHS[encoding]
    words = rng.integers(0, 1 << bits, n, np.uint32)
    types = rng.choice([0x0, 0x2, 0x3, 0x4, 0x6, 0x8, 0xA, 0xA, 0xE], n).astype(np.uint32)
    words = words & np.uint32((1 << bits - 4) - 1) | types << np.uint32(bits - 4)
    is_high = types == 0x8
    words[is_high] = 0x8 << bits - 4 | np.arange(n, dtype=np.uint32)[is_high]
    return words.astype("<u4" if bits == 32 else "<u2").tobytes()


@pytest.mark.parametrize("encoding", ["evt2", "evt3"])
@given(st.integers(0, 300), st.integers(0, 1 << 32), st.lists(st.integers(0, 1200)))
def test_triggers_are_those_of_the_plain_reader(
    encoding: str, n: int, seed: int, cuts: list[int]
) -> None:
    words = _words(encoding, n, seed)
    decoder = {"evt2": _native.Evt2Decoder, "evt3": _native.Evt3Decoder}[encoding](346, 260)
    found: list[tuple[int, int, int]] = []
    ends = sorted(min(cut, len(words)) for cut in cuts)
    for start, end in zip([0, *ends], [*ends, len(words)], strict=True):
        decoder.decode(words[start:end])
        found += zip(*(column.tolist() for column in decoder.triggers), strict=True)
    assert found == _PLAIN[encoding](words)


@pytest.mark.parametrize(("encoding", "header"), [("evt2", EVT2_HEADER), ("evt3", RAW_HEADER)])
def test_a_recording_gives_its_triggers(tmp_path: Path, encoding: str, header: bytes) -> None:
    words = _words(encoding, 200_000, 5)[: 4000 if encoding == "evt3" else None]
    (tmp_path / "a").write_bytes(header + words)
    plain = _PLAIN[encoding](words)
    with _opened(tmp_path / "a") as recording:
        columns = [(p.t, p.id, p.value) for p in recording.triggers()]
        t, channel, value = (np.concatenate(c).tolist() for c in zip(*columns, strict=True))
        assert list(zip(t, channel, value, strict=True)) == plain
    assert {s.kind: s.count for s in inspect(tmp_path / "a").streams}["triggers"] == len(plain)


@pytest.mark.parametrize("legacy", [False, True])
def test_those_of_evt21_are_those_of_evt2_in_its_heads(legacy: bool) -> None:
    heads = np.frombuffer(_words("evt2", 5000, 6), "<u4")
    masks = np.zeros_like(heads)
    halves = (heads, masks) if legacy else (masks, heads)
    decoder = _native.Evt21Decoder(346, 260, legacy)
    decoder.decode(np.stack(halves, 1).tobytes())
    found = list(zip(*(column.tolist() for column in decoder.triggers), strict=True))
    assert found == reference.evt2(heads.tobytes())


def test_what_has_no_triggers_says_so(tmp_path: Path) -> None:
    class Plain:
        dropped: dict[str, int] = {}  # noqa: RUF012
        skipped: dict[str, int] = {}  # noqa: RUF012
        pending_bytes = 0
        damage = None

        def decode(self, data: bytes, /) -> tuple[object, ...]:
            raise AssertionError(data)

    (tmp_path / "a").write_bytes(b"12345678")
    with StreamRecording(RecordingFile(str(tmp_path / "a")), "dat", (4, 4), 0, Plain) as recording:
        assert [s.kind for s in recording.streams] == ["events"]
        with pytest.raises(RecordingError, match="dat has no trigger stream"):
            list(recording.triggers())


def _opened(path: Path) -> StreamRecording:
    recording = open_recording(path)
    assert isinstance(recording, StreamRecording)
    return recording


@pytest.mark.skipif(DATA is None, reason="SACCADE_DATA names no folder of recordings")
def test_a_real_recording_has_its_true_triggers() -> None:
    folder = Path(DATA or "") / "recordings"
    true = json.loads((folder / "golden.json").read_text())["evt3/pole_vga_triggers.raw"]
    with _opened(folder / "evt3/pole_vga_triggers.raw") as recording:
        times = np.concatenate([p.t for p in recording.triggers()])
    assert (len(times), int(times.sum())) == (true["triggers"], true["trigger_sum_t"])
