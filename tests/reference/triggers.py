"""Triggers of EVT2 and EVT3, word after word, for clocks that rise and never wrap."""

import struct

Edge = tuple[int, int, int]  # t, id, value


def evt2(words: bytes) -> list[Edge]:
    high, found = None, list[Edge]()
    for (word,) in struct.iter_unpack("<I", words):
        if word >> 28 == 0x8:
            high = word & 0xFFFFFFF
        elif word >> 28 == 0xA and high is not None:
            found.append((high << 6 | (word >> 22) & 63, (word >> 8) & 31, word & 1))
    return found


def evt3(words: bytes) -> list[Edge]:
    high, low, found = None, 0, list[Edge]()
    for (word,) in struct.iter_unpack("<H", words):
        if word >> 12 == 0x8:
            high = word & 0xFFF
        elif word >> 12 == 0x6:
            low = word & 0xFFF
        elif word >> 12 == 0xA and high is not None:
            found.append((high << 12 | low, (word >> 8) & 15, word & 1))
    return found
