"""``python -m insml``."""

import sys

from insml.cli import main

sys.exit(main())
