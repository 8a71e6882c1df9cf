"""The event simulator again in plain Python, pixel by pixel: slow, and bit for bit the same."""

from __future__ import annotations

import math

import numpy as np

F = np.float32
_MASK = (1 << 64) - 1


class Random:
    """splitmix64."""

    def __init__(self, seed: int) -> None:
        self.state = seed & _MASK

    def next(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _MASK
        return z ^ (z >> 31)

    def uniform(self) -> float:
        return (self.next() >> 11) * 2.0**-53

    def gaussian(self) -> float:
        z = self.next()
        total = sum((z >> shift) & 0xFFFF for shift in (0, 16, 32, 48))
        return (total - 131070.0) / 37837.22


class Simulator:
    """See `camera.simulate.Simulator`; `step` gives sorted rows (t, y, x, on)."""

    def __init__(self, sensor, seed: int, dark: float, settled: bool = True) -> None:
        self.sensor, self.dark, self.settled = sensor, dark, settled
        self.random = Random(seed)
        self.rows = [
            Random(seed ^ (0xD1B54A32D192ED03 * (y + 1) & _MASK)) for y in range(sensor.height)
        ]
        self.noise_at = [self._gap(row) for row in self.rows]
        shape = (sensor.height, sensor.width)
        self.on = np.full(shape, sensor.threshold_on, F)
        self.off = np.full(shape, sensor.threshold_off, F)
        self.ready = np.zeros(shape, np.uint64)
        self.leaked = np.zeros(sensor.height, F)
        self.now = 0
        self.light = self.memory = None
        if sensor.threshold_sigma > 0:
            sigma, floor = float(F(sensor.threshold_sigma)), F(0.25)
            for place in np.ndindex(shape):
                for limits, value in ((self.on, sensor.threshold_on),
                                      (self.off, sensor.threshold_off)):  # fmt: skip
                    drawn = F(float(F(value)) + sigma * self.random.gaussian())
                    limits[place] = max(drawn, floor * F(value))

    def _gap(self, row: Random) -> float:
        if self.sensor.noise_hz <= 0:
            return math.inf
        return -math.log(1 - row.uniform()) * 1e6 / float(F(self.sensor.noise_hz))

    def step(self, frame, t_us: int) -> list[tuple[int, int, int, bool]]:
        if self.light is None:
            self._start(frame)
            self.now = t_us
            return []
        found = []
        for y in range(self.sensor.height):
            found += self._row(y, frame[y], t_us - self.now)
        self.now = t_us
        return sorted(found, key=lambda event: (event[0], event[1]))

    def _start(self, frame) -> None:
        self.light, self.memory = frame.copy(), frame.copy()
        if self.settled:
            for place in np.ndindex(frame.shape):
                spread = F(self.random.uniform()) * (self.on[place] + self.off[place])
                self.memory[place] = frame[place] - self.on[place] + spread

    def _row(self, y: int, frame, interval: int):
        before = self.leaked[y]
        self.leaked[y] += F(float(F(self.sensor.leak_hz)) * interval * 1e-6)
        fired = []
        if not self._rests(y, frame):
            for x in range(self.sensor.width):
                fired += self._cross(y, x, frame[x], before, interval)
            self.light[y] = frame
            self.leaked[y] = 0
        noise = self._noise(y, interval)
        if noise:
            fired = sorted(fired + noise)
        return [(self.now + dt, y, x, on) for x, dt, on in fired if self._sees(y, x, self.now + dt)]

    def _rests(self, y: int, frame) -> bool:
        if not np.array_equal(frame, self.light[y]):
            return False
        slack = (F(1) - (self.light[y] - self.memory[y]) / self.on[y]).min()
        return self.leaked[y] == 0 or self.leaked[y] < max(slack, F(0))

    def _cross(self, y: int, x: int, light, before, interval: int):
        on_at, off_at, after = self.on[y, x], self.off[y, x], self.leaked[y]
        begin = self.light[y, x] - self.memory[y, x] + before * on_at
        end = light - self.memory[y, x] + after * on_at
        on = bool(end > 0)
        sign = F(1 if on else -1)
        start, to, step = sign * begin, sign * end, on_at if on else off_at
        done, fired = F(0), []
        while to - done >= step:
            done += step
            slope = 0.0 if to == start else interval / float(to - start)
            dt = min(max(float(done - start) * slope, 0.0), float(interval))
            fired.append((x, int(dt), on))
        self.memory[y, x] += sign * done
        self.memory[y, x] -= after * on_at
        return fired

    def _noise(self, y: int, interval: int):
        row, width, fired = self.rows[y], self.sensor.width, []
        while self.noise_at[y] < width * interval:
            x = min(int(self.noise_at[y] / interval), width - 1)
            dt = self.noise_at[y] - x * interval
            on = bool(row.next() & 1)
            keep = True
            if self.sensor.noise_in_light < 1:
                bright = np.clip(np.exp(self.light[y, x]) - F(self.dark), F(0), F(1))
                keep = row.uniform() >= (F(1) - F(self.sensor.noise_in_light)) * bright
            if keep:
                fired.append((x, int(min(max(dt, 0.0), interval)), on))
            self.noise_at[y] += self._gap(row)
        self.noise_at[y] -= width * interval
        return fired

    def _sees(self, y: int, x: int, t: int) -> bool:
        if t < self.ready[y, x]:
            return False
        if self.sensor.refractory_us:
            self.ready[y, x] = t + self.sensor.refractory_us
        return True


def show(image, affine, fill: float, width: int, height: int):
    """The view of an image that `LightImage.show` gives."""
    rows, columns = image.shape
    out = np.empty((height, width), F)
    for y, x in np.ndindex(height, width):
        u = affine[0] * x + (affine[1] * y + affine[2])
        v = affine[3] * x + (affine[4] * y + affine[5])
        outside = u < -0.5 or v < -0.5 or u > columns - 0.5 or v > rows - 0.5
        if outside and not math.isnan(fill):
            out[y, x] = fill
            continue
        u, v = min(max(u, 0.0), columns - 1.0), min(max(v, 0.0), rows - 1.0)
        left, top = min(int(u), max(columns - 2, 0)), min(int(v), max(rows - 2, 0))
        right, bottom = min(left + 1, columns - 1), min(top + 1, rows - 1)
        fx, fy = F(u - left), F(v - top)
        upper = image[top, left] + fx * (image[top, right] - image[top, left])
        lower = image[bottom, left] + fx * (image[bottom, right] - image[bottom, left])
        out[y, x] = upper + fy * (lower - upper)
    return out
