# SPDX-License-Identifier: GPL-3.0-or-later
"""piquet-host, the agent: what runs on a web server's own machine, with nothing but python3 >= 3.8.

The order in which to read it, which is also the direction of the imports:

* `findings`, `errors`: what is said, and what is raised
* `system/`: the machine's edges: paths, files, processes, the lock, what calls us again
* `state/`: what is kept here: bundle, armed state, token, flags, journal, transactions
* `servers/`: the web servers, a room each
* `machine`: all of these together, as one host
* what verbs are made of: `proof`, `takedown`, `stop_now`, `reconciliation` (`decide` is its rule), `readiness`,
  `loaded`, `hooked_files`, `status_document`; what is noticed between them: `hook_watch`, `stop_watch`, `stops`
* `verbs/`: a module a verb
* the way in: `__main__`, `release_first` (flags before all else), `command_line`, `request` (one JSON document out)
"""
