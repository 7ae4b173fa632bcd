"""`python -m sslcourse` is the `sslcourse` command."""

import sys

from sslcourse.cli import main

sys.exit(main())
