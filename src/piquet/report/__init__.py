# SPDX-License-Identifier: GPL-3.0-or-later
"""What is handed to people afterwards: for now the return certificate."""
