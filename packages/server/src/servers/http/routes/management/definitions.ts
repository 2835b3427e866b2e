import {
  definitionsBody,
  importReportSchema,
  KINDS,
  VHOST_KINDS,
} from '../../../../protocols/management/definitions.ts';
import { rowSchema } from '../../../../protocols/management/listing.ts';
import { exportAll, exportVhost } from './definitions-export.ts';
import { DefinitionsImport } from './definitions-import.ts';
import { defineRoute, type Route } from '../../route.ts';
import { MANAGEMENT } from './common.ts';

const all = { ...MANAGEMENT, url: '/definitions', rule: { kind: 'admin' } } as const;
const ofVhost = { ...all, url: '/definitions/:vhost' } as const;

const IMPORT =
  'What is there already stays if it is the same. The answer says what was taken, what was taken ' +
  'otherwise than the file has it, and what was left out, and why: an entry that is wrong does not ' +
  'keep out the others.';

export const managementDefinitionRoutes: readonly Route[] = [
  defineRoute({
    ...all,
    id: 'managementExport',
    method: 'GET',
    summary: 'All definitions, as a file that RabbitMQ takes',
    description: 'Passwords are not in it: users come without one.',
    responses: { 200: rowSchema },
    handler: ({ broker }) => exportAll(broker),
  }),
  defineRoute({
    ...all,
    id: 'managementImport',
    method: 'POST',
    summary: "Take a definitions file of RabbitMQ's, or of this broker",
    description: IMPORT,
    body: definitionsBody,
    responses: { 200: importReportSchema },
    handler: ({ broker, body }) => new DefinitionsImport(broker, KINDS, null).run(body),
  }),
  defineRoute({
    ...ofVhost,
    id: 'managementExportVhost',
    method: 'GET',
    summary: 'The definitions of a virtual host',
    responses: { 200: rowSchema },
    handler: ({ broker, vhost }) => exportVhost(broker, vhost),
  }),
  defineRoute({
    ...ofVhost,
    id: 'managementImportVhost',
    method: 'POST',
    summary: 'Take a definitions file into a virtual host',
    description: `Its queues, exchanges, bindings and policies. ${IMPORT}`,
    body: definitionsBody,
    responses: { 200: importReportSchema },
    handler: ({ broker, body, vhost }) =>
      new DefinitionsImport(broker, VHOST_KINDS, vhost).run(body),
  }),
];
