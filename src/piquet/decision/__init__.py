# SPDX-License-Identifier: GPL-3.0-or-later
"""Campaign + rendered pages → the decision: what people vote on, read aloud and sign.

* `document`   the canonical `decision.json`
* `site_rule`  which sites: one smallest table for selection and consent
* `doors`      what stays open, each door once
* `sheet`      the decision for people, one sheet a language
* `sheet_forms`  as text and as HTML, `pdf` as PDF
* `mandate`    who decided: no mandate, recorded, or signed by whom
* `signing`, `signed_folder`  the edges: ssh-keygen, and where signatures lie
* `words`      what is written on it in six languages
"""
