# SPDX-License-Identifier: GPL-3.0-or-later
"""A kind of web server as surveys and the inventory know it. No file, no network, no clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from piquet.fleet.form import optional, typed
from piquet.fleet.model import Provider, ServerFacts, Site, Variant

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
    """

    name: Provider
    title: str
    vhosts: str
    ways: Mapping[Variant, str]
    auto: str
    variables: tuple[str, ...] = ()

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
        """The way of a server: the inventory's word, else what `auto` takes."""
        wanted = variables.get(f"piquet_{self.name}", "auto")
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
