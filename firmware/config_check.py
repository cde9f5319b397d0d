"""What `petrel check` runs on the Unix port: prints what is wrong with the config PETREL_CONFIG,
a line a problem.

The exit status is 2 if there is anything, else 0.
"""

import os
import sys

from .config import ConfigError, load

try:
    load(os.getenv("PETREL_CONFIG"))
except ConfigError as error:
    for line in error.problems:
        print(line)
    sys.exit(2)
