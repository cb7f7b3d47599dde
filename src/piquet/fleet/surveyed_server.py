# SPDX-License-Identifier: GPL-3.0-or-later
"""A kind of web server as surveys and the inventory know it. No file, no network, no clock."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, Self, TypeVar

from piquet.fleet.form import optional, typed
from piquet.fleet.model import Provider, ServerFacts, Site, Variant
from piquet.protocol.server_names import is_instance, kind_name, suffix_of

FactsT = TypeVar("FactsT", bound=ServerFacts)
Part = Mapping[str, Any]
"""What a survey says of one server, or of one virtual host of it."""


class SurveyedServer(ABC, Generic[FactsT]):
    """What reading a fleet asks of each kind; `piquet.servers` has them all.

    Attributes:
        name: in surveys, inventories and manifests.
        title: for people.
        vhosts: key of its virtual hosts in a survey.
        ways: variant → the same for people; the first needs no module that may be missing.
        auto: what the inventory's `auto` chooses among them, for people.
        variables: of the inventory that speak of it, besides `piquet_` and its name.
        has_instances: whether hosts tell several of it apart.
    """

    name: Provider
    title: str
    vhosts: str
    ways: Mapping[Variant, str]
    auto: str
    variables: tuple[str, ...] = ()
    has_instances = False

    def of_instance(self, name: Provider) -> Self:
        """The same kind as one of its instances has it."""
        found = copy.copy(self)
        found.name, found.title = name, f"{self.title} ({suffix_of(name)})"
        return found

    @property
    def plain(self) -> Variant:
        """The way that is always there."""
        return next(iter(self.ways))

    @abstractmethod
    def facts(self, part: Part) -> FactsT:
        """What one server's part of a survey says; its way is the plain one until somebody chooses.

        Raises:
            KeyError, TypeError: it is not in the agreed form.
        """

    def common_facts(self, part: Part) -> dict[str, Any]:
        """What is asked of every kind, by its names in `ServerFacts`.

        Raises:
            KeyError, TypeError: it is not in the agreed form.
        """
        return {
            "provider": self.name,
            "version": typed(part["version"], str),
            "dropin_dir": optional(part["dropin_dir"], str),
            "modules": frozenset(typed(module, str) for module in part["modules"]),
            "test_ok": typed(part["test"]["ok"], bool),
            "test_output": typed(part["test"].get("output", ""), str),
            "running": typed(part["running"], bool),
            "variant": self.plain,
        }

    @abstractmethod
    def automatic(self, facts: FactsT) -> Variant:
        """The way that `auto` takes."""

    def variant(self, variables: Mapping[str, Any], facts: FactsT) -> Variant:
        """The way of a server: the inventory's word, which is the same for all instances, else what `auto` takes."""
        wanted = variables.get(f"piquet_{kind_name(self.name)}", "auto")
        return wanted if wanted in self.ways else self.automatic(facts)

    def virtual_hosts(self, part: Part) -> Iterator[Part]:
        """Those of a survey, each with what it takes over from the server.

        Raises:
            KeyError: there are none.
        """
        yield from part[self.vhosts]

    def is_hooked(self, vhost: Part) -> bool:
        """Whether ours reaches a virtual host; true where no line in it is needed."""
        return True

    def narrowed(self, variables: Mapping[str, Any], sites: Iterable[Site]) -> tuple[Site, ...]:
        """Sites after what the inventory says of them in `variables`.

        Raises:
            FormError: it says so in another form.
        """
        return tuple(sites)


Kinds = Mapping[Provider, SurveyedServer[Any]]
KindT = TypeVar("KindT", bound=SurveyedServer[Any])


def kind_named(kinds: Mapping[Provider, KindT], name: Provider) -> KindT:
    """The kind of a server, as it is for the one of this name.

    Raises:
        KeyError: there is no such kind.
    """
    kind = kinds[kind_name(name)]
    return kind if kind.name == name else kind.of_instance(name)


def parts_of(survey: Mapping[str, Any], kinds: Mapping[Provider, KindT]) -> Iterator[tuple[KindT, Part]]:
    """Each server that a survey tells of, instances behind their kind's first one; other names are passed over."""
    for name, kind in kinds.items():
        more = [n for n in sorted(survey) if kind.has_instances and is_instance(n, name)]
        yield from ((kind_named(kinds, n), survey[n]) for n in (name, *more) if survey.get(n) is not None)
