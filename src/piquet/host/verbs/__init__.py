# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent can be asked for, a module a verb. No verb imports another one; what several need is beside them."""
