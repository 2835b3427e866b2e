import { testClient } from './test-client.ts';

testClient('amqp-connection-manager');
