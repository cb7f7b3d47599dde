# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine (Ansible or pyinfra) does around one agent verb: build the payload, carry it, read the answer.

Engines only carry bytes and report. Everything here is plain Python without Ansible, so that it is
tested without it and another engine can use the same functions:

* `request`   what is asked of the agent, verb by verb
* `transport` one remote command with the payload as its input, or copy-run-delete where that cannot be
* `answer`    the agent's one JSON document, or an error that says what is wrong with the host
* `result`    the same as an Ansible result: changed, diff, a message that a person can read
* `clock`     how far a host's clock is off, as far as one round trip proves it
* `survey`    the survey file and its summary
* `rehearsal` the links of a rehearsal
* `store`     bundles kept between plan and stage
* `prepare`   controller side: campaign and inventory to plan, digest and a bundle per host
* `host_results` how a verb went on every host, one table, one verdict
* `host_state` what one host is in, in a few words; which sites are apart
* `now`       what is due now and what comes next, over all hosts
* `verify`    the command line of `piquet verify`
* `events`    what an engine tells while a verb runs
* `step`      one verb on one host, which the action plugin `agent` wraps
"""
