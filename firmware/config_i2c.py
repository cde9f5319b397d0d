"""What chips on an I2C bus must fulfil together; imported where a config has some."""


def check(config, problem):
    """Chips on one bus share its wires and have addresses of their own."""
    sensors = config["sensors"]
    wires, taken = {}, {}
    for i in range(len(sensors)):
        sensor = sensors[i]
        if "scl" not in sensor:
            continue
        path, bus = "sensors[%d]." % i, sensor["bus"]
        first = wires.setdefault(bus, sensor)
        for key in ("scl", "sda", "bus_khz"):
            if sensor[key] != first[key]:
                found = "%d found" % sensor[key]
                problem(path + key, found, "bus %d has %d there" % (bus, first[key]))
        other = taken.setdefault((bus, sensor["address"]), i)
        if other != i:
            problem(path + "address", "sensors[%d] has it too" % other, "each chip has its own")
