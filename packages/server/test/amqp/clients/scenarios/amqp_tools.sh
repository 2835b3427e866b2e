#!/bin/sh
# The command line tools of librabbitmq, the client of C: each call is a connection of its own.
set -u
url=${1%/}

# STEP CODE: what stands on standard input is what came of it.
say() {
  text=$(sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | awk 'NR > 1 { printf "\\n" } { printf "%s", $0 }')
  printf '{"step":"%s","code":%s,"text":"%s"}\n' "$1" "$2" "$text"
}

# STEP COMMAND...: runs it, says what it printed and its exit code.
run() {
  step=$1
  shift
  output=$("$@" 2>&1)
  code=$?
  printf '%s\n' "$output" | say "$step" "$code"
}

publish() { # KEY BODY [OPTION...]
  key=$1
  body=$2
  shift 2
  amqp-publish --url="$url" --routing-key="$key" --body="$body" --persistent "$@"
}

run 'declare' amqp-declare-queue --url="$url" --queue=tools.orders --durable
run 'declare again' amqp-declare-queue --url="$url" --queue=tools.orders --durable
run 'get nothing' amqp-get --url="$url" --queue=tools.orders
run 'publish' publish tools.orders one --content-type=text/plain --header='kind: order'
run 'get' amqp-get --url="$url" --queue=tools.orders

for n in 1 2 3 4 5; do publish tools.orders "m$n"; done
run 'consume three' amqp-consume --url="$url" --queue=tools.orders --count=3 -- sh -c 'cat; echo'
run 'consume with prefetch' \
  amqp-consume --url="$url" --queue=tools.orders --count=1 --prefetch-count=1 -- sh -c 'cat; echo'
# The handler fails, so the message goes back.
run 'consume and fail' amqp-consume --url="$url" --queue=tools.orders --count=1 -- sh -c 'cat >/dev/null; exit 1'
run 'the rest' amqp-get --url="$url" --queue=tools.orders

# An exclusive queue that the server names, bound to an exchange.
(
  amqp-consume --url="$url" --exchange=amq.topic --routing-key='tools.#' --count=2 -- sh -c 'cat; echo' 2>&1 |
    sed 's/amq\.gen-.*/amq.gen-NAME/' | say 'consume from an exchange' 0
) &
consumer=$!
# Nothing says when it is bound: what is published before is lost, so it is published until it ends.
while kill -0 $consumer 2>/dev/null; do
  publish tools.a.b here --exchange=amq.topic
  sleep 0.1
done
wait $consumer

run 'other durable' amqp-declare-queue --url="$url" --queue=tools.orders
run 'locked away' amqp-declare-queue --url="$url" --queue=amq.mine
run 'no queue' amqp-get --url="$url" --queue=tools.missing
run 'no exchange' publish key body --exchange=tools.missing
run 'consume from no queue' amqp-consume --url="$url" --queue=tools.missing cat
run 'wrong password' amqp-get --url="$(echo "$url" | sed s/guest:guest-password/guest:wrong/)" --queue=tools.orders
run 'no virtual host' amqp-get --url="$url/missing" --queue=tools.orders
publish tools.orders left
run 'not empty' amqp-delete-queue --url="$url" --queue=tools.orders --if-empty

echo '{"request":"restart"}'
read -r _
# They know no confirms, so nobody can say whether the last message has survived.
run 'after the crash' amqp-declare-queue --url="$url" --queue=tools.orders --durable
amqp-get --url="$url" --queue=tools.orders >/dev/null
run 'delete' amqp-delete-queue --url="$url" --queue=tools.orders --if-unused --if-empty
echo '{"step":"end"}'
