# SPDX-License-Identifier: GPL-3.0-or-later
"""Is an answer right? One reply against the table's answer, or against how the site answered before.

No file, no network, no clock. Each finding names the site, the host, the door, what was expected and what
came instead.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from piquet.answers import Answer
from piquet.protocol.findings import Finding, Severity
from piquet.protocol.places import END_IT_NOW
from piquet.verify.fingerprint import Difference
from piquet.verify.observation import OURS, UNKNOWN_SITE, Observation, Reply

_WORDS = {
    "page": "the strike page",
    "json": "the strike's JSON",
    "about": "what this campaign is",
    "asset": "a file of the strike page",
    "bypass": "the bypass link",
    "front": "the strikers' page",
    "to-usual": "the link to the usual page",
    "banner": "the site's page with the banner",
    "usual": "the site as usual",
}
_WHOLE_SITE = frozenset(
    {"not-on-strike", "strike-outside", "page-differs", "no-answer", "no-banner", "redirected-before-us"}
)
_STOPPED = "piquet status -i INVENTORY: is the host armed, or was it stopped by hand?"
_NO_ANSWER = "is the host up, and its web server running? Nothing can be said of its sites until it answers"
_CHANGED = "the site's owner may have changed it since; if not, compare with the host's own files"
_SLOWLY = "verify again in a few minutes; a baseline that met the limit tells nothing of this path"
_RELEASE = f"end it now: piquet rollback -i INVENTORY, or on the host: {END_IT_NOW}"


def judge(reply: Reply, answers: Sequence[Answer]) -> tuple[Finding, ...]:
    """What is wrong with a reply, empty if it is right by any of `answers`.

    Args:
        reply: what was asked and what came.
        answers: every answer that would be right, the likely one first; at least one.
    """
    verdicts = [tuple(_findings_against(reply, answer)) for answer in answers]
    return verdicts[0] if all(verdicts) else ()


def judge_certificate(reply: Reply, was: str | None) -> Finding | None:
    """A finding if the certificate does not fit the name; a warning only, if it was like that before.

    Args:
        reply: any reply of a TLS target.
        was: what was wrong with it when the baseline was taken, None without a baseline.
    """
    trouble = reply.observation.certificate
    if not trouble or reply.target.site == UNKNOWN_SITE:
        return None
    return Finding(
        "warning" if was == trouble else "error",
        "certificate",
        reply.target.label,
        "the certificate is not valid for this name, visitors see a warning instead of the site",
        expected=f"a certificate for {reply.target.name} from a known authority",
        got=trouble,
        hint="the site's owner can tell; for an authority of your own give --ca FILE",
    )


def judge_return(reply: Reply, found: Iterable[Difference]) -> tuple[Finding, ...]:
    """One finding per field in which a site that should be as usual is not as it was at the baseline."""
    hint = _NO_ANSWER if reply.observation.error else _CHANGED
    return tuple(
        Finding(
            "error",
            "not-as-before",
            reply.target.label,
            f"{reply.question.label}: {difference.field} is not as it was at the baseline",
            expected=difference.expected,
            got=difference.got,
            hint=hint,
        )
        for difference in found
    )


def judge_limited(reply: Reply) -> tuple[Finding, ...]:
    """A finding that a site said "too many requests", now or at the baseline, so that there was nothing to compare."""
    message = f"{reply.question.label}: not compared, since the site limits how often one may ask (429)"
    return (Finding("warning", "not-compared", reply.target.label, message, hint=_SLOWLY),)


def gathered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding for what is wrong in the same way with several questions at one door.

    A site that is not on strike at all is one finding that counts the others, not a dozen.
    """
    groups: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    for finding in findings:
        is_whole = finding.code in _WHOLE_SITE
        key = (
            (finding.subject, finding.code) if is_whole else (finding.subject, finding.code, *_pair(finding))
        )
        groups[key].append(finding)
    return tuple(_with_count(group) for group in groups.values())


def _pair(finding: Finding) -> tuple[str, str]:
    return finding.expected, finding.got


def _with_count(group: Sequence[Finding]) -> Finding:
    others = len(group) - 1
    if not others:
        return group[0]
    more = "1 more question" if others == 1 else f"{others} more questions"
    return replace(group[0], message=f"{group[0].message}, and {more} alike")


def odd_pages(replies: Iterable[tuple[Reply, Answer]]) -> tuple[Finding, ...]:
    """Sites whose strike page has other bytes than the same page on most sites.

    The page of a phase and language is one file, the same on every host of the fleet.
    """
    groups: dict[tuple[str, ...], list[Reply]] = defaultdict(list)
    for reply, answer in replies:
        if answer.kind in ("page", "front") and reply.observation.sha256 and reply.question.method != "HEAD":
            groups[reply.observation.ours, answer.language].append(reply)
    return tuple(finding for group in groups.values() for finding in _minority(group))


def _minority(group: Sequence[Reply]) -> Iterator[Finding]:
    counts = Counter((r.observation.sha256, r.observation.size) for r in group)
    (common, size), times = min(counts.items(), key=lambda item: (-item[1], item[0]))
    for reply in group:
        if reply.observation.sha256 != common:
            yield _finding(
                reply,
                "page-differs",
                f"{reply.question.label} shows another strike page than most sites",
                f"{size} bytes, sha256 {common[:16]}… as in {times} answers",
                f"{reply.observation.size} bytes, sha256 {reply.observation.sha256[:16]}…",
            )


def _findings_against(reply: Reply, answer: Answer) -> Iterator[Finding]:
    observation, asked = reply.observation, reply.question.label
    if observation.error:
        if reply.target.site != UNKNOWN_SITE:
            message = f"{asked} got no answer" if not observation.is_unreached else "cannot be reached"
            is_maybe_usual = answer.kind in ("usual", "banner") and not observation.is_unreached
            severity: Severity = "warning" if is_maybe_usual else "error"
            hint = (
                "some sites close the connection on purpose: a baseline would tell" if is_maybe_usual else ""
            )
            yield _finding(reply, "no-answer", message, _words(answer), observation.error, hint, severity)
    elif answer.kind == "banner":
        yield from _page(reply, answer)
    elif answer.kind == "usual":
        if observation.banners:
            message = f"{asked} carries a banner, though the site should be as usual"
            yield _finding(
                reply, "banner-outside", message, "no banner", ", ".join(observation.banners), _RELEASE
            )
        if observation.ours:
            message = f"{asked} is answered by the strike, though the site should be as usual"
            got = f"{observation.status} with X-Piquet: {observation.ours}"
            yield _finding(reply, "strike-outside", message, "no X-Piquet header", got, _RELEASE)
    elif answer.kind != "refused":
        yield from _strike(reply, answer)


def _page(reply: Reply, answer: Answer) -> Iterator[Finding]:
    """Findings on an answer of the site in a banner's window: exactly one banner where it can carry one."""
    seen, asked = reply.observation, reply.question.label
    if seen.ours:
        yield _finding(
            reply, "strike-outside", f"{asked} is answered by the strike", "the site's page", seen.ours
        )
    elif len(seen.banners) > 1 or set(seen.banners) - {answer.mark}:
        message = f"{asked} does not carry this phase's banner once"
        yield _finding(reply, "wrong-banner", message, answer.mark, ", ".join(seen.banners))
    elif not seen.shown_banners and reply.question.method == "GET" and (reason := _no_banner(seen)):
        severity: Severity = "warning" if seen.has_place else "info"
        yield _finding(reply, "no-banner", f"{asked} carries no banner: {reason}", severity=severity)


def _no_banner(seen: Observation) -> str:
    """Why a successful HTML page carries no banner; "" for any other answer, which never does."""
    if seen.status != 200 or not (seen.header("content-type") or "").startswith("text/html"):
        return ""
    if coding := seen.header("content-encoding"):
        return f"it comes compressed ({coding})"
    if seen.has_place is False:
        return "it has no body tag"
    if not seen.lets_style_in:
        return "its own Content-Security-Policy or Integrity-Policy forbids the style sheet that shows it"
    if "max-age" in (seen.header("cache-control") or "") or seen.header("expires"):
        return "caches are told to keep it, or the server could not put one in"
    return "the server could not put one in: see what survey and plan say of its own filters"


def _strike(reply: Reply, answer: Answer) -> Iterator[Finding]:
    """Findings on an answer that should be ours: whose, status, headers, unwanted headers, body."""
    observation, asked = reply.observation, reply.question.label
    if not observation.ours:
        message = f"{asked} is not answered by the strike"
        wanted = next((value for name, value in answer.headers.items() if name.lower() == OURS), "")
        expected = f"{answer.status} {_words(answer)}, X-Piquet: {wanted}"
        got = f"{observation.status}, {observation.size} bytes, without X-Piquet"
        yield _finding(reply, "not-on-strike", message, expected, got, _STOPPED)
        return
    if observation.status != answer.status:
        message = f"{asked}: {_words(answer)} has the wrong status"
        yield _finding(reply, "wrong-status", message, str(answer.status), str(observation.status))
    for name, wanted in answer.headers.items():
        if (value := observation.header(name.lower())) != wanted:
            message = (
                f"{asked}: {_words(answer)} has a wrong {name}" if value else f"{asked}: {name} is missing"
            )
            yield _finding(
                reply, "wrong-header", message, f"{name}: {wanted}", f"{name}: {value or '(absent)'}"
            )
    for name in answer.absent:
        if value := observation.header(name.lower()):
            message = f"{asked}: {_words(answer)} must not have {name}"
            yield _finding(reply, "unwanted-header", message, f"no {name}", f"{name}: {value}")
    if answer.kind not in ("bypass", "to-usual") and reply.question.method != "HEAD" and not observation.size:
        yield _finding(reply, "empty-body", f"{asked}: {_words(answer)} is empty", "a body", "0 bytes")


def _words(answer: Answer) -> str:
    return _WORDS.get(answer.kind, answer.kind)


def _finding(
    reply: Reply,
    code: str,
    message: str,
    expected: str = "",
    got: str = "",
    hint: str = "",
    severity: Severity = "error",
) -> Finding:
    return Finding(severity, code, reply.target.label, message, expected, got, hint)
