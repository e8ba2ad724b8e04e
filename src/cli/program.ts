import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { MillraceError } from "../core/errors.ts";
import type { TableId } from "../core/table-schema.ts";
import { LOG_LEVELS, type LogLevel } from "../observe/logger.ts";
import type { LogFormat } from "./command-ambient.ts";
import { dropCommand } from "./drop-command.ts";
import { EXIT_DONE } from "./exit-code.ts";
import { DROP_HELP, MAIN_HELP, PLAN_HELP, RUN_HELP, STATE_HELP, STATUS_HELP, WORKER_HELP } from "./help-text.ts";
import { planCommand } from "./plan-command.ts";
import { printError } from "./print-error.ts";
import { runCommand } from "./run-command.ts";
import { stateCommand, type StateAction } from "./state-command.ts";
import { statusCommand } from "./status-command.ts";
import type { Surroundings } from "./surroundings.ts";
import { tableArgument } from "./table-argument.ts";
import { validateCommand } from "./validate-command.ts";
import { workerCommand } from "./worker-command.ts";

/** Runs the command line and returns the process's exit code. Every error ends here, printed. */
export async function millrace(words: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    return await parseAndRun(words, surroundings);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT_DONE;
    const printed = error instanceof CommanderError ? usageError(error) : error;
    return printError(printed, surroundings.err, debugAsked(words)).exitCode;
  }
}

/** Looked for in the words themselves, since the error may be of their parsing. */
function debugAsked(words: readonly string[]): boolean {
  return words.some((word, i) => word === "--log-level=debug" || (word === "--log-level" && words[i + 1] === "debug"));
}

function usageError({ code, message }: CommanderError): MillraceError {
  if (code === "commander.help") return new MillraceError("USAGE", "a command is missing");
  const [sentence = "", suggestion = ""] = message.replace(/^error: /, "").split("\n");
  const meant = /\(Did you mean (.+)\?\)/.exec(suggestion)?.[1];
  return new MillraceError("USAGE", sentence, meant === undefined ? {} : { hint: `Did you mean ${meant}?` });
}

async function parseAndRun(words: readonly string[], surroundings: Surroundings): Promise<number> {
  let code = EXIT_DONE;
  const program = new Command("millrace")
    .description(
      "Change-data-capture ingestion: one YAML file describes a pipeline, one process runs it, exactly once.",
    )
    .version(surroundings.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this, or the help of a command")
    .addHelpText("after", MAIN_HELP)
    .configureOutput({
      writeOut: (text) => surroundings.out.write(text),
      writeErr: (text) => surroundings.err.write(text),
      outputError: () => undefined,
      getOutHelpWidth: () => surroundings.out.size().columns,
      getErrHelpWidth: () => surroundings.err.size().columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride();
  const command = (name: string, description: string, help: string): Command =>
    program
      .command(name)
      .description(description)
      .addArgument(new Argument("<file>", "the pipeline file"))
      .addHelpText("after", help);
  addRun(command, surroundings, (result) => (code = result));
  addWorker(command, surroundings, (result) => (code = result));
  command("status", "show what the pipeline does and how far it is", STATUS_HELP)
    .option("--json", "print it as JSON", false)
    .option("--watch", "show it anew each second, until Ctrl-C", false)
    .action(async (file: string, options: { json: boolean; watch: boolean }) => {
      code = await statusCommand(file, options, surroundings);
    });
  command("plan", "show what a run would do, and what cannot be right; writes nothing", PLAN_HELP)
    .option("--json", "print it as JSON", false)
    .action(async (file: string, options: { json: boolean }) => {
      code = await planCommand(file, options.json, surroundings);
    });
  command("validate", "check the pipeline file without asking any server", "").action(async (file: string) => {
    code = await validateCommand(file, surroundings);
  });
  command("drop", "take away what the pipeline made on the source, and its checkpoint", DROP_HELP)
    .option("--yes", "do not ask", false)
    .action(async (file: string, options: { yes: boolean }) => {
      code = await dropCommand(file, options.yes, surroundings);
    });
  addState(program, surroundings, (result) => (code = result));
  await program.parseAsync([...words], { from: "user" });
  return code;
}

function addState(program: Command, surroundings: Surroundings, done: (code: number) => void): void {
  const state = program
    .command("state")
    .description("show, move or mend what the pipeline knows of itself")
    .addHelpText("after", STATE_HELP);
  const action = (name: string, description: string, mayTakeOver: boolean): Command => {
    const command = state
      .command(name)
      .description(description)
      .addArgument(new Argument("<file>", "the pipeline file"))
      .option("--json", "print it as JSON", false);
    if (mayTakeOver)
      command.option("--take-over", "from a process that has the checkpoint and lives, which is fenced off", false);
    return command;
  };
  const run = async (file: string, what: StateAction, { json, takeOver = false }: StateFlags): Promise<void> => {
    done(await stateCommand(file, what, { json, takeOver }, surroundings));
  };
  action("show", "the record: epoch, token, position, tables", false).action((file: string, flags: StateFlags) =>
    run(file, { kind: "show" }, flags),
  );
  action("history", "the last epochs: time, rows, position", false).action((file: string, flags: StateFlags) =>
    run(file, { kind: "history" }, flags),
  );
  action("adopt", "take what the sink holds for the truth, where an error asks for it", true).action(
    (file: string, flags: StateFlags) => run(file, { kind: "adopt" }, flags),
  );
  action("reset", "begin tables anew with the next run", true)
    .addArgument(new Argument("<tables...>", "schema.table, or all"))
    .action((file: string, tables: readonly string[], flags: StateFlags) =>
      run(file, { kind: "reset", tables }, flags),
    );
  for (const kind of ["export", "import"] as const)
    action(kind, kind === "export" ? "write the state to a file" : "read it into a store that has none", true)
      .addArgument(new Argument("<path>", "the file that holds the state"))
      .action((file: string, path: string, flags: StateFlags) => run(file, { kind, path }, flags));
}

interface StateFlags {
  readonly json: boolean;
  readonly takeOver?: boolean;
}

interface RunFlags {
  readonly until?: "caught-up";
  readonly logLevel?: LogLevel;
  readonly logFormat?: LogFormat;
  readonly takeOver?: boolean;
  readonly resnapshot?: readonly TableId[];
}

function addRun(
  command: (name: string, description: string, help: string) => Command,
  surroundings: Surroundings,
  done: (code: number) => void,
): void {
  command("run", "run the pipeline: snapshot, then changes", RUN_HELP)
    .addOption(
      new Option(
        "--until <moment>",
        "end when the sink has all that the source had when the snapshot was done",
      ).choices(["caught-up"]),
    )
    .addOption(logLevelOption())
    .addOption(logFormatOption())
    .option("--take-over", "from a process that has the checkpoint and lives, which is fenced off", false)
    .option(
      "--resnapshot <tables...>",
      "read these tables (schema.table) anew",
      (text: string, before: readonly TableId[] | undefined) => [...(before ?? []), tableArgument(text)],
    )
    .action(async (file: string, flags: RunFlags) => {
      const options = {
        until: flags.until ?? null,
        logLevel: flags.logLevel ?? null,
        logFormat: flags.logFormat ?? null,
        takeOver: flags.takeOver ?? false,
        resnapshot: flags.resnapshot ?? [],
      };
      done(await runCommand(file, options, surroundings));
    });
}

function logLevelOption(): Option {
  return new Option("--log-level <level>", "how much the log says (default: warn on a terminal, else info)").choices([
    ...LOG_LEVELS,
  ]);
}

function logFormatOption(): Option {
  return new Option("--log-format <format>", "form of the log (default: plain on a terminal, else json)").choices([
    "plain",
    "json",
  ]);
}

const CONCURRENCY_MAX = 64;
const LEASE_SECONDS = 15;

interface WorkerFlags {
  readonly concurrency: number;
  readonly lease: number;
  readonly logLevel?: LogLevel;
  readonly logFormat?: LogFormat;
}

function addWorker(
  command: (name: string, description: string, help: string) => Command,
  surroundings: Surroundings,
  done: (code: number) => void,
): void {
  command("worker", "read chunks of the snapshot for a run, on this machine or another", WORKER_HELP)
    .addOption(new Option("--concurrency <chunks>", "how many it reads at a time").argParser(wholeNumber).default(2))
    // A worker that says nothing for so many seconds loses its chunks: for those who cannot wait that long, as tests.
    .addOption(new Option("--lease <seconds>").argParser(wholeNumber).default(LEASE_SECONDS).hideHelp())
    .addOption(logLevelOption())
    .addOption(logFormatOption())
    .action(async (file: string, flags: WorkerFlags) => {
      const options = {
        concurrency: flags.concurrency,
        leaseMs: flags.lease * 1000,
        logLevel: flags.logLevel ?? null,
        logFormat: flags.logFormat ?? null,
      };
      done(await workerCommand(file, options, surroundings));
    });
}

function wholeNumber(text: string): number {
  const number = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= CONCURRENCY_MAX) return number;
  throw new InvalidArgumentError(`It takes a whole number from 1 to ${CONCURRENCY_MAX}.`);
}
