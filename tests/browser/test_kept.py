# SPDX-License-Identifier: GPL-3.0-or-later
"""What others keep of a window: a site's own service worker, and a cache in front.

Behind the end every look is the usual page.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Error

from piquet.banner import BANNER_MARK
from tests.corpus.chroot import ADDRESS, Chroot
from tests.corpus.kinds import host_name
from tests.corpus.servers import free_ports
from tests.preview.campaigns import BAR, BLOCK, MODAL, OCCUPY

from .conftest import Opener
from .sites import SHOWN, Real, Town, Visit
from .tab import Tab

LOOKS = 5
PATHS = ("/", "/article")
KEEPS = {
    "anything": "caches.open('own').then(c => c.put(request, copy)).catch(() => 0); return answer;",
    "ok": "if (answer.ok) caches.open('own').then(c => c.put(request, copy)).catch(() => 0); return answer;",
    "waiting": "const c = await caches.open('own'); await c.put(request, copy); return answer;",
}
"""How a worker keeps what it fetched: whatever came, what says that it is well, or before anybody gets it."""
_WORKER = """
addEventListener("install", () => skipWaiting());
addEventListener("activate", event => event.waitUntil(clients.claim()));
addEventListener("fetch", event => event.respondWith((async () => {
  const request = event.request, known = await caches.match(request);
  if (known) return known;
  const answer = await fetch(request), copy = answer.clone();
  %s
})()));
"""
_REGISTER = """async name => {
  await navigator.serviceWorker.register(name);
  await navigator.serviceWorker.ready;
  while (!navigator.serviceWorker.controller) await new Promise(done => setTimeout(done, 20));
  await caches.delete("own");
}"""
_CACHE = """pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events {{}}
http {{
    access_log off;
    proxy_cache_path /var/lib/nginx/kept keys_zone=kept:1m;
    server {{
        listen {address}:{port};
        location / {{
            proxy_pass http://{address}:{behind};
            proxy_set_header Host $http_host;
            proxy_cache kept;
            proxy_cache_valid any 1d;
            proxy_ignore_headers Cache-Control Expires Set-Cookie X-Accel-Expires;
            proxy_hide_header Cache-Control;
            add_header X-Kept $upstream_cache_status always;
        }}
    }}
}}
"""
_NOISE = "ServiceWorker|service worker|Failed to load resource|FetchEvent|net::ERR|MIME type|put"
_QUICK = {("nginx-include", BAR, "ok"), ("apache-rules", BLOCK, "anything")}
_QUICK_CACHE = {("nginx-include", BAR)}
_PAIRS = [(name, number) for name in SHOWN if name != "preview" for number in SHOWN[name]]


def _mark(is_quick: bool) -> list[pytest.MarkDecorator]:
    return [] if is_quick else [pytest.mark.long]


@contextmanager
def _with_files(site: Real, files: dict[str, str]) -> Iterator[None]:
    """Files of the site's own, for as long as one test."""
    paths = [site.server.chroot.path(f"/srv/self/{name}") for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(text)
        path.chmod(0o644)
    yield
    for path in paths:
        path.unlink()


def _end(site: Real, number: int) -> None:
    """Go to the first usual hour behind a phase: the block begins where the bar ends."""
    site.visit(OCCUPY if number == BAR else number, moment="after")


def _look(tab: Tab, path: str) -> str:
    """What a visitor sees: `ours`, `banner`, `usual`, or `nothing` where the browser shows an error of its own."""
    try:
        tab.go(path)
    except Error as error:
        if "interrupted" in error.message:  # by the browser's own page about the last error
            return _look(tab, path)
        return "nothing"
    banners = tab.page.locator(f"[{BANNER_MARK}]")
    if banners.count() and (banners.first.is_visible() or tab.page.get_by_role("dialog").count()):
        return "banner"
    is_ours = tab.page.locator("link[href='/.well-known/piquet/strike.css']").count()
    return "ours" if is_ours else "usual"


def _place(tab: Tab, path: str) -> object:
    """Where the page's first heading stands."""
    tab.go(path)
    return tab.page.locator("h1").first.bounding_box()


def _is_shown(number: int, seen: dict[str, set[str]]) -> None:
    """What was seen in the window is what it shows; a dialog opens once for each visitor."""
    by_number = {BAR: ("banner", "banner"), BLOCK: ("ours", "ours"), OCCUPY: ("ours", "usual")}
    if number == MODAL:
        assert {"/": {"banner", "usual"}, "/article": {"usual"}} == seen
    else:
        assert {path: {what} for path, what in zip(PATHS, by_number[number], strict=True)} == seen


@pytest.mark.parametrize(
    ("name", "number", "keeps"),
    [
        pytest.param(name, number, keeps, marks=_mark((name, number, keeps) in _QUICK))
        for name, number in _PAIRS
        for keeps in KEEPS
    ],
)
def test_a_worker_of_the_sites_own_keeps_nothing_of_ours(
    town: Town, opened: Opener, name: str, number: int, keeps: str
) -> None:
    """Whatever it keeps: all looks behind the end are usual, and nothing of the page stands elsewhere than before."""
    site = town[name]
    assert isinstance(site, Real)
    with _with_files(site, {"worker.js": _WORKER % KEEPS[keeps]}):
        tab = opened(site.visit(BAR, moment="before"))
        tab.allowed = _NOISE
        places = {path: _place(tab, path) for path in PATHS}
        tab.page.evaluate(_REGISTER, "/worker.js")
        site.visit(number)
        seen = {path: {_look(tab, path) for _ in range(2)} for path in PATHS}
        _end(site, number)
        after = [_look(tab, path) for _ in range(LOOKS) for path in PATHS]
        assert ["usual"] * LOOKS * len(PATHS) == after
        assert places == {path: _place(tab, path) for path in PATHS}
    if (
        keeps != "waiting"
    ):  # it waits for what cannot be kept, and then its visitors see an error of the browser's
        _is_shown(number, seen)


@contextmanager
def _cache_before(site: Real, folder: Path) -> Iterator[str]:
    """nginx in front, told to keep whatever comes for a day; yields its origin."""
    (port,) = free_ports(1)
    chroot = Chroot(folder)
    text = _CACHE.format(address=ADDRESS, port=port, behind=site.server.http)
    chroot.write("/etc/nginx/nginx.conf", text.encode())
    with chroot.serving(["/usr/sbin/nginx", "-g", "daemon off;"], port, on_its_clock=False):
        yield f"http://{host_name('self')}:{port}"
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("name", "number"),
    [pytest.param(name, number, marks=_mark((name, number) in _QUICK_CACHE)) for name, number in _PAIRS],
)
def test_a_cache_that_keeps_everything_shows_nothing_of_ours(
    town: Town, opened: Opener, tmp_path: Path, name: str, number: int
) -> None:
    """Told to overlook what answers say of keeping: a page with a banner is kept, and shows none behind the end."""
    site = town[name]
    assert isinstance(site, Real)
    with _cache_before(site, tmp_path / "cache") as origin:
        site.visit(number)
        tab = opened(Visit(origin, "fr"))
        tab.allowed = _NOISE
        seen = {path: {_look(tab, path) for _ in range(2)} for path in PATHS}
        door, host = origin.replace(host_name("self"), ADDRESS), origin.removeprefix("http://")
        kept = tab.page.request.get(f"{door}/article", headers={"Host": host})
        assert kept.headers["x-kept"] == ("MISS" if number == BLOCK else "HIT")
        _end(site, number)
        late = opened(Visit(origin, "fr"))
        late.allowed = _NOISE
        after = [_look(late, path) for _ in range(LOOKS) for path in PATHS]
        assert ["usual"] * LOOKS * len(PATHS) == after
        _is_shown(number, seen)
