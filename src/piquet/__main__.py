# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m piquet`, the same as the command `piquet`."""

from piquet.cli import main

if __name__ == "__main__":
    main()
