"""The numbered clauses of both standards, and who must keep each: [MQTT-section-number].

Those of the server alone are listed; all others must be named by a test (`test_clauses.py`).
"""

# Section -> number of its last clause.
V311 = {
    "1.5.3": 3, "2.2.2": 2, "2.3.1": 7, "3.1.0": 2, "3.1.2": 24, "3.1.3": 11, "3.1.4": 5,
    "3.2.0": 1, "3.2.2": 6, "3.3.1": 12, "3.3.2": 3, "3.3.4": 1, "3.3.5": 2, "3.6.1": 1,
    "3.8.1": 1, "3.8.3": 4, "3.8.4": 6, "3.9.3": 2, "3.10.1": 1, "3.10.3": 2, "3.10.4": 6,
    "3.12.4": 1, "3.14.1": 1, "3.14.4": 3, "4.1.0": 2, "4.3.1": 1, "4.3.2": 2, "4.3.3": 2,
    "4.4.0": 1, "4.5.0": 2, "4.6.0": 6, "4.7.1": 3, "4.7.2": 1, "4.7.3": 4, "4.8.0": 2,
    "6.0.0": 4, "7.0.0": 2, "7.1.1": 1, "7.1.2": 1,
}
V5 = {
    "1.5.4": 3, "1.5.5": 1, "2.1.3": 1, "2.2.1": 6, "2.2.2": 1, "3.1.0": 2, "3.1.2": 30,
    "3.1.3": 12, "3.1.4": 6, "3.2.0": 2, "3.2.2": 22, "3.3.1": 13, "3.3.2": 20, "3.3.4": 10,
    "3.4.2": 3, "3.5.2": 3, "3.6.1": 1, "3.6.2": 3, "3.7.2": 3, "3.8.1": 1, "3.8.3": 5,
    "3.8.4": 8, "3.9.2": 2, "3.9.3": 2, "3.10.1": 1, "3.10.3": 2, "3.10.4": 6, "3.11.2": 2,
    "3.11.3": 2, "3.12.4": 1, "3.14.0": 1, "3.14.1": 1, "3.14.2": 4, "3.14.4": 3, "3.15.1": 1,
    "3.15.2": 3, "4.1.0": 2, "4.2.0": 1, "4.3.1": 1, "4.3.2": 5, "4.3.3": 13, "4.4.0": 2,
    "4.5.0": 2, "4.6.0": 6, "4.7.0": 1, "4.7.1": 2, "4.7.2": 1, "4.7.3": 4, "4.8.2": 6,
    "4.9.0": 3, "4.12.0": 7, "4.12.1": 2, "4.13.1": 1, "4.13.2": 1, "6.0.0": 4,
}
FIRST = {"2.2.1 (5)": 2}  # where a section does not begin with 1

# The server's duties, by section and number. Some of them we check all the same.
SERVER_311 = {
    "2.3.1": [4, 7], "3.1.0": [2], "3.1.2": [1, 2, 3, 5, 7, 8, 10, 12, 16, 17, 24],
    "3.1.3": [5, 6, 8, 9], "3.1.4": [1, 2, 3, 4, 5], "3.2.2": [2, 3, 5, 6],
    "3.3.1": [3, 5, 6, 7, 8, 9, 10, 11, 12], "3.3.2": [3], "3.3.5": [1, 2], "3.8.3": [2],
    "3.8.4": [1, 2, 3, 4, 5, 6], "3.10.4": [1, 2, 3, 4, 5, 6], "3.12.4": [1], "3.14.1": [1],
    "3.14.4": [3], "4.1.0": [2], "4.5.0": [1], "4.6.0": [5, 6], "4.7.3": [4], "6.0.0": [4],
    "7.0.0": [1, 2], "7.1.1": [1],
}
SERVER_5 = {
    "2.2.1": [4, 6], "3.1.0": [2],
    "3.1.2": [2, 3, 4, 5, 6, 7, 8, 10, 14, 15, 22, 25, 28, 29],
    "3.1.3": [5, 6, 7, 8, 9, 10], "3.1.4": [1, 2, 3, 4, 5, 6],
    "3.2.2": [3, 7, 9, 10, 12, 13, 16, 19, 20, 22], "3.3.1": [3, 5, 6, 7, 8, 9, 10, 11, 12, 13],
    "3.3.2": [3, 4, 5, 6, 11, 12, 15, 16, 17, 18, 20], "3.3.4": [2, 3, 4, 5, 10],
    "3.8.3": [3], "3.8.4": [1, 2, 3, 4, 5, 6, 7, 8], "3.9.2": [1, 2], "3.10.4": [1, 2, 3, 4, 5, 6],
    "3.11.2": [1, 2], "3.12.4": [1], "3.14.0": [1], "3.14.2": [2], "3.14.4": [3], "4.1.0": [2],
    "4.5.0": [1], "4.6.0": [5, 6], "4.7.2": [1], "4.7.3": [4], "4.8.2": [3, 4, 5, 6],
    "4.12.0": [1, 2, 4], "6.0.0": [4],
}
# What this client leaves out, and so cannot break.
LEFT_OUT = {
    "3.1.2-30 (5)": "no enhanced authentication", "3.15.1-1 (5)": "no AUTH packet",
    "3.15.2-1 (5)": "no AUTH packet", "3.15.2-2 (5)": "no AUTH packet",
    "3.15.2-3 (5)": "no AUTH packet", "4.12.0-3 (5)": "no AUTH packet",
    "4.12.0-5 (5)": "no enhanced authentication", "4.12.1-1 (5)": "no AUTH packet",
    "4.12.1-2 (5)": "no AUTH packet", "4.3.3-7 (5)": "messages do not expire here",
    "4.3.3-9 (5)": "no inbound publish is refused", "4.3.3-13 (5)": "messages do not expire here",
    "3.4.2-2 (5)": "no properties in an acknowledgement",
    "3.4.2-3 (5)": "no properties in an acknowledgement",
    "3.5.2-2 (5)": "no properties in an acknowledgement",
    "3.5.2-3 (5)": "no properties in an acknowledgement",
    "3.6.2-2 (5)": "no properties in an acknowledgement",
    "3.6.2-3 (5)": "no properties in an acknowledgement",
    "3.7.2-2 (5)": "no properties in an acknowledgement",
    "3.7.2-3 (5)": "no properties in an acknowledgement",
    "3.14.2-3 (5)": "no properties in DISCONNECT", "3.14.2-4 (5)": "no properties in DISCONNECT",
    "3.1.2-6": "the session state is the engine's; a new one is a new engine, or a clean connect",
}
# What it does not keep to the letter.
DEVIATIONS = {
    "4.6.0-2": "acknowledged when taken: inboxes that are read at a different pace change places",
    "4.6.0-3": "as 4.6.0-2",
    "4.6.0-2 (5)": "as 4.6.0-2",
    "4.6.0-3 (5)": "as 4.6.0-2",
    "3.2.2-4 (5)": "a session that the broker kept for our client id is taken over",
}


def of_the_client():
    """The clauses that a test must name."""
    for sections, servers, mark in ((V311, SERVER_311, ""), (V5, SERVER_5, " (5)")):
        for section, last in sections.items():
            for number in range(FIRST.get(section + mark, 1), last + 1):
                clause = f"{section}-{number}{mark}"
                if number not in servers.get(section, ()) and clause not in {
                    **LEFT_OUT, **DEVIATIONS
                }:
                    yield clause
