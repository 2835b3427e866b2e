import type { Route } from '../../route.ts';
import { managementAccessRoutes } from './access.ts';
import { managementBindingRoutes } from './bindings.ts';
import { managementConnectionRoutes } from './connections.ts';
import { managementDefinitionRoutes } from './definitions.ts';
import { managementExchangeRoutes } from './exchanges.ts';
import { managementHealthRoutes } from './health.ts';
import { managementOverviewRoutes } from './overview.ts';
import { managementQueueRoutes } from './queues.ts';
import { managementVhostRoutes } from './vhosts.ts';

/** The part of RabbitMQ's management API that there is. */
export const managementRoutes: readonly Route[] = [
  ...managementOverviewRoutes,
  ...managementVhostRoutes,
  ...managementAccessRoutes,
  ...managementQueueRoutes,
  ...managementExchangeRoutes,
  ...managementBindingRoutes,
  ...managementConnectionRoutes,
  ...managementHealthRoutes,
  ...managementDefinitionRoutes,
];
