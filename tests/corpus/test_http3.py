# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/3: asked over QUIC by curl, of the nginx of a Debian release that has it, in every mode by both ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from piquet.answers import USUAL_QUERY, retry_after, sign
from piquet.campaign.model import Mode
from piquet.fleet.model import Variant
from piquet.protocol.http import ABOUT_PATH

from .chroot import choose_suite
from .conftest import Planter
from .kinds import host_name
from .picket import Picket, picket
from .servers import Server
from .surveyed import ask_agent, look

HOST = host_name("http3")
NEW = "trixie"
"""The first release whose nginx has HTTP/3, and whose curl asks by it."""
OPEN = ("/robots.txt", "/api/x")
SHUT = ("/pages/traps.html", "/deep/er/missing", "/api/../x", ABOUT_PATH, "/.well-known/piquet/x")
_ATTEMPTS = 4
"""Of curl: one in a hundred of its QUIC connections stands still, to an nginx without anything of ours as well."""
_CUT = "\n--8<--\n"


@dataclass(frozen=True)
class Shown:
    """One answer as curl writes it: headers with names in small letters, whole text."""

    text: str

    @property
    def status(self) -> str:
        """Protocol and status."""
        return self.text.partition("\n")[0].strip()

    def values(self, name: str) -> list[str]:
        """Of a header."""
        head = self.text.replace("\r", "").partition("\n\n")[0].splitlines()[1:]
        return [value.strip() for key, _, value in (line.partition(":") for line in head) if key == name]


@pytest.fixture(autouse=True)
def _has_http3(request: pytest.FixtureRequest) -> Iterator[None]:
    """Servers of a release that has it, whatever the run asks for."""
    asked = request.config.getoption("--suite")
    choose_suite(asked if asked in (NEW, "forky") else NEW)
    yield
    choose_suite(asked)


def curl(server: Server) -> dict[str, Shown]:
    """Question → answer: all over one QUIC connection, but for a POST with a body and a HEAD."""
    origin = f"https://{HOST}:{server.https}"
    common = [
        "--http3-only",
        "-sk",
        "--path-as-is",
        "--max-time",
        "3",
        "--resolve",
        f"{HOST}:{server.https}:127.0.0.1",
    ]
    paths = ["/", f"/?{USUAL_QUERY}", *SHUT, *OPEN]
    parts = {
        **{path: ["-i", origin + path] for path in paths},
        "HEAD": ["-I", f"{origin}/"],
        "POST": ["-i", "--data-binary", "x" * 500, f"{origin}/"],
        "page": ["-i", "-H", "Accept: text/html", "--compressed", f"{origin}/pages/traps.html"],
    }
    argv = ["curl", "--fail-early"]
    for number, part in enumerate(parts.values()):
        argv += (["--next"] if number else []) + [*common, "-w", _CUT, *part]
    for _ in range(_ATTEMPTS):
        done = server.chroot.run(argv, on_its_clock=False)
        if not done.returncode:
            break
    assert done.returncode == 0, (done.returncode, done.stdout[-300:], server.errors()[-500:])
    texts = done.stdout.split(_CUT)
    return {asked: Shown(text) for asked, text in zip(parts, texts, strict=False)}


def looks(server: Server, strike: Picket) -> dict[int, dict[str, Shown]]:
    """What is answered before, inside and after, by the instant."""
    found = {}
    with server.serving():
        for at_ms in (strike.before_ms, strike.inside_ms, strike.after_ms):
            server.chroot.set_clock(at_ms)
            found[at_ms] = curl(server)
    return found


@pytest.mark.parametrize(
    ("mode", "variant"),
    [
        ("block", "include"),
        ("banner", "lua"),
        pytest.param("block", "lua", marks=pytest.mark.long),
        pytest.param("occupy", "include", marks=pytest.mark.long),
        pytest.param("occupy", "lua", marks=pytest.mark.long),
        pytest.param("banner", "include", marks=pytest.mark.long),
    ],
)
def test_over_quic_as_over_tcp(mode: Mode, variant: Variant, planted: Planter) -> None:
    """Before, after, removed: byte for byte as without us; inside what the mode says; Alt-Svc is the site's or none."""
    server = planted("nginx", "00-default", "http3", "static", lua=variant == "lua")
    strike = picket(server, mode=mode, variant=variant)
    usual = looks(server, strike)
    assert {one.status for one in usual[strike.before_ms].values()} >= {
        "HTTP/3 200",
        "HTTP/3 404",
        "HTTP/3 405",
    }
    strike.hook(server)
    strike.stage(server)
    server.make_flags(strike.keys)
    held = looks(server, strike)
    assert held[strike.before_ms] == usual[strike.before_ms]
    assert held[strike.after_ms] == usual[strike.after_ms]
    _judge(mode, variant, strike, held[strike.inside_ms], usual[strike.inside_ms])
    strike.withdraw(server)
    assert looks(server, strike) == usual


def _judge(
    mode: Mode, variant: Variant, strike: Picket, held: dict[str, Shown], usual: dict[str, Shown]
) -> None:
    """Every answer of the window."""
    phase = strike.campaign.phases[0]
    own = [f'h3=":{port}"; ma=86400' for port in {_port(one) for one in usual.values()}]
    ours = {asked for asked, one in held.items() if one.values("x-piquet") == [sign(strike.campaign, phase)]}
    style = {ABOUT_PATH}
    if mode == "block":
        assert ours == {*held} - {*OPEN}
        assert {held[asked].status for asked in ours - style} == {"HTTP/3 503"}
        assert {tuple(held[asked].values("retry-after")) for asked in ours - style} == {
            (retry_after(strike.campaign, phase),)
        }
    elif mode == "occupy":
        assert ours == {"/", f"/?{USUAL_QUERY}", "HEAD", "/deep/er/missing", ABOUT_PATH}
        assert held["/"].status == "HTTP/3 200" and held[f"/?{USUAL_QUERY}"].status == "HTTP/3 303"
    else:
        assert ours == style
        assert held["page"].text.count("data-piquet=") == 1
    theirs = (
        {*held}
        - ours
        - ({"/", "page", "HEAD", f"/?{USUAL_QUERY}", "/pages/traps.html"} if mode == "banner" else set())
    )
    for asked in theirs:
        assert _lasting(held[asked]) == _lasting(usual[asked]), asked
    for asked, one in held.items():
        wanted = [] if asked in ours and variant == "include" else own
        assert one.values("alt-svc") == wanted, asked


def _lasting(shown: Shown) -> str:
    """An answer without what an open door's caches are told in a window."""
    lines = shown.text.splitlines()
    return "\n".join(line for line in lines if not line.lower().startswith(("cache-control:", "expires:")))


def _port(shown: Shown) -> str:
    return shown.values("x-protocol")[0].split()[2]


def test_survey_tells_who_answers_over_quic(planted: Planter) -> None:
    """The block's record and a finding, of this kind alone; the plan goes on."""
    server = planted("nginx", "00-default", "http3", "static")
    strike = picket(server)
    blocks = {
        block["names"][0]: block.get("quic")
        for block in ask_agent(server)["nginx"]["blocks"]
        if block["names"]
    }
    assert blocks[HOST] == [str(server.https)] and blocks[host_name("static")] is None
    assert look(server, strike.campaign).survey["http3"] == "info"
    next(path for path in server.vhost_files() if path.name == "http3.conf").unlink()
    assert "http3" not in look(server, strike.campaign).survey
