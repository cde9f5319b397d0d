"""Tests of lib/frame: round trips, damage, figures, the other ports, JavaScript."""
