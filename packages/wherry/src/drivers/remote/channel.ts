/**
 * A stream of bytes in both directions, in order, until it closes. Where the bytes are cut means
 * nothing. What is handed to `onBytes` may be kept; what is handed to `send` must not be changed.
 */
export interface Channel {
  send(bytes: Uint8Array): void;
  /** Ends it, with what was sent before if the other side still listens. Idempotent. */
  close(): void;
  /** Ends it at once: the other side is not to be trusted, or is gone. */
  destroy(): void;
  /** Reads nothing until `resume`: the other side is made to wait. */
  pause(): void;
  resume(): void;
  /** Bytes that were handed to `send` and have not left this process. */
  readonly bufferedAmount: number;
  onBytes: (bytes: Uint8Array) => void;
  /** Called once; nothing comes after it. */
  onClose: (error?: Error) => void;
}
