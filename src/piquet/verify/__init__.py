# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a fleet from outside: what does every site answer, and is it what it should answer now?

`targets` and `questions` decide what is asked, `probe` asks, `expectations` and `judge` decide whether the
answer is right, `baseline` remembers how a site answered before the strike and compares afterwards, `sweep`
does all of it once for a whole fleet and `watch` looks without pause across a switch. Only `probe`, `sweep`
and `watch` touch the network and the clock.
"""
