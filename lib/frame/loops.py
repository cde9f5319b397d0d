"""The inner loops: as machine code where there is some for this chip, else as bytecode."""
try:
    from ._fast import column, crc24, narrow, recall, seed, survey
except (ImportError, ValueError, SyntaxError, AttributeError):
    from ._plain import column, crc24, narrow, recall, seed, survey  # noqa: F401
