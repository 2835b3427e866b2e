import { testClient } from './test-client.ts';

testClient('rabbitmq-client');
