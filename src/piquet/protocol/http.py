# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers and addresses by which answers of ours are asked for and known."""

from __future__ import annotations

SIGN_HEADER = "X-Piquet"
"""Header by which an answer is recognised as ours, never by its status alone."""
ABOUT_PATH = "/.well-known/piquet.json"
ASSET_PREFIX = "/.well-known/piquet/"
REHEARSAL_PREFIX = "/.well-known/piquet/rehearse/"
REHEARSAL_WORD = r"[1-9][0-9]?-[0-9a-f]{32}(?:-[0-9]{8,17}){1,3}(?:_[0-9]{9,17})?"
"""What the cookie holds: number of the phase, the secret, and when it is good; a file of this name makes it so.

When: of seconds since the epoch the first seven digits and each eighth that may follow (`-1795880456`), and for what
is left before the last full hundred the first eight and each ninth (`_1795882201`). Servers hold their own clock
against that, so that a pass ends by itself.

It is good outside of every window of the site. Inside, armed or not, it changes nothing: that window's phase is what a
flag shows to everybody, and a rehearsal of it would say that something is shown where nothing is.
"""
PROOF_PREFIX = "/.well-known/piquet/proof/"
"""Below it a host asks its own servers, before it is armed, whether they see what it does."""
PROOF_WORD = "[0-9a-f]{32}"
"""Names a file of root's in `/run/piquet/proof`; while that is there, it is answered whatever the hour and the door."""
NONCE_HEADER = "X-Piquet-Nonce"
"""A request's word of that kind; answers of ours repeat it while a file of that word and the campaign's seal is there,
and nobody else's configuration can know whether it is."""
TARGETED = (
    "CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Netlify-CDN-Cache-Control", "Vercel-CDN-Cache-Control",
    "Surrogate-Control", "Edge-Control", "X-Accel-Expires", "X-LiteSpeed-Cache-Control",
)  # fmt: skip
"""Headers that tell some caches to keep an answer, whatever Cache-Control says to all others.

Source: RFC 9213 and the documents of Cloudflare, Netlify, Vercel, Fastly (Surrogate-Control), Akamai (Edge-Control),
nginx (ngx_http_proxy_module, `proxy_cache_valid`) and LiteSpeed.
"""
