# SPDX-License-Identifier: GPL-3.0-or-later
"""The application behind the proxying kinds: it answers with what it was asked, so that a changed request is seen.

Answers depend on the request alone: no Date, no counter, no state. The body of an ordinary answer is the request line,
the headers in the order and spelling in which they came, and the length and sha256 of the body.

Run it as `python3 upstream.py ADDRESS PORT`; it prints the port when it listens (0 = any) and ends with its standard
input.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import sys

_REASONS = {
    200: "OK",
    302: "Found",
    403: "Forbidden",
    404: "Not Found",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read one request, answer it, close."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"100-continue" in head:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await _body(reader, head)
        writer.write(respond(head, body))
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


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
    if path.startswith(b"/accel/"):
        lines.append(b"X-Accel-Redirect: /files/one.txt")
    if status == 302:
        lines.append(b"Location: /files/one.txt")
    if path == b"/gzip" and b"gzip" in head.lower():
        lines.append(b"Content-Encoding: gzip")
        content = gzip.compress(content, mtime=0)
    lines.append(b"Content-Length: %d" % len(content))
    first = b"HTTP/1.1 %d %s" % (status, _REASONS[status].encode())
    return b"\r\n".join([first, *lines, b"", b""]) + (b"" if method == b"HEAD" else content)


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
