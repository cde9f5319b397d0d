"""The rules of the config's section `serve`."""

ROOT = {
    # The address that is listened at; `"0.0.0.0"`: all that the device has.
    "host": ("127.0.0.1", "text", 1, 253),
    # null: 5684 with `tls`, else 5683.
    "port": (None, "integer", 1, 65535),
    # null: plain text, and no commands. With it DTLS: `ca` or a pre-shared key says who may ask.
    "tls": (None, "table"),
    # true: readings in plain text to whoever asks.
    "insecure": (False, "boolean"),
}


def check(config, problem):
    tls = config["serve"]["tls"]
    if tls and tls["ca"] is not None and tls["cert"] is None:
        problem("serve.tls.cert", "missing", "a server proves itself too, by cert and key")
    if config["sleep"] and config["sleep"]["deep"]:
        problem("serve", "beside sleep.deep", "a device that sleeps can't be asked")
