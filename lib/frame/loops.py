"""The inner loops: as machine code where there is some for this chip, else as bytecode."""
# ruff: noqa: F403
try:
    from ._fast import *
except (ImportError, ValueError, SyntaxError, AttributeError):
    from ._plain import *
