import { render } from 'preact';
import { App } from './app.tsx';
import { startLive } from './api/live.ts';
import { startSession } from './api/session.ts';
import { startRouter } from './router.ts';
import { startTheme } from './theme.ts';

startTheme();
startRouter();
render(<App />, document.querySelector('#app')!);
startSession();
startLive();
