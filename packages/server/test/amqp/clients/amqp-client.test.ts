import { testClient } from './test-client.ts';

testClient('amqp-client');
