"""Scripts that run on MicroPython; tests call their functions through host_tests.chip.Chip."""
