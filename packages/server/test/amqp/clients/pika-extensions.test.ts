import { testClient } from './test-client.ts';

testClient('pika-extensions');
