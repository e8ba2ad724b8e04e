import { Socket, type OnReadOpts, type SocketConstructorOpts } from "node:net";
import { MillraceError } from "../core/errors.ts";

/** Pieces of this size keep the calls few, and stay in a core's cache until they are decoded. */
const READ_BYTES = 64 << 10;

/** Takes a piece of a connection's bytes; they may be overwritten as soon as it returns. */
export type PieceTaker = (piece: Uint8Array) => void;

const takers = new WeakMap<Socket, PieceTaker | null>();

/**
 * A socket that reads into one buffer, always the same: a table's bytes would otherwise come in thousands of small ones
 * for the garbage collector. Listeners of `data` get copies.
 */
export function bulkSocket(): Socket {
  const onread: OnReadOpts = {
    buffer: new Uint8Array(READ_BYTES),
    callback: (bytes, buffer) => {
      const piece = buffer.subarray(0, bytes);
      const taker = takers.get(socket);
      if (taker) taker(piece);
      else socket.emit("data", Buffer.from(piece));
      return true;
    },
  };
  // `net.connect` takes the option and hands it to the socket it makes; its types know it there alone.
  const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = { onread };
  const socket = new Socket(options);
  takers.set(socket, null);
  return socket;
}

/**
 * Everything that comes from now on goes to `taker`, and nothing to the one listener of `data` that the socket has. The
 * function that it returns ends that, and gives that listener what is left of the last piece.
 */
export function takePieces(socket: Socket, taker: PieceTaker): (rest: Uint8Array) => void {
  const [listener, ...others] = socket.listeners("data") as ((bytes: Buffer) => void)[];
  if (listener === undefined || others.length > 0) throw new MillraceError("INTERNAL", "the socket has other readers");
  const reusing = takers.has(socket);
  if (reusing) takers.set(socket, taker);
  else socket.off("data", listener).on("data", taker);
  return (rest) => {
    if (reusing) takers.set(socket, null);
    else socket.off("data", taker).on("data", listener);
    listener(Buffer.from(rest));
  };
}
