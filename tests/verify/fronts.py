# SPDX-License-Identifier: GPL-3.0-or-later
"""Real HAProxy, Varnish and Caddy in front of a server, on loopback; and a resolver that knows a few names."""

from __future__ import annotations

import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset

from .servers import launch

_HAPROXY = """\
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
frontend visitors
    bind {address}:{port}
    bind {address}:{tls} ssl crt {folder}/both.pem
    {redirect}
    default_backend sites
backend sites
    {check}
    server web 127.0.0.1:{behind} {options}
"""
_VARNISH = """vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{behind}"; }}
sub vcl_backend_response {{ {response} }}
"""
_CADDY = """{{
    admin off
    auto_https off
    storage file_system {folder}/storage
}}
http://:{port} {{
    bind {address}
    reverse_proxy 127.0.0.1:{behind}
}}
https://:{tls} {{
    bind {address}
    tls {folder}/cert.pem {folder}/key.pem
    reverse_proxy 127.0.0.1:{behind}
}}
"""


@contextmanager
def in_front(
    kind: str, behind: int, ports: Sequence[int], folder: Path, address: str = "127.0.0.1", **words: str
):
    """One of `STARTERS` before a plain port.

    Args:
        kind: which.
        behind: port of the server.
        ports: of visitors, http and https (Varnish has no TLS).
        folder: with `cert.pem` and `key.pem`; what stands in front writes below it.
        address: where it listens.
        words: further lines of HAProxy (`check`, `options`, `redirect`) or of Varnish (`response`).
    """
    home = folder / kind
    home.mkdir(exist_ok=True)
    fields = {"behind": behind, "port": ports[0], "tls": ports[-1], "folder": folder, "address": address}
    command = STARTERS[kind](
        home, {"check": "", "options": "", "redirect": "", "response": "", **fields, **words}
    )
    process = launch(home, list(ports) if kind != "varnish" else list(ports[:1]), command, address)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _haproxy(home: Path, fields: Mapping[str, object]) -> list[str]:
    folder = Path(str(fields["folder"]))
    (folder / "both.pem").write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    (home / "haproxy.cfg").write_text(_HAPROXY.format(**fields))
    return ["/usr/sbin/haproxy", "-db", "-f", str(home / "haproxy.cfg")]


def _varnish(home: Path, fields: Mapping[str, object]) -> list[str]:
    (home / "site.vcl").write_text(_VARNISH.format(**fields))
    argv = ["/usr/sbin/varnishd", "-F", "-j", "none", "-n", str(home / "run"), "-s", "malloc,16m"]
    return [*argv, "-a", f"{fields['address']}:{fields['port']}", "-f", str(home / "site.vcl")]


def _caddy(home: Path, fields: Mapping[str, object]) -> list[str]:
    (home / "Caddyfile").write_text(_CADDY.format(**fields))
    return [
        "env",
        f"HOME={home}",
        "caddy",
        "run",
        "--config",
        str(home / "Caddyfile"),
        "--adapter",
        "caddyfile",
    ]


STARTERS = {"haproxy": _haproxy, "varnish": _varnish, "caddy": _caddy}


def purge(folder: Path, expression: str = "req.url ~ .") -> None:
    """Have Varnish forget what it keeps."""
    run = folder / "varnish" / "run"
    subprocess.run(
        ["/usr/bin/varnishadm", "-n", str(run), "ban", expression], check=True, capture_output=True
    )


@contextmanager
def resolver(zone: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Answers over UDP: name → its addresses, or another name that it is an alias of; where it listens."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            packet, socket = self.request
            asked = dns.message.from_wire(packet)
            answer = dns.message.make_response(asked)
            name, kind = asked.question[0].name, dns.rdatatype.to_text(asked.question[0].rdtype)
            _fill(answer, name, kind, zone)
            socket.sendto(answer.to_wire(), self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _fill(
    answer: dns.message.Message, name: dns.name.Name, kind: str, zone: Mapping[str, Sequence[str]]
) -> None:
    known = name.to_text(omit_final_dot=True)
    while known in zone and len(zone[known]) == 1 and zone[known][0] in zone:
        answer.answer.append(dns.rrset.from_text(f"{known}.", 60, "IN", "CNAME", f"{zone[known][0]}."))
        known = zone[known][0]
    if known not in zone:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    family = [one for one in zone.get(known, ()) if (":" in one) == (kind == "AAAA")]
    if family:
        answer.answer.append(dns.rrset.from_text(f"{known}.", 60, "IN", kind, *family))
