"""Configs for tests: a good one, good and bad values for every rule, and what goes together."""

CSV = "t,temp_c,hum\n0,21.5,60\n5,21.6,61\n"
BASE = {
    "device": {"id": "d1"},
    "wifi": [{"ssid": "home", "password": "secret"}],
    "links": ["umqtt"],
    "umqtt": {"host": "127.0.0.1", "tls": None},
    "mqtt": {"host": "127.0.0.1", "tls": None},
    "sensors": [{
        "driver": "replay", "file": "data.csv", "every_s": 10,
        "channels": {"t": {"column": "temp_c", "unit": "Cel", "decimals": 2}},
    }],
    "sleep": {"alarms": [{"channel": "t"}]}, "time": {"servers": ["pool.ntp.org"]},
    "payload": {}, "queue": {}, "reconnect": {}, "limits": {},
}
TLS = {"ca": "ca.crt"}
SERVER_TLS = {"ca": "ca.crt", "cert": "d.crt", "key": "d.key"}
PSK = {"psk_identity": "d1", "psk_key_hex": "00" * 16}
ALARM = {"channel": "t", "above": 30}
REPLAY = BASE["sensors"][0]
TEXT = [None, 7, True, ["x"], {"a": "b"}]  # what is no text, and a rule may have a better use for
NUMBER = ["7", None, True, [1], {}]

# path: ([good values], [bad values])
CASES = {
    "device": ([{}], [None, [], "d1"]),
    "device.id": (
        ["d1", "x" * 64, "gärtnerei", "ß" * 32, None], ["", "x" * 65, "ß" * 33, "a\nb", 7, ["d"]],
    ),
    "wifi": ([[], [{"ssid": "a"}] * 8], [None, {}, "home", [{"ssid": "a"}] * 9]),
    "wifi[0]": ([{"ssid": "a"}], [None, "home", []]),
    "wifi[0].ssid": (["", "x" * 32], ["x" * 33, "ß" * 17, *TEXT]),
    "wifi[0].password": (["", "x" * 63], ["x" * 64, "a\0b", *TEXT]),
    "board": ([None, {}], [[], "esp32"]),
    "board.led": ([None, 0, 63, "LED", "x" * 16], [-1, 64, 2.0, "", "x" * 17, True, [2], {}]),
    "board.led_inverted": ([True, False], [None, 0, 1, "true", []]),
    "board.safe_pin": ([None, 0, 63, "GP2"], [-1, 64, 2.0, "", "x" * 17, True, [2], {}]),
    "board.country": ([None, "DE"], ["", "D", "DEU", 49, []]),
    "serve": ([None, {}], [[], 5683]),
    "serve.host": (["localhost", "127.0.0.1"], ["", "x" * 254, *TEXT]),
    "serve.port": ([1, 65535, None], [0, 65536, 5683.0, "5683", True, []]),
    "serve.insecure": ([True, False], [None, 0, 1, "true", []]),
    "time": ([None, {}], [[], "pool.ntp.org"]),
    "time.servers": ([[], ["a"] * 4], [None, {}, "pool.ntp.org", ["a"] * 5]),
    "time.servers[0]": (["pool.ntp.org", "192.168.1.1"], ["", "x" * 254, *TEXT]),
    "sleep": ([None, {}], [[], True]),
    "sleep.deep": ([True, False], [None, 0, 1, "true", []]),
    "sleep.deliver_every": ([None, 1, 10000], [0, 10001, 1.5, "7", True, [1]]),
    "sleep.awake_s": ([1, 2.5, 600], [0.5, 600.5, *NUMBER]),
    "sleep.listen_s": ([0, 2.5, 60], [-1, 60.5, *NUMBER]),
    "sleep.alarms": ([[], [ALARM] * 16], [None, {}, "t", [ALARM] * 17]),
    "sleep.alarms[0]": ([ALARM], [None, "t", []]),
    "sleep.alarms[0].channel": (["t"], ["", "x" * 17, *TEXT]),
    "sleep.alarms[0].below": ([None, -1e6, 0, 2.5], [-1.1e6, 1.1e6, "7", True, [1], {}]),
    "sleep.alarms[0].above": ([None, -1e6, 0, 2.5], [-1.1e6, 1.1e6, "7", True, [1], {}]),
    "time.resync_s": ([600, 86400, 604800], [599, 604801, *NUMBER]),
    "links": ([["umqtt"]], [[], ["umqtt", "umqtt"], None, "umqtt", {}]),
    "links[0]": (["umqtt", "mqtt", "coap", "microcoapy"], ["http", "", None, 0, ["umqtt"]]),
    "mqtt.hosts": ([[], ["a", "b:1884"] * 4], [None, "a", {}, ["a"] * 9]),
    "mqtt.hosts[0]": (["localhost"], ["", "x" * 254, *TEXT]),
    "mqtt.protocol": (["3.1.1", "5"], ["3.1", "4", 5, None]),
    "mqtt.websocket": ([None, "/mqtt"], ["", "x" * 129, 7, []]),
    "mqtt.window": ([1, 64], [0, 65, 1.5, *NUMBER]),
    "coap": ([None, {}], [[], "127.0.0.1"]),
    "coap.host": (["localhost", "127.0.0.1"], ["", "x" * 254, *TEXT]),
    "coap.port": ([1, 65535, None], [0, 65536, 5683.0, "5683", True, []]),
    "coap.timeout_s": ([1, 2.5, 60], [0.5, 60.5, *NUMBER]),
    "coap.ack_timeout_s": ([0.01, 2, 30], [0.009, 30.1, *NUMBER]),
    "coap.adaptive": ([True, False], [None, 0, 1, "true", []]),
    "coap.insecure": ([True, False], [None, 0, 1, "true", []]),
    "microcoapy": ([None, {}], [[], "127.0.0.1"]),
    "microcoapy.host": (["localhost", "127.0.0.1"], ["", "x" * 254, *TEXT]),
    "microcoapy.port": ([1, 65535, None], [0, 65536, 5683.0, "5683", True, []]),
    "microcoapy.timeout_s": ([1, 2.5, 60], [0.5, 60.5, *NUMBER]),
    "microcoapy.ack_timeout_s": ([0.01, 2, 30], [0.009, 30.1, *NUMBER]),
    "microcoapy.insecure": ([True, False], [None, 0, 1, "true", []]),
    "umqtt": ([{}], [None, [], "127.0.0.1"]),
    "umqtt.host": (["localhost", "127.0.0.1", "::1"], ["", "x" * 254, *TEXT]),
    "umqtt.port": ([1, 65535, 1883, None], [0, 65536, -1, 1883.0, "1883", True, []]),
    "umqtt.username": (["u", "ü" * 128, None], ["", "u" * 257, 7, []]),
    "umqtt.password": ([None], ["p" * 257, 7, [], "tab\t"]),
    "umqtt.keepalive_s": ([1, 1.5, 3600], [0, 0.999, 3600.1, -5, *NUMBER]),
    "umqtt.timeout_s": ([1, 2.5, 60], [0.5, 60.5, 61, *NUMBER]),
    "umqtt.qos": ([0, 1], [2, -1, 1.0, *NUMBER]),
    "umqtt.tls": ([None, TLS, PSK], [[], "ca.crt", True, 0]),
    "umqtt.tls.ca": (["ca.crt", "folder/more.csv"], ["", "missing.crt", "folder", 7, True, []]),
    "umqtt.tls.cert": ([None], ["", "missing.crt", 7, []]),
    "umqtt.tls.key": ([None], ["", "missing.key", 7, {}]),
    "umqtt.tls.psk_identity": (["d", "ß" * 64], ["", "x" * 129, 7, []]),
    "umqtt.tls.psk_key_hex": (
        ["00" * 16, "aB" * 64],
        ["", "00" * 15, "00" * 65, "0" * 33, "zz" * 16, "0g" + "00" * 15, 7, ["00" * 16]],
    ),
    "umqtt.insecure": ([True, False], [None, 0, 1, "true", []]),
    "sensors": ([[REPLAY]], [None, {}, [], "replay"]),
    "sensors[0]": ([REPLAY], [None, [], "replay", 7]),
    "sensors[0].driver": (
        ["replay"], ["", "Replay", "nothing", "../app", "replay.py", "a/b", "__init__", *TEXT],
    ),
    "sensors[0].every_s": ([0.001, 1, 86400], [0, 0.0001, 86400.5, -1, *NUMBER]),
    "sensors[0].channels": ([REPLAY["channels"]], [None, [], {}, "t", 7]),
    "sensors[0].channels.t": ([{"column": "temp_c"}, {"column": "t"}], [None, [], "temp_c", 7]),
    "sensors[0].channels.t.unit": ([None, "Cel", "x" * 16], ["", "x" * 17, 7, [], "a\nb"]),
    "sensors[0].channels.t.decimals": ([0, 9], [-1, 10, 2.0, *NUMBER]),
    "sensors[0].channels.t.step": (
        [None, 0.0625, 0.01, 0.3, 5, 999999], [0, -0.5, 1e6, 0.1234567891, "1/16", True, []],
    ),
    "sensors[0].channels.t.kind": ([None, "count"], ["", "counter", 1, True, []]),
    "sensors[0].channels.t.column": (["t", "hum"], ["", "x" * 65, "nowhere", 7, []]),
    "sensors[0].file": (["data.csv", "folder/more.csv"], ["", "missing.csv", "folder", *TEXT]),
    "sensors[0].row": ([0, 1, 1_000_000_000], [-1, 1_000_000_001, 0.5, *NUMBER]),
    "sensors[0].speed": ([1, 1_000_000], [0, 1_000_001, 1.5, *NUMBER]),
    "sensors[0].loop": ([True, False], [None, 0, "yes", []]),
    "sensors[0].times": (["device", "recorded"], ["", "Device", None, True, []]),
    "sensors[0].time_column": (["t", "x" * 64], ["", "x" * 65, *TEXT]),
    "payload": ([{}], [None, [], "json"]),
    "payload.format": (
        ["json", "frame", "cbor", "senml-cbor"], ["", "JSON", "xml", None, ["json"]],
    ),
    "payload.batch": ([1, 1000], [0, 1001, 2.5, *NUMBER]),
    "payload.max_age_s": ([0, 0.5, 86400], [-1, 86401, *NUMBER]),
    "queue": ([{}], [None, [], 64]),
    "queue.limit_kb": ([1, 16384], [0, 16385, 1.5, *NUMBER]),
    "queue.when_full": (["drop_oldest", "drop_newest"], ["refuse", "", None, []]),
    "queue.durability": (["always", "spill", "ram"], ["flash", "", None, True, []]),
    "queue.spill_after_s": ([None, 1, 0.5 + 1, 86400], [0, 0.9, 86401, "7", True, []]),
    "queue.order": (["oldest_first", "newest_first"], ["newest", "", None, []]),
    "reconnect": ([{}], [None, [], 1]),
    "reconnect.first_s": ([0.01, 1, 120], [0, 0.001, 3601, *NUMBER]),
    "reconnect.max_s": ([1, 86400], [0, 86401, *NUMBER]),
    "limits": ([{}], [None, [], 50]),
    "limits.publish_per_s": ([1, 100_000], [0, 100_001, 0.5, *NUMBER]),
    "limits.message_bytes": ([128, 65_000], [63, 65_001, 1024.0, *NUMBER]),
}
CASES.update({path[1:]: case for path, case in CASES.items() if path.startswith("umqtt")})
CASES["mqtt"] = ([None, *CASES["umqtt"][0]], CASES["umqtt"][1][1:])
for _section in ("coap.tls", "microcoapy.tls", "serve.tls"):
    CASES.update({
        _section + path[len("umqtt.tls"):]: case
        for path, case in CASES.items() if path.startswith("umqtt.tls")
    })
CASES["serve.tls"] = ([None, PSK, SERVER_TLS], CASES["serve.tls"][1])
CASES["serve.tls.cert"] = (["d.crt"], CASES["serve.tls.cert"][1])
CASES["serve.tls.key"] = (["d.key"], CASES["serve.tls.key"][1])
CASES["mqtt.qos"] = ([0, 1, 2], [3, -1, 1.0, *NUMBER])
MUST_BE_GIVEN = ["sensors", "wifi[0].ssid"]
MUST_BE_GIVEN += ["sensors[0]." + key for key in ("channels", "driver", "file")]

# What several keys make together: ({path: value}, the problem) or None for none.
SECOND = {**REPLAY, "channels": {"h": {"column": "hum"}}}
SHT = {"driver": "sht3x", "scl": 22, "sda": 21, "channels": {"t": {"quantity": "temperature"}}}
LUX = {"driver": "bh1750", "scl": 22, "sda": 21, "channels": {"l": {}}}
LIMITS = [
    ({"device.id": "a/b"}, 'device.id: "a/b" found; it is part of a topic'),
    ({"device.id": "#"}, 'device.id: "#" found; it is part of a topic'),
    ({"device.id": "a+"}, 'device.id: "a+" found; it is part of a topic'),
    ({"device.id": " a"}, 'device.id: " a" found; it is part of a topic'),
    ({"device.id": "a b"}, None),
    ({"device.id": "a\x85"}, "device.id: "),  # MQTT 3.1.1, section 1.5.3: brokers refuse these
    ({"device.id": "\ufffe"}, "device.id: "),
    ({"umqtt.host": "broker"}, 'umqtt.tls: plain text to broker; give "tls", or say "insecure"'),
    ({"umqtt.host": "192.168.1.5"}, "umqtt.tls: plain text to 192.168.1.5; "),
    ({"umqtt.host": "127.0.0.1.example.com"}, "umqtt.tls: plain text to 127.0.0.1.example.com; "),
    ({"umqtt.host": "127.evil"}, "umqtt.tls: plain text to 127.evil; "),
    ({"umqtt.host": "127.8.9.10"}, None),
    ({"umqtt.host": "::1"}, None),
    ({"umqtt.host": "broker", "umqtt.insecure": True}, None),
    ({"umqtt.host": "broker", "umqtt.tls": TLS}, None),
    ({"umqtt.host": "broker", "umqtt.tls": PSK}, None),
    ({"links": ["coap"]}, None),
    ({"links": ["coap"], "coap": {}}, None),
    ({"links": ["coap"], "coap": None}, "coap: missing; a link needs its section, which may be "),
    (
        {"serve": {}, "sleep": {"deep": True}},
        "serve: beside sleep.deep; a device that sleeps can't be asked",
    ),
    ({"links": ["microcoapy"]}, None),
    ({"links": ["microcoapy"], "microcoapy": {"host": "192.0.2.1", "tls": PSK}}, None),
    (
        {"links": ["microcoapy"], "microcoapy": {"tls": {}}},
        "microcoapy.tls.ca: missing; the peer is always verified",
    ),
    ({"serve": {"host": "0.0.0.0", "insecure": True}}, None),
    ({"serve": {"host": "0.0.0.0", "tls": PSK}}, None),
    (
        {"serve": {"tls": {"ca": TLS["ca"]}}},
        "serve.tls.cert: missing; a server proves itself too, by cert and key",
    ),
    (
        {"serve": {"host": "0.0.0.0"}},
        'serve.tls: plain text to 0.0.0.0; give "tls", or say "insecure": true and bear it',
    ),
    (
        {"links": ["microcoapy"], "microcoapy": {"host": "192.0.2.1"}},
        'microcoapy.tls: plain text to 192.0.2.1; give "tls", or say "insecure": true and bear it',
    ),
    ({"links": ["mqtt"], "mqtt": None}, "mqtt: missing; a link needs its section, which may be "),
    (
        {"links": ["coap"], "coap": {"host": "192.0.2.1"}},
        'coap.tls: plain text to 192.0.2.1; give "tls", or say "insecure": true and bear it',
    ),
    ({"links": ["coap"], "coap": {"host": "192.0.2.1", "insecure": True}}, None),
    ({"umqtt.username": "u", "umqtt.password": "p"}, None),
    ({"umqtt.username": "u"}, None),
    ({"umqtt.password": "p"}, "umqtt.username: missing; a password needs one"),
    ({"links": ["mqtt"], "mqtt.hosts": ["::1", "localhost:1884"]}, None),
    ({"links": ["mqtt"], "mqtt.hosts": ["b:1884"]}, "mqtt.tls: plain text to b:1884; give "),
    ({"umqtt.tls": {}}, "umqtt.tls.ca: missing; the peer is always verified"),
    ({"umqtt.tls": {**TLS, "cert": "d.crt", "key": "d.key"}}, None),
    ({"umqtt.tls": {**TLS, "cert": "d.crt"}}, "umqtt.tls.key: missing; cert goes together with"),
    ({"umqtt.tls": {**TLS, "key": "d.key"}}, "umqtt.tls.cert: missing; key goes together with"),
    ({"umqtt.tls": {"cert": "d.crt", "key": "d.key"}}, "umqtt.tls.ca: missing; the peer is"),
    ({"umqtt.tls": {"psk_identity": "d1"}}, "umqtt.tls.psk_key_hex: missing; psk_identity goes"),
    ({"umqtt.tls": {"psk_key_hex": "00" * 64}}, "umqtt.tls.psk_identity: missing; psk_key_hex"),
    ({"umqtt.tls": {**PSK, **TLS}}, "umqtt.tls: certificates and a pre-shared key found; either"),
    (
        {"umqtt.tls": {**PSK, "cert": "d.crt", "key": "d.key"}},
        "umqtt.tls: certificates and a pre-shared key found; either",
    ),
    ({"reconnect.first_s": 5, "reconnect.max_s": 5}, None),
    ({"reconnect.first_s": 6, "reconnect.max_s": 5}, "reconnect.first_s: more than reconnect.max"),
    ({"reconnect.first_s": 121}, "reconnect.first_s: more than reconnect.max"),
    ({"sensors[0].channels": {"ts": {"column": "t"}}}, "sensors[0].channels.ts: a reserved key"),
    ({"sensors[0].channels": {"s": {"column": "t"}}}, "sensors[0].channels.s: a reserved key; "),
    ({"sensors[0].channels": {"x" * 17: {"column": "t"}}}, "sensors[0].channels." + "x" * 17),
    ({"sensors[0].channels": {"": {"column": "t"}}}, "sensors[0].channels.: a key that can't"),
    ({"sensors[0].channels": {'a"b': {"column": "t"}}}, 'sensors[0].channels.a"b: a key that '),
    ({"sensors[0].channels": {"a\\b": {"column": "t"}}}, "sensors[0].channels.a\\b: a key that"),
    ({"sensors[0].channels": {"x" * 16: {"column": "t"}}}, None),
    ({"sensors[0].channels": {"wärme_ß温度": {"column": "t"}}}, None),
    ({"sensors[0].channels.t.step": 0.002}, "sensors[0].channels.t.step: finer than 2 decimals; "),
    ({"sensors[0].channels.t.step": 0.00390625, "sensors[0].channels.t.decimals": 3}, None),
    ({"payload.format": "senml-cbor"}, None),
    ({"payload.format": "senml-cbor", "device.id": "wärme"}, "device.id: a name that SenML does"),
    (
        {"payload.format": "senml-cbor", "sensors[0].channels": {"ß": {"column": "t"}}},
        "sensors[0].channels.ß: a name that SenML does not allow; letters, digits and - : . _",
    ),
    ({"sensors": [REPLAY, SECOND]}, None),
    ({"sensors": [REPLAY, REPLAY]}, "sensors[1].channels.t: a key that sensors[0].channels.t has"),
    ({"sensors": [{**REPLAY, "times": "recorded"}]}, None),
    (
        {"sensors": [REPLAY, {**SECOND, "times": "recorded"}]},
        'sensors[1].times: "recorded" beside other sensors; a reading has one time only',
    ),
    ({"limits.message_bytes": 64}, "limits.message_bytes: 64 found; a reading of these channels"),
    ({"sensors[0].times": "recorded", "sensors[0].time_column": "temp_c"}, None),
    (
        {"sensors[0].times": "recorded", "sensors[0].time_column": "when"},
        'sensors[0].time_column: "when" found; the file has t, temp_c, hum',
    ),
    (
        {"sensors[0].channels.t.column": None, "sensors[0].channels": {"x": {}}},
        'sensors[0].channels.x.column: "x" found; the file has t, temp_c, hum',
    ),
    ({"sensors": [SHT, LUX, {**LUX, "address": "0x5C", "channels": {"x": {}}}]}, None),
    ({"sensors": [SHT, {**LUX, "bus": 1, "scl": 5, "sda": 4}]}, None),
    ({"sensors": [SHT, {**LUX, "scl": 5}]}, "sensors[1].scl: 5 found; bus 0 has 22 there"),
    ({"sensors": [SHT, {**LUX, "bus_khz": 10}]}, "sensors[1].bus_khz: 10 found; bus 0 has 100 "),
    (
        {"sensors": [SHT, {**SHT, "channels": {"x": {"quantity": "humidity"}}}]},
        "sensors[1].address: sensors[0] has it too; each chip has its own",
    ),
]
