# SPDX-License-Identifier: GPL-3.0-or-later
"""Themes: a folder that a designer copies and changes; no code is touched, and nothing harmful comes of it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from piquet import answers, resources
from piquet.bundle import build_bundles, pages_folder
from piquet.campaign.model import BUILT_IN_THEMES, Emergency, Mode, Phase, Theme
from piquet.errors import BundleError
from piquet.load import load_campaign
from piquet.pages import page, theme
from piquet.pages.confined import confined
from piquet.pages.sandbox import TemplateFault
from piquet.pages.source import PageSource, Pick
from tests.render.samples import CAMPAIGN, KEY, PHASE, host, pages, plan
from tests.unit.samples import campaign_text

THEMES = resources.templates() / "page" / "themes"
GOLDEN = Path(__file__).parent / "golden"
COLOURS = re.compile(r"--(?P<name>[a-z-]+):\s*(?P<value>#[0-9a-f]{3,6})")


def themed(name: str):
    """The sample campaign in a theme."""
    return replace(CAMPAIGN, theme=Theme(name))


def test_the_themes_are_those_that_there_are() -> None:
    """Names in the campaign file's language and folders of templates."""
    assert sorted(BUILT_IN_THEMES) == sorted(folder.name for folder in THEMES.iterdir())


@pytest.mark.parametrize("name", BUILT_IN_THEMES)
@pytest.mark.parametrize("mode", ["block", "occupy"])
def test_pages_are_the_golden_ones(name: str, mode: Mode, is_regenerating: bool) -> None:
    """Word for word; `--regenerate` writes them anew, and the diff is what visitors will see."""
    phase = Phase(
        1, mode, PHASE.start_at, PHASE.end_at, page="pages/x", paths=("/",) if mode == "occupy" else ()
    )
    text = "# Pourquoi nous cessons\n\nVos *mots*.\n\n![Nous](nous.png)\n"
    picks = (Pick("/archives", "Nos archives", "Tout ce qui reste."),)
    source = PageSource(1, "fr", "fr.md", "markdown", text, {"nous.png": b"x"}, picks)
    campaign = replace(themed(name), emergency=Emergency("tel:+33123456789"))
    golden, made = GOLDEN / f"{name}-{mode}.html", page.page_html(campaign, phase, source)
    if is_regenerating:
        golden.write_text(made, "utf-8")
    assert golden.read_text("utf-8") == made


def test_they_differ_in_design() -> None:
    """Another structure of the page, not only other colours."""
    shapes = set()
    for name in BUILT_IN_THEMES:
        text = page.page_html(themed(name), PHASE, pages()[0])
        shapes.add(tuple(re.findall(r"<(\w+)(?: class=\"([a-z]+)\")?", text.partition("<body")[2])))
    assert len(shapes) == len(BUILT_IN_THEMES)


def test_a_designer_copies_a_folder_and_changes_it(tmp_path: Path) -> None:
    """Style, page, words, a font: all of it comes out of the bundle, and no code was touched."""
    (tmp_path / "pages/greve").mkdir(parents=True)
    for language in ("fr", "en"):
        (tmp_path / f"pages/greve/{language}.md").write_text("# Pourquoi\n\nParce que.\n", "utf-8")
    ours = tmp_path / "themes/ours"
    shutil.copytree(THEMES / "letter", ours)
    (ours / "README.md").write_text("for the designer only", "utf-8")
    (ours / "hand.woff2").write_bytes(b"wOF2")
    style = (ours / "strike.css").read_text("utf-8")
    (ours / "strike.css").write_text(
        f'@font-face {{ font-family: hand; src: url("hand.woff2") }}\n{style}',
        "utf-8",
    )
    template = (ours / "page.html.j2").read_text("utf-8")
    (ours / "page.html.j2").write_text(template.replace("<main>", '<main class="ours">'), "utf-8")
    (ours / "words.yml").write_text('fr: {strike: En lutte}\n"en": {strike: Out}\n', "utf-8")
    (tmp_path / "campaign.yml").write_text(campaign_text(theme="themes/ours"), "utf-8")

    loaded = load_campaign(tmp_path / "campaign.yml")
    (bundle,) = build_bundles(plan(host("a.example.org"), campaign=loaded.campaign), loaded.pages, None, KEY)
    www = pages_folder(KEY, loaded.campaign.name)
    files = {file.path: file.content for file in bundle.files}
    french = files[f"{www}/page/1/fr.html"].decode()
    assert '<main class="ours">' in french and "En lutte" in french
    assert b"@font-face" in files[f"{www}/asset/1/strike.css"]
    assert files[f"{www}/asset/1/hand.woff2"] == b"wOF2"
    assert json.loads(files[f"{www}/page/1/en.problem"])["title"] == "Out"
    assert not [path for path in files if "README.md" in path or "words.yml" in path or ".j2" in path]


def test_what_a_theme_leaves_out_is_the_default_ones() -> None:
    """A folder with one file is a theme."""
    theme = Theme("ours", {"strike.css": b"body { color: red }"})
    files = page.phase_files(replace(CAMPAIGN, theme=theme), PHASE, pages())
    assert files["asset/1/strike.css"] == b"body { color: red }"
    assert files["page/1/fr.html"] == page.phase_files(CAMPAIGN, PHASE, pages())["page/1/fr.html"]


def test_a_banner_has_its_frame_whatever_the_theme() -> None:
    """What keeps it and the page apart comes first, so that a theme says only what is its own."""
    sheet = theme.style(Theme("ours", {"banner.css": b"aside { color: red }"}), theme.BANNER_STYLE).decode()
    frame, _, own = sheet.partition("aside { color: red }")
    assert "all: initial" in frame and "display: block !important" in frame and not own
    assert frame.count("{") == frame.count("}")


def test_a_theme_that_is_not_there() -> None:
    """Said, not guessed."""
    with pytest.raises(BundleError, match="there is no theme"):
        page.phase_files(themed("nobody"), PHASE, pages())


@pytest.mark.parametrize(
    "template",
    [
        "{{ words.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ body.__init__.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{% include '../../../etc/passwd' %}",
        "{{ nothing }}",
        "{{ words.nothing }}",
        "{% for %}",
        "{{ 1 / 0 }}",
        "{{ words.update({}) }}",
        "{% include 'page.html.j2' %}",
        "{{ range(10000000)|list }}",
        "<script>x</script>",
        "<script type=module src=/.well-known/piquet/x.js></script>",
        "<p style=x>",
        "<style>x</style>",
        "<img src=//evil.example/x.png>",
        "<img srcset=/x.png>",
        "<link rel=stylesheet href=https://evil.example/x.css>",
        "<link rel=stylesheet href=/own.css>",
        "<a href=javascript:x>",
        "<a href=' javascript:x'>",
        "<a href=data:x>",
        "<p onclick=x>",
        "<iframe></iframe>",
        "<form>",
        "<base href=x>",
        "<meta http-equiv=refresh content=0>",
        "<svg>",
        "<a ping=x>",
    ],
)
def test_a_hostile_theme_is_refused(template: str) -> None:
    """Neither what it does while rendering nor what it would have visitors load gets through."""
    theme = Theme("ours", {"page.html.j2": template.encode()})
    with pytest.raises(BundleError, match="theme's page cannot be"):
        page.phase_files(replace(CAMPAIGN, theme=theme), PHASE, pages())


def test_a_page_of_a_theme_has_its_share_of_memory() -> None:
    """However much the machine has; and the next page is made as if nothing had been."""
    with pytest.raises(TemplateFault, match="memory"):
        confined("{{ ('a' * 1000000000)|length }}", {}, {})
    assert confined("{{ a }}", {}, {"a": "b"}) == "b"


@pytest.mark.parametrize(
    "words",
    [
        {"fr": {"nobody": "x"}},
        {"fr": {"range": "du {start.__class__}"}},
        {"fr": {"range": "du {debut}"}},
        {"fr": {"range": "{"}},
        {"fr": {"zone": "{city!r}"}},
        {"nl": {"strike": "In staking"}},
    ],
)
def test_wrong_words_are_refused(words: dict) -> None:
    """A word that no page says, a place that nothing fills, and half a language."""
    campaign = replace(CAMPAIGN, languages=("fr", "nl"), theme=Theme("ours", {"words.yml": b"x"}, words))
    texts = [replace(pages()[0], language=language) for language in campaign.languages]
    with pytest.raises(BundleError, match="words cannot be used"):
        page.phase_files(campaign, PHASE, texts)


@pytest.mark.parametrize("name", BUILT_IN_THEMES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(name: str, scheme: str) -> None:
    """Every pair of text and ground that a theme uses has 4.5 to 1 or more. Source: WCAG 2.2, 1.4.3 and 1.4.11."""
    style = (THEMES / name / "strike.css").read_text("utf-8")
    light, _, rest = style.partition("@media (prefers-color-scheme: dark)")
    found = dict(COLOURS.findall(light.partition("}")[0]))
    if scheme == "dark":
        found |= dict(COLOURS.findall(rest.partition("}")[0]))
    pairs = {
        "poster": [("ink", "paper"), ("on-red", "red"), ("on-band", "band")],
        "letter": [("ink", "paper"), ("soft", "paper"), ("rule", "paper")],
    }
    for text, ground in pairs[name]:
        assert contrast(found[text], found[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    """Of two colours. Source: WCAG 2.2, relative luminance."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of `#rgb` or `#rrggbb`."""
    digits = colour.lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@pytest.mark.parametrize("name", BUILT_IN_THEMES)
def test_an_occupied_page(name: str) -> None:
    """Links to the usual page: relative on the page itself, whole where another language was asked for."""
    phase = Phase(2, "occupy", PHASE.start_at, PHASE.end_at, page="pages/une", paths=("/", "/index.html"))
    picks = (Pick("/archives?a=1&b=2", "Archives", "Tout <b>"), Pick("https://example.org/", "Ailleurs"))
    texts = [
        PageSource(2, language, "x.md", "markdown", "# Une\n\nTexte\n", picks=picks)
        for language in ("fr", "en")
    ]
    files = page.phase_files(themed(name), phase, texts)
    assert sorted(files) == [
        "asset/2/en.html",
        "asset/2/fr.html",
        "asset/2/icon.png",
        "asset/2/piquet.json",
        "asset/2/strike.css",
        "front/2/en.html",
        "front/2/fr.html",
    ]
    front, asset = files["front/2/fr.html"].decode(), files["asset/2/fr.html"].decode()
    assert f'href="?{answers.USUAL_QUERY}"' in front and 'href="/?piquet=usual"' in asset
    assert '<a href="/archives?a=1&amp;b=2">Archives</a>' in front and "Tout &lt;b&gt;" in front
    assert 'content="noarchive, nosnippet"' in front
    assert "page habituelle" in front


@pytest.mark.parametrize("name", BUILT_IN_THEMES)
def test_a_page_from_the_right(name: str) -> None:
    """Arabic, Hebrew and Persian are laid out from the right; words that we lack are English, and marked so."""
    campaign = replace(themed(name), languages=("ar", "he", "fa", "en"))
    texts = [PageSource(1, language, "x.md", "markdown", "# نص\n") for language in campaign.languages]
    files = page.phase_files(campaign, PHASE, texts)
    for language in ("ar", "he", "fa"):
        html = files[f"page/1/{language}.html"].decode()
        assert f'<html lang="{language}" dir="rtl">' in html
        assert '<p class="strike" lang="en" dir="ltr">On strike</p>' in html
    assert ">العربية<" in html and ">עברית<" in html and ">فارسی<" in html
    assert not re.search(
        r"(?:margin|padding|border)-(?:left|right)|text-align: (?:left|right)|float: (?:left|right)",
        (THEMES / name / "strike.css").read_text("utf-8"),
    )


@pytest.mark.parametrize("name", BUILT_IN_THEMES)
def test_the_banner_touches_nothing_but_itself(name: str) -> None:
    """Every rule of its style sheet begins with our own element, or with the veil around it."""
    sheet = theme.style(Theme(name), theme.BANNER_STYLE).decode()
    style = re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)
    selectors = re.findall(r"([^{};]+)\{", style)
    own = "aside[data-piquet].piquet-banner"
    strange = [
        s.strip()
        for s in selectors
        if not s.strip().startswith((own, "rp.piquet-veil", "@media", "@keyframes piquet-", "from"))
    ]
    assert strange == []
