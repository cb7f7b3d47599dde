# SPDX-License-Identifier: GPL-3.0-or-later
"""piquet-host, the agent: what runs on a web server's own machine, with nothing but python3 >= 3.8.

The order in which to read it, which is also the direction of the imports:

* values and texts, without file or clock: `findings`, `errors`, `nginx_tokens`, `hooks`, `reconcile.decide`,
  `boundaries.due`
* the machine's edges: `paths`, `platforms`, `commands`, `files`, `processes`, `lock`, `journal`, `state`,
  `flags`, `passes`, `probe`, `schedule`, `transaction`
* the web servers: `servers` (what a provider is, and the null one), `nginx_config`, `nginx`; `apache_tree`
  (what the server understood), `apache_text` (what only texts tell), `apache_hosts`, `apache_owners`,
  `apache_findings`, `apache`
* the verbs: `survey`, `status`, `hooking`, `stage`, `arm`, `rehearse`, `release`, `reconcile`, `rollback`,
  `remove`
* the way in: `request` (one JSON document out), `__main__` (command line)
"""
