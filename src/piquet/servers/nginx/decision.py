# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx's decision as rows of maps: what is shown to a request in a phase, and with which headers.

A pattern is matched on `phase method target`, in the order of the rows. Targets are names of ours, which no client
can send: they have no leading slash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from piquet import answers
from piquet.protocol.http import (
    ABOUT_PATH,
    ASSET_PREFIX,
    NONCE_HEADER,
    PROOF_PREFIX,
    PROOF_WORD,
    REHEARSAL_PREFIX,
    REHEARSAL_WORD,
    SIGN_HEADER,
)
from piquet.servers.view import CampaignView, PhaseView, has_keys

MapRows = list[tuple[str, str]]
_GETS = "(?:GET|HEAD) "
_END = r"(?:\?|$)"
_CLOCK = r"^(?<piquet_of_1000>[0-9]{7})(?<piquet_of_100>[0-9])(?<piquet_of_10>[0-9])[0-9]\.[0-9]+ "
_DIGITS = (r"\k<piquet_of_1000>", r"\k<piquet_of_100>", r"\k<piquet_of_10>")
"""Of `$msec`: what a pass is good for is told by digits of it."""


def decision_values(view: CampaignView, shares: Mapping[int, tuple[str, ...]]) -> dict[str, Any]:
    """Values of the decision, for the template.

    Args:
        view: the campaign.
        shares: phase → letters of those who take part in it, empty if all take part in all.
    """
    blocks, occupies = view.of_mode("block"), view.of_mode("occupy")
    prefix = answers.pcre_literal(REHEARSAL_PREFIX)
    proof = answers.pcre_literal(PROOF_PREFIX)
    return {
        "blocks": blocks,
        "occupies": occupies,
        "banners": view.of_mode("banner"),
        "own": _own_targets(view),
        "own_default": "piquet:~$piquet_phase" if len(blocks) == len(view.phases) else '""',
        "taken": _withheld(view),
        "has_keys": has_keys(view),
        "apart_store": answers.APART_STORE,
        "asked_for_usual": [_asked_for_usual(phase) for phase in occupies],
        "second_pass": rf"^503 /piquet:(?:~|asset/)(?<piquet_again>{_numbers(blocks)})(?:/|$)",
        "rehearsal_link": rf"^{_GETS}{prefix}(?<piquet_link_word>{REHEARSAL_WORD})$",
        "rehearsal_cookie_name": answers.REHEARSAL_COOKIE,
        "rehearsal_cookie": answers.rehearsal_cookie("@"),
        "rehearsed": [(_rehearsed_flag(phase.number, shares), str(phase.number)) for phase in view.phases],
        "robots": answers.ROBOTS,
        "proof_link": rf"^{proof}(?<piquet_proof_word>{PROOF_WORD})$",
        "proof_path": rf"^{proof}{PROOF_WORD}$",
        "nonce": f"^{PROOF_WORD}$",
        "nonce_variable": "$http_" + NONCE_HEADER.lower().replace("-", "_"),
    }


def header_rows(view: CampaignView, is_lua: bool) -> list[tuple[str, str, MapRows]]:
    """Header, its variable, and (pattern on our name for what is shown, value) rows; that name holds the phase.

    By Lua a strike is never shown under a name of its own, and a missing asset is answered by the strike.
    """
    shown = r"(?::(?:~|page/|front/|asset/)|-[a-z]+:)"
    signs = [(f"^piquet{shown}{phase.number}(?:/|$)", phase.sign) for phase in view.phases]
    strike = "(?:~|asset/)" if is_lua else "page/"
    ends = [(f"^piquet:{strike}{phase.number}(?:/|$)", phase.retry_after) for phase in view.of_mode("block")]
    return [(SIGN_HEADER, "piquet_sign", signs), ("Retry-After", "piquet_retry_after", ends)]


def _own_targets(view: CampaignView) -> MapRows:
    """Our own addresses in every mode, then what each mode shows."""
    about = answers.pcre_literal(ABOUT_PATH)
    rows = [(f"^[0-9]+ {_GETS}{about}{_END}", "piquet:asset/$piquet_phase/piquet.json")]
    rows += [_assets(numbers, names) for numbers, names in _by_phases(view.phases)]
    for phase in view.of_mode("occupy"):
        link = answers.pcre_literal("?" + answers.USUAL_QUERY)
        paths = "(?:" + "|".join(answers.pcre_literal(path) for path in phase.paths) + ")"
        rows.append((f"^{phase.number} {_GETS}{paths}{link}$", f"piquet-usual:{phase.number}"))
        rows.append((f"^{phase.number} {_GETS}{answers.occupied_pattern(phase.paths)}", "$piquet_front"))
    blocks = view.of_mode("block")
    if blocks and len(blocks) < len(view.phases):
        rows.append((f"^(?:{_numbers(blocks)}) ", "piquet:~$piquet_phase"))
    return rows


def _assets(numbers: tuple[int, ...], names: Iterable[str]) -> tuple[str, str]:
    prefix = answers.pcre_literal(ASSET_PREFIX)
    listed, alike = "|".join(map(str, numbers)), "|".join(answers.pcre_literal(name) for name in names)
    pattern = f"^(?:{listed}) {_GETS}{prefix}(?<piquet_asset>{alike}){_END}"
    return pattern, "piquet:asset/$piquet_phase/$piquet_asset"


def _by_phases(phases: Iterable[PhaseView]) -> list[tuple[tuple[int, ...], list[str]]]:
    """Asset names that the same phases have, together."""
    having: dict[str, list[int]] = {}
    for phase in phases:
        for name in phase.assets:
            having.setdefault(name, []).append(phase.number)
    groups: dict[tuple[int, ...], list[str]] = {}
    for name in sorted(having):
        groups.setdefault(tuple(having[name]), []).append(name)
    return sorted(groups.items())


def _withheld(view: CampaignView) -> list[str]:
    """What visitors without a key do not get."""
    blocks = view.of_mode("block")
    found = [f"^(?:{_numbers(blocks)}) "] if blocks else []
    return found + [
        f"^{phase.number} {_GETS}{answers.occupied_pattern(phase.paths)}" for phase in view.of_mode("occupy")
    ]


def _asked_for_usual(phase: PhaseView) -> str:
    return rf"^{phase.number} (?:.*; *)?{answers.pcre_literal(phase.cookie_name)}=usual *(?:;|$)"


def _rehearsed_flag(number: int, shares: Mapping[int, tuple[str, ...]]) -> str:
    """On this moment and the word; where sites take part in some phases only, with their letter behind it."""
    letters = "".join(shares.get(number, ()))
    share = "[^:]*:" + (f"[{letters}]?" if letters else "") + "$" if shares else ""
    return answers.rehearsed_at(_CLOCK, number, _DIGITS) + share


def _numbers(phases: Iterable[PhaseView]) -> str:
    return "|".join(str(phase.number) for phase in phases)
