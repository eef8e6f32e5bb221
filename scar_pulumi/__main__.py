"""`python -m scar_pulumi` is `scar-pulumi`."""

import sys

from scar_pulumi.cli.main import main

sys.exit(main())
