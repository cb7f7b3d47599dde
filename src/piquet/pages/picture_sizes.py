# SPDX-License-Identifier: GPL-3.0-or-later
"""How large pictures and fonts say that they are: a small file can ask a visitor's device for all of its memory.

Only headers are read, nothing is decoded. Bytes in, figures out; no file.

Source: W3C PNG third edition, 11.2.1 and 11.3.6 (APNG); ITU-T T.81, B.2.2 (frame header); GIF89a, 18 to 22; RFC 9649
(WebP), 2.3 to 2.7 and 3.4; ISO/IEC 23008-12, 6.5.3 (`ispe`); ISO/IEC 14496-12, 8.7.3 (`stsz`); W3C WOFF2, 4.1.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

MAX_PIXELS = 25_000_000
"""Of one picture: what a good camera makes, and 100 million bytes where it is shown (four for a pixel)."""
MAX_MOVING_PIXELS = 10 * MAX_PIXELS
"""Of all frames of a moving one together."""
MAX_FONT_BYTES = 16 * 1024 * 1024
"""Of a font when it is unpacked: more than any of one script, and half of what browsers' sanitiser (OTS) takes."""

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG, second bytes of the markers that begin a frame: SOF0 to SOF15 without DHT, JPG and DAC."""
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG, second bytes of the markers that have no length."""


@dataclass(frozen=True)
class Size:
    """What a picture says of itself.

    Attributes:
        width: of the widest frame, in pixels.
        height: of the highest one.
        frames: how many there are.
    """

    width: int
    height: int
    frames: int = 1

    @property
    def is_bounded(self) -> bool:
        """Whether any device can show it."""
        pixels = self.width * self.height
        return 0 < pixels <= MAX_PIXELS and pixels * self.frames <= MAX_MOVING_PIXELS


def picture_size(kind: str, content: bytes) -> Size | None:
    """The size that a picture of this kind says it has; None if it says none.

    Args:
        kind: png, jpg, gif, webp or avif.
        content: the whole file.
    """
    try:
        return _READERS[kind](content)
    except (struct.error, IndexError):
        return None


def font_bytes(content: bytes) -> int:
    """Length of a WOFF2 font when it is unpacked, as it says; 0 if it does not."""
    return int.from_bytes(content[16:20], "big") if content.startswith(b"wOF2") else 0


def _png(content: bytes) -> Size | None:
    if content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", content, 16)
    moving = content.find(b"acTL", 0, max(content.find(b"IDAT"), 0) or None)
    frames = struct.unpack_from(">I", content, moving + 4)[0] if moving > 0 else 1
    return Size(width, height, max(frames, 1))


def _jpeg(content: bytes) -> Size | None:
    sizes, at = [], 2
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            break
        marker = content[at + 1]
        if marker == 0xFF or marker in _BARE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", content, at + 5)
            sizes.append((width, height))
        if marker in (0xDA, 0xD9):
            break
        at += 2 + struct.unpack_from(">H", content, at + 2)[0]
    return _largest_size(sizes, 1)


def _gif(content: bytes) -> Size | None:
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    sizes, at = [(width, height)], 13 + _table_bytes(flags)
    frames = 0
    while at < len(content) and content[at] in (0x21, 0x2C):
        if content[at] == 0x2C:
            frames += 1
            *_, width, height, flags = struct.unpack_from("<HHHHB", content, at + 1)
            sizes.append((width, height))
            at += 11 + _table_bytes(flags)
        else:
            at += 2
        while at < len(content) and content[at]:
            at += content[at] + 1
        at += 1
    return _largest_size(sizes, max(frames, 1))


def _table_bytes(flags: int) -> int:
    """GIF, length of a colour table."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _webp(content: bytes) -> Size | None:
    sizes, frames = [], 0
    for name, at in _riff_chunks(content):
        if name == b"VP8X":
            sizes.append((_uint24(content, at + 4), _uint24(content, at + 7)))
        elif name == b"ANMF":
            frames += 1
            sizes.append((_uint24(content, at + 6), _uint24(content, at + 9)))
        elif name == b"VP8 ":
            width, height = struct.unpack_from("<HH", content, at + 6)
            sizes.append((width & 0x3FFF, height & 0x3FFF))
        elif name == b"VP8L":
            (bits,) = struct.unpack_from("<I", content, at + 1)
            sizes.append(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
    return _largest_size(sizes, max(frames, 1))


def _riff_chunks(content: bytes) -> Iterator[tuple[bytes, int]]:
    """Name and beginning of each chunk's data."""
    at = 12
    while at + 8 <= len(content):
        (length,) = struct.unpack_from("<I", content, at + 4)
        yield content[at : at + 4], at + 8
        at += 8 + length + length % 2


def _uint24(content: bytes, at: int) -> int:
    """A number of 24 bits, which is stored less one."""
    return int.from_bytes(content[at : at + 3], "little") + 1


def _avif(content: bytes) -> Size | None:
    """Wherever the property stands: its box is found by name, the largest one counts."""
    sizes = [struct.unpack_from(">II", content, found.end() + 4) for found in re.finditer(b"ispe", content)]
    counts = [
        struct.unpack_from(">I", content, found.end() + 8)[0] for found in re.finditer(b"stsz", content)
    ]
    return _largest_size([(width, height) for width, height in sizes], max([1, *counts]))


def _largest_size(sizes: list[tuple[int, int]], frames: int) -> Size | None:
    if not sizes:
        return None
    return Size(max(width for width, _ in sizes), max(height for _, height in sizes), frames)


_READERS: Mapping[str, Callable[[bytes], Size | None]] = {
    "png": _png,
    "jpg": _jpeg,
    "gif": _gif,
    "webp": _webp,
    "avif": _avif,
}
