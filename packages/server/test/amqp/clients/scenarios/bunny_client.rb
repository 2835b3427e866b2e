# Bunny, Ruby's most used client, which reconnects by itself and makes again what it had declared.
require 'bunny'
require 'json'

$stdout.sync = true
# It takes what follows the slash, nothing, for the virtual host.
URL = ARGV.fetch(0).chomp('/')

def say(step, facts = {})
  puts JSON.generate({ step: step }.merge(facts))
end

def restart_broker
  puts JSON.generate({ request: 'restart' })
  $stdin.gets
end

def eventually(pause = 0.02)
  deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 5
  until (answer = yield) || Process.clock_gettime(Process::CLOCK_MONOTONIC) > deadline
    sleep pause
  end
  answer
end

def connect(url = URL, options = {})
  quiet = { logger: Logger.new(IO::NULL), network_recovery_interval: 0.1, recovery_attempts: nil }
  Bunny.new(url, quiet.merge(options)).start
end

CONNECTION = connect
CHANNEL = CONNECTION.create_channel
CHANNEL.confirm_select

def deliver(exchange, key, body, options = {})
  CHANNEL.basic_publish(body, exchange, key, { persistent: true }.merge(options))
  CHANNEL.wait_for_confirms ? 'ack' : 'nack'
end

# Does something on a channel of its own, which the broker closes.
def refused
  victim = CONNECTION.create_channel
  closed = Queue.new
  victim.on_error { |_, close| closed << [close.reply_code, close.reply_text] }
  yield victim
  { error: eventually { closed.empty? ? nil : closed.pop } }
rescue Bunny::Exception => error
  { error: error.class.name, text: error.message }
end

def counts(queue)
  ok = CHANNEL.queue_declare(queue, passive: true)
  { messages: ok.message_count, consumers: ok.consumer_count }
end

# The headers, deaths without their times.
def headers_of(properties)
  found = (properties[:headers] || {}).sort.to_h
  found['x-death']&.each { |death| death['time'] = death['time'] ? 'set' : 'none' }
  found['x-death']&.map! { |death| death.sort.to_h }
  found
end

def get(queue, ack: false)
  CHANNEL.basic_get(queue, manual_ack: ack)
end

def topology
  CHANNEL.exchange_declare('bunny.events', 'topic', durable: true)
  CHANNEL.exchange_declare('bunny.all', 'fanout', durable: true)
  CHANNEL.queue_declare('bunny.orders', durable: true)
  CHANNEL.queue_bind('bunny.orders', 'bunny.events', routing_key: 'order.#')
  CHANNEL.exchange_bind('bunny.all', 'bunny.events', routing_key: '')
  say 'declare', counts('bunny.orders')
  queue = CHANNEL.queue('', exclusive: true)
  say 'server-named', prefix: queue.name[0, 8]
  queue.delete
end

def publish_and_get
  options = {
    content_type: 'text/plain', content_encoding: 'utf-8', priority: 2, correlation_id: 'c',
    reply_to: 'r', message_id: 'm', timestamp: 1_700_000_000, type: 't', user_id: 'guest',
    app_id: 'a',
    headers: { 'text' => 'é', 'n' => -1, 'big' => 2**40, 'half' => 0.5, 'yes' => true,
               'none' => nil, 'list' => [1, 'b'], 'map' => { 'k' => 1 } }
  }
  confirms = [
    deliver('bunny.events', 'order', 'one', options),
    deliver('bunny.events', 'order.a.b', 'two'),
    deliver('', 'bunny.orders', 'three')
  ]
  say 'publish', confirms: confirms, counts: counts('bunny.orders')
  delivery, properties, body = get('bunny.orders', ack: true)
  told = properties.to_h
  told[:timestamp] = told[:timestamp].to_i
  say 'get', body: body, key: delivery.routing_key, properties: told.sort.to_h
  CHANNEL.nack(delivery.delivery_tag, false, true)
  delivery, _, body = get('bunny.orders', ack: true)
  say 'again', body: body, redelivered: delivery.redelivered
  CHANNEL.ack(delivery.delivery_tag)
  say 'purge', messages: CHANNEL.queue_purge('bunny.orders').message_count
  say 'get nothing', got: get('bunny.orders')
end

def consume_with_prefetch
  5.times { |n| deliver('', 'bunny.orders', "m#{n}") }
  consumer = CONNECTION.create_channel
  consumer.prefetch(2)
  got = Queue.new
  consumer.queue('bunny.orders', durable: true).subscribe(manual_ack: true, consumer_tag: 'tag') do |*message|
    got << message
  end
  first = got.pop
  second = got.pop
  say 'prefetch 2', bodies: [first[2], second[2]], left: counts('bunny.orders'), more: got.size
  consumer.ack(second[0].delivery_tag, true)
  third = got.pop
  fourth = got.pop
  consumer.reject(third[0].delivery_tag, true)
  back = got.pop
  say 'rejected', body: back[2], redelivered: back[0].redelivered?
  consumer.nack(fourth[0].delivery_tag, true, false)
  say 'refused', body: got.pop[2]
  consumer.basic_cancel('tag')
  consumer.close
  left = eventually { (left = counts('bunny.orders'))[:messages] == 2 && left }
  say 'closed', left: left
  CHANNEL.queue_purge('bunny.orders')
end

def limits_and_dead_letters
  CHANNEL.exchange_declare('bunny.dead', 'headers', durable: true)
  CHANNEL.queue_declare('bunny.graveyard')
  CHANNEL.queue_bind('bunny.graveyard', 'bunny.dead', arguments: { 'x-match' => 'any', 'kind' => 'a' })
  declare = lambda do |name, arguments|
    CHANNEL.queue_declare(name, arguments: { 'x-dead-letter-exchange' => 'bunny.dead' }.merge(arguments))
  end
  tell = lambda do |step|
    delivery, properties, body = eventually { (got = get('bunny.graveyard')).first && got }
    next say(step, came: false) unless delivery
    say step, body: body, key: delivery.routing_key, headers: headers_of(properties)
  end
  kind = { headers: { 'kind' => 'a', 'other' => 1 } }
  declare.call('bunny.short', 'x-message-ttl' => 20)
  deliver('', 'bunny.short', 'old', kind)
  tell.call('expired')
  declare.call('bunny.small', 'x-max-length' => 1)
  deliver('', 'bunny.small', 'first', kind)
  deliver('', 'bunny.small', 'second', kind)
  tell.call('dropped')
  delivery, = get('bunny.small', ack: true)
  CHANNEL.reject(delivery.delivery_tag)
  tell.call('rejected')
  declare.call('bunny.full', 'x-max-length' => 1, 'x-overflow' => 'reject-publish')
  say 'full', confirms: [deliver('', 'bunny.full', '1'), deliver('', 'bunny.full', '2')]
  CHANNEL.queue_declare('bunny.urgent', arguments: { 'x-max-priority' => 10 })
  [1, 10, 5].each { |priority| deliver('', 'bunny.urgent', priority.to_s, priority: priority) }
  say 'priorities', order: Array.new(3) { get('bunny.urgent')[2] }
  CHANNEL.queue_declare('bunny.leaving', arguments: { 'x-expires' => 50 })
  # Who asks for it uses it.
  gone = eventually(0.4) { CONNECTION.queue_exists?('bunny.leaving') ? nil : 'gone' }
  say 'expired queue', state: gone
end

def returned
  back = Queue.new
  CHANNEL.default_exchange
  exchange = CHANNEL.exchange('bunny.events', type: 'topic', durable: true)
  exchange.on_return { |info, _, body| back << [info.reply_code, info.reply_text, info.routing_key, body] }
  exchange.publish('back', routing_key: 'nobody', mandatory: true)
  say 'returned', message: back.pop
end

def rpc
  client = CONNECTION.create_channel
  replies = Queue.new
  client.basic_consume('amq.rabbitmq.reply-to', '', true) { |_, properties, body| replies << [properties.correlation_id, body] }
  server = CONNECTION.create_channel
  queue = server.queue('bunny.rpc', auto_delete: true)
  consumer = queue.subscribe do |_, properties, body|
    server.default_exchange.publish("re: #{body}", routing_key: properties.reply_to, correlation_id: properties.correlation_id)
  end
  client.basic_publish('ping', '', 'bunny.rpc', reply_to: 'amq.rabbitmq.reply-to', correlation_id: '5')
  say 'reply', message: replies.pop
  consumer.cancel
  say 'auto-deleted', exists: CONNECTION.queue_exists?('bunny.rpc')
  client.close
end

def exclusive_and_cancel
  owner = connect
  owner.create_channel.queue('bunny.mine', exclusive: true)
  say 'locked', refused { |on| on.queue_declare('bunny.mine', passive: true) }
  owner.close
  say 'gone with its owner', exists: CONNECTION.queue_exists?('bunny.mine')
  cancelled = Queue.new
  consumer = Bunny::Consumer.new(CHANNEL, 'bunny.urgent', 'tag')
  consumer.on_cancellation { |cancel| cancelled << cancel.consumer_tag }
  CHANNEL.basic_consume_with(consumer)
  CHANNEL.queue_delete('bunny.urgent')
  say 'consumer cancelled', tag: cancelled.pop
end

def transactions
  tx = CONNECTION.create_channel
  tx.tx_select
  tx.basic_publish('committed', '', 'bunny.orders')
  tx.tx_commit
  tx.basic_publish('rolled back', '', 'bunny.orders')
  tx.tx_rollback
  say 'transactions', counts('bunny.orders')
  CHANNEL.queue_purge('bunny.orders')
end

def errors
  say 'no queue', refused { |on| on.queue_declare('bunny.missing', passive: true) }
  say 'no exchange', refused { |on| on.exchange_declare('bunny.missing', 'topic', passive: true) }
  say 'other argument', refused { |on| on.queue_declare('bunny.full', arguments: { 'x-max-length' => 2 }) }
  say 'other exclusive', refused { |on| on.queue_declare('bunny.orders', durable: true, exclusive: true) }
  say 'unknown tag', refused { |on| on.basic_reject(9, false) }
  say 'reserved', refused { |on| on.queue_declare('amq.mine') }
  say 'exchange in use', refused { |on| on.exchange_delete('bunny.events', if_unused: true) }
  { 'wrong password' => { password: 'wrong' }, 'no virtual host' => { vhost: 'missing' } }.each do |name, change|
    connect(URL, change)
  rescue Bunny::Exception => error
    say name, error: error.class.name
  end
end

def crash
  consumer = CONNECTION.create_channel
  consumer.prefetch(1)
  got = Queue.new
  consumer.queue('bunny.kept', durable: true).subscribe(manual_ack: true) { |*message| got << message }
  deliver('', 'bunny.kept', 'kept')
  say 'before the crash', body: got.pop[2]
  restart_broker
  delivery, _, body = got.pop
  say 'after the crash', body: body, redelivered: delivery.redelivered
  consumer.ack(delivery.delivery_tag)
  say 'publishes again', confirm: deliver('', 'bunny.kept', 'more')
  consumer.ack(got.pop[0].delivery_tag)
  CHANNEL.queue_delete('bunny.kept')
  CONNECTION.close
end

topology
publish_and_get
consume_with_prefetch
limits_and_dead_letters
returned
rpc
exclusive_and_cancel
transactions
errors
crash
say 'end'
