# SPDX-License-Identifier: GPL-3.0-or-later
"""What does every site answer, and is it what it should answer now?

`targets` and `questions` decide what is asked, `expectations` and `judge` whether an answer is right; `baseline`
remembers how a site answered before the strike and compares afterwards, which `certificate` tells. `outside` asks as
visitors do, `inside` on the hosts; they alone touch the network and the clock.
"""
