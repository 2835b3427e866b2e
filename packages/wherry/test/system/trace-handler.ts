/**
 * The other process of tracing.test.ts: handles one message of the queue `orders`, fails at the
 * first try, and prints the spans that this has made as one line of JSON.
 */
import { trace } from '@opentelemetry/api';
import { MessageQueueSystem } from '../../src/index.ts';
import { TraceRecorder } from './trace-recorder.ts';

const [storage] = process.argv.slice(2);
const recorder = new TraceRecorder();
const telemetry = { tracerProvider: recorder.provider };
const mq = await MessageQueueSystem.open({ storage: storage!, telemetry });

const handled = new Promise<void>((resolve) => {
  mq.events.on('acknowledged', () => resolve());
});
await mq.createConsumer({
  id: 'worker',
  queueName: 'orders',
  handler: async ({ deliveryCount }) => {
    await Promise.resolve();
    if (deliveryCount === 1) throw new RangeError('not yet');
    recorder.provider.getTracer('test').startSpan('charge').end();
    trace.getActiveSpan()?.setAttribute('seen', 'by the handler');
  },
});
await handled;
await mq.close();
process.stdout.write(`${JSON.stringify(recorder.take())}\n`);
