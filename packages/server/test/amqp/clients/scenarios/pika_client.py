"""pika, Python's most used client, by its blocking connection."""

import datetime
import decimal

import pika
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    NackError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)
from transcript import broker_url, deaths, eventually, restart_broker, say

URL = broker_url()
PERSISTENT = pika.BasicProperties(delivery_mode=2)


def connect(url=URL):
    return pika.BlockingConnection(pika.URLParameters(url))


connection = connect()
channel = connection.channel()
channel.confirm_delivery()


def send(exchange, key, body, mandatory=False, **properties):
    properties = pika.BasicProperties(delivery_mode=2, **properties)
    try:
        channel.basic_publish(exchange, key, body, properties, mandatory)
        return "ack"
    except NackError:
        return "nack"


def refused(act):
    """Does something on a channel of its own, which the broker closes."""
    victim = connection.channel()
    try:
        act(victim)
        # An error may come a little later than a call that has no answer.
        connection.process_data_events(time_limit=2)
        victim.queue_declare("pika.orders", passive=True)
        return "nothing"
    except ChannelClosedByBroker as error:
        return [error.reply_code, error.reply_text]


def get(queue, auto_ack=True):
    method, properties, body = channel.basic_get(queue, auto_ack)
    return method and (method, properties, body.decode())


def counts(queue):
    method = channel.queue_declare(queue, passive=True).method
    return {"messages": method.message_count, "consumers": method.consumer_count}


def topology():
    channel.exchange_declare("pika.events", "topic", durable=True)
    channel.exchange_declare("pika.all", "fanout", durable=True)
    channel.queue_declare("pika.orders", durable=True)
    channel.queue_bind("pika.orders", "pika.events", "order.*")
    channel.exchange_bind("pika.events", "pika.all")
    say("declare", **counts("pika.orders"))
    name = channel.queue_declare("", exclusive=True).method.queue
    say("server-named", prefix=name[:8])


def publish_and_get():
    headers = {
        "text": "ä",
        "int": 1,
        "negative": -5,
        "long": 2**40,
        "true": True,
        "none": None,
        "when": datetime.datetime(2023, 11, 14, 22, 13, 20),
        "decimal": decimal.Decimal("3.14"),
        "list": [1, "two", [3]],
        "table": {"inner": {"deep": 1}},
    }
    properties = {
        "content_type": "text/plain",
        "content_encoding": "utf-8",
        "headers": headers,
        "priority": 0,
        "correlation_id": "c",
        "reply_to": "r",
        "message_id": "m",
        "timestamp": 1_700_000_000,
        "type": "t",
        "user_id": "guest",
        "app_id": "a",
    }
    send("pika.events", "order.new", "one", **properties)
    send("pika.all", "order.all", "two")
    send("pika.events", "order.too.deep", "not bound")
    send("", "pika.orders", "")
    say("counts", **counts("pika.orders"))
    method, got, body = get("pika.orders", auto_ack=False)
    say("get", body=body, left=method.message_count, key=method.routing_key, **vars(got))
    channel.basic_nack(method.delivery_tag, requeue=True)
    method, _, body = get("pika.orders", auto_ack=False)
    say("again", body=body, redelivered=method.redelivered)
    channel.basic_ack(method.delivery_tag)
    say("purge", messages=channel.queue_purge("pika.orders").method.message_count)
    say("get nothing", got=get("pika.orders"))


def consume_with_prefetch():
    for n in range(5):
        send("", "pika.orders", f"m{n}")
    consumer = connection.channel()
    consumer.basic_qos(prefetch_count=2)
    got = []
    consumer.basic_consume("pika.orders", lambda *message: got.append(message), consumer_tag="tag")

    def wait_for(count):
        while len(got) < count:
            connection.process_data_events(time_limit=5)

    wait_for(2)
    say("prefetch 2", bodies=[m[3].decode() for m in got], left=counts("pika.orders"))
    consumer.basic_ack(got[1][1].delivery_tag, multiple=True)
    wait_for(4)
    consumer.basic_reject(got[2][1].delivery_tag, requeue=True)
    wait_for(5)
    say("rejected", body=got[4][3].decode(), redelivered=got[4][1].redelivered)
    consumer.basic_nack(0, multiple=True, requeue=False)
    wait_for(6)
    say("all refused", body=got[5][3].decode())
    consumer.basic_cancel("tag")
    say("cancelled", **counts("pika.orders"))
    consumer.close()
    say("closed", **eventually(lambda: counts("pika.orders"), lambda c: c["messages"] == 1))
    channel.queue_purge("pika.orders")


def global_prefetch():
    """One limit for all consumers of a channel."""
    for n in range(4):
        send("", "pika.orders", f"g{n}")
    consumer = connection.channel()
    consumer.basic_qos(prefetch_count=3, global_qos=True)
    got = []
    for tag in "ab":
        consumer.basic_consume("pika.orders", lambda *m: got.append(m), consumer_tag=tag)
    while len(got) < 3:
        connection.process_data_events(time_limit=5)
    say("global prefetch", got=len(got), left=counts("pika.orders"))
    consumer.close()
    eventually(lambda: counts("pika.orders"), lambda c: c["messages"] == 4)
    channel.queue_purge("pika.orders")


def limits_and_dead_letters():
    channel.exchange_declare("pika.dead", "topic")
    channel.queue_declare("pika.graveyard")
    channel.queue_bind("pika.graveyard", "pika.dead", "#")
    bury = {"x-dead-letter-exchange": "pika.dead"}

    def tell(step):
        message = eventually(lambda: get("pika.graveyard"))
        if message is None:
            return say(step, came=False)
        method, got, body = message
        others = {key: value for key, value in got.headers.items() if key != "x-death"}
        where = [method.exchange, method.routing_key]
        expiration = got.expiration
        say(step, body=body, where=where, expiration=expiration, others=others, deaths=deaths(got.headers))

    channel.queue_declare("pika.short", arguments={**bury, "x-message-ttl": 20})
    send("", "pika.short", "old")
    tell("expired by queue")
    send("pika.all", "order.dies", "through two exchanges", expiration="1")
    channel.queue_declare("pika.waiting", arguments=bury)
    send("", "pika.waiting", "old too", expiration="10", headers={"CC": ["pika.none"]})
    tell("expired by message")
    channel.queue_declare("pika.small", arguments={**bury, "x-max-length-bytes": 10})
    send("", "pika.small", "12345678")
    send("", "pika.small", "abcdefgh")
    tell("too many bytes")
    full = {**bury, "x-max-length": 1, "x-overflow": "reject-publish-dlx"}
    channel.queue_declare("pika.full", arguments=full)
    say("full", confirms=[send("", "pika.full", "1"), send("", "pika.full", "2")])
    tell("refused and buried")
    channel.queue_declare("pika.urgent", arguments={"x-max-priority": 3})
    for priority in [0, 2, 1, 7]:
        send("", "pika.urgent", str(priority), priority=priority)
    say("priorities", order=[get("pika.urgent")[2] for _ in range(4)])


def returned():
    try:
        send("pika.events", "nobody", "back", mandatory=True)
    except UnroutableError as error:
        message = error.messages[0]
        method = message.method
        code, reason = method.reply_code, method.reply_text
        say("returned", code=code, reason=reason, body=message.body.decode())


def rpc():
    replies = []
    client = connection.channel()
    client.basic_consume("amq.rabbitmq.reply-to", lambda *m: replies.append(m), auto_ack=True)
    channel.queue_declare("pika.rpc", auto_delete=True)
    server = connection.channel()

    def answer(on, method, properties, body):
        on.basic_publish("", properties.reply_to, b"re: " + body)
        on.basic_ack(method.delivery_tag)

    tag = server.basic_consume("pika.rpc", answer)
    ask = pika.BasicProperties(reply_to="amq.rabbitmq.reply-to")
    client.basic_publish("", "pika.rpc", "ping", ask)
    while not replies:
        connection.process_data_events(time_limit=5)
    say("reply", body=replies[0][3].decode())
    server.basic_cancel(tag)
    passively = {"passive": True}
    say("auto-deleted", error=refused(lambda on: on.queue_declare("pika.rpc", **passively)))
    client.close()


def exclusive_and_cancel():
    owner = connect()
    owner.channel().queue_declare("pika.mine", exclusive=True)
    say("locked", error=refused(lambda on: on.basic_get("pika.mine")))
    say("locked to bind", error=refused(lambda on: on.queue_bind("pika.mine", "amq.fanout")))
    say("locked to delete", error=refused(lambda on: on.queue_delete("pika.mine")))
    owner.close()
    cancelled = []
    consumer = connection.channel()
    consumer.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
    consumer.basic_consume("pika.urgent", lambda *_: None, consumer_tag="to be cancelled")
    channel.queue_delete("pika.urgent")
    while not cancelled:
        connection.process_data_events(time_limit=5)
    say("consumer cancelled", tag=cancelled[0])


def transactions():
    tx = connection.channel()
    tx.tx_select()
    tx.basic_publish("", "pika.orders", "committed", PERSISTENT)
    say("before commit", **counts("pika.orders"))
    tx.tx_commit()
    say("after commit", **counts("pika.orders"))
    tx.basic_publish("", "pika.orders", "rolled back", PERSISTENT)
    method, _, _ = tx.basic_get("pika.orders")
    tx.basic_ack(method.delivery_tag)
    tx.tx_rollback()
    tx.basic_nack(method.delivery_tag)
    tx.tx_commit()
    say("after rollback", **eventually(lambda: counts("pika.orders"), lambda c: c["messages"]))
    channel.queue_purge("pika.orders")
    say("confirms in a transaction", error=refused(lambda on: (on.tx_select(), on.confirm_delivery())))
    say("commit without", error=refused(lambda on: on.tx_commit()))


def errors():
    q = "pika.orders"
    say("no queue", error=refused(lambda on: on.queue_declare("pika.missing", passive=True)))
    say("no exchange", error=refused(lambda on: on.basic_publish("pika.missing", "", "")))
    say("other argument", error=refused(lambda on: on.queue_declare("pika.full", arguments={"x-max-length": 2})))
    say("other durable", error=refused(lambda on: on.exchange_declare("pika.events", "topic")))
    say("other auto-delete", error=refused(lambda on: on.queue_declare(q, durable=True, auto_delete=True)))
    say("unknown tag", error=refused(lambda on: on.basic_ack(5)))
    say("unknown consumer", tags=connection.channel().basic_cancel("unknown"))
    say("bad priority", error=refused(lambda on: on.queue_declare("pika.b", arguments={"x-max-priority": 999})))
    say("bad overflow", error=refused(lambda on: on.queue_declare("pika.b", arguments={"x-overflow": "no"})))
    say("key without exchange", error=refused(lambda on: on.queue_declare("pika.b", arguments={"x-dead-letter-routing-key": "k"})))
    say("bad x-match", error=refused(lambda on: on.queue_bind(q, "amq.headers", "", {"x-match": "some"})))
    say("queue in use", error=refused(lambda on: (on.basic_consume(q, print), on.queue_delete(q, if_unused=True))))
    say("delete what is not", messages=channel.queue_delete("pika.missing").method.message_count)
    channel.exchange_delete("pika.missing")
    for name, act in {
        "unknown type": lambda on: on.exchange_declare("pika.odd", "odd"),
        "tag used twice": lambda on: [on.basic_consume(q, print, consumer_tag="t") for _ in "ab"],
        "immediate": lambda on: on._impl._send_method(pika.spec.Basic.Publish(immediate=True), (pika.BasicProperties(), b"")),
    }.items():
        other = connect()
        try:
            act(other.channel())
            other.process_data_events(time_limit=2)
            say(name, error="nothing")
        except (ConnectionClosedByBroker, ChannelClosedByBroker) as error:
            say(name, kind=type(error).__name__, error=[error.reply_code, error.reply_text])
        except Exception as error:
            say(name, kind=type(error).__name__)


def logins():
    for name, url in {
        "wrong password": URL.replace("guest:guest-password", "guest:wrong"),
        "no virtual host": URL.rstrip("/") + "/missing",
    }.items():
        try:
            connect(url)
        except (ProbableAuthenticationError, ProbableAccessDeniedError, ConnectionClosedByBroker) as error:
            say(name, kind=type(error).__name__, error=str(error))
    limited = connect(URL.replace("guest:guest-password", "limited:limited-password"))
    for name, act in {
        "may not declare": lambda on: on.queue_declare("limited.queue"),
        "may not read": lambda on: on.basic_get("pika.orders"),
        "may not publish": lambda on: (on.confirm_delivery(), on.basic_publish("pika.events", "", "")),
        "may not use default": lambda on: (on.confirm_delivery(), on.basic_publish("", "pika.orders", "")),
    }.items():
        try:
            act(limited.channel())
            say(name, error="nothing")
        except ChannelClosedByBroker as error:
            say(name, error=[error.reply_code, error.reply_text])
    limited.close()


def crash():
    """It does not reconnect by itself; the program does."""
    global connection, channel
    channel.queue_declare("pika.kept", durable=True)
    channel.queue_declare("pika.fleeting", durable=False)
    send("", "pika.kept", "kept")
    restart_broker()
    try:
        connection.process_data_events(time_limit=5)
        channel.queue_declare("pika.kept", passive=True)
    except AMQPConnectionError:
        say("connection lost")
    connection = eventually(connect)
    channel = connection.channel()
    method, _, body = get("pika.kept")
    say("after the crash", body=body, redelivered=method.redelivered)
    say("not durable", error=refused(lambda on: on.queue_declare("pika.fleeting", passive=True)))
    channel.queue_delete("pika.kept")
    connection.close()


for part in [
    topology,
    publish_and_get,
    consume_with_prefetch,
    global_prefetch,
    limits_and_dead_letters,
    returned,
    rpc,
    exclusive_and_cancel,
    transactions,
    errors,
    logins,
    crash,
]:
    part()
say("end")
