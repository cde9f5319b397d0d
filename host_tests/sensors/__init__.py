"""Tests of the sensor drivers against stand-ins of their chips (host_tests/boards)."""
