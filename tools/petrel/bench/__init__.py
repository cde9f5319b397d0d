"""`make bench`: every measurement, side by side with its peer in the same run.

One module a measurement; each has `measure(bench)`, which prints its table and returns its figures
for `build/bench.json`. What runs on the device is in `device/`.
"""
