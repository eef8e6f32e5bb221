"""`python -m scar_pulumi` is `scar-pulumi`."""

import sys

from scar_pulumi.cli import main

sys.exit(main())
