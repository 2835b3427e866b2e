<?php
// php-amqplib, PHP's most used client. It does not reconnect by itself: the program does.
require_once 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

$url = parse_url($argv[1]);

function say(string $step, array $facts = []): void
{
    echo json_encode(['step' => $step] + $facts, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\n";
}

function restart_broker(): void
{
    echo json_encode(['request' => 'restart']), "\n";
    fgets(STDIN);
}

function connect(array $change = []): AMQPStreamConnection
{
    global $url;
    $to = $change + ['user' => $url['user'], 'pass' => $url['pass'], 'vhost' => '/'];
    return new AMQPStreamConnection($url['host'], $url['port'], $to['user'], $to['pass'], $to['vhost']);
}

/** Asks until there is an answer, or for too long. */
function eventually(callable $ask)
{
    $deadline = microtime(true) + 5;
    while (!($answer = $ask()) && microtime(true) < $deadline) {
        usleep(20000);
    }
    return $answer;
}

function told(\Exception $error): array
{
    return ['error' => (new \ReflectionClass($error))->getShortName(), 'code' => $error->getCode(), 'text' => $error->getMessage()];
}

/** Does something on a channel of its own, which the broker closes. */
function refused(callable $act, ?AMQPStreamConnection $on = null): array
{
    global $connection;
    $victim = ($on ?? $connection)->channel();
    try {
        $act($victim);
        $victim->wait(null, false, 2);
        return ['error' => null];
    } catch (\Exception $error) {
        return told($error);
    }
}

function send(string $exchange, string $key, string $body, array $properties = []): string
{
    global $channel;
    $outcome = 'none';
    $channel->set_ack_handler(function () use (&$outcome) {
        $outcome = 'ack';
    });
    $channel->set_nack_handler(function () use (&$outcome) {
        $outcome = 'nack';
    });
    $message = new AMQPMessage($body, $properties + ['delivery_mode' => 2]);
    $channel->basic_publish($message, $exchange, $key, true);
    $channel->wait_for_pending_acks_returns(5);
    return $outcome;
}

function counts(string $queue): array
{
    global $channel;
    [, $messages, $consumers] = $channel->queue_declare($queue, true);
    return ['messages' => $messages, 'consumers' => $consumers];
}

/** The headers, deaths without their times. */
function headers(AMQPMessage $message): array
{
    $headers = $message->has('application_headers')
        ? $message->get('application_headers')->getNativeData()
        : [];
    foreach ($headers['x-death'] ?? [] as $i => $death) {
        $headers['x-death'][$i]['time'] = is_int($death['time']) || $death['time'] ? 'set' : 'none';
        ksort($headers['x-death'][$i]);
    }
    ksort($headers);
    return $headers;
}

$connection = connect();
$channel = $connection->channel();
$channel->confirm_select();
$channel->set_return_listener(function ($code, $text, $exchange, $key, $message) {
    say('returned', ['code' => $code, 'text' => $text, 'key' => $key, 'body' => $message->body]);
});

function topology(AMQPChannel $channel): void
{
    $channel->exchange_declare('php.events', 'topic', false, true, false);
    $channel->exchange_declare('php.all', 'fanout', false, true, false);
    say('declare', ['ok' => $channel->queue_declare('php.orders', false, true, false, false)]);
    $channel->queue_bind('php.orders', 'php.events', '*.new');
    $channel->exchange_bind('php.events', 'php.all');
    [$name] = $channel->queue_declare('');
    say('server-named', ['prefix' => substr($name, 0, 8)]);
    $channel->queue_delete($name);
}

function publish_and_get(AMQPChannel $channel): void
{
    $table = new AMQPTable(['text' => 'ü', 'n' => -3, 'yes' => true, 'half' => 1.5, 'list' => [1, 'b'], 'map' => ['k' => null]]);
    $table->set('short', 7, AMQPTable::T_INT_SHORT);
    $table->set('time', 1700000000, AMQPTable::T_TIMESTAMP);
    $properties = [
        'content_type' => 'text/plain', 'content_encoding' => 'utf-8', 'application_headers' => $table,
        'priority' => 1, 'correlation_id' => 'c', 'reply_to' => 'r', 'message_id' => 'm',
        'timestamp' => 1700000000, 'type' => 't', 'user_id' => 'guest', 'app_id' => 'a',
    ];
    say('publish', ['confirms' => [
        send('php.events', 'order.new', 'one', $properties),
        send('php.all', 'item.new', 'two'),
        send('php.events', 'nobody.listens', 'back'),
    ]]);
    say('counts', counts('php.orders'));
    $message = $channel->basic_get('php.orders');
    $got = $message->get_properties();
    $headers = headers($message);
    $headers['time'] = $headers['time'] instanceof DateTime ? $headers['time']->getTimestamp() : $headers['time'];
    unset($got['application_headers']);
    ksort($got);
    say('get', ['body' => $message->body, 'left' => $message->getMessageCount(), 'properties' => $got, 'headers' => $headers]);
    $message->nack(true);
    $message = $channel->basic_get('php.orders');
    say('again', ['body' => $message->body, 'redelivered' => $message->isRedelivered()]);
    $message->ack();
    say('purge', ['messages' => $channel->queue_purge('php.orders')]);
    say('get nothing', ['got' => $channel->basic_get('php.orders')]);
}

function consume_with_prefetch(AMQPChannel $channel, AMQPStreamConnection $connection): void
{
    foreach (range(1, 5) as $n) {
        send('', 'php.orders', "m$n");
    }
    $consumer = $connection->channel();
    $consumer->basic_qos(0, 2, false);
    $got = [];
    $consumer->basic_consume('php.orders', 'tag', false, false, false, false, function ($message) use (&$got) {
        $got[] = $message;
    });
    $wait = function (int $count) use ($consumer, &$got) {
        while (count($got) < $count) {
            $consumer->wait(null, false, 5);
        }
        return array_map(fn ($message) => $message->body, $got);
    };
    say('prefetch 2', ['bodies' => $wait(2), 'left' => counts('php.orders')]);
    $got[1]->ack(true);
    say('after ack', ['bodies' => $wait(4)]);
    $got[2]->reject(true);
    say('after reject', ['bodies' => $wait(5), 'redelivered' => $got[4]->isRedelivered()]);
    $got[4]->nack(false, true);
    say('after nack', ['bodies' => $wait(6)]);
    $consumer->basic_cancel('tag');
    $consumer->basic_recover(true);
    $left = eventually(fn () => ($left = counts('php.orders'))['messages'] === 1 ? $left : null);
    say('after recover', ['left' => $left]);
    $consumer->close();
    $channel->queue_purge('php.orders');
}

function limits_and_dead_letters(AMQPChannel $channel): void
{
    $channel->exchange_declare('php.dead', 'fanout', false, true, false);
    $channel->queue_declare('php.graveyard', false, true, false, false);
    $channel->queue_bind('php.graveyard', 'php.dead');
    $declare = fn (string $name, array $arguments) => $channel->queue_declare(
        $name, false, true, false, false, false, new AMQPTable($arguments + ['x-dead-letter-exchange' => 'php.dead']));
    $tell = function (string $step) use ($channel) {
        $message = eventually(fn () => $channel->basic_get('php.graveyard', true));
        if ($message === null) {
            return say($step, ['came' => false]);
        }
        say($step, ['body' => $message->body, 'key' => $message->getRoutingKey(), 'headers' => headers($message)]);
    };
    $declare('php.short', ['x-message-ttl' => 20]);
    send('', 'php.short', 'old');
    $tell('expired');
    $declare('php.small', ['x-max-length' => 1]);
    send('', 'php.small', 'first');
    send('', 'php.small', 'second');
    $tell('dropped');
    $channel->basic_get('php.small')->nack(false);
    $tell('rejected');
    $declare('php.full', ['x-max-length' => 0, 'x-overflow' => 'reject-publish']);
    say('full', ['confirm' => send('', 'php.full', 'no room')]);
    $declare('php.urgent', ['x-max-priority' => 2]);
    foreach ([0, 1, 2, 3] as $priority) {
        send('', 'php.urgent', "p$priority", ['priority' => $priority]);
    }
    $next = fn () => $channel->basic_get('php.urgent', true)->body;
    say('priorities', ['order' => [$next(), $next(), $next(), $next()]]);
}

function rpc(AMQPStreamConnection $connection): void
{
    $client = $connection->channel();
    $reply = null;
    $client->basic_consume('amq.rabbitmq.reply-to', '', false, true, false, false, function ($message) use (&$reply) {
        $reply = $message;
    });
    $server = $connection->channel();
    $server->queue_declare('php.rpc', false, false, false, true);
    $server->basic_consume('php.rpc', 'server', false, false, false, false, function ($message) use ($server) {
        $server->basic_publish(new AMQPMessage("re: {$message->body}"), '', $message->get('reply_to'));
        $message->ack();
    });
    $ask = new AMQPMessage('ping', ['reply_to' => 'amq.rabbitmq.reply-to', 'correlation_id' => '1']);
    $client->basic_publish($ask, '', 'php.rpc');
    $server->wait(null, false, 5);
    $client->wait(null, false, 5);
    say('reply', ['body' => $reply->body]);
    $server->basic_cancel('server');
    say('auto-deleted', refused(fn ($on) => $on->queue_declare('php.rpc', true)));
    $client->close();
}

function exclusive_and_cancel(AMQPChannel $channel, AMQPStreamConnection $connection): void
{
    $owner = connect();
    $owner->channel()->queue_declare('php.mine', false, false, true);
    say('locked', refused(fn ($on) => $on->queue_purge('php.mine')));
    $owner->close();
    say('gone with its owner', refused(fn ($on) => $on->queue_declare('php.mine', true)));
    $consumer = $connection->channel();
    $consumer->basic_consume('php.urgent', 'tag', false, false, false, false, fn () => null);
    $channel->queue_delete('php.urgent');
    try {
        $consumer->wait(null, false, 5);
    } catch (\PhpAmqpLib\Exception\AMQPBasicCancelException $error) {
        say('consumer cancelled', ['tag' => $error->consumerTag]);
    }
}

function transactions(AMQPStreamConnection $connection): void
{
    $tx = $connection->channel();
    $tx->tx_select();
    $tx->basic_publish(new AMQPMessage('committed'), '', 'php.orders');
    $tx->tx_commit();
    $tx->basic_publish(new AMQPMessage('rolled back'), '', 'php.orders');
    $tx->tx_rollback();
    say('transactions', counts('php.orders'));
    $tx->close();
}

function errors(): void
{
    say('no queue', refused(fn ($on) => $on->queue_declare('php.missing', true)));
    say('no exchange', refused(fn ($on) => $on->basic_publish(new AMQPMessage(''), 'php.missing')));
    say('other durable', refused(fn ($on) => $on->queue_declare('php.orders', false, false, false, false)));
    say('other type', refused(fn ($on) => $on->exchange_declare('php.events', 'fanout', false, true, false)));
    say('unknown tag', refused(fn ($on) => $on->basic_nack(3)));
    say('reserved', refused(fn ($on) => $on->exchange_declare('amq.mine', 'fanout')));
    say('default exchange', refused(fn ($on) => $on->queue_bind('php.orders', '')));
    // These end the whole connection.
    say('recover without requeue', refused(fn ($on) => $on->basic_recover(false), connect()));
    say('prefetch in bytes', refused(fn ($on) => $on->basic_qos(100, 0, false), connect()));
}

function logins(): void
{
    foreach ([['pass' => 'wrong'], ['vhost' => 'missing']] as $change) {
        try {
            connect($change);
        } catch (\Exception $error) {
            say('login', told($error));
        }
    }
}

function crash(AMQPChannel $channel): void
{
    $channel->queue_declare('php.kept', false, true, false, false);
    $message = new AMQPMessage('kept', ['delivery_mode' => 2]);
    $channel->basic_publish($message, '', 'php.kept');
    $channel->wait_for_pending_acks(5);
    restart_broker();
    try {
        counts('php.kept');
    } catch (\Exception $error) {
        say('connection lost');
    }
    $again = eventually(function () {
        try {
            return connect();
        } catch (\Exception $error) {
            return null;
        }
    });
    $channel = $again->channel();
    say('after the crash', ['body' => $channel->basic_get('php.kept', true)->body]);
    $channel->queue_delete('php.kept');
    $again->close();
}

topology($channel);
publish_and_get($channel);
consume_with_prefetch($channel, $connection);
limits_and_dead_letters($channel);
rpc($connection);
exclusive_and_cancel($channel, $connection);
transactions($connection);
$channel->queue_purge('php.orders');
errors();
logins();
crash($channel);
say('end');
