# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a fleet from inside its hosts, with pytest and testinfra.

`moments` says what a host should be in, `local` whom to ask from inside, `ask` is the one program that runs on the
host, `look` sends it and reads its answer, `judge_host` and `judge_sites` say what is wrong, `session` puts
campaign, inventory and connections together, and `plugin` gives all of it to pytest. What is right comes from
`piquet.verify` and through it from the one table; `piquet.suite` holds the ready tests.
"""
