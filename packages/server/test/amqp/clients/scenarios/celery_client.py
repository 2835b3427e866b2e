"""Celery with a worker in a process of its own. Results come back by messages (rpc://)."""

import os
import subprocess
import sys

from celery import Celery, chain, group
from celery.exceptions import TimeoutError as TooLate
from kombu import Queue
from transcript import broker_url, restart_broker, say

URL = os.environ.get("CELERY_BROKER") or broker_url()

app = Celery("celery_client", broker=URL, backend="rpc://")
app.conf.update(
    task_queues=[Queue("celery.work"), Queue("celery.urgent", max_priority=10)],
    task_default_queue="celery.work",
    result_expires=60,
    broker_connection_retry=True,
    broker_connection_max_retries=None,
    broker_transport_options={"confirm_publish": True},
    worker_hijack_root_logger=False,
)


@app.task
def add(x, y):
    return x + y


@app.task(bind=True, max_retries=1, default_retry_delay=0.05)
def flaky(self, failures):
    if self.request.retries < failures:
        raise self.retry(exc=ValueError("not yet"))
    return self.request.retries


@app.task
def broken():
    raise ValueError("broken")


@app.task(bind=True, acks_late=True)
def whence(self):
    info = self.request.delivery_info
    return [info["exchange"], info["routing_key"], info["redelivered"]]


def start_worker():
    command = [sys.executable, "-B", "-m", "celery", "-A", "celery_client", "worker"]
    options = ["--concurrency", "1", "--hostname", "worker@localhost", "--loglevel", "CRITICAL"]
    return subprocess.Popen(
        command + options,
        cwd=os.path.dirname(__file__),
        env={**os.environ, "CELERY_BROKER": URL, "C_FORCE_ROOT": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def tell(step, result):
    try:
        say(step, result=result.get(timeout=15))
    except TooLate:
        say(step, late=True)
    except Exception as error:
        say(step, failed=[type(error).__name__, str(error)])


def main():
    worker = start_worker()
    try:
        tell("plain", add.delay(2, 3))
        tell("retried", flaky.delay(1))
        tell("retried too often", flaky.delay(9))
        tell("broken", broken.delay())
        tell("chained", chain(add.s(1, 2), add.s(10), add.s(100))())
        tell("group", group(add.s(n, n) for n in range(5))())
        tell("later", add.apply_async([1, 1], countdown=0.2))
        # The worker may have 4 in hand, and raises that for those whose time has not come.
        for n in range(8):
            add.apply_async([n, n], countdown=600)
        tell("while many wait", add.delay(3, 4))
        tell("routed", whence.apply_async(queue="celery.urgent", priority=5))
        tell("late acknowledgement", whence.delay())
        say("ping", replies=app.control.ping(timeout=10, limit=1))
        say("queues", names=sorted(
            queue["name"] for queue in app.control.inspect(timeout=10, limit=1).active_queues()["worker@localhost"]
        ))
        say("purge", messages=app.control.purge())
        restart_broker()
        # The worker must come back by itself; who waits for results has to begin anew.
        fresh = Celery("fresh", broker=URL, backend="rpc://")
        tell("after the crash", fresh.send_task("celery_client.add", [20, 22], queue="celery.work"))
    finally:
        worker.kill()
        worker.wait()
    say("end")


if __name__ == "__main__":
    main()
