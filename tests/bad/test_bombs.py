# SPDX-License-Identifier: GPL-3.0-or-later
"""Small files of the organisers' folder that ask for much: each is refused before it costs anything, or is cheap."""

from __future__ import annotations

import functools
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.unit.picture_files import apng, avif, gif, jpeg, png, riff, webp

LEAST_CPU_S = 5
"""What `check` may use for any folder; on a slow machine eight times what it uses for a sound one."""
MEMORY_BYTES = 2 * 1024**3
BASE = Path(__file__).parent / "base"
HEAD = '{% include "head.html.j2" %}<body>'


PICTURES = {
    "png": ("png", png(60000, 60000)),
    "png-wide": ("png", png(2**31 - 1, 1)),
    "png-nothing": ("png", png(0, 10)),
    "png-cut": ("png", b"\x89PNG\r\n\x1a\n"),
    "apng": ("png", apng(4000, 4000, 5000)),
    "jpeg": ("jpg", jpeg(65500, 65500)),
    "jpeg-progressive": ("jpg", jpeg(65500, 65500, 0xC2)),
    "jpeg-no-size": ("jpg", b"\xff\xd8\xff\xe0\x00\x04ab"),
    "gif": ("gif", gif(65535, 65535)),
    "gif-frame": ("gif", gif(10, 10, 1, (65535, 65535))),
    "gif-frames": ("gif", gif(4000, 4000, 5000)),
    "webp": ("webp", webp(16000, 16000)),
    "webp-frames": ("webp", webp(4000, 4000, 5000)),
    "webp-lossy": ("webp", riff((b"VP8 ", b"\0\0\0\x9d\x01\x2a" + b"\xff\x3f" * 2))),
    "webp-lossless": ("webp", riff((b"VP8L", b"\x2f\xff\xff\xff\x0f"))),
    "webp-cut": ("webp", riff()),
    "avif": ("avif", avif(60000, 60000)),
    "avif-cut": ("avif", b"\0\0\0\x14ftypavif\0\0\0\0avif"),
}


def picture(kind: str) -> Mapping[str, bytes]:
    """A page that shows it."""
    suffix, content = PICTURES[kind]
    return {
        "pages/greve/fr.md": f"# a\n\n![what it shows](photo.{suffix})\n".encode(),
        f"pages/greve/photo.{suffix}": content,
    }


def template(text: str) -> Mapping[str, bytes]:
    """A theme with this page."""
    return {"themes/ours/page.html.j2": (HEAD + text).encode()}


def sheet(text: str, name: str = "strike.css") -> Mapping[str, bytes]:
    """A theme with this style sheet."""
    return {f"themes/ours/{name}": text.encode()}


def page(text: str, name: str = "fr.md") -> Mapping[str, bytes]:
    """A page of this text."""
    return {f"pages/greve/{name}": text.encode(), **({"pages/greve/fr.md": b""} if name != "fr.md" else {})}


LOOP = "{% for a in range(99999) %}"
REFUSED: dict[str, Mapping[str, bytes]] = {
    "theme-loops": template(LOOP * 4 + "{% endfor %}" * 4),
    "theme-string": template("{{ ('a' * 3000000000)|length }}"),
    "theme-power": template("{{ (10 ** (10 ** 9)) % 7 }}"),
    "theme-format": template("{{ '%9999999999d' % 1 }}"),
    "theme-format-method": template("{{ '{:>9999999999}'.format(1)|length }}"),
    "theme-center": template("{{ 'a'.center(9999999999)|length }}"),
    "theme-doubling": template(
        "{% set n = namespace(a='aa') %}{% for i in range(60) %}{% set n.a = n.a ~ n.a %}{% endfor %}"
    ),
    "theme-macro": template(
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}"
    ),
    "theme-output": template("{% for a in range(99999) %}{{ body }}" + "x" * 1000 + "{% endfor %}"),
    "theme-lipsum": template("{{ lipsum(n=1000000) }}"),
    "theme-list": template("{{ [[0] * 50000] * 50000 * 50000 }}"),
    "theme-template-long": template("{% if 1 %}" * 100000 + "{% endif %}" * 100000),
    "theme-template-deep": template("{{ " + "(" * 100000 + "1" + ")" * 100000 + " }}"),
    "css-braces": sheet("{" * 1_000_000),
    "css-brackets": sheet("a{b:" + "[" * 1_000_000),
    "css-parentheses": sheet("a{b:" + "(" * 1_000_000),
    "css-functions": sheet("a{b:" + "calc(" * 200_000),
    "css-closed": sheet("{" * 500_000 + "}" * 500_000),
    "css-many": sheet("a{}" * 300_000),
    "css-banner-braces": sheet("{" * 1_000_000, "banner.css"),
    "css-banner-media": sheet("@media all{" * 90_000, "banner.css"),
    "css-banner-selectors": sheet("," * 1_000_000 + "{}", "banner.css"),
    "css-strings": sheet("a{b:'" * 150_000),
    "css-comments": sheet("/*" * 500_000),
    "css-urls": sheet("url(" * 250_000),
    "css-escapes": sheet("\\a " * 300_000),
    "words-format": {"themes/ours/words.yml": b'fr: {strike: "a", range: "{start:>9999999999} {end}"}'},
    "words-deep": {"themes/ours/words.yml": b"fr: " + b"[" * 100_000},
    "yaml-deep-flow": {"campaign.yml": b"a: " + b"[" * 200_000},
    "yaml-deep-maps": {"campaign.yml": b"{a: " * 50_000},
    "yaml-deep-block": {"campaign.yml": "".join(" " * n + "a:\n" for n in range(700)).encode()},
    "yaml-sequence": {"campaign.yml": b"- " * 100_000},
    "yaml-many": {"campaign.yml": b"a: [" + b"0," * 120_000 + b"]"},
    "yaml-keys": {"campaign.yml": b"".join(b"k%d: 0\n" % n for n in range(25_000))},
    "yaml-one-key": {"campaign.yml": b"a: 0\n" * 50_000},
    "yaml-quotes": {"campaign.yml": b'"' * 200_000},
    "yaml-names": {
        "campaign.yml": BASE.joinpath("campaign.yml").read_bytes().replace(b'["*"]', b"[" + b"a b," * 20_000 + b"]")
    },
    "consent-field": {"campaign.yml": b"CONSENT", "consent.csv": b"site,answer\n" + b"a" * 4_000_000 + b",in\n"},
    "consent-quote": {"campaign.yml": b"CONSENT", "consent.csv": b'site,answer\n"' + b"\n" * 4_000_000},
    "consent-columns": {"campaign.yml": b"CONSENT", "consent.csv": b"site,answer" + b"," * 4_000_000 + b"\na,in\n" * 9},
    "consent-rows": {"campaign.yml": b"CONSENT", "consent.csv": b"site,answer\n" + b"a b,in\n" * 500_000},
    "consent-names": {"campaign.yml": b"CONSENT", "consent.csv": b"site,answer\n" + b"a,in\na,out\n" * 300_000},
    "selection-deep": {"campaign.yml": b"OCCUPY", "pages/greve/selection.yml": b"[" * 200_000},
    **{f"picture-{kind}": picture(kind) for kind in PICTURES},
}  # fmt: skip
"""What is too much, by its kind."""
CHEAP: dict[str, Mapping[str, bytes]] = {
    "markdown-quotes": page("# a\n\n" + ">" * 100_000),
    "markdown-quotes-lines": page("# a\n\n" + (">" * 100 + "a\n") * 2000),
    "markdown-lists": page("# a\n\n" + "- " * 100_000),
    "markdown-list-lines": page("# a\n\n" + "".join("  " * n + "- a\n" for n in range(450))),
    "markdown-brackets": page("# a\n\n" + "[" * 200_000),
    "markdown-links": page("# a\n\n" + "[a](" * 60_000),
    "markdown-pictures": page("# a\n\n" + "![" * 100_000),
    "markdown-references": page("# a\n\n" + "[a]: /b\n" * 30_000 + "[a]" * 5_000),
    "markdown-stars": page("# a\n\n" + "*a **a " * 30_000),
    "markdown-emphasis": page("# a\n\n" + "a**b" + "c* " * 80_000),
    "markdown-ticks": page("# a\n\n" + "".join("`" * n + "a" for n in range(700))),
    "markdown-fences": page("# a\n\n" + "```\n" * 60_000),
    "markdown-autolinks": page("# a\n\n" + "<" * 200_000),
    "markdown-entities": page("# a\n\n" + "&" * 200_000),
    "markdown-tables": page("# a\n\n" + "|a" * 5_000 + "\n" + "|-" * 5_000 + "\n" + "|\n" * 20_000),
    "markdown-escapes": page("# a\n\n" + "\\" * 200_000),
    "markdown-comments": page("# a\n\n" + "<!--" * 16_000),
    "markdown-declarations": page("# a\n\n" + "<![" * 20_000),
    "markdown-tags": page("# a\n\n" + "<b>" * 20_000),
    "html-nested": page("<p>" + "<div>" * 50_000, "fr.html"),
    "html-tables": page("<p>" + "<table><tr><td>" * 15_000, "fr.html"),
    "html-attributes": page("<p " + "a=b " * 1_000 + ">a", "fr.html"),
    "html-comments": page("<p>a" + "<!--" * 60_000, "fr.html"),
    "html-declarations": page("<p>a" + "<![" * 80_000, "fr.html"),
    "html-entities": page("<p>" + "&lt" * 80_000, "fr.html"),
    "html-quotes": page("<p>" + "<a b='" * 600, "fr.html"),
    "html-formats": page("<p>" + "<b><i><a>" * 25_000, "fr.html"),
    "html-ends": page("<p>" + "</p>" * 60_000, "fr.html"),
}
"""What is refused or not, as it deserves, at little cost."""


ORDINARY = frozenset(
    {
        *("theme-loops", "theme-string", "css-braces", "words-format", "yaml-many"),
        *("consent-rows", "picture-png", "picture-gif-frames", "picture-avif"),
    }
)
"""One of each way that something is too much."""


def lay(files: Mapping[str, bytes], folder: Path) -> None:
    """The sound campaign with these files over it."""
    shutil.copytree(BASE, folder, dirs_exist_ok=True)
    text = (folder / "campaign.yml").read_text("utf-8")
    if any(name.startswith("themes/") for name in files):
        (folder / "campaign.yml").write_text(text + "theme: themes/ours\n", "utf-8")
    made = {
        b"CONSENT": text.replace("]}", "], consent: consent.csv}"),
        b"OCCUPY": text.replace("mode: block", "mode: occupy, paths: [/]"),
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content:
            path.write_bytes(made[content].encode() if content in made else content)
        else:
            path.unlink()


@functools.cache
def cpu_s() -> int:
    """By the pace of this machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    subprocess.run(
        [sys.executable, "-m", "piquet", "check", "campaign.yml"], cwd=BASE, capture_output=True, check=True
    )
    plain = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return max(LEAST_CPU_S, round(8 * plain))


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """`piquet check` with little time and memory; what goes beyond is killed."""
    allowed_s = cpu_s()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (allowed_s, allowed_s))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))

    argv = [sys.executable, "-m", "piquet", "check", "campaign.yml"]
    return subprocess.run(argv, cwd=folder, preexec_fn=limit, capture_output=True, text=True, check=False)


def some(names: Mapping[str, object], ordinary: frozenset[str]) -> list[Any]:
    """All names; those that are not of an ordinary run are marked: each starts a program."""
    assert ordinary <= names.keys()
    return [pytest.param(name, marks=[] if name in ordinary else pytest.mark.long) for name in names]


@pytest.mark.parametrize("name", some(REFUSED, ORDINARY))
def test_a_bomb_is_refused(name: str, tmp_path: Path) -> None:
    """With a reason and a place, at little cost."""
    lay(REFUSED[name], tmp_path)
    done = check(tmp_path)
    assert done.returncode in (3, 5, 6), (done.returncode, done.stderr[-2000:])
    assert "Traceback" not in done.stderr and len(done.stderr) < 200_000
    assert "expected:" in done.stderr or "hint:" in done.stderr


@pytest.mark.parametrize("name", some(CHEAP, frozenset({"markdown-brackets", "html-comments"})))
def test_what_looks_like_a_bomb_is_cheap(name: str, tmp_path: Path) -> None:
    """It is answered, whatever it is answered."""
    lay(CHEAP[name], tmp_path)
    done = check(tmp_path)
    assert done.returncode in (0, 3, 5, 6), (done.returncode, done.stderr[-2000:])
    assert "Traceback" not in done.stderr
