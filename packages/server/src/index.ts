export { type Broker, serve, type ServeOptions } from './serve.ts';
export type { Action, Identity, Permission } from './access/identity.ts';
export type {
  AmqpConfig,
  BrokerConfig,
  BrokerConfigInput,
  BrokerLimits,
  ByteCount,
  LogLevel,
  TokenConfig,
  UserConfig,
} from './config/config.ts';
export { checkConfig } from './config/check.ts';
export { ConfigError } from './config/errors.ts';
export { type ConfigSources, loadConfig, type LoadedConfig } from './config/load.ts';
export { configJsonSchema } from './config/schema.ts';
export type { Logger } from './telemetry/logger.ts';
export { hashPassword, type PasswordOptions, type ScryptCost } from './access/passwords.ts';
