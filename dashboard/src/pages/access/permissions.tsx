import type { JSX } from 'preact';
import type { Permission } from '../../api/types.ts';
import { TextField } from '../../components/form.tsx';

const ALL: Permission = { vhost: '/', configure: ['*'], write: ['*'], read: ['*'] };
const ACTIONS = ['configure', 'write', 'read'] as const;

export interface PermissionsFieldsProps {
  readonly permissions: readonly Permission[];
  readonly onChange: (permissions: readonly Permission[]) => void;
}

/** What somebody may do: a line for each virtual host, name patterns for each action. */
export function PermissionsFields(props: PermissionsFieldsProps): JSX.Element {
  const { permissions, onChange } = props;
  const set = (at: number, change: Partial<Permission>): void =>
    onChange(permissions.map((entry, i) => (i === at ? { ...entry, ...change } : entry)));
  return (
    <fieldset class="permissions">
      <legend>Permissions</legend>
      <p class="help">Names or patterns, separated by commas; * is any run of characters.</p>
      {permissions.map((permission, i) => (
        <div class="permission" key={i}>
          <TextField
            label="Virtual host"
            value={permission.vhost}
            onChange={(vhost) => set(i, { vhost })}
          />
          {ACTIONS.map((action) => (
            <TextField
              key={action}
              label={action[0]!.toUpperCase() + action.slice(1)}
              value={permission[action].join(', ')}
              onChange={(text) => set(i, { [action]: patternsOf(text) })}
            />
          ))}
          <button
            type="button"
            class="quiet icon"
            aria-label={`Remove the permissions in ${permission.vhost}`}
            onClick={() => onChange(permissions.filter((_entry, at) => at !== i))}
          >
            ✕
          </button>
        </div>
      ))}
      <button type="button" class="small" onClick={() => onChange([...permissions, ALL])}>
        Add a virtual host
      </button>
    </fieldset>
  );
}

/** What follows the last comma stays as it is typed. */
function patternsOf(text: string): string[] {
  return text === '' ? [] : text.split(',').map((pattern) => pattern.trimStart());
}

/** As the broker takes them: nothing empty, no spaces around. */
export function tidied(permissions: readonly Permission[]): Permission[] {
  const tidy = (patterns: readonly string[]): string[] =>
    patterns.map((pattern) => pattern.trim()).filter((pattern) => pattern !== '');
  return permissions.map(({ vhost, configure, write, read }) => ({
    vhost,
    configure: tidy(configure),
    write: tidy(write),
    read: tidy(read),
  }));
}

/** In a few words. */
export function PermissionsCell(props: {
  readonly admin: boolean;
  readonly permissions: readonly Permission[];
}): JSX.Element {
  const { admin, permissions } = props;
  if (admin) return <span class="tag ok">administrator</span>;
  if (permissions.length === 0) return <span class="faint">nothing</span>;
  return (
    <ul class="permission-list">
      {permissions.map((permission) => (
        <li key={permission.vhost}>
          <span class="name strong">{permission.vhost}</span>{' '}
          {ACTIONS.filter((action) => permission[action].length > 0).map((action) => (
            <span key={action} class="tag" title={permission[action].join(', ')}>
              {action} <span class="name">{permission[action].join(', ')}</span>
            </span>
          ))}
        </li>
      ))}
    </ul>
  );
}
