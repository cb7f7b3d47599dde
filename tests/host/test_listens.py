# SPDX-License-Identifier: GPL-3.0-or-later
"""Where nginx's blocks answer, and who must say first for whom a connection is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from piquet.host.servers.nginx import config as nginx_config
from piquet.host.servers.nginx import server as nginx

ANY = nginx_config.EVERY_IPV4
Heard = tuple[str, int, bool, bool]
"""Address, port, TLS, PROXY line."""


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (["listen 80;"], [[(ANY, 80, False, False)]]),
        (["listen [::]:80;"], [[("::", 80, False, False)]]),
        (["listen [::]:80 ipv6only=on;"], [[("::", 80, False, False)]]),
        (["listen [::]:80 ipv6only=off;"], [[("::", 80, False, False), (ANY, 80, False, False)]]),
        (
            ["listen [::]:8444 ssl ipv6only=off;", "listen [::]:8444 ssl;", "listen [::]:8445 ssl;"],
            [
                [("::", 8444, True, False), (ANY, 8444, True, False)],
                [("::", 8444, True, False), (ANY, 8444, True, False)],
                [("::", 8445, True, False)],
            ],
        ),
        (["listen [2001:db8::1]:80 ipv6only=off;"], [[("2001:db8::1", 80, False, False)]]),
        (["listen 8081 proxy_protocol;"], [[(ANY, 8081, False, True)]]),
        (
            ["listen 8081 proxy_protocol;", "listen 8081;", "listen 127.0.0.1:8081;"],
            [[(ANY, 8081, False, True)], [(ANY, 8081, False, True)], [("127.0.0.1", 8081, False, False)]],
        ),
        (
            ["listen [::]:443 ssl proxy_protocol ipv6only=off;", "listen [::]:443; listen 80;"],
            [
                [("::", 443, True, True), (ANY, 443, True, True)],
                [("::", 443, True, True), (ANY, 443, True, True), (ANY, 80, False, False)],
            ],
        ),
    ],
)
def test_what_holds_for_a_socket_holds_for_all_its_blocks(
    tmp_path: Path, blocks: list[str], expected: list[list[Heard]]
) -> None:
    """One block's words on TLS, the PROXY line and both families count for every block on that socket."""
    conf = tmp_path / "nginx.conf"
    conf.write_text("http { " + "\n".join(f"server {{ {block} }}" for block in blocks) + " }")
    records = [nginx.block_record(block) for block in nginx_config.read_configuration(conf).blocks]
    found = [
        [(x["address"], x["port"], x["tls"], x["proxy_protocol"]) for x in record["listens"]]
        for record in records
    ]
    assert expected == found
