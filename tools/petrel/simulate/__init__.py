"""`petrel simulate`: thousands of light devices in one process, as load and as company.

They speak as docs/WIRE.md has it, with frames, births, wills, health and answers to commands, and
something happens to each now and then. `device` and `faults` are cores without I/O, `connection`
is the edge to the broker, `command` starts and counts them. For the firmware itself, in a
MicroPython of its own, there is `petrel run`.
"""
