import { itemBytes, type LogItem } from "../core/line.ts";

/**
 * Items on their way out. Those of the transaction that is still open are held back where they can be, so that a schema
 * change later in it can be put before all of them, as the line wants it.
 */
export class LogQueue {
  #ready: LogItem[] = [];
  #held: LogItem[] = [];
  /** Of all items in it. */
  bytes: number = 0;
  /** Of those that are held back. */
  heldBytes: number = 0;

  get hasReady(): boolean {
    return this.#ready.length > 0;
  }

  /** May be taken at once. */
  push(item: LogItem): void {
    this.#ready.push(item);
    this.bytes += itemBytes(item);
  }

  /** May be taken after `release`. */
  hold(item: LogItem): void {
    this.#held.push(item);
    this.bytes += itemBytes(item);
    this.heldBytes += itemBytes(item);
  }

  /** Lets go what is held back. */
  release(): void {
    if (this.#held.length === 0) return;
    this.#ready = this.#ready.length === 0 ? this.#held : [...this.#ready, ...this.#held];
    this.#held = [];
    this.heldBytes = 0;
  }

  get held(): readonly LogItem[] {
    return this.#held;
  }

  /** Puts others in the place of those that are held back, or nothing. */
  keepHeld(keep: (item: LogItem) => LogItem | null): void {
    const before = this.heldBytes;
    this.#held = this.#held.flatMap((item) => keep(item) ?? []);
    this.heldBytes = this.#held.reduce((sum, item) => sum + itemBytes(item), 0);
    this.bytes += this.heldBytes - before;
  }

  take(): LogItem[] {
    const items = this.#ready;
    this.#ready = [];
    for (const item of items) this.bytes -= itemBytes(item);
    return items;
  }
}
