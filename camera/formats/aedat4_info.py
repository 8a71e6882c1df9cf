"""The streams of an AEDAT4 file, as the XML in its header describes them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream: its number, kind, sensor size in pixels (0 without one), source and name."""

    number: int
    kind: str  # EVTS, FRME, IMUS, TRIG
    width: int
    height: int
    source: str
    name: str


def read_streams(xml: bytes) -> dict[int, StreamInfo]:
    """The streams in the order of the file, by number; ValueError where the XML is damaged."""
    # dv writes no document type, and its entities could unfold without end; comments may stay.
    if re.search(rb"<![A-Za-z]", xml):
        raise ValueError("the XML declares a document type")
    try:
        root = ET.fromstring(xml.rstrip(b"\0").decode())
    except (ET.ParseError, UnicodeDecodeError) as error:
        raise ValueError("the XML of the streams is damaged") from error
    out = next((node for node in root.iter("node") if node.get("name") == "outInfo"), None)
    if out is None:
        raise ValueError("the XML names no streams")
    streams = [_stream(node) for node in out.findall("node")]
    return {stream.number: stream for stream in streams}


def _stream(node: ET.Element) -> StreamInfo:
    number = _number(node.get("name") or "", "a stream's number")
    info = next((child for child in node.findall("node") if child.get("name") == "info"), node)
    width, height = (_number(_attr(info, key) or "0", key) for key in ("sizeX", "sizeY"))
    kind, name = _attr(node, "typeIdentifier"), _attr(node, "originalOutputName")
    return StreamInfo(number, kind, width, height, _attr(info, "source"), name)


def _attr(node: ET.Element, key: str) -> str:
    found = (child.text or "" for child in node.findall("attr") if child.get("key") == key)
    return next(found, "")


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(f"{what} is {text[:20]!r}")
    return int(text)
