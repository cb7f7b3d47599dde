# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of sites, patterns of names, and paths: what is accepted, and why not.

Every accepted name is safe as a file name and as a word in a server's configuration: lower-case letters,
digits, hyphen, underscore and dot, plus one leading `*.`. No file, no network, no clock.

Source: RFC 1035 section 2.3.4 (lengths), RFC 5890 section 2.3.1 (LDH and A-labels), RFC 3986 section 3.3
(paths).
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote

from piquet.campaign.document import shown

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!&()*+,=:@/-]|%[0-9A-Fa-f]{2})*")
_CONTACT = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~!&()*+,=:@/?#%-]*)?")
_MAILTO = re.compile(r"mailto:[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")
_TEL = re.compile(r"tel:\+?[0-9][0-9.()-]{2,30}")
_LINK = re.compile(
    r"/(?!/)[A-Za-z0-9._~!&()*+,;=:@/?#%-]*|https://[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?#][A-Za-z0-9._~!&()*+,;=:@/?#%-]*)?"
)
_FRONT_PAGE = re.compile(
    r"[/.]*(?:(?:index|default|home|welcome|accueil)(?:\.[a-z0-9]{1,8})*/?)?(?:[?#].*)?", re.IGNORECASE
)
"""The front page by its usual names (DirectoryIndex, index); a site answers with it whatever the dots and slashes."""
_FOLDED = "ßςẞ\u200c\u200d"


class Refusal(Exception):  # noqa: N818 - a verdict that becomes a Problem with a place, never seen by users
    """Why a word was not accepted.

    Attributes:
        message: one sentence.
        expected: what would have been right.
        hint: what to do next, or "".
    """

    def __init__(self, message: str, expected: str, hint: str = "") -> None:
        """Keep the three parts."""
        super().__init__(message)
        self.message, self.expected, self.hint = message, expected, hint


def site_name(text: str) -> str:
    """Check a site's name and give it in lower case.

    Args:
        text: a host name, or `*.` and a host name.

    Raises:
        Refusal: if it is anything else.
    """
    name = text.lower()
    bare = name.removeprefix("*.")
    if not text.isascii():
        raise Refusal("this name is not in ASCII", "the name as DNS has it (an A-label)", _a_label_hint(name))
    if len(name) > 253:
        raise Refusal("this name is too long", "at most 253 characters")
    for label in bare.split("."):
        _check_label(label, bare)
    return name


def site_pattern(text: str) -> str:
    """Check a pattern: `*`, or what `site_name` accepts.

    Raises:
        Refusal: if it is anything else.
    """
    if text == "*":
        return text
    if "*" in text.removeprefix("*."):
        raise Refusal("a star stands only at the beginning", "`*`, a host name, or `*.` and a host name")
    return site_name(text)


def door_path(text: str) -> str:
    """Check a path prefix that stays open.

    Raises:
        Refusal: if it is `/`, could be walked out of, or is unsafe in a configuration.
    """
    if text == "/":
        raise Refusal("this door would leave the whole site open", "a longer path, such as /api/")
    return occupied_path(text)


def health_path(text: str) -> str:
    """Check a path that a load balancer asks.

    Raises:
        Refusal: if it is no door, or is the front page by another of its names.
    """
    hint = (
        "have the balancer ask a path of its own, HAProxy: `option httpchk GET /health`; or have it take the strike"
        " page for healthy: `http-check expect status 200,503`"
    )
    if _FRONT_PAGE.fullmatch(unquote(text)):
        raise Refusal("a page is never a door for a balancer", "a path of its own, such as /health", hint)
    return door_path(text)


def occupied_path(text: str) -> str:
    """Check a path of a phase.

    Raises:
        Refusal: if it does not start with `/` or holds anything but plain path characters.
    """
    expected = "a path such as /api/, in printable ASCII without spaces, quotes, `;`, `$` or braces"
    if ".." in text or "%2e" in text.lower():
        raise Refusal("a path with `..` or `%2e` can be walked out of", expected)
    if len(text) > 500:
        raise Refusal("this path is too long", "at most 500 characters")
    if not _PATH.fullmatch(text):
        raise Refusal("this is not a path", expected)
    return text


def network(text: str) -> str:
    """Check a network and give it as canonical CIDR.

    Raises:
        Refusal: if it is no network, has bits set outside the mask, or is everybody.
    """
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError as err:
        raise Refusal("this is not a network", "CIDR, such as 192.0.2.0/24 or 2001:db8::/32") from err
    if "%" in text:
        raise Refusal("a network has no zone index", "CIDR, such as 2001:db8::/32")
    if found.prefixlen == 0:
        raise Refusal("this door would leave every site open", "less than the whole Internet")
    if ipaddress.ip_address(text.partition("/")[0]) != found.network_address:
        raise Refusal("bits are set outside the mask", "the first address of the network", f"write {found}")
    return str(found)


def contact(text: str) -> str:
    """Check the address that visitors and owners can turn to.

    Raises:
        Refusal: if it is not http, https or mailto, or could not stand in a configuration as it is.
    """
    if len(text) > 500 or not (_CONTACT.fullmatch(text) or _MAILTO.fullmatch(text)):
        raise Refusal("this is not an address to contact", "https://… or mailto:…, in plain ASCII")
    return text


def urgent(text: str) -> str:
    """Check the address that people with a need that cannot wait can turn to.

    Raises:
        Refusal: if it is not https, mailto or tel.
    """
    if (
        len(text) > 500
        or text.startswith("http:")
        or not any(form.fullmatch(text) for form in (_CONTACT, _MAILTO, _TEL))
    ):
        expected = "https://…, mailto:… or tel:+33123456789, or a text in each language"
        raise Refusal("this is not a way to reach somebody", expected)
    return text


def page_link(text: str) -> str:
    """Check where a link of a page leads: on the site itself, or to another one.

    Raises:
        Refusal: if it is neither.
    """
    if len(text) > 2000 or not _LINK.fullmatch(text):
        raise Refusal(
            "this is not a link", "a path on the site such as /archive, or https://…, in plain ASCII"
        )
    return text


def _check_label(label: str, name: str) -> None:
    if label == "_":
        raise Refusal("a label that is only `_` is not accepted", "letters, digits, hyphens")
    if len(label) > 63:
        raise Refusal(f"the label {shown(label)} is too long", "at most 63 characters between two dots")
    if not _LABEL.fullmatch(label):
        hint = "leave out the dot at the end" if name.endswith(".") else ""
        if "/" in name or ":" in name:
            hint = "only the host name: no scheme, port or path"
        raise Refusal(
            "this is not a host name", "letters, digits and hyphens, in labels with dots between", hint
        )


def _a_label_hint(name: str) -> str:
    if any(character in name for character in _FOLDED):
        return "write its A-label, which starts with xn--"
    star = "*." if name.startswith("*.") else ""
    try:
        return f"write {star}{name.removeprefix('*.').encode('idna').decode('ascii')}"
    except UnicodeError:
        return "write its A-label, which starts with xn--"
