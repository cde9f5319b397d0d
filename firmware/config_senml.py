"""What a config must fulfil whose readings are SenML; imported where they are."""


def check(config, problem):
    """SenML's names are narrower than ours (RFC 8428, section 4.5.1)."""
    names = [("device.id", config["device"]["id"] or "")]
    for i in range(len(config["sensors"])):
        for key in sorted(config["sensors"][i]["channels"]):
            names.append(("sensors[%d].channels.%s" % (i, key), key))
    for path, name in names:
        if any(not ("a" <= c.lower() <= "z" or c in "0123456789-:._") for c in name):
            problem(path, "a name that SenML does not allow", "letters, digits and - : . _")
