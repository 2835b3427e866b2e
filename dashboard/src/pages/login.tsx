import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { logIn } from '../api/session.ts';
import { FormProblem, Submit, TextField, useSubmit } from '../components/form.tsx';
import { Mark } from '../components/mark.tsx';

export function LoginPage(): JSX.Element {
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const { submit, problem, isBusy } = useSubmit(() => logIn(user, password));
  useEffect(() => {
    document.title = 'Log in · Wherry';
  }, []);
  return (
    <main id="main" class="login">
      <form class="card" onSubmit={submit}>
        <h1>
          <Mark /> Wherry
        </h1>
        <TextField label="User" value={user} onChange={setUser} autocomplete="username" required />
        <TextField
          label="Password"
          type="password"
          value={password}
          onChange={setPassword}
          autocomplete="current-password"
          required
        />
        <FormProblem problem={problem} />
        <Submit isBusy={isBusy}>Log in</Submit>
      </form>
    </main>
  );
}
