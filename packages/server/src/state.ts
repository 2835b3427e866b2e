import { type Driver, MessageQueueSystem } from 'wherry';
import { type Access, openAccess } from './access/access.ts';
import { isLoopback } from './access/hosts.ts';
import type { PasswordOptions } from './access/passwords.ts';
import type { BrokerConfig } from './config/config.ts';
import { ConfigError } from './config/errors.ts';
import { VirtualHosts } from './vhosts/virtual-hosts.ts';

/** What a broker has in its stores: messages, and who may do what with them. */
export interface State {
  readonly mq: MessageQueueSystem;
  /** Not opened yet, the default one apart. */
  readonly vhosts: VirtualHosts;
  readonly access: Access;
  /** Takes the accounts of another configuration. @throws ConfigError, ValidationError */
  reload(config: Pick<BrokerConfig, 'users' | 'tokens'>): Promise<void>;
  /** @param deadline milliseconds until running handlers are abandoned */
  close(deadline: number): Promise<void>;
}

/** @throws ConfigError, ValidationError, StorageError, StorageInUseError */
export async function openState(
  config: BrokerConfig,
  passwords: PasswordOptions | undefined,
): Promise<State> {
  const { store, queues, exchanges, bindings, schedules } = config;
  const definitions = { queues, exchanges, bindings, schedules };
  const mq = await MessageQueueSystem.open({
    storage: store,
    telemetry: config.tracing,
    ...definitions,
  });
  const { topology } = mq.storage as Driver;
  const openSystem = (storage: string): Promise<MessageQueueSystem> =>
    MessageQueueSystem.open({ storage, telemetry: config.tracing });
  const max = config.limits.vhosts;
  const vhosts = new VirtualHosts({ main: mq, topology, store, openSystem, max, now: Date.now });
  try {
    const isLocal = isLoopback(config.host);
    const access = await openAccess({
      ...config,
      topology,
      isLocal,
      tls: config.tls !== undefined,
      loginsPerMinute: config.limits.loginsPerMinute,
      passwords,
      now: Date.now,
    });
    if (!isLocal && access.accounts.isEmpty) throw openToAll(config.host);
    const reload: State['reload'] = async (changed) => {
      const isEmpty = changed.users.length + changed.tokens.length === 0;
      if (!isLocal && isEmpty && !access.accounts.isStored) throw openToAll(config.host);
      await access.accounts.configure(changed);
    };
    const close = async (deadline: number): Promise<void> => {
      access.close();
      await vhosts.close({ deadline });
      await mq.close({ deadline });
    };
    return { mq, vhosts, access, reload, close };
  } catch (error) {
    await mq.close({ deadline: 0 });
    throw error;
  }
}

function openToAll(host: string): ConfigError {
  return new ConfigError([
    `host is '${host}', which others can reach, and there are neither users nor tokens: ` +
      'everybody could do everything. Configure a user with admin: true, ' +
      "or leave host at '127.0.0.1'.",
  ]);
}
