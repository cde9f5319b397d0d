"""The rules of a config's section `sleep`: what a device on a battery does between readings."""

ROOT = {
    # true: the board sleeps between readings, without power for its RAM and radio.
    "deep": (False, "boolean"),
    # Readings are delivered at every so many-th wake-up; null: when `payload.batch` of them wait.
    "deliver_every": (None, "integer", 1, 10000),
    # The longest that a delivery keeps the board awake, but for up to 8 s to end it.
    "awake_s": (30, "seconds", 1, 600),
    # Commands are waited for so long once all is delivered.
    "listen_s": (1, "seconds", 0, 60),
    # A value that passes a limit, either way, is delivered at once.
    "alarms": ([], "list", 0, 16, (..., "table", {
        # The channel's key.
        "channel": (..., "text", 1, 16),
        # A value below it is an alarm; null: none is.
        "below": (None, "number", -1e6, 1e6),
        # A value above it is one.
        "above": (None, "number", -1e6, 1e6),
    })),
}


def check(config, problem):
    """What a device that sleeps can't have."""
    if not config["sleep"]["deep"]:
        return
    if config["queue"]["durability"] == "ram":
        problem("queue.durability", '"ram" found', "RAM has no power in deep sleep")
    keys = set()
    for i in range(len(config["sensors"])):
        sensor = config["sensors"][i]
        keys.update(sensor["channels"])
        if sensor["driver"] in ("gpio", "pulse"):
            path = "sensors[%d].driver" % i
            problem(path, '"%s" found' % sensor["driver"], "a board asleep sees no edges")
    alarms = config["sleep"]["alarms"]
    for i in range(len(alarms)):
        if alarms[i]["channel"] not in keys:
            found = '"%s" found' % alarms[i]["channel"]
            problem("sleep.alarms[%d].channel" % i, found, "there is: " + ", ".join(sorted(keys)))
