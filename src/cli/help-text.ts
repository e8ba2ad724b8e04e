/** What `--help` teaches beside the list of commands and options. */
export const MAIN_HELP = `
A pipeline file says where rows come from, where they go, and how:

  source:   {type: postgres, hostname: db, username: app, password: "\${PGPASSWORD}", tables: shop.public.\\.*}
  sink:     {type: duckdb, path: ./warehouse.duckdb}
  pipeline: {name: shop}

Begin with a copy of config/postgres-to-duckdb.yaml. Then:

  millrace validate shop.yaml               is the file right? asks no server
  millrace plan shop.yaml                   which tables, how each is read, what cannot be right; writes nothing
  millrace run shop.yaml                    snapshot and changes, until Ctrl-C; run again, it goes on from there
  millrace run shop.yaml --until caught-up  ends when the sink has all that the source has
  millrace status shop.yaml --watch         what it does, how far behind it is, how much log the source keeps for it
  millrace state show shop.yaml             what it knows of itself; also to move it, or to mend it when an error asks for it
  millrace worker shop.yaml                 with snapshot.executor: bullmq, reads chunks for a run; any number, on any machine
  millrace drop shop.yaml                   takes slot, publication and checkpoint away

Exit codes: 0 done (a clean SIGTERM too), 1 failed, 2 bad usage or pipeline file, 3 source or sink refused,
130 Ctrl-C. Each error has a code, which docs/errors.md explains; docs/operating.md is the guide to all of this.
Environment: NO_COLOR turns colours off; \${NAME} in a pipeline file comes from here.
`;

export const RUN_HELP = `
The first Ctrl-C or SIGTERM finishes the epoch that is open and stops, within seconds (exit 130, or 0 for SIGTERM); a second
one stops at once (130, 143). Neither loses anything: the next run goes on from the last committed epoch.

On a terminal the progress is shown in place; elsewhere stdout gets a line for what happens and one every ten seconds for
what goes on. The log goes to stderr.

Examples:
  millrace run shop.yaml
  millrace run shop.yaml --until caught-up && echo "the warehouse is complete"
  millrace run shop.yaml --log-level debug --log-format json 2> millrace.log
  millrace run shop.yaml --resnapshot public.orders      reads this table anew, whatever state it is in
`;

export const STATUS_HELP = `
Works while the pipeline runs, after it stopped, and when the source cannot be reached. The shape of --json is described in
docs/operating.md; with --watch it is one object a line.
`;

export const PLAN_HELP = `
Writes nothing, neither on the source nor in the sink. Exit 3 where a table cannot be delivered as it is; the hint then
holds the statement that mends it.
`;

export const STATE_HELP = `
show and history read beside a running pipeline. All others refuse while a process has it, unless --take-over fences that off.

Examples:
  millrace state history shop.yaml
  millrace state adopt shop.yaml                      the checkpoint is lost or older than the sink, or the sink was put back
  millrace state reset shop.yaml public.orders        reads this table anew with the next run; \`all\` reads every one
  millrace state export shop.yaml shop.json           then, with another checkpoint.store or on another machine:
  millrace state import shop.yaml shop.json
`;

export const DROP_HELP = `
Stop the pipeline first. What was delivered stays in the sink; a run after it begins anew, and makes these tables anew.
`;

export const WORKER_HELP = `
For pipelines with \`snapshot.executor: bullmq\`. Each worker needs the pipeline file, the secrets in its own environment, and a way to the
source, to the Redis of \`checkpoint.store\` and to \`staging\`. It may be started before the run, beside it, and at any time after. Ctrl-C or
SIGTERM ends it behind the chunks that it has (130, or 0 for SIGTERM); one that is killed loses them to others within half a minute.

Example, on as many machines as there are:
  millrace worker shop.yaml --concurrency 4
`;
