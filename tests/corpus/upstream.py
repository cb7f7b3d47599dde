# SPDX-License-Identifier: GPL-3.0-or-later
"""The application behind the proxying kinds: it answers with what it was asked, so that a changed request is seen.

Answers depend on the request alone: no Date, no counter, no state. The body of an ordinary answer is the request line,
the headers in the order and spelling in which they came, and the length and sha256 of the body. One port speaks HTTP,
FastCGI, uwsgi and SCGI: the first byte of a request tells them apart. Through the last three the body is the variables
in the order in which they came, less the client's port. `/socket/…` takes a WebSocket upgrade and echoes bytes.

Source: FastCGI specification 1.0, sections 3.3 and 8; uwsgi protocol, packet header; SCGI specification, section 2.

Run it as `python3 upstream.py ADDRESS PORT`; it prints the port when it listens (0 = any) and ends with its standard
input.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
import sys

_REASONS = {
    200: "OK",
    302: "Found",
    403: "Forbidden",
    404: "Not Found",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


_FASTCGI, _UWSGI = b"\x01", b"\x00"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read one request in whatever protocol, answer it, close."""
    try:
        first = await reader.readexactly(1)
        if first == _FASTCGI:
            await _fastcgi(reader, writer)
        elif first == _UWSGI:
            writer.write(_respond_to_variables(*await _uwsgi(reader), first=b"HTTP/1.1"))
        elif first.isdigit():
            writer.write(_respond_to_variables(*await _scgi(reader, first)))
        else:
            await _http(reader, writer, first)
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes) -> None:
    head = first + await reader.readuntil(b"\r\n\r\n")
    if b" /socket/" in head.partition(b"\r\n")[0] and b"upgrade: websocket" in head.lower():
        await _socket(reader, writer, is_short=b"/once" in head)
        return
    if b"100-continue" in head:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _body(reader, head)
    writer.write(respond(head, body))


async def _socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_short: bool) -> None:
    """An upgraded connection: says hello, then sends back what comes until the other side ends it."""
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello\n"
    )
    await writer.drain()
    while not is_short and (received := await reader.read(4096)):
        writer.write(received)
        await writer.drain()


async def _fastcgi(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Records until the empty one of standard input; the answer as one record of standard output and an end."""
    streams = {4: b"", 5: b""}
    kind, number = await _record(reader, streams, b"\x01")
    while (kind, number) != (5, 0):
        kind, number = await _record(reader, streams, await reader.readexactly(1))
    content = _respond_to_variables(_pairs(streams[4]), streams[5])
    for start in range(0, len(content), 32768):
        part = content[start : start + 32768]
        writer.write(b"\x01\x06\x00\x01" + len(part).to_bytes(2, "big") + b"\x00\x00" + part)
    writer.write(b"\x01\x03\x00\x01\x00\x08\x00\x00" + bytes(8))


async def _record(reader: asyncio.StreamReader, streams: dict[int, bytes], version: bytes) -> tuple[int, int]:
    """Read one record whose version is read already; its type and the length of its content."""
    head = version + await reader.readexactly(7)
    kind, length = head[1], int.from_bytes(head[4:6], "big")
    content = await reader.readexactly(length + head[6])
    if kind in streams:
        streams[kind] += content[:length]
    return kind, length


def _pairs(packed: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values of FastCGI: two lengths of one or four bytes, then both texts."""
    found, at = [], 0
    while at < len(packed):
        lengths = []
        for _ in range(2):
            is_long = packed[at] > 127
            lengths.append(int.from_bytes(packed[at : at + 4], "big") & 0x7FFFFFFF if is_long else packed[at])
            at += 4 if is_long else 1
        name, end = at + lengths[0], at + sum(lengths)
        found.append((packed[at:name], packed[name:end]))
        at = end
    return found


async def _uwsgi(reader: asyncio.StreamReader) -> tuple[list[tuple[bytes, bytes]], bytes]:
    size = int.from_bytes((await reader.readexactly(3))[:2], "little")
    packed, texts = await reader.readexactly(size), []
    while packed:
        length = int.from_bytes(packed[:2], "little")
        texts.append(packed[2 : 2 + length])
        packed = packed[2 + length :]
    variables = list(zip(texts[::2], texts[1::2], strict=False))
    return variables, await reader.readexactly(_length(variables))


async def _scgi(reader: asyncio.StreamReader, first: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    size = int(first + (await reader.readuntil(b":"))[:-1])
    texts = (await reader.readexactly(size + 1)).split(b"\0")
    variables = list(zip(texts[::2], texts[1::2], strict=False))
    return variables, await reader.readexactly(_length(variables))


def _length(variables: list[tuple[bytes, bytes]]) -> int:
    return int(dict(variables).get(b"CONTENT_LENGTH") or 0)


def _respond_to_variables(
    variables: list[tuple[bytes, bytes]], body: bytes, first: bytes = b"Status:"
) -> bytes:
    """The answer to a request that came as variables, in the form that CGI has: the status first."""
    path = dict(variables).get(b"REQUEST_URI", b"/").partition(b"?")[0]
    kept = [b"%s=%s\n" % pair for pair in variables if pair[0] not in (b"REMOTE_PORT", b"UNIQUE_ID")]
    content = b"".join(kept) + b"%d %s\n" % (len(body), hashlib.sha256(body).hexdigest().encode())
    status = _status(path)
    line = b"%s %d %s\r\n" % (first, status, _REASONS[status].encode())
    return line + b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(content) + content


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
    }
    if b"chunked" not in fields.get(b"transfer-encoding", b""):
        return await reader.readexactly(int(fields.get(b"content-length", b"0")))
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


def respond(head: bytes, body: bytes) -> bytes:
    """The whole answer to a request, as bytes: status by path, content by request."""
    method, target, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
    path = target.partition(b"?")[0]
    status = _status(path)
    lines = [b"Content-Type: text/plain; charset=utf-8", b"X-Upstream: application", b"Connection: close"]
    content = head + b"%d %s\n" % (len(body), hashlib.sha256(body).hexdigest().encode())
    if path.startswith(b"/made/"):
        return made(method, path.removeprefix(b"/made/"), head)
    if path.startswith(b"/accel/"):
        lines.append(b"X-Accel-Redirect: /files/one.txt")
    if path.startswith(b"/page/"):
        return _page(path.rpartition(b"/")[2], head, is_head=method == b"HEAD")
    if status == 302:
        lines.append(b"Location: /files/one.txt")
    if path == b"/gzip" and b"gzip" in head.lower():
        lines.append(b"Content-Encoding: gzip")
        content = gzip.compress(content, mtime=0)
    lines.append(b"Content-Length: %d" % len(content))
    first = b"HTTP/1.1 %d %s" % (status, _REASONS[status].encode())
    return b"\r\n".join([first, *lines, b"", b""]) + (b"" if method == b"HEAD" else content)


_MADE = (
    b"<!doctype html>\n<html><head><title>made</title></head>\n<body class=made>\n<p>a page of the application</p>\n"
    b"<script>w.write('<html><head></head><body>')</script>\n</body></html>"
)


def made(method: bytes, kind: bytes, head: bytes) -> bytes:
    """A page with a body tag: `plain`, always `gzip`, in `members` of it, `br` (a claim), `empty`, `long`, in `chunks`.

    Conditional requests for it get a 304, ranges a 206; `broken` ends before it said it would, `missing` is a 404.
    """
    asked = head.lower()
    lines = [b"Content-Type: text/html; charset=utf-8", b'ETag: "made"', b"Cache-Control: max-age=600"]
    status, content = b"200 OK", _MADE
    if kind == b"empty":
        lines.append(b"Content-Encoding: gzip")
        content = b""
    elif kind in (b"gzip", b"br"):
        lines.append(b"Content-Encoding: " + kind)
        content = gzip.compress(content, mtime=0)
    elif kind == b"members":
        lines.append(b"Content-Encoding: gzip")
        content = gzip.compress(content[:60], mtime=0) + gzip.compress(content[60:], mtime=0)
    elif kind == b"long":
        content = content.replace(b"a page", b"x" * 1_500_000)
    elif kind == b"missing":
        status = b"404 Not Found"
    elif b"if-none-match:" in asked:
        return b"\r\n".join([b"HTTP/1.1 304 Not Modified", *lines[1:], b"Connection: close", b"", b""])
    elif b"range: bytes=0-9\r" in asked:
        status, content = b"206 Partial Content", content[:10]
        lines.append(b"Content-Range: bytes 0-9/%d" % len(_MADE))
    if kind == b"chunks":
        lines.append(b"Transfer-Encoding: chunked")
        parts = [content[at : at + 7] for at in range(0, len(content), 7)]
        content = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    else:
        lines.append(b"Content-Length: %d" % (len(content) + (99 if kind == b"broken" else 0)))
    first = [b"HTTP/1.1 " + status, *lines, b"Connection: close", b"", b""]
    return b"\r\n".join(first) + (b"" if method == b"HEAD" else content)


PAGES = {
    b"plain": b'<!doctype html>\n<html><head><title>a</title></head>\n<body class="x">\n<p>text</p></body></html>\n',
    b"capitals": b"<HTML><HEAD><TITLE>old</TITLE></HEAD><BODY>text</BODY></HTML>\n",
    b"script": b'<html><head><script>var page = "<body>";</script></head><body>text</body></html>\n',
    b"comment": b'<html><!-- <body> --><head></head><body>text<script>"<body>"</script></body></html>\n',
    b"writing": b"<html><head></head>\n<body>text<script>w.write('<html><head></head><body>')</script></body></html>\n",
    b"none": b"<!doctype html><p>no body tag at all\n",
    b"latin": "<html><head></head><body>gr\u00e8ve</body></html>\n".encode("latin-1"),
    b"big": b"<html><head></head>"
    + b"<!-- filler -->" * 5000
    + b"<body>"
    + b"<p>text</p>" * 5000
    + b"</body></html>\n",
}
"""Pages of the application by the last part of their path; `gzip` and `chunked` are `plain` in another form."""


def _page(name: bytes, head: bytes, *, is_head: bool) -> bytes:
    """One of `PAGES`; `asked` is compressed or unchanged where that is asked for, as applications do it."""
    is_asked, wanted = name == b"asked", head.lower()
    if is_asked and (b"if-none-match:" in wanted or b"if-modified-since:" in wanted):
        return b'HTTP/1.1 304 Not Modified\r\nETag: "page"\r\nConnection: close\r\n\r\n'
    kind = b"text/html; charset=iso-8859-1" if name == b"latin" else b"text/html"
    lines = [b"HTTP/1.1 200 OK", b"Content-Type: " + kind, b'ETag: "page"', b"Connection: close"]
    content = PAGES.get(name, PAGES[b"plain"])
    if name == b"gzip" or (is_asked and re.search(rb"accept-encoding:[^\r\n]*gzip", wanted)):
        content = gzip.compress(content, mtime=0)
        lines.append(b"Content-Encoding: gzip")
    if name == b"chunked":
        lines.append(b"Transfer-Encoding: chunked")
        parts = [content[i : i + 7] for i in range(0, len(content), 7)]
        content = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))
    else:
        lines.append(b"Content-Length: %d" % len(content))
    return b"\r\n".join([*lines, b"", b""]) + (b"" if is_head else content)


def _status(path: bytes) -> int:
    if path == b"/own-error":
        return 500
    if path == b"/away":
        return 302
    for status in (403, 503):
        if path == b"/error/%d" % status:
            return status
    return 404 if path.startswith(b"/deep/") else 200


async def serve(address: str, port: int) -> None:
    """Listen until standard input ends."""
    server = await asyncio.start_server(answer, address, port)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
