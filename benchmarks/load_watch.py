"""What a subscriber sees of a run under load, and what that says."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load_scenarios import BURST_US, PERIOD_US, WINDOW_US
from saccade.stream.subscriber import Subscriber
from saccade.stream.wire import LabelHeader, Message, StatusHeader

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Watched:
    """What a subscriber saw of a run, and what its process held.

    Attributes:
        labels: with their receipt, monotonic ns.
        states: the status messages.
        rss: resident megabytes, with the seconds since the beginning.
        open: descriptors and threads, with the same.
        ran, waited: seconds that its threads were on a processor, and were ready for one that
            others had; of the run and of the virtual camera.
    """

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self.labels: list[tuple[int, LabelHeader]] = []
        self.states: list[StatusHeader] = []
        self.rss: list[tuple[float, float]] = []
        self.open: list[tuple[float, float]] = []
        self.ran = {"run": 0.0, "camera": 0.0}
        self.waited = dict(self.ran)
        self._tasks: dict[str, tuple[str, float, float]] = {}  # the last of each thread
        self._process = process
        self._subscriber = Subscriber(address, ("label/", "status/"), until_end=True)
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def read(self) -> None:
        """Until the run has said that it ended, or is no more."""
        while not self._subscriber.ended:
            message = self._subscriber.receive(timeout_s=1.0)
            if message is not None:
                self._take(message)
            elif self._process.poll() is not None:
                break
        self._process.wait()
        self._thread.join()
        self._subscriber.close()

    def _take(self, message: Message) -> None:
        if isinstance(message.header, LabelHeader):
            self.labels.append((time.monotonic_ns(), message.header))
        elif isinstance(message.header, StatusHeader):
            self.states.append(message.header)

    def _sample(self) -> None:
        begun = time.monotonic()
        own = Path(f"/proc/{self._process.pid}")
        while self._process.poll() is None:
            try:
                resident = int((own / "statm").read_text().split()[1]) * 4096 / 1e6
                held = len(list((own / "fd").iterdir())) + self._look_at("run", own)
                children = (own / f"task/{self._process.pid}/children").read_text().split()
                for child in children:
                    self._look_at("camera", Path(f"/proc/{child}"))
            except (OSError, IndexError):  # it has just ended
                time.sleep(0.05)
                continue
            after = time.monotonic() - begun
            self.rss.append((after, resident))
            self.open.append((after, held))
            time.sleep(0.2)
        for whose, ran, waited in self._tasks.values():
            self.ran[whose] += ran
            self.waited[whose] += waited

    def _look_at(self, whose: str, process: Path) -> int:
        """Notes what the threads of a process have had so far; gives their number."""
        tasks = list((process / "task").iterdir())
        for task in tasks:
            ran, waited, _ = (task / "schedstat").read_text().split()
            self._tasks[task.name] = whose, int(ran) / 1e9, int(waited) / 1e9
        return len(tasks)

    def of_events(self) -> list[tuple[int, LabelHeader]]:
        """The labels of slices that hold any."""
        return [(at, header) for at, header in self.labels if header.n_events]


def latencies_ms(watched: Watched) -> Floats:
    """Of each label of events: from its slice's end by the sensor's clock to its receipt.

    The sensor's clock is set against ours by the arrival that was quickest.
    """
    labels = watched.of_events()
    if not labels:
        return np.array([], np.float64)
    offset_ns = min(header.clock_offset_ns for _, header in labels)
    return np.array([at - header.t_end_us * 1000 - offset_ns for at, header in labels]) / 1e6


def settled(watched: Watched) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of these slices begin two windows after the last burst or later; bursts end periods."""
    begins = np.array([header.t_begin_us for _, header in watched.of_events()], np.int64)
    at = begins % PERIOD_US
    return (at >= 2 * WINDOW_US) & (at + WINDOW_US <= PERIOD_US - BURST_US)


def settled_ms(watched: Watched) -> float:
    """The latest of these labels, after the arrival of its slice's last event."""
    labels = watched.of_events()
    late = np.array([at - header.received_ns for at, header in labels])[settled(watched)] / 1e6
    return round(float(late.max(initial=0.0)), 2)


def pause_ms(watched: Watched) -> float:
    """The longest time between two labels of events."""
    at = [received for received, _ in watched.of_events()]
    return round(float(np.diff(at).max(initial=0)) / 1e6, 1)


def growth(samples: list[tuple[float, float]]) -> float:
    """More of it a minute, in the second half of the samples, the end left out.

    The median slope between any two (Theil and Sen): what leaks grows between all of them, while
    the allocator's one step, when a backlog was longer than any before, is between few.
    """
    half = samples[len(samples) // 2 : -5]
    if len(half) < 2:
        return 0.0
    seconds, values = np.array(half).T
    first, second = np.triu_indices(len(half), 1)
    slopes = (values[second] - values[first]) / (seconds[second] - seconds[first])
    return round(float(np.median(slopes)) * 60, 2)
