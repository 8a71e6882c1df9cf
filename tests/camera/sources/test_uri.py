"""A source's URI: one clear line for what cannot be."""

from __future__ import annotations

import pytest

from saccade.camera.errors import SaccadeError
from saccade.camera.sources import is_source, open_source
from saccade.camera.sources.sim_options import Burst, Fault, read_options
from saccade.camera.sources.uri import SourceUri


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("scene", "not scheme://place?key=value; write it like"),
        ("usb://1", "no source is called usb://; write sim://scene?rate=1M, dv-tcp://HOST:PORT"),
        ("sim://", None),
        ("sim://moon", "no scene is called 'moon'; scenes are scene, image, noise, sample"),
        ("sim://scene?rate", "bad query"),
        ("sim://scene?rate=", "rate has no value; give a number"),
        ("sim://scene?rate=fast", "rate=fast; rate must be a number, such as 0.5, 200k or 50M"),
        ("sim://scene?rate=-1", "rate=-1; rate must be a number"),
        ("sim://scene?rate=9G", "rate=9G; rate must be from 0 to"),
        ("sim://scene?rate=1&rate=2", "rate is given twice"),
        ("sim://scene?rat=1", "unknown key rat; sim:// knows burst, "),
        ("sim://scene?size=0x7", "size=0x7; write WxH of 1 to 8192"),
        ("sim://scene?size=4096x16", "EVT3 has sides of at most 2048; encoding=dv"),
        ("sim://scene?encoding=evt9", "encoding is evt3 or dv"),
        ("sim://scene?stall=2s", "stall=2s; write when and how far"),
        ("sim://scene?stall=2s:0s", "times must be above 0"),
        ("sim://scene?burst=1M&burst_for=2s", "make the bursts shorter"),
        ("sim://scene?seed=1.5", "seed must be a whole number"),
        ("sim://scene#x", "not scheme://"),
        ("sim://image", "no image is named; write sim://image?path=cup.png"),
        ("sim://scene?motion=fly", "motion is circle or saccades or walk or zoom or rotate"),
        ("dv-tcp://localhost", "write it like dv-tcp://127.0.0.1:7777"),
        ("dv-tcp://localhost:99999", "not HOST:PORT"),
    ],
)
def test_what_cannot_be_is_one_line(uri: str, says: str | None) -> None:
    if says is None:
        read_options(SourceUri(uri))
        return
    with pytest.raises(SaccadeError, match="^source ") as found:
        open_source(uri)
    assert says in str(found.value)
    assert "\n" not in str(found.value)


def test_a_uri_is_told_from_a_path() -> None:
    assert is_source("sim://scene") and is_source("nonsense://x")
    assert not is_source("a.aedat4") and not is_source("/tmp/x:y") and not is_source("C:/x")


def test_every_key_of_a_virtual_camera() -> None:
    text = (
        "sim://noise?rate=2.5k&size=64x32&seconds=1.5&burst=1M&burst_for=50ms&burst_every=2s"
        "&encoding=dv&fifo=5ms&drop=0.1&garbage=0.2&unplug=2s&replug=300ms&stall=1s:10ms"
        "&jump=500ms:-2h&every=10s&seed=7&serial=A1"
    )
    options = read_options(SourceUri(text))
    assert (options.width, options.height, options.rate, options.seconds) == (64, 32, 2500, 1.5)
    assert options.burst == Burst(1e6, 50_000, 2_000_000)
    assert (options.encoding, options.fifo_us, options.drop, options.garbage) == (
        "dv", 5_000, 0.1, 0.2,
    )  # fmt: skip
    assert options.faults == (
        Fault("jump", 500_000, -7_200_000_000),
        Fault("stall", 1_000_000, 10_000),
        Fault("unplug", 2_000_000, 300_000),
    )
    assert (options.every_us, options.seed, options.serial) == (10_000_000, 7, "A1")


def test_control_characters_reach_no_terminal() -> None:
    with pytest.raises(SaccadeError) as found:
        open_source("sim://\x1b[2J?a=\x1b")
    assert "\x1b" not in str(found.value)
