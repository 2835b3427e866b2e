"""kombu, the messaging library below Celery: producers, consumers and queues that come back."""

from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.exceptions import OperationalError
from kombu.pools import producers
from amqp.exceptions import AMQPError, MessageNacked
from transcript import broker_url, deaths, eventually, restart_broker, say

URL = broker_url()


def connect(url=URL):
    return Connection(url, transport_options={"confirm_publish": True}, heartbeat=10)


connection = connect()
channel = connection.channel()
events = Exchange("kombu.events", "topic")
orders = Queue("kombu.orders", events, routing_key="order.#")


def counts(queue="kombu.orders"):
    ok = channel.queue_declare(queue, passive=True)
    return {"messages": ok.message_count, "consumers": ok.consumer_count}


def send(body, exchange="", key="kombu.orders", **options):
    try:
        Producer(channel).publish(body, exchange=exchange, routing_key=key, **options)
        return "ack"
    except MessageNacked:
        return "nack"


def refused(act):
    """Does something on a channel of its own, which the broker closes."""
    victim = connection.channel()
    try:
        act(victim)
        return "nothing"
    except AMQPError as error:
        return [type(error).__name__, error.reply_code, error.reply_text]


def drain_until(got, count, on=connection):
    while len(got) < count:
        on.drain_events(timeout=5)


def topology():
    orders(channel).declare()
    say("declare", **counts())
    Queue("kombu.typed", exclusive=True, expires=60, max_length=5, max_priority=3)(channel).declare()
    say("typed", **counts("kombu.typed"))


def publish_and_get():
    send({"n": 1}, events, "order.new", headers={"list": [1, {"a": None}]}, priority=1, expiration=60)
    send("two", events, "order.new.too", serializer="pickle", compression="zlib")
    send(b"\x00\xff", content_type="application/data", content_encoding="binary")
    say("counts", **counts())
    bound = orders(channel)
    first = bound.get()
    properties = dict(sorted(first.properties.items()))
    say("get", body=first.payload, headers=first.headers, properties=properties)
    first.requeue()
    first = bound.get()
    say("again", redelivered=first.delivery_info["redelivered"], body=first.payload)
    first.ack()
    say("compressed", body=bound.get(no_ack=True, accept=["pickle"]).decode())
    say("purge", messages=bound.purge())
    say("get nothing", got=bound.get())


def consume_with_prefetch():
    for n in range(5):
        send({"n": n})
    got = []
    consumer = Consumer(channel, [orders], on_message=got.append, tag_prefix="tag", prefetch_count=2)
    consumer.consume()
    drain_until(got, 2)
    say("prefetch 2", bodies=[m.payload for m in got], left=counts())
    for message in got[:2]:
        message.ack()
    drain_until(got, 4)
    got[2].reject()
    got[3].requeue()
    drain_until(got, 6)
    say("requeued", bodies=[[m.payload["n"], m.delivery_info["redelivered"]] for m in got[4:]])
    consumer.qos(prefetch_count=5)
    consumer.recover(requeue=True)
    drain_until(got, 8)
    say("recovered", bodies=sorted(m.payload["n"] for m in got[6:]))
    for message in got[6:]:
        message.ack()
    consumer.cancel()
    say("cancelled", **counts())


def limits_and_dead_letters():
    grave = Queue("kombu.graveyard", Exchange("kombu.dead", "direct"), routing_key="kombu.short")
    grave(channel).declare()
    bury = {"x-dead-letter-exchange": "kombu.dead"}
    short = Queue("kombu.short", message_ttl=0.02, queue_arguments=bury)(channel)
    short.queue_declare()
    send("old", key="kombu.short")
    message = eventually(lambda: grave(channel).get(no_ack=True))
    say("expired", body=message.payload, deaths=deaths(message.headers))
    Queue("kombu.full", max_length=1, queue_arguments={"x-overflow": "reject-publish"})(channel).queue_declare()
    say("full", confirms=[send("1", key="kombu.full"), send("2", key="kombu.full")])
    urgent = Queue("kombu.urgent", max_priority=9)(channel)
    urgent.queue_declare()
    for priority in [0, 9, 4]:
        send(priority, key="kombu.urgent", priority=priority)
    say("priorities", order=[urgent.get(no_ack=True).payload for _ in range(3)])


def returned():
    back = []
    producer = Producer(channel, on_return=lambda error, exchange, key, message: back.append([str(error), exchange, key]))
    producer.publish("back", exchange="kombu.events", routing_key="nobody", mandatory=True)
    say("returned", messages=back)


def rpc():
    replies = []
    with connection.channel() as client, connection.channel() as server:
        client.basic_consume("amq.rabbitmq.reply-to", no_ack=True, callback=replies.append)
        asked = []
        queue = Queue("kombu.rpc", auto_delete=True, durable=False)(server)
        queue.queue_declare()
        consumer = Consumer(server, [queue], on_message=asked.append)
        consumer.consume()
        ask = {"reply_to": "amq.rabbitmq.reply-to", "correlation_id": "3"}
        Producer(client).publish("ping", routing_key="kombu.rpc", **ask)
        drain_until(asked, 1)
        asked[0].ack()
        to = asked[0].properties
        reply = {"routing_key": to["reply_to"], "correlation_id": to["correlation_id"]}
        Producer(server).publish({"re": asked[0].payload}, exchange="", **reply)
        drain_until(replies, 1)
        say("reply", body=replies[0].body, correlation=replies[0].properties["correlation_id"])
        consumer.cancel()
    say("auto-deleted", error=refused(lambda on: on.queue_declare("kombu.rpc", passive=True)))


def exclusive_and_cancel():
    with connect() as owner:
        owner.channel().queue_declare("kombu.mine", exclusive=True)
        say("locked", error=refused(lambda on: on.basic_get("kombu.mine")))
    cancelled = []
    with connection.channel() as consumer:
        consumer.basic_consume("kombu.urgent", callback=print, on_cancel=cancelled.append, consumer_tag="tag")
        channel.queue_delete("kombu.urgent")
        drain_until(cancelled, 1)
    say("consumer cancelled", tags=cancelled)


def errors():
    say("no queue", error=refused(lambda on: on.queue_declare("kombu.missing", passive=True)))
    say("no exchange", error=refused(lambda on: on.exchange_declare("kombu.missing", "direct", passive=True)))
    say("other durable", error=refused(lambda on: on.queue_declare("kombu.orders", durable=False)))
    say("other auto-delete", error=refused(lambda on: on.queue_declare("kombu.orders", durable=True, auto_delete=True)))
    say("reserved", error=refused(lambda on: on.queue_declare("amq.mine", auto_delete=False)))
    say("bad ttl", error=refused(lambda on: on.queue_declare("kombu.bad", arguments={"x-message-ttl": "1"})))
    for name, url in {
        "wrong password": URL.replace("guest:guest-password", "guest:wrong"),
        "no virtual host": URL.rstrip("/") + "/missing",
    }.items():
        try:
            connect(url).ensure_connection(max_retries=1)
        except (AMQPError, OperationalError, OSError) as error:
            say(name, kind=type(error).__name__, error=str(error))


def crash():
    """What is published while nobody listens goes out when somebody does again."""
    kept = Queue("kombu.kept", events, routing_key="kept")
    policy = {"interval_start": 0.05, "interval_max": 0.2, "max_retries": 100}
    options = {"routing_key": "kombu.kept", "declare": [kept], "retry": True, "retry_policy": policy}
    survivor = connect()
    with producers[survivor].acquire(block=True) as producer:
        producer.publish("before", **options)
        lost = survivor.clone()
        lost.connect()
        restart_broker()
        producer.publish("after", **options)

    noticed = []

    def read():
        bound = kept(lost.default_channel)
        return [bound.get(no_ack=True).payload for _ in range(2)]

    ensured = lost.ensure(lost, read, errback=lambda *_: noticed.append(True), max_retries=50, interval_start=0.05)
    say("after the crash", bodies=ensured(), noticed=len(noticed) > 0)
    survivor.default_channel.queue_delete("kombu.kept")


for part in [
    topology,
    publish_and_get,
    consume_with_prefetch,
    limits_and_dead_letters,
    returned,
    rpc,
    exclusive_and_cancel,
    errors,
    crash,
]:
    part()
say("end")
