# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may sign for a role: a file in the form of ssh's allowed signers, held to a stricter rule.

One person a line, by one plain name. What ssh would take and a vote cannot (several names in a line, patterns,
certificate authorities, times of no zone) is refused, all of it at once. No file, no network, no clock.

Source: ssh-keygen(1), "ALLOWED SIGNERS"; RFC 4253, 6.6 and RFC 4251, 5 (keys).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Dict, Iterable, List, Optional, Tuple

DECISION_NAMESPACE = "piquet-decision@v1"
STOP_NAMESPACE = "piquet-stop@v1"
MAX_SIGNERS = 500
MAX_SIGNERS_BYTES = 1024 * 1024
KEY_TYPES = (
    "ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com", "ssh-rsa",
)  # fmt: skip
_PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,127}")
_WORD = re.compile(r'(?:[^ \t"]|"[^"]*"?)+')
_OPTION = re.compile(r'(?P<name>[A-Za-z-]+)(?:="(?P<value>[^"]*)")?(?:,|$)')
_TIME = re.compile(r"([0-9]{8})(?:([0-9]{4})([0-9]{2})?)?(Z?)")
_FORM = "NAME [OPTIONS] KEYTYPE KEY, such as alice@example.org ssh-ed25519 AAAA…"


@dataclass(frozen=True)
class SignersFault:
    """What is wrong with a file of signers, and where; lines and columns from 1."""

    line: int
    column: int
    message: str
    expected: str = ""
    got: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Signer:
    """One line: one key of one person.

    Attributes:
        name: the principal.
        key_type: as ssh calls it.
        key: base64.
        namespaces: those of ours that the key may sign in.
        valid_after: first second of the epoch at which it may, or None.
        valid_before: first second at which it may no longer, or None.
    """

    name: str
    key_type: str
    key: str
    namespaces: Tuple[str, ...] = (DECISION_NAMESPACE, STOP_NAMESPACE)
    valid_after: Optional[int] = None
    valid_before: Optional[int] = None

    def is_valid(self, at: float) -> bool:
        """Whether the key may sign at this second of the epoch."""
        is_begun = self.valid_after is None or at >= self.valid_after
        return is_begun and (self.valid_before is None or at < self.valid_before)


def read_signers(text: str) -> Tuple[Tuple[Signer, ...], Tuple[SignersFault, ...]]:
    """The signers of a file, and everything that is wrong with it."""
    found: List[Signer] = []
    faults: List[SignersFault] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            signer, wrong = _read_line(number, line.rstrip("\r"))
            faults += wrong
            found += [signer] if signer else []
    if not found and not faults:
        faults.append(SignersFault(0, 0, "this file names no signer", _FORM))
    if len(found) > MAX_SIGNERS:
        faults.append(SignersFault(0, 0, "too many signers", f"at most {MAX_SIGNERS}", str(len(found))))
    return tuple(found), tuple(faults)


def is_principal(name: str) -> bool:
    """Whether it is one plain name, which is good as a file's name too."""
    return bool(_PRINCIPAL.fullmatch(name))


def persons(signers: Iterable[Signer]) -> Dict[str, str]:
    """Name → one name of that person: two keys of one name are one person, and so are two names with one key."""
    of_name: Dict[str, str] = {}
    of_key: Dict[str, str] = {}
    for signer in signers:
        names = {of_name.get(signer.name, signer.name), of_key.get(signer.key, signer.name)}
        person = min(names)
        of_name.setdefault(signer.name, person)
        of_key.setdefault(signer.key, person)
        of_name = {name: person if other in names else other for name, other in of_name.items()}
        of_key = {key: person if other in names else other for key, other in of_key.items()}
    return of_name


def _read_line(number: int, line: str) -> Tuple[Optional[Signer], List[SignersFault]]:
    words = [(found.start() + 1, found.group()) for found in _WORD.finditer(line)]
    faults = list(_name_faults(number, *words[0]))
    options: Dict[str, Tuple[int, str]] = {}
    rest = words[1:]
    if rest and rest[0][1] not in KEY_TYPES and not _is_other_key(rest[0][1]):
        options, wrong = _read_options(number, *rest[0])
        faults += wrong
        rest = rest[1:]
    faults += _key_faults(number, line, rest)
    namespaces, wrong = _read_namespaces(number, options.get("namespaces"))
    faults += wrong
    times: Dict[str, Optional[int]] = {}
    for name in ("valid-after", "valid-before"):
        times[name], wrong = _read_time(number, options.get(name))
        faults += wrong
    after, before = times["valid-after"], times["valid-before"]
    if after is not None and before is not None and after >= before:
        faults.append(SignersFault(number, options["valid-before"][0], "this key is never valid"))
    if faults:
        return None, faults
    return Signer(words[0][1], rest[0][1], rest[1][1], namespaces, after, before), []


def _is_other_key(word: str) -> bool:
    """Whether a word stands in the place of a key's type, though it is none of those accepted."""
    return bool(re.match(r"(sk-)?(ssh|ecdsa)-", word))


def _name_faults(number: int, column: int, name: str) -> Iterable[SignersFault]:
    expected = "one plain name, such as alice@example.org"
    if "," in name:
        hint = "give each person a line: a signature would count for all of these names"
        yield SignersFault(number, column, "several names in one line", expected, name[:80], hint)
    elif any(sign in name for sign in "*?!"):
        hint = "a pattern lets one key sign under any name that it means"
        yield SignersFault(number, column, "this name is a pattern", expected, name[:80], hint)
    elif not _PRINCIPAL.fullmatch(name):
        yield SignersFault(number, column, "this is not a name", expected, name[:80])


def _read_options(
    number: int, column: int, text: str
) -> Tuple[Dict[str, Tuple[int, str]], List[SignersFault]]:
    options: Dict[str, Tuple[int, str]] = {}
    faults: List[SignersFault] = []
    at = 0
    while at < len(text):
        found = _OPTION.match(text, at)
        here = column + at
        if not found:
            faults.append(SignersFault(number, here, "this cannot be read", _FORM, text[at : at + 60]))
            break
        name, value = found["name"].lower(), found["value"]
        at = found.end()
        if name == "cert-authority":
            hint = "whoever holds that key could make any number of signers; name each person's own key"
            faults.append(
                SignersFault(
                    number, here, "certificate authorities are not accepted", "a person's own key", hint=hint
                )
            )
        elif name not in ("namespaces", "valid-after", "valid-before"):
            expected = "namespaces, valid-after, valid-before"
            faults.append(SignersFault(number, here, "this option is not known", expected, name))
        elif not value or name in options:
            message = "this option is there twice" if name in options else "this option has no value"
            faults.append(SignersFault(number, here, message, f'{name}="…"'))
        else:
            options[name] = (here, value)
    return options, faults


def _read_namespaces(
    number: int, option: Optional[Tuple[int, str]]
) -> Tuple[Tuple[str, ...], List[SignersFault]]:
    ours = (DECISION_NAMESPACE, STOP_NAMESPACE)
    if option is None:
        return ours, []
    given = option[1].split(",")
    found = tuple(name for name in ours if name in given)
    if found:
        return found, []
    message = "this key may sign in none of our namespaces"
    return (), [SignersFault(number, option[0], message, " or ".join(ours), option[1][:80])]


def _read_time(number: int, option: Optional[Tuple[int, str]]) -> Tuple[Optional[int], List[SignersFault]]:
    if option is None:
        return None, []
    column, text = option
    expected = "YYYYMMDDHHMMSSZ, such as 20270101000000Z"
    found = _TIME.fullmatch(text)
    if found and not found[4]:
        hint = f"write {text}Z: without a zone it is another instant on each machine"
        return None, [SignersFault(number, column, "this time has no zone", expected, text, hint)]
    try:
        if not found:
            raise ValueError
        digits = found[1] + (found[2] or "0000") + (found[3] or "00")
        at = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None, [SignersFault(number, column, "there is no such time", expected, text[:80])]
    return int(at.timestamp()), []


def _key_faults(number: int, line: str, words: List[Tuple[int, str]]) -> Iterable[SignersFault]:
    if len(words) < 2:
        yield SignersFault(number, len(line) + 1, "there is no key", _FORM)
        return
    (type_column, key_type), (column, key) = words[:2]
    if key_type not in KEY_TYPES:
        expected = ", ".join(KEY_TYPES)
        yield SignersFault(number, type_column, "this kind of key is not accepted", expected, key_type[:80])
    elif _type_of(key) != key_type:
        hint = "copy the line of the .pub file as it is"
        yield SignersFault(number, column, f"this is not a key of the kind {key_type}", hint=hint)


def _type_of(key: str) -> str:
    try:
        blob = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return ""
    if base64.b64encode(blob).decode() != key:
        return ""
    size = int.from_bytes(blob[:4], "big")
    return blob[4 : 4 + size].decode("ascii", "replace") if 4 + size < len(blob) else ""
