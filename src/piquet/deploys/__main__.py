# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m piquet.deploys VERB`: one verb by pyinfra, for the command line; see `piquet.deploys.runner`."""

from gevent import monkey

monkey.patch_all()  # before anything else is imported: pyinfra wants it so, and only this process has it

from piquet.deploys.runner import main  # noqa: E402 - see above

if __name__ == "__main__":
    main()
