import { testClient } from './test-client.ts';

testClient('amqp-tools');
