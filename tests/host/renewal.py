# SPDX-License-Identifier: GPL-3.0-or-later
"""The distribution's certbot, by its own Python: `PORT install …` is certbot itself, `PORT renew …` a part of it.

A renewal needs an authority on the network but for what its plugin does to nginx: it answers a challenge by lines of
its own in the server blocks, and puts the files back as they were. That is done here by the plugin itself: it says
`ready` while the challenge stands, and ends with a line on its input. The plugin takes a redirect for one of port 80
only, which is told as another port here; nothing else is different.
"""

from __future__ import annotations

import sys

import josepy  # type: ignore[import-not-found]
from acme import challenges, messages  # type: ignore[import-not-found]
from certbot import achallenges  # type: ignore[import-not-found]
from certbot._internal import cli, main  # type: ignore[import-not-found]
from certbot._internal.plugins import disco, selection  # type: ignore[import-not-found]
from certbot.configuration import NamespaceConfig  # type: ignore[import-not-found]
from certbot_nginx._internal.configurator import NginxConfigurator  # type: ignore[import-not-found]
from cryptography.hazmat.primitives.asymmetric import rsa

NginxConfigurator.DEFAULT_LISTEN_PORT = sys.argv[1]


def renew(words: list[str]) -> None:
    """Begin a challenge, wait, end it."""
    plugins = disco.PluginsRegistry.find_all()
    parsed = cli.prepare_and_parse_args(plugins, ["certonly", *words])
    config = parsed if isinstance(parsed, NamespaceConfig) else NamespaceConfig(parsed)
    main.make_or_verify_needed_dirs(config)
    _, authenticator = selection.choose_configurator_plugins(config, plugins, "certonly")
    body = messages.ChallengeBody(
        chall=challenges.HTTP01(token=b"t" * 32), uri="uri", status=messages.STATUS_PENDING
    )
    key = josepy.JWKRSA(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
    asked = [
        achallenges.KeyAuthorizationAnnotatedChallenge(challb=body, domain=name, account_key=key)
        for name in config.domains
    ]
    authenticator.perform(asked)
    print("ready", flush=True)
    sys.stdin.readline()
    authenticator.cleanup(asked)


if sys.argv[2] == "renew":
    renew(sys.argv[3:])
else:
    sys.exit(main.main(sys.argv[2:]))
