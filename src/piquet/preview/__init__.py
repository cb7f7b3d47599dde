# SPDX-License-Identifier: GPL-3.0-or-later
"""What visitors will get, shown on this machine before anybody votes: over a sample site, to nobody else."""
