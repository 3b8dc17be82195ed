// Keys as latin1 strings: one character a byte, so that JavaScript's order of strings is the order of bytes
// (etcd's), and a key costs one byte a character in memory. Works without Node.js, faster with its Buffer.

interface Latin1Buffer {
  latin1Slice(start?: number, end?: number): string;
}

interface BufferLike {
  from(buffer: ArrayBufferLike, byteOffset: number, length: number): Latin1Buffer;
}

const nodeBuffer = (globalThis as unknown as { Buffer?: BufferLike }).Buffer;
const CHUNK = 4096;

export function latin1OfBytes(bytes: Uint8Array): string {
  if (nodeBuffer !== undefined) {
    return nodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.length).latin1Slice();
  }
  return latin1InPlainJavaScript(bytes);
}

/** The same without Node's Buffer, in chunks, because a call takes a limited number of arguments. */
export function latin1InPlainJavaScript(bytes: Uint8Array): string {
  if (bytes.length <= CHUNK) return String.fromCharCode(...bytes);
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return text;
}

export function bytesOfLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}
