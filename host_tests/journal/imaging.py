"""Makes a flash with a queue in it, as a device would leave it. Runs on MicroPython."""

# MicroPython's modules are not CPython's.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import os

from host_tests.faults.flash import Flash
from host_tests.journal.cutting import PLACE, LittleFS, unmount
from journal import Journal


def image(path, records, config, program=32, blocks=48):
    """Write to `path` an image whose queue holds `records` (in hexadecimal)."""
    kind = LittleFS(program, 128 if program == 32 else 512)
    device = Flash(blocks, program)
    kind.format(device)
    kind.mount(device)
    with open(PLACE + "/config.json", "w") as file:
        file.write(config)
    os.mkdir(PLACE + "/queue")
    journal = Journal(PLACE + "/queue", 65536, stream=77, **kind.options)
    for record in records:
        journal.append(bytes.fromhex(record))
    unmount()
    with open(path, "wb") as file:
        file.write(device.image)
