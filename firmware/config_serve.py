"""The rules of the config's section `serve`."""

ROOT = {
    # The address that is listened at; `"0.0.0.0"`: all that the device has.
    "host": ("127.0.0.1", "text", 1, 253),
    # CoAP's own is 5683.
    "port": (5683, "integer", 1, 65535),
    # true: readings in plain text to whoever asks.
    "insecure": (False, "boolean"),
}


def check(config, problem):
    if config["sleep"] and config["sleep"]["deep"]:
        problem("serve", "beside sleep.deep", "a device that sleeps can't be asked")
