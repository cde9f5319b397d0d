"""What the gateway knows of each device now, for people who look.

No file, socket or clock in here: messages come with the time they were taken, and `now` is an
argument. Every time is in Unix milliseconds.

    messages -> Fleet.take --> Device: what it says, History: its last readings
    Fleet.tick(now) ---------> states that the passing of time alone changes
    Fleet.since(version) ----> the rows that changed, for one who has seen `version`

`page` serves it.
"""
