/** What `publish` hands to its script: contents, as lua/record.lua describes them. */
import type { NewMessage } from '../../core/driver.ts';
import { encodeDeaths } from './deaths.ts';
import { type Characters, type Extras, HAS_DEATHS, HAS_EXTRAS, KINDS } from './layout.ts';

/** Bytes and flags. */
const FIXED_LENGTH = 5;
const LENGTH_LENGTH = 4;
/** From how many bytes on a content is handed on by itself. */
const LONG = 512;

/** A message about to be written. */
interface Draft {
  readonly message: NewMessage;
  readonly characters: Characters;
  readonly deaths: Buffer | null;
  readonly extras: Buffer | null;
  /** Of the whole content. */
  readonly length: number;
}

/** @returns one message's content */
export function encodeContent(message: NewMessage): Buffer {
  return encode(draftOf(message));
}

/**
 * @returns the contents of all, each behind its length, in one buffer, which spares the client much;
 *   but long ones by themselves, with 0 in their place, because that spares the server more
 */
export function encodeContents(messages: readonly NewMessage[]): Buffer[] {
  const drafts = messages.map(draftOf);
  let length = 0;
  for (const draft of drafts) length += LENGTH_LENGTH + (draft.length > LONG ? 0 : draft.length);
  const short = Buffer.allocUnsafe(length);
  const long: Buffer[] = [];
  let at = 0;
  for (const draft of drafts) {
    const isLong = draft.length > LONG;
    at = short.writeUInt32BE(isLong ? 0 : draft.length, at);
    if (isLong) long.push(encode(draft));
    else at = write(draft, short, at);
  }
  return [short, ...long];
}

function encode(draft: Draft): Buffer {
  const content = Buffer.allocUnsafe(draft.length);
  write(draft, content, 0);
  return content;
}

function draftOf(message: NewMessage): Draft {
  const { body } = message;
  let characters: Characters = null;
  let bodyLength = body.length;
  if (typeof body === 'string') {
    bodyLength = Buffer.byteLength(body);
    if (bodyLength === body.length) characters = 'latin1';
    else if (body.isWellFormed()) characters = 'utf8';
    else {
      characters = 'utf16le';
      bodyLength = 2 * body.length;
    }
  }
  const deaths = message.deaths === undefined ? null : encodeDeaths(message.deaths);
  const extras = encodeExtras(message);
  const length = FIXED_LENGTH + section(deaths) + section(extras) + bodyLength;
  return { message, characters, deaths, extras, length };
}

function section(part: Buffer | null): number {
  return part === null ? 0 : LENGTH_LENGTH + part.length;
}

function encodeExtras({ properties, groupId, deduplicationId }: NewMessage): Buffer | null {
  if (properties === null && groupId === null && deduplicationId === null) return null;
  const extras: Extras = {};
  if (properties !== null) extras.p = properties;
  if (groupId !== null) extras.g = groupId;
  if (deduplicationId !== null) extras.u = deduplicationId;
  return Buffer.from(JSON.stringify(extras));
}

/** @returns where it ends */
function write({ message, characters, deaths, extras }: Draft, out: Buffer, start: number): number {
  const { body, encoding, bytes } = message;
  const kind = KINDS.findIndex((one) => one[0] === encoding && one[1] === characters);
  const flags = (deaths === null ? 0 : HAS_DEATHS) + (extras === null ? 0 : HAS_EXTRAS);
  let at = out.writeUInt32BE(bytes, start);
  at = out.writeUInt8(kind + flags, at);
  for (const part of [deaths, extras]) {
    if (part === null) continue;
    at = out.writeUInt32BE(part.length, at);
    at += part.copy(out, at);
  }
  if (typeof body === 'string') return at + out.write(body, at, characters!);
  out.set(body, at);
  return at + body.length;
}
