import type { Route } from './route.ts';
import { openApiRoutes } from './routes/openapi.ts';
import { pushRoutes } from './routes/push.ts';
import { eventRoutes } from './routes/events.ts';
import { streamRoutes } from './routes/stream.ts';
import { scheduleRoutes } from './routes/schedules.ts';
import { exchangeRoutes } from './routes/exchanges.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { consumerRoutes } from './routes/consumers.ts';
import { browseRoutes } from './routes/browse.ts';
import { historyRoutes } from './routes/history.ts';
import { managementRoutes } from './routes/management/routes.ts';
import { operationsRoutes } from './routes/operations.ts';
import { overviewRoutes } from './routes/overview.ts';
import { queueRoutes } from './routes/queues.ts';
import { receiveRoutes } from './routes/receive.ts';
import { sendRoutes } from './routes/send.ts';
import { sessionRoutes } from './routes/session.ts';
import { settleRoutes } from './routes/settle.ts';
import { storeRoutes } from './routes/store.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { userRoutes } from './routes/users.ts';
import { vhostRoutes } from './routes/vhosts.ts';

/** Every route there is. */
export const ROUTES: readonly Route[] = [
  ...overviewRoutes,
  ...queueRoutes,
  ...sendRoutes,
  ...receiveRoutes,
  ...settleRoutes,
  ...browseRoutes,
  ...storeRoutes,
  ...openApiRoutes,
  ...pushRoutes,
  ...eventRoutes,
  ...streamRoutes,
  ...scheduleRoutes,
  ...exchangeRoutes,
  ...deadLetterRoutes,
  ...consumerRoutes,
  ...operationsRoutes,
  ...historyRoutes,
  ...sessionRoutes,
  ...tokenRoutes,
  ...userRoutes,
  ...vhostRoutes,
  ...managementRoutes,
];
