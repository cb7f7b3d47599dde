# SPDX-License-Identifier: GPL-3.0-or-later
"""Apache's expressions: who is meant, when, and by which door; one set for `<If>`, environment, filters and rules.

The order inside is the order of cost: outside of every window a request is told by one look at the clock and one at
its cookies. Text in, text out.

Source: Apache 2.4, Expressions; `$1` is a group of the last regular expression that matched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from piquet import answers
from piquet.fleet.model import Provider
from piquet.plan import Entry, HostPlan
from piquet.protocol.entries import match_site
from piquet.protocol.http import NONCE_HEADER, PROOF_PREFIX, PROOF_WORD, REHEARSAL_PREFIX, REHEARSAL_WORD
from piquet.protocol.places import ETC, RUN
from piquet.protocol.server_names import suffix_of
from piquet.servers.quoting import apache_regex
from piquet.servers.view import CampaignView, PhaseView

ASKED_FIRST = "-z reqenv('REDIRECT_STATUS')"
"""Not on the way to an error page of the site, after the server itself has refused the request."""
IS_PAGE = r"%{CONTENT_TYPE} =~ m#^text/html *(?:;|$)#i"
WANTS_PAGE = (
    "(req_novary('Sec-Fetch-Dest') =~ m#^(?:document|i?frame|embed|object)$# || "
    "(req_novary('Sec-Fetch-Dest') =~ m#^(?:empty)?$# && req_novary('Accept') =~ m#text/html#i))"
)
"""A browser on its way to a page, or a script that fetches one: only there are conditions and ranges taken off."""

REQUEST_LINE = r"^[A-Z]+ (?:(?i:https?)://[^/? ]*)?"
_END_OF_PATH = r"[? ]"
_LONGEST_PATTERN = 16 * 1024
"""In characters; PCRE's compiled form may have 64 kB."""
_LISTED = r"m#^([^ ]+) .* \1 #"
"""On a name and a list, a space before and behind each name of it."""

_CLOCK = "(?:^|, )t=([0-9]{7})([0-9])([0-9])[0-9]{7} "
"""The server's clock in microseconds, before a word; in a header, what a visitor sent stands in front of it."""

Clock = Literal["header", "note"]
"""Where the request's time stands: in a request header until the handler, in a note for as long as the request."""


@dataclass(frozen=True)
class Conditions:
    """The expressions of one host's Apache.

    Attributes:
        view: campaign and secret.
        host: names and entries.
        barred: names of virtual hosts that no banner is for; `*` for all of them.
        provider: which of its Apaches.
    """

    view: CampaignView
    host: HostPlan
    barred: frozenset[str] = frozenset()
    provider: Provider = "apache"

    @property
    def folder(self) -> str:
        """Where what the drop-in includes lies."""
        return f"{ETC}/{self.provider}"

    @property
    def markers(self) -> str:
        """Where the files lie whose names or content are asked for: each instance has entries of its own."""
        return f"{self.view.www}/{self.provider}" if suffix_of(self.provider) else self.view.www

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What Apache shows something for."""
        return tuple(entry for entry in self.host.entries if entry.provider == self.provider)

    def without(self, number: int) -> tuple[str, ...]:
        """Keys of entries that take no part in a phase."""
        return tuple(entry.key for entry in self.entries if number not in entry.phases)

    def of_phase(self, number: int) -> tuple[str, ...]:
        """Keys of entries that take part in a phase."""
        return tuple(entry.key for entry in self.entries if number in entry.phases)

    def known_below(self) -> tuple[str, ...]:
        """Exact names below a wildcard: a file of their name says that they follow their own flag only."""
        exact = (name for name in self.host.known if not name.startswith("*."))
        return tuple(name for name in exact if match_site(name, self._wildcards()))

    def has_known_files(self) -> bool:
        """Whether the names below a wildcard are too many for one expression."""
        return len(names_pattern(self.known_below())) > _LONGEST_PATTERN

    def phase(self, phase: PhaseView, clock: Clock) -> str:
        """Whether a request falls to a phase: in its window, or in a rehearsal of it."""
        shown = f"({self._in_force(phase, clock)} || {self._rehearsed_condition(phase, clock)})"
        return " && ".join([shown, *self._closed_conditions()])

    def banner(self, phase: PhaseView, clock: Clock) -> str:
        """Whether the pages of a request carry the banner of a phase."""
        parts = [self.phase(phase, clock), _not_embedded()]
        return " && ".join(
            parts + ([f"%{{SERVER_NAME}} !~ m#{names_pattern(self.barred)}#"] if self.barred else [])
        )

    def apart(self, phase: PhaseView) -> str:
        """Whether a request with a key is let through to the site where all others meet a phase."""
        taken = [gets(answers.occupied_pattern(phase.paths, end=" "), end="")] if phase.paths else []
        parts = [
            self._in_force(phase, "note"),
            f"({self.keyed([phase])})",
            self._closed_conditions()[0],
            *taken,
        ]
        return " && ".join(parts)

    def keyed(self, phases: Iterable[PhaseView]) -> str:
        """Whether a request has a key by which it is let through in one of these phases: a cookie, or its network."""
        opened = [f"! ({key})" for key in self._closed_conditions()[1:]]
        for phase in (phase for phase in phases if phase.mode == "occupy"):
            name = answers.pcre_literal(phase.cookie_name)
            opened.append(f"req_novary('Cookie') =~ m#(?:^|; *){name}=usual *(?:;|$)#")
        return " || ".join(opened)

    def rehearsal_link(self, phase: PhaseView, clock: Clock) -> str:
        """Whether a request is the link by which a rehearsal of a phase begins, and one is on."""
        word = f"({_word(phase.number)})"
        asked = gets(answers.pcre_literal(REHEARSAL_PREFIX) + word, end=" ")
        return f"{ASKED_FIRST} && {asked} && {self._rehearsable(phase, clock)}"

    def bypass_link(self) -> str:
        """Whether a request is the testers' link."""
        return gets(answers.pcre_literal(f"{answers.BYPASS_PREFIX}{self.view.secret}"), end=" ")

    def _in_force(self, phase: PhaseView, clock: Clock) -> str:
        return f"({_lease(phase, clock)} && {self._flag(phase.number)})"

    def _rehearsed_condition(self, phase: PhaseView, clock: Clock) -> str:
        word = f"{answers.REHEARSAL_COOKIE}=({_word(phase.number)})"
        cookie = f"req_novary('Cookie') =~ m#(?:^|; *){word}(?:;|$)#"
        return f"({cookie} && {self._rehearsable(phase, clock)})"

    def _rehearsable(self, phase: PhaseView, clock: Clock) -> str:
        """Behind a match whose first group is the word: it is good here, and no window of the site is open."""
        real = " || ".join(self._is_open(other, clock) for other in self.view.phases)
        time = "%{note:piquet-at}" if clock == "note" else "%{req_novary:X-Piquet-At}"
        good = answers.rehearsed_at(_CLOCK, phase.number, (r"\1", r"\2", r"\3"))
        file = f"-f '{RUN}/rehearse/$1' && '{time} $1' =~ m#{good}#"
        return f"{file} && {self._takes_part(phase.number)} && ! ({real})"

    def _is_open(self, phase: PhaseView, clock: Clock) -> str:
        """Whether the window of a phase is open that the requested host takes part in, armed or not."""
        lease = _lease(phase, clock)
        return f"({lease} && {self._takes_part(phase.number)})" if self.without(phase.number) else lease

    def _takes_part(self, number: int) -> str:
        """Whether the requested host is in the list of a phase; read only for who rehearses."""
        names = f"%{{file:{self.markers}/sites/{number}}}"
        own = f"'%{{SERVER_NAME}} {names}' =~ {_LISTED}"
        below = self._below_wildcard()
        return f"({own} || ({below} && '_.$1 {names}' =~ {_LISTED}))" if below else own

    def _flag(self, number: int) -> str:
        """The flag of the requested host, its own or that of the longest wildcard above it, if it takes part."""
        own = f"-f '{RUN}/live/%{{SERVER_NAME}}'{self._if_marked(number, '%{SERVER_NAME}')}"
        below = self._below_wildcard()
        if not below:
            return own
        return f"(({own}) || ({below} && -f '{RUN}/live/_.$1'{self._if_marked(number, '_.$1')}))"

    def is_struck(self, numbers: Iterable[int]) -> str:
        """Whether the requested host takes part in one of these phases, in which others do not."""
        own = [f"-f '{self.markers}/with/{number}/%{{SERVER_NAME}}'" for number in numbers]
        below = self._below_wildcard()
        marks = " || ".join(f"-f '{self.markers}/with/{number}/_.$1'" for number in numbers)
        return " || ".join([*own, f"({below} && ({marks}))"] if below else own)

    def _if_marked(self, number: int, key: str) -> str:
        """Where some entries take no part in a phase, those that do have a mark: a lost one shows less, not more."""
        return f" && -f '{self.markers}/with/{number}/{key}'" if self.without(number) else ""

    def _below_wildcard(self) -> str:
        """Whether a wildcard is the longest match; its first group is what follows `*.`.

        Where the marks of exact names are gone, nobody knows, and no wildcard is shown anything.
        """
        suffixes = "|".join(answers.pcre_literal(name[2:]) for name in sorted(self._wildcards()))
        if not suffixes:
            return ""
        below = rf"%{{SERVER_NAME}} =~ m#^[^.]+(?:\.[^.]+)*?\.({suffixes})$#"
        return f"{self._unknown_host()}{below}"

    def _unknown_host(self) -> str:
        """That the host is none of the exact names below a wildcard; very many of them are files."""
        if not self.known_below():
            return ""
        if not self.has_known_files():
            return f"%{{SERVER_NAME}} !~ m#{names_pattern(self.known_below())}# && "
        return f"-d '{self.markers}/known' && ! -f '{self.markers}/known/%{{SERVER_NAME}}' && "

    def _wildcards(self) -> tuple[str, ...]:
        """Every wildcard name that the host serves, selected or not: the longest one must win."""
        return tuple(name for name in self.host.known if name.startswith("*."))

    def _closed_conditions(self) -> list[str]:
        """Conditions that must all hold for the site to be closed to this request."""
        door = answers.door_pattern(self.view.campaign.doors, end=" |$")
        line, climbs = f"m#{REQUEST_LINE}{door}#", f"m#{answers.NOT_A_DOOR}#i"
        conditions = [f"(%{{THE_REQUEST}} !~ {line} || %{{THE_REQUEST}} =~ {climbs})"]
        if self.view.secret:
            cookie = rf"m#(?:^|; *){answers.BYPASS_COOKIE}={self.view.secret}(?:;|$)#"
            conditions.append(f"req_novary('Cookie') !~ {cookie}")
        return conditions + [f"! (-R '{network}')" for network in self.view.campaign.doors.networks]


def proof() -> str:
    """Whether a request is the host's own question, and its file is there: whatever the site, the hour and the door."""
    path = f"{answers.pcre_literal(PROOF_PREFIX)}({PROOF_WORD})"
    return f"%{{THE_REQUEST}} =~ m#{REQUEST_LINE}{path} # && -f '{RUN}/proof/$1' && {ASKED_FIRST}"


def nonce(seal: str) -> str:
    """Whether an answer of ours repeats the word of a request: the file of word and seal is there."""
    named = f"req_novary('{NONCE_HEADER}') =~ m#^({PROOF_WORD})$#"
    return f"{named} && -f '{RUN}/proof/$1-{seal}'"


def _word(number: int) -> str:
    return REHEARSAL_WORD.replace("[1-9][0-9]?", str(number), 1)


def gets(path_pattern: str, end: str = _END_OF_PATH) -> str:
    """Whether a request reads a path, as it was sent."""
    line = REQUEST_LINE.replace("[A-Z]+", "(?:GET|HEAD)")
    return f"%{{THE_REQUEST}} =~ m#{line}{path_pattern}{end}#"


def wants_json() -> str:
    """Whether a request gets JSON instead of a page."""
    return f"req_novary('Accept') =~ m#{apache_regex(answers.WANTS_JSON)}#i"


def speaks(view: CampaignView, language: str) -> str:
    """Whether a language is the visitor's first one that we have."""
    unnamed = answers.language_pattern(view.campaign.languages).replace("(?P<language>", "(")
    return f"req_novary('Accept-Language') =~ m#{apache_regex(unnamed)}#i && $1 =~ m#^{language}$#i"


def names_pattern(names: Iterable[str]) -> str:
    """Regular expression for host names; a wildcard means every name below it, `*` every name."""
    return "^(?:" + "|".join(_name(name) for name in sorted(names)) + ")$"


def _name(name: str) -> str:
    if name == "*":
        return ".*"
    return f".+{answers.pcre_literal(name[1:])}" if name.startswith("*.") else answers.pcre_literal(name)


def _lease(phase: PhaseView, clock: Clock) -> str:
    """The server's own clock in microseconds of UTC; in the header it stands behind what a client sent."""
    if clock == "note":
        return f"note('piquet-at') =~ m#^t={phase.lease}[0-9]{{6}}$#"
    return f"req_novary('X-Piquet-At') =~ m#(?:^|, )t={phase.lease}[0-9]{{6}}$#"


def _not_embedded() -> str:
    kinds = "|".join(answers.EMBEDDING)
    framed = f"req_novary('Sec-Fetch-Dest') =~ m#^(?:{kinds})$#"
    return f"! ({framed} && req_novary('Sec-Fetch-Site') !~ m#^(?:same-origin)?$#)"
