"""Reads the messages of a ROS 2 bag in SQLite (db3): the tables `topics` and `messages`.

The pages are read here rather than by SQLite, which refuses a file that was cut off, tells no
offset of damage, and runs whatever a file's schema says. See https://sqlite.org/fileformat2.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from saccade.camera.errors import RecordingError
from saccade.camera.formats.file import RecordingFile
from saccade.camera.formats.ros_message import Message, damage

_LEAF, _INTERIOR = 13, 5  # of a table
_DEPTH_LIMIT = 20  # SQLite's own
_NAMES_LIMIT = 65_536  # tables, and topics, which are kept in memory
_WINDOW_BYTES = 256 << 10
_ENCODINGS = {1: "utf-8", 2: "utf-16-le", 3: "utf-16-be"}
_INTEGER_SIZES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}

_Value = int | memoryview | None


class _Row(NamedTuple):
    id: int
    values: list[_Value]
    offset: int  # in the file


class _Database:
    """The tables of one file, read page by page; raises RecordingError where one is damaged."""

    def __init__(self, file: RecordingFile, progress: Callable[[int], None]) -> None:
        self._file, self._progress = file, progress
        header = file.read(0, 100)
        stated = int.from_bytes(header[16:18], "big")
        self._page_size = 65536 if stated == 1 else stated
        if len(header) < 100 or self._page_size < 512 or stated & (stated - 1):
            raise damage(file.path, "its SQLite header is damaged", 0)
        self._usable = self._page_size - header[20]
        if self._usable < 480:
            raise damage(file.path, "its SQLite header is damaged", 20)
        self._encoding = _ENCODINGS.get(int.from_bytes(header[56:60], "big"), "")
        if not self._encoding:
            raise damage(file.path, "its text has an unknown encoding", 56)
        self._window, self._window_at = memoryview(b""), 0
        # Pages form trees and chains. A damaged file may link them in circles, or one page from
        # many places: each page of a tree is visited once, and rows hold no more than the file.
        self._visited: set[int] = set()
        self._bytes_left = file.size

    def roots(self) -> dict[str, int]:
        """The first page of each table, by name."""
        tables: dict[str, int] = {}
        for row in self.rows(1):
            values = [*row.values, None, None, None, None]
            if self.text(values[0]) == "table" and isinstance(values[3], int):
                tables[self.text(values[1])] = values[3]
            if len(tables) > _NAMES_LIMIT:
                raise self._damage("it has too many tables", row.offset)
        return tables

    def rows(self, page: int, depth: int = 0) -> Iterator[_Row]:
        """The rows of a table in the order of their ids."""
        start = (page - 1) * self._page_size
        if page < 1 or start + self._page_size > self._file.size:
            raise self._cut(f"page {page} of a table", min(max(start, 0), self._file.size))
        if depth > _DEPTH_LIMIT or page in self._visited:
            raise self._damage("the pages of a table are linked in a circle", start)
        self._visited.add(page)
        data = self._page(page)
        head = 100 if page == 1 else 0
        kind, n_cells = data[head], int.from_bytes(data[head + 3 : head + 5], "big")
        first = head + (12 if kind == _INTERIOR else 8)
        if kind not in (_LEAF, _INTERIOR) or first + 2 * n_cells > self._usable:
            raise self._damage("this is no page of a table", start)
        for k in range(first, first + 2 * n_cells, 2):
            cell = int.from_bytes(data[k : k + 2], "big")
            if cell < first + 2 * n_cells or cell + 4 > self._usable:
                raise self._damage("a row lies outside of its page", start + k)
            if kind == _LEAF:
                yield self._row(data, start, cell)
            else:
                yield from self.rows(int.from_bytes(data[cell : cell + 4], "big"), depth + 1)
        if kind == _INTERIOR:
            last = int.from_bytes(data[head + 8 : head + 12], "big")
            yield from self.rows(last, depth + 1)

    def text(self, value: _Value) -> str:
        """A column's text; "" where it is none."""
        return (
            bytes(value).decode(self._encoding, "replace") if isinstance(value, memoryview) else ""
        )

    def _row(self, page: memoryview, start: int, cell: int) -> _Row:
        offset = start + cell
        size, at = self._varint(page, cell, offset)
        rowid, at = self._varint(page, at, offset)
        local = self._local_size(size)
        if size > self._bytes_left:
            raise self._damage(f"a row states {size} bytes, more than there are", offset)
        self._bytes_left -= size
        if at + local + (4 if local < size else 0) > self._usable:
            raise self._damage("a row lies outside of its page", offset)
        record = page[at : at + local]
        if local < size:
            chain = int.from_bytes(page[at + local : at + local + 4], "big")
            record = self._overflow(record, size, chain)
        return _Row(rowid, self._values(record, offset), offset)

    def _local_size(self, size: int) -> int:
        """The bytes of a row of `size` bytes that lie in its page; the others in a chain."""
        usable = self._usable
        most, least = usable - 35, (usable - 12) * 32 // 255 - 23
        if size <= most:
            return size
        rest = least + (size - least) % (usable - 4)
        return rest if rest <= most else least

    def _overflow(self, first: memoryview, size: int, page: int) -> memoryview:
        parts, left = [first], size - len(first)
        while left > 0:
            start = (page - 1) * self._page_size
            if page < 1 or start + min(left + 4, self._usable) > self._file.size:
                raise self._cut("a row", min(max(start, 0), self._file.size))
            data = self._page(page)
            part = data[4 : min(4 + left, self._usable)]
            parts.append(part)
            left -= len(part)
            page = int.from_bytes(data[:4], "big")
        return memoryview(b"".join(parts))

    def _values(self, record: memoryview, offset: int) -> list[_Value]:
        """The columns: a header of types, then the values. A float, never used here, is None."""
        header_size, at = self._varint(record, 0, offset)
        if header_size > len(record):
            raise self._damage("the columns of a row are damaged", offset)
        values: list[_Value] = []
        value_at = header_size
        while at < header_size:
            kind, at = self._varint(record, at, offset)
            size = (
                (kind - 12) // 2 if kind >= 12 else 8 if kind == 7 else _INTEGER_SIZES.get(kind, 0)
            )
            data = record[value_at : value_at + size]
            value_at += size
            if value_at > len(record):
                raise self._damage("the columns of a row are damaged", offset)
            if kind >= 12:
                values.append(data)
            elif kind in _INTEGER_SIZES:
                values.append(int.from_bytes(data, "big", signed=True))
            else:
                values.append(kind - 8 if kind in (8, 9) else None)
        return values

    def _varint(self, data: memoryview, at: int, offset: int) -> tuple[int, int]:
        """The number at `at` (1 to 9 bytes), and where it ends."""
        if at < len(data) and data[at] < 0x80:
            return data[at], at + 1
        value = 0
        for k, byte in enumerate(data[at : at + 9]):
            if k == 8:
                return (value << 8 | byte) & 0xFFFFFFFFFFFFFFFF, at + 9
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value, at + k + 1
        raise self._damage("a row is damaged", offset)

    def _page(self, page: int) -> memoryview:
        """A page's bytes, with zeros past the end of the file, out of a window of many pages."""
        start = (page - 1) * self._page_size
        at = start - self._window_at
        if at < 0 or at + self._page_size > len(self._window):
            self._window = memoryview(self._file.read(start, _WINDOW_BYTES))
            self._window_at, at = start, 0
            self._progress(start + len(self._window))
        data = self._window[at : at + self._page_size]
        missing = self._page_size - len(data)
        return memoryview(bytes(data) + bytes(missing)) if missing else data

    def _cut(self, what: str, offset: int) -> RecordingError:
        return self._damage(f"the file is cut off before {what}", offset)

    def _damage(self, what: str, offset: int) -> RecordingError:
        return damage(self._file.path, what, offset)


def messages(file: RecordingFile, progress: Callable[[int], None]) -> Iterator[Message]:
    """One pass over the messages in the order of their ids, in which the recorder wrote them.

    Args:
        progress: told how many bytes have been read.

    Raises RecordingError at the damaged row or page.
    """
    database = _Database(file, progress)
    roots = database.roots()
    if not {"topics", "messages"} <= roots.keys():
        what = "this SQLite database is no ROS 2 bag: it has no tables topics and messages"
        raise RecordingError(file.path, what, "name the db3 file of a bag")
    topics: dict[int, tuple[str, str, str]] = {}
    for row in database.rows(roots["topics"]):
        name, kind, encoding = ([database.text(v) for v in row.values] + [""] * 4)[1:4]
        topics[row.id] = name, kind, encoding
        if len(topics) > _NAMES_LIMIT:
            raise damage(file.path, "it has too many topics", row.offset)
    last = 0
    for row in database.rows(roots["messages"]):
        topic, data = (row.values[1], row.values[3]) if len(row.values) > 3 else (None, None)
        if not isinstance(topic, int) or topic not in topics or not isinstance(data, memoryview):
            raise damage(file.path, "a message is of no known topic", row.offset)
        if row.id <= last:
            raise damage(file.path, "the messages are out of order", row.offset)
        last = row.id
        yield Message(*topics[topic], data, row.offset)
    progress(file.size)


def check_no_journal(path: str) -> None:
    """Refuses a bag part of which is still in SQLite's journal, as a killed recorder leaves it.

    Raises RecordingError with how to bring it into the file.
    """
    for ending in ("-wal", "-journal"):
        journal = Path(path + ending)
        if journal.exists() and journal.stat().st_size > 0:
            what = f"its last messages are still in its journal (*.db3{ending})"
            remedy = 'bring them in with `sqlite3 FILE "pragma wal_checkpoint(truncate)"`'
            raise RecordingError(path, what, remedy)
