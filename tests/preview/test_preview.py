# SPDX-License-Identifier: GPL-3.0-or-later
"""The preview over HTTP: every view gives what the table of answers says, and nothing else can be had from it."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from piquet import answers, banner
from piquet.cli import exit_codes, run_command
from piquet.preview import chromium
from piquet.preview.rendered_campaign import SECRET
from piquet.preview.sample import POLICY
from piquet.preview.server import PreviewServer, serving
from piquet.preview.view import PREVIEW_MOMENTS
from piquet.protocol.http import SIGN_HEADER
from tests.running import running

from .campaigns import BAR, BLOCK, LANGUAGES, MODAL, OCCUPY, write_campaign

Got = tuple[int, Mapping[str, str], str]


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreviewServer]:
    """A preview of a campaign with every mode."""
    with serving(write_campaign(tmp_path_factory.mktemp("campaign"))) as server:
        yield server


def ask(server: PreviewServer, host: str, target: str, method: str = "GET", **headers: str) -> Got:
    """One request; a host without a port gets the server's."""
    full = host if ":" in host or not host else f"{host}:{server.port}"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, target, headers={"Host": full, **named})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, dict(response.getheaders()), body


def view(moment: str, number: int, language: str = "fr") -> str:
    """Host name of a view."""
    return f"{moment}-{number}-{language}.piquet.localhost"


def test_the_index_leads_to_every_phase_in_every_language(preview: PreviewServer) -> None:
    """Each link of the index and of what it leads to answers, and all views are among them."""
    seen: set[str] = set()
    ahead = ["/"]
    while ahead:
        path = ahead.pop()
        status, _, body = ask(preview, "piquet.localhost", path)
        assert (200, path) == (status, path)
        seen.add(path)
        links = {link for link in re.findall(r'href="(/[^"]*)"', body) if link not in seen}
        ahead += sorted(links - set(ahead))
    expected = {
        f"/view/{moment}-{number}-{language}{place}"
        for moment in PREVIEW_MOMENTS
        for number in (BAR, BLOCK, OCCUPY, MODAL)
        for language in LANGUAGES
        for place in ("/", "/article")
    }
    assert expected <= seen


def test_a_view_shows_both_widths(preview: PreviewServer) -> None:
    """A phone and a desktop, side by side, each with a name."""
    _, _, body = ask(preview, "piquet.localhost", f"/view/during-{BLOCK}-fr/")
    frames = re.findall(r'<iframe src="http://([^":]*):\d+/" title="[^"]+" width="(\d+)"', body)
    assert [width for _, width in frames] == ["390", "1280"]
    for host, _ in frames:
        assert host.startswith(f"during-{BLOCK}-fr.")
        assert 503 == ask(preview, host, "/")[0]


def test_each_look_is_that_of_a_new_visitor(preview: PreviewServer) -> None:
    """No cookie and no closed dialog of an earlier look, or of the other window, changes what is seen."""
    seen: set[str] = set()
    for _ in range(2):
        _, _, body = ask(preview, "piquet.localhost", f"/view/during-{MODAL}-fr/")
        seen |= set(re.findall(r'iframe src="([^"]*)"', body))
    assert 4 == len(seen)


def test_the_index_says_which_sites_stay_as_usual_and_why(tmp_path: Path) -> None:
    """Excluded, messages only, not agreed, not asked; a name is text, whatever it is."""
    file = write_campaign(tmp_path, ("fr",))
    text = file.read_text("utf-8")
    file.write_text(
        text.replace("sites: {", "sites: {exclude: [urgences.example.org], consent: consent.csv, "), "utf-8"
    )
    answers = "site,answer\na.example.org,in\nb.example.org,message\nc.example.org,out\n"
    (tmp_path / "consent.csv").write_text(answers, "utf-8")
    with serving(file) as server:
        page = ask(server, "piquet.localhost", "/")[2]
    told = re.findall(r"<dt>(As usual.*?|Agreed)</dt><dd>(.*?)</dd>", page)
    assert told == [
        ("Agreed", "<code>a.example.org</code>"),
        ("As usual but for messages, as was agreed", "<code>b.example.org</code>"),
        ("As usual, did not agree", "<code>c.example.org</code>"),
        ("As usual, excluded", "<code>urgences.example.org</code>"),
        ("As usual, no consent", "every other site"),
    ]


def test_what_the_index_of_a_view_says(preview: PreviewServer) -> None:
    """Its frames may be those sites only, and it tells what the server answers."""
    _, headers, body = ask(preview, "piquet.localhost", f"/view/during-{BLOCK}-fr/")
    assert f"frame-src http://*.piquet.localhost:{preview.port};" in headers["Content-Security-Policy"]
    assert "503 Service Unavailable" in body


@pytest.mark.parametrize("language", LANGUAGES)
def test_block_is_a_real_503_in_the_language_of_the_view(preview: PreviewServer, language: str) -> None:
    """For every method and path, whatever language one's own browser asks for."""
    for method, target in (("GET", "/"), ("POST", "/article"), ("PUT", "/nowhere"), ("BREW", "/")):
        status, headers, body = ask(
            preview, view("during", BLOCK, language), target, method, Accept_Language="xx"
        )
        assert (503, language) == (status, headers["Content-Language"])
        assert f'<html lang="{language}"' in body
        assert POLICY == headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("moment", "number", "kind"),
    [
        ("before", BAR, "usual"), ("during", BAR, "banner"), ("after", BAR, "block"), ("before", BLOCK, "banner"),
        ("during", BLOCK, "block"), ("after", BLOCK, "usual"), ("before", OCCUPY, "usual"),
        ("during", OCCUPY, "occupy"), ("after", OCCUPY, "usual"), ("during", MODAL, "banner"),
        ("after", MODAL, "usual"),
    ],
)  # fmt: skip
def test_the_moment_decides(preview: PreviewServer, moment: str, number: int, kind: str) -> None:
    """At the instant of an end the next phase is there if it begins then, as on a site."""
    status, headers, body = ask(preview, view(moment, number), "/")
    sign = headers.get(SIGN_HEADER, "")
    found = sign.rpartition("/")[2] or ("banner" if banner.BANNER_MARK in body else "usual")
    assert (kind, 503 if kind == "block" else 200) == (found, status)


def test_an_occupied_page_opens_by_its_link_and_nothing_else_does(preview: PreviewServer) -> None:
    """303 to the page itself with a cookie; with it the usual page; the article was never touched."""
    host = view("during", OCCUPY)
    status, headers, _ = ask(preview, host, f"/?{answers.USUAL_QUERY}")
    assert (303, "/") == (status, headers["Location"])
    cookie = headers["Set-Cookie"].partition(";")[0]
    _, usual, page = ask(preview, host, "/", Cookie=cookie)
    assert SIGN_HEADER not in usual and "The Meadow Review" in page
    assert SIGN_HEADER in ask(preview, host, "/?x=1")[1]
    assert SIGN_HEADER not in ask(preview, host, "/article")[1]


@pytest.mark.parametrize("number", [BAR, MODAL])
def test_a_banner_stands_once_in_pages_only(preview: PreviewServer, number: int) -> None:
    """The sample page with one banner; its style sheet stays as it is; a frame of another site has none."""
    host = view("during", number)
    for path in ("/", "/article"):
        assert 1 == ask(preview, host, path)[2].count(f"{banner.BANNER_MARK}=")
    assert ask(preview, host, "/journal.css")[2] == ask(preview, view("before", BAR), "/journal.css")[2]
    foreign = {"Sec_Fetch_Dest": "iframe", "Sec_Fetch_Site": "cross-site"}
    assert banner.BANNER_MARK not in ask(preview, host, "/", **foreign)[2]
    assert banner.BANNER_MARK in ask(preview, host, "/", Referer=preview.url, **foreign)[2]


def test_the_testers_link_works_without_the_secret(preview: PreviewServer) -> None:
    """A preview neither makes nor shows the campaign's own."""
    host = view("during", BLOCK)
    status, headers, _ = ask(preview, host, answers.BYPASS_PREFIX + SECRET)
    assert (303, "/") == (status, headers["Location"])
    assert 200 == ask(preview, host, "/", Cookie=headers["Set-Cookie"].partition(";")[0])[0]
    assert not (preview.show.loaded.path.parent / "bypass.key").exists()


@pytest.mark.parametrize(
    "host", ["", "localhost:1", "piquet.localhost:1", "evil.example", "during-9-fr.piquet.localhost", "x.localhost",
             "during-2-fr.evil.example",
             "a.b.during-2-fr.piquet.localhost", "during-2-fr.a.b.piquet.localhost", "during-2-fr..piquet.localhost",
             "during-2-fr.piquet.localhost.evil.example"]
)  # fmt: skip
def test_other_names_are_refused(preview: PreviewServer, host: str) -> None:
    """A foreign name that points to this machine opens nothing."""
    assert 421 == ask(preview, host, "/")[0]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_address_leads_to_the_name(preview: PreviewServer, host: str) -> None:
    """Whoever types the address finds the index."""
    status, headers, _ = ask(preview, host, "/anything")
    assert (302, preview.url) == (status, headers["Location"])


@pytest.mark.parametrize(
    "target",
    ["/../campaign.yml", "/campaign.yml", "/pages/greve/fr.md", "/%2e%2e/campaign.yml", "//etc/passwd", "/etc/passwd",
     "/view/../../campaign.yml", "/view/during-2-fr/../../x", "/front.html", "/.well-known/piquet/../strike.css"],
)  # fmt: skip
@pytest.mark.parametrize("host", ["piquet.localhost", view("after", BLOCK), view("during", OCCUPY)])
def test_nothing_but_what_is_rendered_is_served(preview: PreviewServer, host: str, target: str) -> None:
    """No file of the machine, of the campaign's folder or of the package has an address."""
    assert 404 == ask(preview, host, target)[0]


def test_it_listens_on_the_loopback_address_only(preview: PreviewServer) -> None:
    """Nobody else on the network can look."""
    assert "127.0.0.1" == preview.server_address[0]
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", preview.port), 1):
        pass


def test_what_was_just_written_is_seen(tmp_path: Path) -> None:
    """The index reads the campaign anew; a mistake is told as `piquet check` tells it, until it is mended."""
    file = write_campaign(tmp_path, ("fr",))
    with serving(file) as server:
        page = tmp_path / "pages/greve/fr.md"
        text = page.read_text("utf-8")
        page.write_text("# Nouveau texte\n", "utf-8")
        assert 200 == ask(server, "piquet.localhost", "/")[0]
        assert "Nouveau texte" in ask(server, view("during", BLOCK), "/")[2]
        page.write_text("", "utf-8")
        status, _, said = ask(server, "piquet.localhost", "/")
        assert 500 == status and "pages/greve/fr.md: this page is empty" in said
        page.write_text(text, "utf-8")
        assert 200 == ask(server, "piquet.localhost", "/")[0]


def test_errors_are_those_of_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same words and the same exit code."""
    file = write_campaign(tmp_path, ("fr",))
    (tmp_path / "pages/greve/fr.md").unlink()
    assert exit_codes.CAMPAIGN == run_command(["check", str(file)])
    checked = capsys.readouterr().err
    assert exit_codes.CAMPAIGN == run_command(["preview", str(file)])
    assert checked == capsys.readouterr().err


def test_a_port_that_is_taken_is_told(preview: PreviewServer, capsys: pytest.CaptureFixture[str]) -> None:
    """In one sentence with a hint."""
    file = str(preview.show.loaded.path)
    assert exit_codes.INTERNAL == run_command(["preview", file, "--port", str(preview.port)])
    assert f"port {preview.port} cannot be used" in capsys.readouterr().err


def test_pictures_without_a_browser(
    preview: PreviewServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is missing is said, with its own exit code, and no folder is left behind."""
    monkeypatch.setattr(chromium, "NAMES", ("no-such-browser",))
    arguments = ["preview", str(preview.show.loaded.path), "--export", str(tmp_path / "png")]
    assert exit_codes.INTERNAL == run_command(arguments)
    assert "there is no Chromium" in capsys.readouterr().err
    assert not (tmp_path / "png").exists()


def test_ctrl_c_ends_it_cleanly(tmp_path: Path) -> None:
    """Exit code 0, no traceback; the address is the only thing on standard output."""
    argv = [sys.executable, "-m", "piquet", "preview", str(write_campaign(tmp_path, ("fr",)))]
    with running(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        url = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert re.fullmatch(r"http://piquet\.localhost:\d+/\n", url)
    assert (0, "") == (process.returncode, out)
    assert err.endswith("ended\n") and "Traceback" not in err
