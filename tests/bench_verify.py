# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how many probes a second one process really makes: a local nginx with many names, plain and TLS.

Needs `nginx` and `openssl` on the path; everything is made in a temporary folder, on free ports, and is gone
afterwards. The server runs on the same machine, so that it takes its share of the processors.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from piquet.verify.observation import Inquiry, Question, Target
from piquet.verify.outside.probe import Prober
from piquet.verify.outside.sweep import Swept, sweep
from piquet.verify.questions import DEEP_PATH, FRONT

_CONFIG = """daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 8192; }}
http {{ access_log off; server_names_hash_max_size 65536; server_names_hash_bucket_size 128;
client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; keepalive_requests 1000000;
ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
{servers}
}}
"""
_SERVER = (
    "server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{tls} ssl; server_name {name}; return 200 {body}; }}"
)
_QUESTIONS = (FRONT, Question("GET", DEEP_PATH), Question("GET", "/robots.txt"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print probes per second for each scheme and number of targets asked at the same time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--names", type=int, default=3000)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[32, 128, 256])
    options = parser.parse_args(arguments)
    names = [f"site{number}.example.org" for number in range(options.names)]
    with _nginx(names) as (port, tls_port, folder):
        for is_tls in (False, True):
            for concurrency in options.concurrency:
                swept = asyncio.run(_run(names, tls_port if is_tls else port, is_tls, concurrency, folder))
                failed = sum(reply.observation.status != 200 for reply in swept.replies)
                scheme = "https" if is_tls else "http"
                print(
                    f"{scheme:5} {len(names)} names, {concurrency} at a time: {swept.pace.probes} probes in "
                    f"{swept.pace.seconds:.2f} s = {swept.pace.per_second:.0f} probes/s, {failed} failed"
                )


async def _run(names: Sequence[str], port: int, is_tls: bool, concurrency: int, folder: Path) -> Swept:
    targets = [Target("bench", "127.0.0.1", port, is_tls, name, name) for name in names]
    async with Prober(30.0, str(folder / "cert.pem")) as prober:
        return await sweep(prober, [Inquiry(target, _QUESTIONS) for target in targets], concurrency)


@contextmanager
def _nginx(names: Sequence[str]) -> Iterator[tuple[int, int, Path]]:
    """A running nginx that serves the names; yields its two ports and its folder."""
    with tempfile.TemporaryDirectory(prefix="piquet-bench-") as text:
        folder, body = Path(text), "x" * 2048
        port, tls_port = _free_ports(2)
        _make_certificate(folder)
        servers = (_SERVER.format(port=port, tls=tls_port, name=name, body=body) for name in names)
        config = folder / "nginx.conf"
        config.write_text(_CONFIG.format(folder=folder, servers="\n".join(servers)), "utf-8")
        command = ["nginx", "-p", text, "-c", str(config), "-e", str(folder / "error.log")]
        process = subprocess.Popen(command, stderr=None)
        try:
            _wait_for(process, port)
            yield port, tls_port, folder
        finally:
            process.terminate()
            process.wait(timeout=30)


def _make_certificate(folder: Path) -> None:
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    names = ["-subj", "/CN=bench", "-addext", "subjectAltName=DNS:*.example.org"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", *kind, *files, *names], check=True, capture_output=True)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until the port is open.

    Raises:
        RuntimeError: nginx ended, or is not there after 30 s.
    """
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nginx does not start, its exit code: {process.poll()}")


if __name__ == "__main__":
    main()
