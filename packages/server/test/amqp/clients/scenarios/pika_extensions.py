"""What RabbitMQ has beyond the specification, and corners of both, by pika."""

import pika
from pika.exceptions import ChannelClosedByBroker
from transcript import broker_url, deaths, eventually, say

connection = pika.BlockingConnection(pika.URLParameters(broker_url()))
channel = connection.channel()
channel.confirm_delivery()


def declare(name, **arguments):
    named = {f"x-{key.replace('_', '-')}": value for key, value in arguments.items()}
    channel.queue_declare(name, durable=True, arguments=named)


def send(exchange, key, body, **properties):
    channel.basic_publish(exchange, key, body, pika.BasicProperties(delivery_mode=2, **properties))


def get(queue, on=channel, **options):
    method, properties, body = on.basic_get(queue, **options)
    return method and (method, properties, body.decode())


def bodies(queue):
    """Takes all that is ready."""
    found = []
    while (message := get(queue, auto_ack=True)) is not None:
        found.append(message[2])
    return found


def count(queue):
    return channel.queue_declare(queue, passive=True).method.message_count


def refused(act):
    victim = connection.channel()
    try:
        act(victim)
        victim.basic_qos(prefetch_count=1)
        return "nothing"
    except ChannelClosedByBroker as error:
        return [error.reply_code, error.reply_text]


def collect(queue, got, name, **options):
    """A consumer on a channel of its own, which keeps what it gets."""
    on = connection.channel()
    on.basic_qos(prefetch_count=options.pop("prefetch", 0))
    on.basic_consume(queue, lambda _, method, __, body: got.append((name, method, body.decode())), **options)
    return on


def wait_for(got, number):
    # What is too much must have a chance to come.
    eventually(lambda: connection.process_data_events(time_limit=0.01) or len(got) >= number)


def quorum():
    dead = {"dead_letter_exchange": "", "dead_letter_routing_key": "px.dead"}
    declare("px.dead")
    declare("px.quorum", queue_type="quorum", delivery_limit=2, **dead)
    send("", "px.quorum", "poison", headers={"a": 1})
    counts = []
    while (message := get("px.quorum")) is not None and len(counts) < 9:
        method, properties, _ = message
        counts.append([method.redelivered, (properties.headers or {}).get("x-delivery-count")])
        channel.basic_nack(method.delivery_tag)
        eventually(lambda: count("px.quorum") + count("px.dead"))
    say("delivery counts", counts=counts)
    message = eventually(lambda: get("px.dead", auto_ack=True))
    others = {key: value for key, value in message[1].headers.items() if key != "x-death"} if message else None
    say("delivery limit", deaths=deaths(message and message[1].headers), others=others)
    typed = {"x-queue-type": "classic", "x-delivery-limit": 2, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "px.dead"}
    say("queue of another type", error=refused(lambda on: on.queue_declare("px.quorum", durable=True, arguments=typed)))
    for number, (durable, exclusive, arguments) in enumerate([
        (False, False, {"x-queue-type": "quorum"}),
        (True, True, {"x-queue-type": "quorum"}),
        (True, False, {"x-queue-type": "quorum", "x-max-priority": 5}),
        (True, False, {"x-queue-type": "quorum", "x-queue-mode": "lazy"}),
        (True, False, {"x-queue-type": "quorum", "x-overflow": "reject-publish-dlx"}),
        (True, False, {"x-queue-type": "odd"}),
        (True, False, {"x-queue-mode": "lazy"}),
        (True, False, {"x-queue-mode": "odd"}),
        (True, False, {"x-queue-type": "classic", "x-delivery-limit": 3}),
    ]):
        name = f"px.kind{number}"
        told = refused(lambda on: on.queue_declare(name, durable=durable, exclusive=exclusive, arguments=arguments))
        say(f"kind {number}", error=told)


def consumers():
    declare("px.single", single_active_consumer=True)
    got = []
    first = collect("px.single", got, "first", prefetch=1)
    second = collect("px.single", got, "second")
    send("", "px.single", "a")
    send("", "px.single", "b")
    wait_for(got, 1)
    say("single active", got=[[name, body] for name, _, body in got])
    first.close()
    wait_for(got, 3)
    say("the next one", got=sorted([name, method.redelivered, body] for name, method, body in got[1:]))
    second.close()
    channel.queue_delete("px.single")

    declare("px.preferred")
    got = []
    collect("px.preferred", got, "low", prefetch=1, arguments={"x-priority": -1})
    high = collect("px.preferred", got, "high", prefetch=2, arguments={"x-priority": 10})
    for n in range(3):
        send("", "px.preferred", str(n))
    wait_for(got, 3)
    say("consumer priorities", got=sorted([name, body] for name, _, body in got))
    high.basic_cancel(high.consumer_tags[0])
    say("bad priority", error=refused(lambda on: on.basic_consume("px.preferred", print, arguments={"x-priority": "high"})))
    channel.queue_delete("px.preferred")
    declare("px.fair")
    got = []
    fair = [collect("px.fair", got, name, prefetch=2) for name in "abc"]
    for n in range(6):
        send("", "px.fair", str(n))
    wait_for(got, 6)
    say("fair shares", shares=[[body for by, _, body in got if by == name] for name in "abc"])
    for on in fair:
        on.close()


def exchanges():
    channel.exchange_declare("px.lost", "fanout")
    channel.exchange_declare("px.main", "topic", arguments={"alternate-exchange": "px.lost"})
    declare("px.found")
    channel.queue_bind("px.found", "px.lost")
    send("px.main", "no.one", "alternate")
    say("alternate exchange", bodies=bodies("px.found"))
    declare("px.topics")
    patterns = ["#", "*.b.#", "a.#.z", "*", "x..y", ""]
    keys = ["", "a", "a.b", "a.b.c", "a.z", "a.b.c.z", "x..y", "b.b"]
    table = {}
    for pattern in patterns:
        channel.queue_bind("px.topics", "px.main", pattern)
        for key in keys:
            send("px.main", key, key or "(none)")
        table[pattern] = bodies("px.topics")
        channel.queue_unbind("px.topics", "px.main", pattern)
    say("topics", table=table)
    channel.queue_purge("px.found")

    matches = [
        {"x-match": "all", "a": 1},
        {"x-match": "any", "a": 1, "b": "x"},
        {"x-match": "all"},
        {"x-match": "any"},
        {"x-match": "all", "a": None},
        {"x-match": "all-with-x", "x-a": 1},
        {"a": 1, "x-ignored": 2},
    ]
    headers = [{}, {"a": 1}, {"a": 2, "b": "x"}, {"a": 1, "b": "x"}, {"x-a": 1}, {"a": None}, {"a": "1"}]
    channel.exchange_declare("px.match", "headers")
    table = []
    for match in matches:
        channel.queue_bind("px.topics", "px.match", "", match)
        for number, header in enumerate(headers):
            send("px.match", "", str(number), headers=header)
        table.append(bodies("px.topics"))
        channel.queue_unbind("px.topics", "px.match", "", match)
    say("headers", table=table)

    channel.exchange_declare("px.leaving", "direct", auto_delete=True)
    for key in ["one", "two"]:
        channel.queue_bind("px.topics", "px.leaving", key)
        channel.queue_bind("px.topics", "px.leaving", key)
    channel.queue_unbind("px.topics", "px.leaving", "one")
    say("one binding left", error=refused(lambda on: on.exchange_declare("px.leaving", passive=True)))
    channel.queue_unbind("px.topics", "px.leaving", "two")
    say("none left", error=refused(lambda on: on.exchange_declare("px.leaving", passive=True)))
    channel.queue_unbind("px.topics", "px.main", "never bound")
    say("unbind from no queue", error=refused(lambda on: on.queue_unbind("px.missing", "px.main", "k")))

    channel.exchange_declare("px.source", "direct")
    channel.exchange_declare("px.target", "fanout")
    channel.queue_bind("px.topics", "px.target")
    channel.exchange_bind("px.target", "px.source", "k")
    send("px.source", "k", "by two exchanges")
    channel.exchange_unbind("px.target", "px.source", "k")
    send("px.source", "k", "lost")
    say("exchange to exchange", bodies=bodies("px.topics"))
    # A message comes once, however many ways lead there.
    channel.queue_bind("px.topics", "amq.topic", "px.#")
    channel.queue_bind("px.topics", "amq.topic", "*.k")
    send("amq.topic", "px.k", "once")
    send("", "px.topics", "copied to itself", headers={"CC": ["px.topics"], "BCC": ["px.topics"]})
    say("each once", bodies=bodies("px.topics"))
    say("bad CC", error=refused(lambda on: on.basic_publish("", "px.topics", "", pika.BasicProperties(headers={"CC": "px.topics"}))))


def times():
    dead = {"dead_letter_exchange": "", "dead_letter_routing_key": "px.dead"}
    declare("px.none", message_ttl=0, **dead)
    send("", "px.none", "nobody waits")
    say("no time at all", got=eventually(lambda: get("px.dead", auto_ack=True))[2], left=count("px.none"))
    got = []
    waiting = collect("px.none", got, "waiting", auto_ack=True)
    send("", "px.none", "somebody waits")
    wait_for(got, 1)
    say("handed over at once", bodies=[body for _, _, body in got])
    waiting.close()
    channel.queue_purge("px.dead")
    declare("px.both", message_ttl=60_000, **dead)
    send("", "px.both", "the shorter counts", expiration="10")
    died = eventually(lambda: get("px.dead", auto_ack=True))
    say("both times", body=died[2], deaths=deaths(died[1].headers))
    for expiration in ["", "-1", "1.5", "5000000000", "0"]:
        say(f"expiration '{expiration}'", error=refused(lambda on: on.basic_publish("", "px.both", "", pika.BasicProperties(expiration=expiration))))
    # Round and round without a rejection is a cycle: dropped.
    declare("px.cycle", message_ttl=10, dead_letter_exchange="", dead_letter_routing_key="px.cycle")
    send("", "px.cycle", "round and round")
    say("cycle", left=eventually(lambda: count("px.cycle") == 0))


def corners():
    name = channel.queue_declare("").method.queue
    say("queue declared last", messages=channel.queue_purge("").method.message_count)
    channel.queue_delete(name)
    say("no queue declared", error=refused(lambda on: on.basic_get("")))
    say("long name", error=refused(lambda on: on.queue_declare("n" * 255)))
    channel.queue_delete("n" * 255)
    say("odd name", error=refused(lambda on: on.queue_declare("px ü/%?#*")))
    channel.queue_delete("px ü/%?#*")
    say("declared as it is", error=refused(lambda on: on.exchange_declare("amq.topic", "topic", durable=True)))
    say("declared otherwise", error=refused(lambda on: on.exchange_declare("amq.topic", "topic")))
    say("delete predeclared", error=refused(lambda on: on.exchange_delete("amq.topic")))
    say("passive default", error=refused(lambda on: on.exchange_declare("", passive=True)))
    say("multiple of nothing", error=refused(lambda on: on.basic_ack(0, multiple=True)))
    say("tag of another channel", error=refused(lambda on: on.basic_nack(1, multiple=True)))
    declare("px.twice")
    send("", "px.twice", "x")
    method, _, _ = get("px.twice")

    def twice(on):
        # Another channel's refusal may take a moment.
        method, _, _ = eventually(lambda: get("px.twice", on))
        on.basic_ack(method.delivery_tag)
        on.basic_ack(method.delivery_tag)

    channel.basic_nack(method.delivery_tag)
    say("acknowledged twice", error=refused(twice))
    say("unlike numbers", error=refused(lambda on: [on.queue_declare("px.n", arguments={"x-max-length": n}) for n in [10, 10, 2**40]]))
    say("same number, wider", error=refused(lambda on: [on.queue_declare("px.w", arguments={"x-expires": n}) for n in [pika.compat.long(60_000), 60_000]]))
    for key in ["x-expires", "x-max-length", "x-max-length-bytes", "x-message-ttl", "x-max-priority"]:
        for value in [0, -1, "1", True, 2**40]:
            told = refused(lambda on: (on.queue_declare("px.bad", arguments={key: value}), on.queue_delete("px.bad")))
            say(f"{key} {value!r}", error=told)
    for arguments in [{"x-dead-letter-exchange": 1}, {"x-single-active-consumer": "yes"}, {"x-overflow": 1}, {"x-unheard-of": 1}]:
        say("bad argument", error=refused(lambda on: (on.queue_declare("px.bad", arguments=arguments), on.queue_delete("px.bad"))))
    say("bad alternate", error=refused(lambda on: on.exchange_declare("px.bad", "direct", arguments={"alternate-exchange": 1})))


for part in [quorum, consumers, exchanges, times, corners]:
    part()
connection.close()
say("end")
