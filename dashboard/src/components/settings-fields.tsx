import type { JSX } from 'preact';
import type { Problem } from '../api/types.ts';
import { type Setting, SETTING_GROUPS, type Texts } from '../settings.ts';
import { SelectField, TextField } from './form.tsx';

export interface SettingsFieldsProps {
  readonly texts: Texts;
  readonly onChange: (texts: Texts) => void;
  readonly problem: Problem | null;
  /** Those that cannot be changed later, too. */
  readonly isNew: boolean;
}

/** The settings of a queue, for making and for changing one. */
export function SettingsFields(props: SettingsFieldsProps): JSX.Element {
  const { texts, onChange, problem, isNew } = props;
  const groups = SETTING_GROUPS.map(({ title, settings }) => ({
    title,
    settings: settings.filter(({ fixed }) => isNew || fixed !== true),
  })).filter(({ settings }) => settings.length > 0);
  return (
    <>
      {groups.map(({ title, settings }) => (
        <fieldset key={title} class="fields">
          <legend>{title}</legend>
          {settings.map((setting) => (
            <SettingField
              key={setting.key}
              setting={setting}
              value={texts[setting.key] ?? ''}
              wrong={isMeant(problem, setting)}
              onChange={(value) => onChange({ ...texts, [setting.key]: value })}
            />
          ))}
        </fieldset>
      ))}
    </>
  );
}

/** The broker names the field, or the sentence about it begins with its name. */
function isMeant(problem: Problem | null, { key }: Setting): boolean {
  if (problem === null) return false;
  if (problem.field === key || problem.field === `body.${key}`) return true;
  return problem.detail.includes(`${key} is `);
}

function SettingField(props: {
  readonly setting: Setting;
  readonly value: string;
  readonly wrong: boolean;
  readonly onChange: (value: string) => void;
}): JSX.Element {
  const { setting, value, wrong, onChange } = props;
  const { label, help, kind } = setting;
  if (kind === 'overflow') {
    const options = [
      ['reject', 'Refuse the new'],
      ['drop-oldest', 'Drop the oldest'],
      ['block', 'Wait for room'],
    ] as const;
    return <SelectField {...{ label, help, value, onChange, options }} />;
  }
  if (kind === 'bound') {
    const options = [
      ['stored', 'All that is stored'],
      ['waiting', 'What waits'],
    ] as const;
    return <SelectField {...{ label, help, value, onChange, options }} />;
  }
  if (kind === 'flag') {
    const options = [
      ['true', 'Yes'],
      ['false', 'No'],
    ] as const;
    return <SelectField {...{ label, help, value, onChange, options }} />;
  }
  const placeholder = kind === 'duration' ? '30s, 5m, 2h' : '';
  return <TextField {...{ label, help, value, onChange, wrong, placeholder }} />;
}
