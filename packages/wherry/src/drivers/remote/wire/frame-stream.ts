import { WireError } from './bytes.ts';
import { HEADER_BYTES } from './frames.ts';

/** Cuts a stream of bytes, which may arrive in any pieces, into frames. */
export class FrameStream {
  /** Most bytes of a frame, without its header. */
  frameBytesMax: number;
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** What is missing of the frame that has begun, as far as its header tells. */
  #needed = HEADER_BYTES;

  /** A frame has begun that is not whole yet. */
  get hasBegun(): boolean {
    return this.#length > 0;
  }

  constructor(frameBytesMax: number) {
    this.frameBytesMax = frameBytesMax;
  }

  /**
   * @param onFrame called for each frame that is whole; the bytes are a view
   * @throws WireError when a frame is too long, and whatever `onFrame` throws
   */
  push(piece: Uint8Array, onFrame: (type: number, payload: Uint8Array) => void): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length < this.#needed) return;
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces, this.#length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    this.#needed = HEADER_BYTES;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = view.getUint32(at);
      if (length > this.frameBytesMax) throw new WireError(`A frame of ${length} bytes`);
      const end = at + HEADER_BYTES + length;
      if (end > bytes.length) {
        this.#needed = HEADER_BYTES + length;
        break;
      }
      const begin = at + HEADER_BYTES;
      at = end;
      onFrame(bytes[begin - 1]!, bytes.subarray(begin, end));
    }
    this.#length = bytes.length - at;
    this.#pieces = this.#length === 0 ? [] : [bytes.subarray(at)];
  }
}
