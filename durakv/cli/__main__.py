"""``python -m durakv.cli``."""

import sys

from durakv.cli import main

sys.exit(main())
