"""The rules that drivers share. Imported while a config is checked, and forgotten after it."""

I2C = {
    # Number of the chip's I2C controller.
    "bus": (0, "integer", 0, 1),
    # The clock pin's number.
    "scl": (..., "integer", 0, 60),
    # The data pin's number.
    "sda": (..., "integer", 0, 60),
    # The bus clock in kHz; fewer for long wires.
    "bus_khz": (100, "integer", 10, 400),
}
CHANNEL = {
    # What the channel shows; null: the only one, or the one with the channel's key as its name.
    "quantity": (None, "text", 1, 16),
    # SenML's name of the unit (RFC 8428); null: the quantity's own.
    "unit": (None, "text", 1, 16),
    # Digits behind the point that are kept; null: as many as the sensor is good for.
    "decimals": (None, "integer", 0, 9),
}


def i2c(own):
    """The rules of a driver on the I2C bus: its own, and the bus's."""
    own.update(I2C)
    return own


def measured(own=None):
    """The rules of the channels of a driver that has QUANTITIES."""
    rules = dict(CHANNEL)
    rules.update(own or {})
    return rules


def check(entry, quantities, every_s=0):
    """Fill in what the channels leave to their quantities, and yield what can't be: (path, what
    was found, what is allowed).
    """
    if entry["every_s"] < every_s:
        found = "%s found" % entry["every_s"]
        yield "every_s", found, "the sensor can be read every %s s at the most" % every_s
    for key in sorted(entry["channels"]):
        channel = entry["channels"][key]
        name = channel["quantity"] or (next(iter(quantities)) if len(quantities) == 1 else key)
        if name not in quantities:
            allowed = "the sensor has " + ", ".join(sorted(quantities))
            yield "channels.%s.quantity" % key, '"%s" found' % name, allowed
            continue
        unit, usual, decimals = quantities[name][:3]
        channel["quantity"] = name
        channel["unit"] = channel["unit"] or unit
        if channel["decimals"] is None:
            channel["decimals"] = usual
        elif channel["decimals"] > decimals:
            found = "%d found" % channel["decimals"]
            allowed = "%s has %d at the most" % (name, decimals)
            yield "channels.%s.decimals" % key, found, allowed
