import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { StoredEpochs } from "../../core/checkpoint-store.ts";
import { MillraceError } from "../../core/errors.ts";
import { applyEpoch, type CommittedRecord } from "../../core/record.ts";
import { systemCode } from "../../flow/durable-file.ts";
import { decodeFile, FILE_VERSION, type FileContent, type FileKind } from "./epoch-file.ts";
import { fileFailure } from "./failure.ts";

/**
 * The files of a pipeline's folder: `<generation>-base-<epoch>.json` and `<generation>-epoch-<epoch>.json`. What counts
 * is the highest generation: its newest base, if any, and every epoch behind that, without gaps. A `reset` begins a
 * generation with a base, so an epoch is never laid over parts that it did not follow. The generation before stays until
 * the new one has an epoch, to be used where that base is damaged.
 */
export interface FileName {
  readonly generation: number;
  readonly kind: FileKind;
  readonly epoch: number;
}

/** A folder that has been read. */
export interface LoadedFolder {
  readonly stored: StoredEpochs;
  readonly generation: number;
  /** Above `generation` where that is used because the newest one's only file is damaged. */
  readonly highestGeneration: number;
  readonly base: LoadedFile | null;
  readonly epochs: readonly LoadedFile[];
  /** The newest file, where it is damaged and was passed over for the one before it. */
  readonly torn: MillraceError | null;
  /** Files that no longer count: a crash left them. */
  readonly leftovers: readonly string[];
}

export interface LoadedFile {
  readonly epoch: number;
  readonly bytes: number;
}

const NAME = /^([1-9]\d*)-(base|epoch)-(\d{10,})\.json$/;

/** Wide enough for 300 years of an epoch a second, so that a listing is in order. */
export function fileName({ generation, kind, epoch }: FileName): string {
  return `${generation}-${kind}-${String(epoch).padStart(10, "0")}.json`;
}

function parseName(name: string): FileName | null {
  const match = NAME.exec(name);
  if (match === null) return null;
  return { generation: Number(match[1]), kind: match[2] === "base" ? "base" : "epoch", epoch: Number(match[3]) };
}

/** Every checkpoint file there, in no order; none where there is no folder. */
export async function listFolder(folder: string): Promise<FileName[]> {
  try {
    return (await readdir(folder)).map(parseName).filter((name) => name !== null);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw fileFailure(error, folder);
  }
}

/** Null: nothing was ever stored. Fails with `CHECKPOINT_DAMAGED` where more than the newest file is missing or damaged. */
export async function loadFolder(
  folder: string,
  pipeline: string,
  names: readonly FileName[],
): Promise<LoadedFolder | null> {
  const generations = [...new Set(names.map((name) => name.generation))].sort((a, b) => b - a);
  const [highest, before] = generations;
  if (highest === undefined) return null;
  const of = (generation: number): FileName[] => names.filter((name) => name.generation === generation);
  const newest = await loadGeneration(folder, pipeline, of(highest));
  if (newest.kind === "loaded") {
    const older = newest.epochs.length === 0 ? [] : names.filter((name) => name.generation < highest);
    const leftovers = [...older, ...newest.unused].map(fileName);
    return { ...newest, generation: highest, highestGeneration: highest, leftovers };
  }
  if (before === undefined) throw newest.error;
  const fallback = await loadGeneration(folder, pipeline, of(before));
  if (fallback.kind === "torn") throw fallback.error;
  return { ...fallback, generation: before, highestGeneration: highest, torn: newest.error, leftovers: [] };
}

type Generation =
  | (Pick<LoadedFolder, "stored" | "base" | "epochs" | "torn"> & {
      readonly kind: "loaded";
      /** Epochs that the base holds already, and older bases. */
      readonly unused: readonly FileName[];
    })
  /** Its only file is damaged. */
  | { readonly kind: "torn"; readonly error: MillraceError };

/** `names`: all of one generation. */
async function loadGeneration(folder: string, pipeline: string, names: readonly FileName[]): Promise<Generation> {
  const inOrder = [...names].sort((a, b) => a.epoch - b.epoch);
  const baseName = inOrder.filter((name) => name.kind === "base").at(-1) ?? null;
  const epochNames = inOrder.filter((name) => name.kind === "epoch" && name.epoch > (baseName?.epoch ?? 0));
  const unused = inOrder.filter((name) => name !== baseName && !epochNames.includes(name));
  let newest: CommittedRecord | null = null;
  let before: CommittedRecord | null = null;
  let base: LoadedFile | null = null;
  let torn: MillraceError | null = null;
  if (baseName !== null) {
    const file = await loadFile(folder, pipeline, baseName);
    if (file.kind === "damaged") return tornOnly(file.error, names);
    base = { epoch: baseName.epoch, bytes: file.bytes };
    newest = before = applyEpoch(null, file.content);
  }
  const epochs: LoadedFile[] = [];
  for (const name of epochNames) {
    const next = (newest?.epoch ?? 0) + 1;
    if (name.epoch !== next) throw damaged(folder, { ...name, epoch: next }, "it is missing");
    const file = await loadFile(folder, pipeline, name);
    if (file.kind === "damaged") {
      if (newest === null) return tornOnly(file.error, names);
      if (name !== epochNames.at(-1)) throw file.error;
      torn = file.error;
      // Epoch E is stored only after E − 1 was committed, so that one is confirmed.
      before = newest;
      break;
    }
    epochs.push({ epoch: name.epoch, bytes: file.bytes });
    before = newest;
    newest = applyEpoch(newest, file.content);
  }
  if (newest === null) throw new MillraceError("INTERNAL", "a generation without files");
  return { kind: "loaded", stored: { confirmed: before, newest }, base, epochs, torn, unused };
}

function tornOnly(error: MillraceError, names: readonly FileName[]): Generation {
  if (names.length > 1) throw error;
  return { kind: "torn", error };
}

type FileResult =
  | { readonly kind: "content"; readonly content: FileContent; readonly bytes: number }
  | { readonly kind: "damaged"; readonly error: MillraceError };

async function loadFile(folder: string, pipeline: string, name: FileName): Promise<FileResult> {
  const path = join(folder, fileName(name));
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") throw damaged(folder, name, "it is missing");
    throw fileFailure(error, path);
  }
  const decoded = decodeFile(bytes);
  const damage = (why: string): FileResult => ({ kind: "damaged", error: damaged(folder, name, why) });
  if (decoded.kind === "damaged") return damage(decoded.why);
  if (decoded.kind === "newer")
    throw new MillraceError(
      "CHECKPOINT_NEWER_FORMAT",
      `${path} has format version ${decoded.version}, and this Millrace knows versions up to ${FILE_VERSION}`,
      { place: { file: path } },
    );
  const { content } = decoded;
  if (content.pipeline !== pipeline) return damage(`it belongs to the pipeline ${content.pipeline}`);
  if (content.kind !== name.kind || content.epoch !== name.epoch)
    return damage(`it holds the ${content.kind} of epoch ${content.epoch}`);
  return { kind: "content", content, bytes: bytes.byteLength };
}

function damaged(folder: string, name: FileName, why: string): MillraceError {
  const path = join(folder, fileName(name));
  return new MillraceError("CHECKPOINT_DAMAGED", `the checkpoint file ${path} is damaged: ${why}`, {
    place: { file: path },
  });
}
