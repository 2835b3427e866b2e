import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';
import { type RequestOptions as TlsOptions, request as secureRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Of the server's certificate. */
  readonly fingerprint: string | undefined;
}

/** A request with just these headers: `fetch` has a mind of its own about Host, Origin and cookies. */
export function rawRequest(
  url: string,
  options: RequestOptions & TlsOptions = {},
  body?: string,
): Promise<RawAnswer> {
  const send = url.startsWith('https:') ? secureRequest : request;
  return new Promise((resolve, reject) => {
    const sent = send(url, { agent: false, ...options }, (response) => {
      const socket = response.socket as TLSSocket;
      const fingerprint = socket.getPeerCertificate?.().fingerprint256;
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode, headers } = response;
        resolve({ status: statusCode!, headers, body: text, fingerprint });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
