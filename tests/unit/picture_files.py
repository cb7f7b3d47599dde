# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads of picture files, of any size and number of frames, without a picture in them."""

from __future__ import annotations

import struct
import zlib


def png(width: int, height: int) -> bytes:
    """A PNG that says it is so large, without any of it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunk = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(head)) + chunk + struct.pack(">I", zlib.crc32(chunk))


def apng(width: int, height: int, frames: int) -> bytes:
    """An animated one."""
    body = b"acTL" + struct.pack(">II", frames, 0)
    return png(width, height) + struct.pack(">I", 8) + body + struct.pack(">I", zlib.crc32(body))


def jpeg(width: int, height: int, marker: int = 0xC0) -> bytes:
    """A JPEG's first segments; `marker` C2 is a progressive one."""
    thumbnail = b"\xff\xe1\x00\x08Exif\x00\x00"
    return (
        b"\xff\xd8"
        + thumbnail
        + bytes([0xFF, marker])
        + struct.pack(">HBHHB", 11, 8, height, width, 1)
        + b"\x01\x11\x00"
    )


def gif(width: int, height: int, frames: int = 1, frame: tuple[int, int] | None = None) -> bytes:
    """A GIF of so many frames, each of this size and without data."""
    inner = frame or (width, height)
    picture = b"\x2c" + struct.pack("<HHHHB", 0, 0, *inner, 0) + b"\x02\x01\x00\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + picture * frames + b"\x3b"


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP file of these chunks."""
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def three(number: int) -> bytes:
    """A number of 24 bits, less one, as WebP has it."""
    return struct.pack("<I", number - 1)[:3]


def webp(width: int, height: int, frames: int = 0) -> bytes:
    """An extended WebP, with frames if it is animated."""
    head = (b"VP8X", b"\x02\0\0\0" + three(width) + three(height))
    frame = (b"ANMF", b"\0" * 6 + three(width) + three(height) + b"\0" * 4)
    return riff(head, *([frame] * frames))


def avif(width: int, height: int) -> bytes:
    """An AVIF whose property says this size."""

    def box(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data) + 8) + name + data

    size = box(b"ispe", b"\0\0\0\0" + struct.pack(">II", width, height))
    return box(b"ftyp", b"avif\0\0\0\0avif") + box(b"meta", b"\0\0\0\0" + box(b"iprp", box(b"ipco", size)))


SMALL = {
    "png": png(40, 30),
    "jpg": jpeg(40, 30),
    "jpeg": jpeg(40, 30, 0xC2),
    "gif": gif(40, 30),
    "webp": webp(40, 30),
    "avif": avif(40, 30),
}
"""One of each kind, by suffix."""
