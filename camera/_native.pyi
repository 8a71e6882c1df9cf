"""Types of the native core (camera/native)."""

import enum
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from saccade.camera.errors import SaccadeError

class FrameKind(enum.Enum):
    paper = 0
    signed = 1
    clamped = 2

class Counting(enum.Enum):
    sensor = 0
    encoder = 1

class FrameMaker:
    def __init__(
        self,
        width: int,
        height: int,
        size: int,
        kind: FrameKind,
        counting: Counting,
        clamp: int,
    ) -> None: ...
    def add(self, x: NDArray[np.uint16], y: NDArray[np.uint16], on: NDArray[np.bool_]) -> None: ...
    def finish(self, out: NDArray[np.float32]) -> None: ...
    def clear(self) -> None: ...
    def counts(self) -> NDArray[np.uint16]: ...
    @property
    def saturated(self) -> int: ...
    @property
    def out_of_bounds(self) -> int: ...

class Polarity(enum.Enum):
    both = 0
    on = 1
    off = 2

class EventFilter:
    """See saccade.camera.filters; the region is x, y, columns, rows; a period of 0 us is off."""

    def __init__(
        self,
        width: int,
        height: int,
        x: int,
        y: int,
        columns: int,
        rows: int,
        polarity: Polarity,
        learn_hot: bool,
        refractory_us: int,
        background_us: int,
    ) -> None: ...
    def mask(self, hot: NDArray[np.bool_]) -> None:
        """Masks these pixels from now on, bool [height, width]."""

    def apply(
        self,
        t: NDArray[np.uint64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        on: NDArray[np.bool_],
    ) -> tuple[_Columns, NDArray[np.bool_]]:
        """The columns of the events that pass, and for each of the N whether it did."""

    def hot_pixels(self) -> NDArray[np.bool_]: ...
    @property
    def learning(self) -> bool: ...
    @property
    def removed(self) -> dict[str, int]: ...

class _Representation:
    """`fill` takes the columns of all packets of a slice, having checked all of them before.

    It writes `out`, or where that is None `array`, which is this object's memory.
    """

    @property
    def out_of_bounds(self) -> int: ...

class _Histogram(_Representation):
    def __init__(self, width: int, height: int) -> None: ...
    @property
    def saturated(self) -> int: ...

class Histogram16(_Histogram):
    def fill(self, packets: list[_Columns], out: NDArray[np.uint16] | None) -> None: ...
    @property
    def array(self) -> NDArray[np.uint16]: ...

class HistogramF(_Histogram):
    def fill(self, packets: list[_Columns], out: NDArray[np.float32] | None) -> None: ...
    @property
    def array(self) -> NDArray[np.float32]: ...

class VoxelGrid(_Representation):
    def __init__(self, width: int, height: int, bins: int) -> None: ...
    def fill(
        self,
        packets: list[_Columns],
        begin_us: int,
        end_us: int,
        normalise: bool,
        out: NDArray[np.float32] | None,
    ) -> None: ...
    @property
    def array(self) -> NDArray[np.float32]: ...

class TimeSurface(_Representation):
    def __init__(self, width: int, height: int, linear: bool, tau_us: int) -> None: ...
    def fill(
        self, packets: list[_Columns], now_us: int, out: NDArray[np.float32] | None
    ) -> None: ...
    def forget(self) -> None: ...
    @property
    def array(self) -> NDArray[np.float32]: ...

cuda_built: bool  # the kernels are in this build

class CudaError(SaccadeError): ...

class CudaSource(enum.Enum):
    packed = 0
    evt2 = 1
    evt3 = 2

class HostDevice:
    """The kernels' code on the host: `blocks` of `threads` (1 to 256), in an order by `seed`."""

    def __init__(self, blocks: int, threads: int, seed: int, integrated: bool) -> None: ...

class DeviceFrameMaker:
    """See saccade.camera.cuda; streams are cudaStream_t, graphs what `capture` gave (-1: none)."""

    def add_packed(
        self,
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        on: NDArray[np.bool_],
        stream: int,
        graph: int = -1,
    ) -> None: ...
    def add_words(
        self,
        source: CudaSource,
        data: NDArray[np.uint8],
        t_begin: int,
        t_end: int,
        again: bool,
        stream: int,
        graph: int = -1,
    ) -> None: ...
    def add_array(
        self,
        source: CudaSource,
        array: object,
        t_begin: int,
        t_end: int,
        again: bool,
        stream: int,
        graph: int = -1,
    ) -> None: ...
    def finish(self, address: int, channels: int, half: bool, stream: int) -> None: ...
    def finish_array(self, out: object, stream: int) -> None: ...
    def capture(self, source: CudaSource, address: int, channels: int, half: bool) -> int: ...
    def frame(self, channels: int, half: bool) -> object: ...
    def frame_to_host(self, channels: int, half: bool, stream: int) -> NDArray[np.float32]: ...
    def counts(self, stream: int) -> NDArray[np.uint16]: ...
    def clear(self, stream: int) -> None: ...
    def tallies(self, stream: int) -> dict[str, int]: ...
    def synchronise(self, stream: int) -> None: ...
    @property
    def stream(self) -> int: ...
    @property
    def integrated(self) -> bool: ...
    @property
    def device(self) -> tuple[int, int]: ...
    @property
    def pending_bytes(self) -> int: ...

def word_states(
    source: CudaSource, words: NDArray[np.uint32], start: int, seed: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A decoder's state after all words, for tests of the operator that joins runs of words.

    One word after the other; and as the words up to `start` set it, followed by the rest as one
    run, put together from halves that `seed` chooses.
    """

def cuda_frame_maker(
    device: int,
    width: int,
    height: int,
    size: int,
    kind: FrameKind,
    counting: Counting,
    clamp: int,
    slot_bytes: int,
) -> DeviceFrameMaker: ...
def host_frame_maker(
    device: HostDevice,
    width: int,
    height: int,
    size: int,
    kind: FrameKind,
    counting: Counting,
    clamp: int,
    slot_bytes: int,
) -> DeviceFrameMaker: ...

class CudaForm(enum.Enum):
    histogram = 0
    voxels = 1
    surface = 2

class CudaValue(enum.Enum):
    uint16 = 0
    float32 = 1
    float16 = 2

class CudaSettings:
    def __init__(
        self,
        form: CudaForm,
        width: int,
        height: int,
        planes: int,
        value: CudaValue,
        normalise: bool = False,
        measure: bool = False,
        linear: bool = False,
        tau_us: int = 1,
        memory: bool = True,
    ) -> None: ...

class DeviceRepresentation:
    """See saccade.camera.cuda_representations; address 0 is the accumulator's own array."""

    def make(
        self,
        packets: list[_Columns],
        begin_us: int,
        end_us: int,
        address: int,
        stream: int,
        graph: int = -1,
    ) -> None: ...
    def make_packed(
        self,
        events: object,
        times: object | None,
        begin_us: int,
        end_us: int,
        address: int,
        stream: int,
        graph: int = -1,
    ) -> None: ...
    def capture(self, address: int) -> int: ...
    def address_of(self, out: object) -> int:
        """Where a device's array of the accumulator's shape and type lies."""
    def array(self) -> object: ...
    def array_to_host(self, out: NDArray[Any], stream: int) -> None: ...
    def tallies(self, stream: int) -> dict[str, int]: ...
    def synchronise(self, stream: int) -> None: ...
    @property
    def stream(self) -> int: ...
    @property
    def device(self) -> tuple[int, int]: ...

def cuda_representation(
    device: int, settings: CudaSettings, slot_bytes: int
) -> DeviceRepresentation: ...
def host_representation(
    device: HostDevice, settings: CudaSettings, slot_bytes: int
) -> DeviceRepresentation: ...

max_top: int  # labels that an embedding can get on a device

class DeviceRunner:
    """What an engine needs of a device; addresses are the device's, streams are cudaStream_t."""

    def allocate(self, bytes: int) -> int:
        """The address of memory of the device, zeros, kept for the runner's life."""
    def pinned(self, bytes: int) -> NDArray[np.uint8]:
        """Memory of the host that is copied from and to at full speed."""
    def copy(self, to: int, from_: int, bytes: int, stream: int) -> None: ...
    def capture(self, queue: Callable[[], None]) -> int:
        """A CUDA graph of what `queue` queues on the runner's stream; what it raises is raised."""
    def run(self, graph: int, stream: int) -> None:
        """Launches a graph and waits for the stream."""
    def synchronise(self, stream: int) -> None: ...
    def forget_graphs(self) -> None: ...
    def set_vocabulary(self, bank: NDArray[np.float32], scale: float, top: int) -> None:
        """Labels from now on, of a bank float32 [L, D]; graphs that label go on with it. Waits."""
    def label(
        self,
        embeddings: int,
        rows: int,
        dimension: int,
        half: bool,
        indices: int,
        scores: int,
        stream: int,
    ) -> None:
        """The best labels of [rows, dimension] float32 or float16, at most 8 rows.

        Into uint32 [rows, max_top] and float32 [rows, max_top], the best first; nothing where no
        vocabulary was set.
        """
    @property
    def stream(self) -> int: ...
    @property
    def integrated(self) -> bool: ...

def cuda_runner(device: int) -> DeviceRunner: ...
def host_runner(device: HostDevice) -> DeviceRunner: ...

class LightImage:
    def __init__(self, light: NDArray[np.float32]) -> None: ...
    def show(
        self,
        a0: float,
        a1: float,
        a2: float,
        a3: float,
        a4: float,
        a5: float,
        fill: float,
        out: NDArray[np.float32],
    ) -> None: ...

class Simulator:
    def __init__(
        self,
        width: int,
        height: int,
        threshold_on: float,
        threshold_off: float,
        threshold_sigma: float,
        refractory_us: int,
        leak_hz: float,
        noise_hz: float,
        noise_in_light: float,
        dark: float,
        seed: int,
        settled: bool,
        threads: int,
    ) -> None: ...
    def step(self, log_frame: NDArray[np.float32], t_us: int) -> _Columns: ...
    def look(
        self,
        image: LightImage,
        affines: NDArray[np.float64],
        fill: float,
        times_us: NDArray[np.uint64],
    ) -> _Columns: ...

# t uint64 [N] us, x uint16 [N], y uint16 [N], on bool [N]
_Columns = tuple[NDArray[np.uint64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_]]
_Bytes = Buffer | NDArray[np.uint8]

_Simd = Literal["none", "neon", "avx2", "avx512"]

def allow_simd(most: _Simd) -> None:
    """Decoders made from now on take no wider path than this: for tests that compare them."""

def simd() -> _Simd:
    """The widest path that decoders made now take: what the processor has and was allowed."""

class FiniteRows:
    """Looks again and again at float32 [N, D], which must keep its place."""

    def __init__(self, rows: NDArray[np.float32]) -> None: ...
    def first_bad(self, n: int) -> int:
        """The first of the first `n` rows with a nan or an infinity; -1 where all are finite."""

class Scorer:
    """Scores by rows float32 [N, D]; names[i] has those from starts[i] on, int64 [L], rising.

    A score is the largest product of a label's rows with the embedding, or where `scale` is not 0,
    softmax(scale * product) over the labels. Embeddings are float32 [D], finite.
    """

    def __init__(
        self,
        rows: NDArray[np.float32],
        starts: NDArray[np.int64],
        names: tuple[str, ...],
        scale: float,
    ) -> None: ...
    def scores(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of every label, float32 [L]."""

    def best(
        self, embedding: NDArray[np.float32], top: int
    ) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """The names of the `top` highest scores, best first, equal ones in order; and these."""

def best(scores: NDArray[np.float32], top: int) -> tuple[list[int], list[float]]:
    """Where the `top` highest of float32 [N] lie, best first, equal ones in order; and they."""

def cpu_features() -> list[str]:
    """What the processor has of avx2, avx512, avx512_vnni and neon."""

class WordCutter:
    """Finds where slices of `window_us` end in EVT2 or EVT3 words, for others to decode.

    Its rules are `SliceCounter`'s; sides are from 1 to 2048 pixels.
    """

    def __init__(self, evt3: bool, width: int, height: int, window_us: int) -> None: ...
    def cut(self, data: memoryview) -> int:
        """Reads whole words until a slice is due; the bytes of those that belong to it.

        The next call begins behind them. Releases the GIL. Raises ValueError where one is due.
        """

    def take(self) -> tuple[int, int, int, int, int, int] | None:
        """The slice that is due, as `SliceCounter.take` gives it; None where none is."""

    def finish(self) -> None:
        """No word follows: what was read is due."""

    @property
    def word_bytes(self) -> int:
        """Of one word."""

    @property
    def due(self) -> bool:
        """Whether a slice is over."""

    @property
    def events(self) -> int:
        """Events on the sensor so far."""

    @property
    def lead(self) -> bytes:
        """Words that bring a new decoder to where `cut` stopped, but for the time."""

    @property
    def dropped(self) -> dict[str, int]:
        """Events left out so far, by class, as the decoders count them."""

    @property
    def skipped(self) -> dict[str, int]:
        """Words that were no events so far, by class, as the decoders count them."""

class SliceCounter:
    """Counts events slice by slice: slices of `window_us`, or of `count` events where that is 0.

    Its rules are those of `saccade.camera.slicing`, for slices without gap or overlap. Past
    `most_empty` slices without an event, the windows leap to the next one.
    """

    def __init__(
        self, maker: FrameMaker, window_us: int, count: int, most_empty: int = 1000
    ) -> None: ...
    def add(
        self,
        t: NDArray[np.uint64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        on: NDArray[np.bool_],
    ) -> int:
        """Counts events until a slice is due, and says how many; releases the GIL.

        Raises ValueError where one is due already.
        """

    def finish(self) -> None:
        """No event follows: what is counted is due."""

    def begin_anew(self) -> None:
        """The clock of what follows begins anew: what is counted is due.

        Raises ValueError where a slice is due already.
        """

    def advance(self, t_us: int) -> None:
        """The clock has come to `t_us` without an event: windows that are over are due.

        Raises ValueError where one is due already.
        """

    def take(self, out: NDArray[np.float32]) -> tuple[int, int, int, int, int, int] | None:
        """The slice that is due, its frame in `out`, float32 [size, size]; None where none is.

        The slice: its window's begin and end (us), the time of its newest event, the indices of
        its first event and of the one behind its last, restarts of the grid so far.
        """

    def take_seen(self) -> tuple[int, int]:
        """Times (us) of the first and the last event since it was asked; of one or more."""

    @property
    def on(self) -> int:
        """ON events of the slice being filled, or due; of those that saturate a counter, 65,535."""

    @property
    def due(self) -> bool: ...
    @property
    def events(self) -> int: ...

class _Decoder:
    """A state machine for any chunking; see saccade.camera.formats.stream. One thread at a time."""

    def decode(self, data: _Bytes) -> _Columns:
        """The events of the next bytes (uint8 [N], contiguous); releases the GIL."""

    @property
    def dropped(self) -> dict[str, int]: ...
    @property
    def skipped(self) -> dict[str, int]: ...
    @property
    def pending_bytes(self) -> int: ...
    @property
    def damage(self) -> tuple[str, int] | None: ...

class _CountingDecoder(_Decoder):
    def count(self, data: _Bytes, slices: SliceCounter) -> int:
        """Counts the events of the next bytes until a slice is due; the bytes that it took.

        Releases the GIL. Raises ValueError where a slice is due already, or where the frames are of
        a smaller sensor.
        """

class _EvtDecoder(_CountingDecoder):
    @property
    def triggers(self) -> tuple[NDArray[np.uint64], NDArray[np.uint8], NDArray[np.uint8]]:
        """t us, id and value of the triggers that the last `decode` met, those with a time."""

class Evt2Decoder(_EvtDecoder):
    """Prophesee EVT2.

    dropped: before_time, out_of_bounds, unknown_word (words).
    skipped: triggers, others, continued, time_backwards.
    """

    def __init__(self, width: int, height: int) -> None: ...

def count_reserved_evt3(words: _Bytes) -> int:
    """How many of the whole EVT3 words are of a type that no sensor sends."""

class Evt3Decoder(_EvtDecoder):
    """Prophesee EVT3; x and y have 11 bits: a vector past x = 2047 is out of bounds for any width.

    dropped: before_time, missing_y, missing_base, out_of_bounds, unknown_word (words).
    skipped: triggers, others, continued, time_backwards.
    """

    def __init__(self, width: int, height: int) -> None: ...
    @property
    def state(self) -> tuple[int, int, int, int, bool] | None:
        """What the words so far have set for those to come; None before the first TIME_HIGH.

        TIME_HIGH with its wraps, TIME_LOW, the row, x of the next vector's first bit (-1 before the
        first of either), and that vector's polarity.
        """

    def copy(self) -> Evt3Decoder:
        """Another in the same state, with the same counts."""

class Aedat2Layout(enum.Enum):
    dvs128 = 0
    davis = 1

class Aedat2Decoder(_Decoder):
    """AEDAT 2.0.

    dropped: out_of_bounds.
    skipped: special, aps, imu (words), time_backwards.
    """

    def __init__(self, width: int, height: int, layout: Aedat2Layout) -> None: ...

class Aedat3Decoder(_Decoder):
    """AEDAT 3.1, from the first packet's header on; `pending_bytes` are a packet's.

    Args:
        png_frames: packets of frames may be compressed.

    dropped: out_of_bounds, marked_invalid, negative_time.
    skipped: special, frames, imu, others (events of other types), time_backwards.
    """

    def __init__(self, width: int, height: int, png_frames: bool) -> None: ...

class EsKind(enum.Enum):
    dvs = 0
    atis = 1
    colour = 2

class EsDecoder(_CountingDecoder):
    """Event Stream. dropped: out_of_bounds. skipped: exposures (of an ATIS)."""

    def __init__(self, width: int, height: int, kind: EsKind) -> None: ...

class NmnistDecoder(_Decoder):
    """N-MNIST. dropped: out_of_bounds. skipped: time_overflows, time_backwards."""

    def __init__(self, width: int, height: int) -> None: ...

class TextLayout:
    """Of lines of text.

    Args:
        columns: the letters t, x, y, p in the order of the columns.
        seconds: times are decimal seconds, else whole us.
        first_line: number of the first line to come, for messages.
        total_bytes: where the text ends, so that the last line may lack its line feed; 0 unknown.
    """

    def __init__(
        self, columns: str, seconds: bool, first_line: int = 1, total_bytes: int = 0
    ) -> None: ...

class TextDecoder(_Decoder):
    """Lines of text. dropped: out_of_bounds. skipped: time_backwards."""

    def __init__(self, width: int, height: int, layout: TextLayout) -> None: ...

class Evt21Decoder(_EvtDecoder):
    """Prophesee EVT2.1; x and y have 11 bits, as in EVT3.

    Args:
        legacy: a word's head comes before its mask (as the IMX636 sends them), not after it.

    dropped: before_time, out_of_bounds, unknown_word (words).
    skipped: triggers, others, continued, time_backwards.
    """

    def __init__(self, width: int, height: int, legacy: bool) -> None: ...

class DatDecoder(_CountingDecoder):
    """Prophesee DAT of version 1 or 2, from the first record on.

    The 32-bit time wraps after 71 min 35 s: a fall by more than half of that is a wrap.

    dropped: out_of_bounds.
    skipped: time_backwards.
    """

    def __init__(self, width: int, height: int, version: int) -> None: ...

class _PacketDecoder(_Decoder):
    """An encoding of event_camera_msgs/EventPacket, whose packets have time bases of their own."""

    def __init__(self, width: int, height: int) -> None: ...
    def announce(self, time_base: int, n_bytes: int) -> None:
        """A packet of n_bytes (whole words) follows those announced before (uint64, uint64)."""

class LibcaerDecoder(_PacketDecoder):
    """libcaer's polarity events; time base in ns.

    dropped: out_of_bounds, marked_invalid, negative_time. skipped: time_backwards.
    """

class LibcaerCmpDecoder(_PacketDecoder):
    """libcaer's events in 16-bit words; time base in ns.

    dropped: missing_x, missing_base, out_of_bounds, unknown_word (words). skipped: time_backwards.
    """

class MonoDecoder(_PacketDecoder):
    """64-bit words; time base and times in ns, of which whole us are given.

    dropped: out_of_bounds. skipped: time_backwards.
    """

def read_aedat4_header(data: _Bytes) -> tuple[int, int, bytes]:
    """Compression, table position (-1 unknown) and XML of a size-prefixed IOHeader.

    Raises ValueError with what is wrong where the flatbuffer is damaged.
    """

def read_aedat4_table(data: _Bytes) -> tuple[NDArray[np.int64], ...]:
    """Columns of a decompressed FTAB, int64 [N]: offset, stream, size, events, first us, last us.

    The offset is that behind the packet's 8-byte header. Raises ValueError where it is damaged.
    """

def decode_events(payload: _Bytes, width: int, height: int) -> tuple[_Columns, dict[str, int]]:
    """The events of a decompressed EVTS payload, and dropped: out_of_bounds, negative_time.

    Raises ValueError with what is wrong where the flatbuffer is damaged.
    """

def unpack_lz4(data: _Bytes, limit: int) -> NDArray[np.uint8] | None:
    """The content of all LZ4 frames in `data`, uint8 [N]; None where it is more than `limit` bytes.

    Checks every checksum and stated size; releases the GIL. Raises ValueError with what is wrong
    where a frame is damaged or not finished, or where bytes that are no frame follow the last one.
    """

def whole_aedat4_packets(data: _Bytes, streams: list[int], wanted: int, limit: int) -> int:
    """Bytes of the whole packets, headers included, at the start of `data`.

    Ends before a packet that is cut off, is of none of `streams`, or states a size below 0 or (one
    of `wanted`) above `limit`.
    """

class Aedat4BatchDecoder:
    """Packets as they lie in the file to columns, in memory that is kept. One thread at a time."""

    def __init__(self, stream: int, lz4: bool, width: int, height: int) -> None: ...
    def unfold(self, data: _Bytes, limit: int, first_limit: int) -> tuple[int, int, str | None]:
        """Takes whole packets while they unfold to `limit` bytes, the first to `first_limit`.

        Returns the bytes taken; how many packets among them were of other streams; what is wrong
        with the packet behind them (None: nothing). Keeps `data`; releases the GIL. Raises
        ValueError where a packet is not whole.
        """

    def add(self, payload: _Bytes) -> None:
        """Takes one more packet, unfolded already; raises ValueError where it is damaged."""

    def events(self) -> tuple[_Columns, dict[str, int]]:
        """The events of what was taken, and dropped: out_of_bounds, negative_time."""

    def count(self, slices: SliceCounter) -> bool:
        """Counts them until a slice is due: False then, True where all are counted."""

    def take_dropped(self) -> dict[str, int]:
        """What `count` left out since it was last asked."""

    def clear(self) -> None:
        """Lets go of what was taken."""

class Aedat4Pass:
    """One pass over an uncompressed file's packets in [offset, end), on any number of threads.

    The packets of stream `wanted` are decoded, those of the others passed over. The calling thread
    is one of `threads`; the others read ahead a few parts of about 1 MiB. Reads a duplicate of the
    descriptor `file`. Raises OSError where there is none to be had.
    """

    def __init__(
        self,
        file: int,
        offset: int,
        end: int,
        streams: list[int],
        wanted: int,
        width: int,
        height: int,
        threads: int,
    ) -> None: ...
    def next(self) -> tuple[int, int, str | None, _Columns, dict[str, int]] | None:
        """The next packets' events; releases the GIL.

        None behind a damaged packet, and where what follows is the end, or a packet that is larger
        than 2 MiB, not whole, or of none of `streams`.

        Returns the byte offset behind them; how many were of other streams; what is wrong with the
        packet that follows (None: nothing); the columns; and dropped: out_of_bounds, negative_time.
        """

class _Encoder:
    """Events to words, in their order; times are written from `origin_us` on. One thread at a time.

    Coordinates must be below 2048 and, in EVT3, below `width`.
    """

    def __init__(self, width: int, origin_us: int) -> None: ...
    def encode(
        self,
        t: NDArray[np.uint64],
        x: NDArray[np.uint16],
        y: NDArray[np.uint16],
        on: NDArray[np.bool_],
    ) -> NDArray[np.uint8]:
        """The words of these events (contiguous columns), uint8 [N]; releases the GIL.

        Raises ValueError, having changed nothing, where a time lies before the origin, or gaps
        and falls of the times would take more than 2^22 words of TIME_HIGH in all.
        """

    def undo(self) -> None:
        """Takes back the last `encode`, whose bytes reached no file."""

class Evt3Encoder(_Encoder): ...
class Evt2Encoder(_Encoder): ...

def encode_csv(
    t: NDArray[np.uint64],
    x: NDArray[np.uint16],
    y: NDArray[np.uint16],
    on: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Lines `t,x,y,on` of these events (contiguous columns), as ASCII, uint8 [N]."""

def read_aedat4_frame(
    payload: _Bytes,
) -> tuple[int, int, int, tuple[int, int, int], tuple[int, int], int]:
    """Time, exposure begin and end (us), shape [H, W, C], position x, y, and where in the FRME
    payload the pixels start.

    Raises ValueError with what is wrong where the flatbuffer is damaged.
    """

def read_aedat4_imu(
    payload: _Bytes,
) -> tuple[
    NDArray[np.uint64],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    int,
]:
    """t us [N], temperature [N], accelerometer, gyroscope and magnetometer [3 N] (x, y, z of each
    sample), and how many samples were dropped for a negative time.

    Raises ValueError with what is wrong where the flatbuffer is damaged.
    """

def read_aedat4_triggers(payload: _Bytes) -> tuple[NDArray[np.uint64], NDArray[np.uint8], int]:
    """t us [N], kind [N], and how many triggers were dropped for a negative time.

    Raises ValueError with what is wrong where the flatbuffer is damaged.
    """

def decode_ecf(
    chunk: _Bytes, width: int, height: int, limit: int
) -> tuple[_Columns, dict[str, int], int, tuple[str, int] | None]:
    """One ECF chunk of a Metavision HDF5 file.

    Gives its first `limit` events, dropped (out_of_bounds, negative_time), the number of events
    that its header states, and what is damaged at which byte of it (then it has no events).
    """
