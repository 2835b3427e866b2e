/**
 * A broker in a process of its own, to be killed: `SERVER CONFIG OPTIONS`, the module that serves,
 * and what it is told, as JSON. Says where it listens.
 */
const [, , server, config, options] = process.argv;
const { serve } = await import(server);
const broker = await serve(JSON.parse(config), JSON.parse(options));
process.once('disconnect', () => {
  void broker.close().finally(() => process.exit());
});
process.send({ url: broker.url, amqpPort: broker.amqpPort });
