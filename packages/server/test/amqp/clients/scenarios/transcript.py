"""What every scenario in Python needs: lines of the transcript, and a word with who started it."""

import json
import sys
import time


def broker_url():
    return sys.argv[1]


def say(step, **facts):
    """Prints a line of the transcript, in which nothing may differ from run to run."""
    print(json.dumps({"step": step, **facts}, default=plain), flush=True)


def plain(value):
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": value.hex()}
    return str(value)


def restart_broker():
    """Has the broker killed and started again, and returns when it listens again."""
    print(json.dumps({"request": "restart"}), flush=True)
    sys.stdin.readline()


def eventually(ask, expected=bool):
    """Asks until the answer is as expected; after too long, returns the last one."""
    deadline = time.monotonic() + 5
    while True:
        value = ask()
        if expected(value) or time.monotonic() > deadline:
            return value
        time.sleep(0.02)


def deaths(headers):
    """The deaths that a header tells of, without their times."""
    found = []
    for death in (headers or {}).get("x-death", []):
        told = dict(sorted(death.items()))
        told["time"] = "set" if told.get("time") else "none"
        found.append(told)
    return found
