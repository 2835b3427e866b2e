import { preact } from '@preact/preset-vite';
import { defineConfig } from 'vite';

/** Where `npx vite` in this folder finds a broker to work with. */
const broker = process.env['WHERRY_URL'] ?? 'http://127.0.0.1:7470';

export default defineConfig({
  plugins: [preact()],
  build: {
    outDir: '../packages/server/dashboard',
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: false,
    // The pages' content security policy allows neither inline scripts nor data: addresses of them.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': { target: broker, ws: true }, '/healthz': broker } },
});
